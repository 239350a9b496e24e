//! The operations that use a DEK, with their cipher outside (see [`crate::external`]). Each makes
//! the checks of its plain form, in the same order.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::{self, Vec};

use super::Vault;
use super::batch::{Item, Plan, Work};
use super::frame::read_items;
use super::requests::check_created;
use super::seal::{ResealOptions, SealOptions};
use super::share::{check_ref, held_record_dek};
use super::state::State;
use super::unwrap::check_reader;
use crate::envelope::Frame;
use crate::envelope::external::{Join, seal_step};
use crate::external::{External, Place, Step};
use crate::secrets::{DekKey, IV_LEN, Wiped};
use crate::text::check;
use crate::wrap::{LocalWrap, Provider, WrapRow, admit_unwrapped, draw_iv, local_step};
use crate::{Binding, DekRef, Error, Identity};

impl Vault {
    /// [`Self::seal`]; its result is the envelope.
    ///
    /// # Errors
    /// As there.
    pub fn seal_begin<'v>(
        &'v self,
        binding: &Binding<'_>,
        plaintext: &[u8],
        options: SealOptions,
    ) -> Result<External<'v>, Error> {
        self.begin(&Item::new(*binding, plaintext, Work::Seal(options)))
    }

    /// [`Self::open`]; its result is the plaintext.
    ///
    /// # Errors
    /// As there, but for what only the cipher finds.
    pub fn open_begin<'v>(&'v self, binding: &Binding<'_>, envelope: &[u8]) -> Result<External<'v>, Error> {
        self.begin(&Item::new(*binding, envelope, Work::Open))
    }

    fn begin<'v>(&'v self, item: &Item<'_>) -> Result<External<'v>, Error> {
        let (step, join) = prepare(item, &self.plan_one(item)?)?;
        Ok(External::waits(step, move |output| Ok(External::of(join.join(&output?)?))))
    }

    /// [`Self::seal_frame`]; its result is the reply.
    ///
    /// # Errors
    /// As there.
    pub fn seal_frame_begin<'v>(&'v self, frame: &[u8]) -> Result<External<'v>, Error> {
        self.frame_begin(frame, true)
    }

    /// [`Self::open_frame`]; its result is the reply.
    ///
    /// # Errors
    /// As there.
    pub fn open_frame_begin<'v>(&'v self, frame: &[u8]) -> Result<External<'v>, Error> {
        self.frame_begin(frame, false)
    }

    fn frame_begin<'v>(&'v self, frame: &[u8], seal: bool) -> Result<External<'v>, Error> {
        let items = read_items(frame, seal)?;
        let plans = self.plan(&items)?;
        // Growing it would leave copies of plaintext behind.
        let room = items.iter().fold(0_usize, |sum, item| sum.saturating_add(item.room()).saturating_add(8));
        let steps: Vec<_> = items.iter().zip(plans).map(|(item, plan)| prepare(item, &plan?)).collect();
        next(steps.into_iter(), Vec::with_capacity(room))
    }

    /// [`Self::reseal`]; its result is the envelope.
    ///
    /// # Errors
    /// As there.
    pub fn reseal_begin<'v>(
        &'v self,
        binding: &Binding<'_>,
        envelope: &[u8],
        options: ResealOptions,
    ) -> Result<External<'v>, Error> {
        self.move_begin(binding, binding, envelope, options)
    }

    /// [`Self::rebind`]; its result is the envelope.
    ///
    /// # Errors
    /// As there.
    pub fn rebind_begin<'v>(
        &'v self,
        from: &Binding<'_>,
        to: &Binding<'_>,
        envelope: &[u8],
    ) -> Result<External<'v>, Error> {
        self.move_begin(from, to, envelope, ResealOptions::default())
    }

    fn move_begin<'v>(
        &'v self,
        from: &Binding<'_>,
        to: &Binding<'_>,
        envelope: &[u8],
        options: ResealOptions,
    ) -> Result<External<'v>, Error> {
        let (_, options) = self.check_move(from, to, envelope, options)?;
        let item = Item::new(*from, envelope, Work::Open);
        let (step, join) = prepare(&item, &self.plan_one(&item)?)?;
        let place = Place::new(to);
        Ok(External::waits(step, move |output| {
            let plaintext = join.join(&output?)?;
            self.seal_begin(&place.binding()?, &plaintext.0, options)
        }))
    }

    /// [`Self::generate_record_dek`]; its result is the row's JSON.
    ///
    /// # Errors
    /// As there.
    pub fn generate_record_dek_begin<'v>(
        &'v self,
        org: &str,
        table: &str,
        record: &str,
        version: u32,
        created: u64,
    ) -> Result<External<'v>, Error> {
        let identity = Identity::record(org, table, record, version)?;
        check_created(created)?;
        let mut state = self.enter()?;
        let keys = self.new_record_dek(&mut state, org, identity)?;
        self.wrap_begin(&mut state, keys, org, created, true)
    }

    /// [`Self::wrap_local`]; its result is the row's JSON.
    ///
    /// # Errors
    /// As there.
    pub fn wrap_local_begin<'v>(&'v self, org: &str, dek_ref: &[u8], created: u64) -> Result<External<'v>, Error> {
        check(org)?;
        check_ref(dek_ref)?;
        check_created(created)?;
        let mut state = self.enter()?;
        let keys = held_record_dek(&mut state, org, dek_ref)?;
        self.wrap_begin(&mut state, keys, org, created, false)
    }

    fn wrap_begin<'v>(
        &'v self,
        state: &mut State,
        (kek, key): (Arc<DekKey>, Arc<DekKey>),
        reader: &str,
        created: u64,
        is_new: bool,
    ) -> Result<External<'v>, Error> {
        state.count_seal(kek.dek_ref(), self.settings.seal_limit)?;
        let mut iv = [0; IV_LEN];
        let (mut row, step) = draw_iv(&*self.platform, &mut iv)
            .and_then(|()| local_step(&kek, &key, reader, created, iv))
            .inspect_err(|_| state.uncount_seal(kek.dek_ref()))?;
        let reader = String::from(reader);
        Ok(External::waits(step, move |output| {
            row.blob.extend_from_slice(&output?.0);
            let mut state = self.enter()?;
            state.check_org(&reader)?;
            if is_new {
                state.take_in(key, &reader, self.settings.ttl, Some(kek.dek_ref().as_bytes()))?;
            }
            Ok(External::done(WrapRow::from(row).to_json().into_bytes()))
        }))
    }

    /// [`Self::admit`] of a local row; its result is the `dek_ref`.
    ///
    /// # Errors
    /// As there.
    pub fn admit_begin<'v>(&'v self, org: &str, row: WrapRow) -> Result<External<'v>, Error> {
        check(org)?;
        let (step, kek_ref) = {
            let mut state = self.enter()?;
            check_reader(&state, org, &row)?;
            if row.provider() != Provider::Local {
                return Err(Error::BadInput);
            }
            let wrap = LocalWrap::read(&row)?;
            (wrap.step(&state.deks.take_up(wrap.kek_ref)?)?, DekRef::from(*wrap.kek_ref))
        };
        let org = String::from(org);
        Ok(External::waits(step, move |output| {
            let key: Arc<DekKey> = admit_unwrapped(&row, &mut output?.0)?;
            let mut state = self.enter()?;
            // What was true before the cipher must be true still.
            check_reader(&state, &org, &row)?;
            state.deks.take_up(kek_ref.as_bytes())?;
            state.take_in(key, &org, self.settings.ttl, Some(kek_ref.as_bytes()))?;
            Ok(External::done(row.dek_ref().as_bytes().to_vec()))
        }))
    }
}

fn prepare(item: &Item<'_>, plan: &Plan) -> Result<(Step, Join), Error> {
    let binding = &item.binding?;
    match item.work {
        Work::Seal(options) => seal_step(&plan.key, binding, item.value, options.padded, plan.iv),
        // Its length was judged when it was planned.
        Work::Open => Frame::read(item.value, usize::MAX)?.open_step(&plan.key, binding),
    }
}

/// The steps of a batch, one behind the other.
fn next<'v>(mut rest: vec::IntoIter<Result<(Step, Join), Error>>, mut reply: Vec<u8>) -> Result<External<'v>, Error> {
    for item in rest.by_ref() {
        match item {
            Err(error) => push(&mut reply, Err(error))?,
            Ok((step, join)) => {
                // Dropped unfinished, what was opened so far is wiped too.
                let mut reply = Wiped(reply);
                return Ok(External::waits(step, move |output| {
                    let joined = output.and_then(|output| join.join(&output));
                    push(&mut reply.0, joined.as_ref().map(|joined| joined.0.as_slice()).map_err(|error| *error))?;
                    next(rest, take(reply))
                }));
            }
        }
    }
    Ok(External::done(reply))
}

fn push(reply: &mut Vec<u8>, result: Result<&[u8], Error>) -> Result<(), Error> {
    let (number, value) = result.map_or_else(|error| (error.number(), [].as_slice()), |value| (0, value));
    reply.extend_from_slice(&number.to_be_bytes());
    reply.extend_from_slice(&u32::try_from(value.len()).map_err(|_| Error::Limit)?.to_be_bytes());
    reply.extend_from_slice(value);
    Ok(())
}

/// Moves a buffer on without a copy.
fn take(mut wiped: Wiped) -> Vec<u8> {
    core::mem::take(&mut wiped.0)
}
