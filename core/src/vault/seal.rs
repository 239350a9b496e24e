//! Seal, open, reseal and rebind of one field.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::Vault;
use super::held::InUse;
use super::state::State;
use crate::envelope::{Frame, seal_into, sealed_len};
use crate::secrets::Wiped;
use crate::wrap::draw_iv;
use crate::{Binding, DekKind, DekRef, Error};

/// Which kind of DEK a value is sealed under. Never picked silently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The org's active DEK.
    #[default]
    Org,
    /// The highest version of the record's own DEK that the vault has ever seen.
    Record,
}

/// How a value is sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealOptions {
    /// Under which kind of DEK.
    pub scope: Scope,
    /// Whether to hide the length, up to 64 bytes. Costs up to 64 bytes.
    pub padded: bool,
}

/// What a reseal changes; `None` keeps what the envelope has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResealOptions {
    /// Under which kind of DEK.
    pub scope: Option<Scope>,
    /// Whether to hide the length.
    pub padded: Option<bool>,
}

impl Vault {
    /// Seals one field for this place.
    ///
    /// # Errors
    /// [`Error::Limit`] above the field limit; [`Error::OrgTombstoned`]; [`Error::NoActiveDek`];
    /// [`Error::UnknownDek`] and what the DEK is over by; [`Error::RowInconsistent`],
    /// [`Error::ActiveRollback`] for the `active` row; [`Error::BudgetExhausted`]; [`Error::RngFailure`].
    pub fn seal(&self, binding: &Binding<'_>, plaintext: &[u8], options: SealOptions) -> Result<Vec<u8>, Error> {
        let in_use = self.begin_seal(binding, plaintext, options)?;
        let mut out = alloc::vec![0; sealed_len(plaintext.len(), options.padded)];
        self.seal_under(&in_use, binding, plaintext, options.padded, &mut out)?;
        Ok(out)
    }

    /// [`Self::seal`] into the front of a buffer of the caller's; says how many bytes. It needs
    /// [`crate::sealed_len`] bytes.
    ///
    /// # Errors
    /// As [`Self::seal`]; [`Error::BadInput`] if `out` is too short. `out` is unchanged after an error.
    pub fn seal_into(
        &self,
        binding: &Binding<'_>,
        plaintext: &[u8],
        options: SealOptions,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        if out.len() < sealed_len(plaintext.len(), options.padded) {
            return Err(Error::BadInput);
        }
        let in_use = self.begin_seal(binding, plaintext, options)?;
        self.seal_under(&in_use, binding, plaintext, options.padded, out)
    }

    /// Opens one field. `binding` is where the host found it, with the *owner's* org.
    ///
    /// # Errors
    /// [`Error::OrgTombstoned`]; the format errors; [`Error::Limit`]; [`Error::UnknownDek`] and what the
    /// DEK is over by; [`Error::AuthFailed`] for a wrong place or changed bytes, never more precise.
    pub fn open(&self, binding: &Binding<'_>, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (in_use, frame) = self.opening_dek(binding, envelope)?;
        let mut out = Zeroizing::new(alloc::vec![0; frame.max_plaintext()]);
        let len = frame.open_into(&in_use.key, binding, &mut out)?;
        out.truncate(len);
        Ok(out)
    }

    /// [`Self::open`] into the front of a buffer of the caller's; says how many bytes. Room for the
    /// envelope's length less 68 is always enough.
    ///
    /// # Errors
    /// As [`Self::open`]; [`Error::BadInput`] if `out` is too short. `out` is unchanged after an error.
    pub fn open_into(&self, binding: &Binding<'_>, envelope: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let (in_use, frame) = self.opening_dek(binding, envelope)?;
        frame.open_into(&in_use.key, binding, out)
    }

    /// Opens and seals again at the same place: under the active DEK or the record's highest one.
    /// The plaintext doesn't leave the core.
    ///
    /// # Errors
    /// Those of [`Self::open`], then those of [`Self::seal`].
    pub fn reseal(&self, binding: &Binding<'_>, envelope: &[u8], options: ResealOptions) -> Result<Vec<u8>, Error> {
        self.move_to(binding, binding, envelope, options)
    }

    /// Opens at one place and seals at another of the same org, a record envelope only within its
    /// record. Padding and kind of DEK stay. The plaintext doesn't leave the core.
    ///
    /// # Errors
    /// [`Error::BadInput`] for another org, or a record envelope and another record; those of
    /// [`Self::open`], then those of [`Self::seal`].
    pub fn rebind(&self, from: &Binding<'_>, to: &Binding<'_>, envelope: &[u8]) -> Result<Vec<u8>, Error> {
        self.move_to(from, to, envelope, ResealOptions::default())
    }

    fn move_to(
        &self,
        from: &Binding<'_>,
        to: &Binding<'_>,
        envelope: &[u8],
        options: ResealOptions,
    ) -> Result<Vec<u8>, Error> {
        let frame = Frame::read(envelope, self.settings.field_limit);
        let (opening, frame, sealing) = {
            let (mut state, _) = self.enter()?;
            state.check_org(from.org())?;
            if from.org() != to.org() {
                return Err(Error::BadInput);
            }
            let frame = frame?;
            check_within_record(&state, &frame.dek_ref, from, to)?;
            let opening = state.deks.take_up(&frame.dek_ref)?;
            let scope = options.scope.unwrap_or(match opening.key.identity().kind() {
                DekKind::Org => Scope::Org,
                DekKind::Record => Scope::Record,
            });
            // Judged under the same clock and state as the open, told only if that succeeds.
            let sealing = self.sealing_dek(&mut state, to, scope);
            (opening, frame, sealing)
        };
        let mut plaintext = Wiped(alloc::vec![0; frame.max_plaintext()]);
        let opened = frame.open_into(&opening.key, from, &mut plaintext.0).and_then(|len| {
            let plaintext = plaintext.0.get(..len).ok_or(Error::Internal)?;
            // Padding may have carried a little more than this vault would read again without it.
            self.check_plaintext(plaintext)?;
            Ok(plaintext)
        });
        if opened.is_err()
            && let Ok(sealing) = &sealing
        {
            self.uncount(sealing.key.dek_ref());
        }
        let plaintext = opened?;
        let padded = options.padded.unwrap_or(frame.padded);
        let mut out = alloc::vec![0; sealed_len(plaintext.len(), padded)];
        self.seal_under(&sealing?, to, plaintext, padded, &mut out)?;
        Ok(out)
    }

    /// Everything before the IV is drawn. The clocks are read first: calls that fail see a step back too.
    fn begin_seal(&self, binding: &Binding<'_>, plaintext: &[u8], options: SealOptions) -> Result<InUse, Error> {
        let (mut state, _) = self.enter()?;
        self.check_plaintext(plaintext)?;
        state.check_org(binding.org())?;
        self.sealing_dek(&mut state, binding, options.scope)
    }

    /// The DEK to seal under, its use counted.
    pub(super) fn sealing_dek(&self, state: &mut State, binding: &Binding<'_>, scope: Scope) -> Result<InUse, Error> {
        let in_use = state.sealing_dek(binding, scope)?;
        state.count_seal(in_use.key.dek_ref(), self.settings.seal_limit)?;
        Ok(in_use)
    }

    pub(super) fn check_plaintext(&self, plaintext: &[u8]) -> Result<(), Error> {
        if plaintext.len() > self.settings.field_limit { Err(Error::Limit) } else { Ok(()) }
    }

    /// Takes a count back when no IV was drawn.
    pub(super) fn uncount(&self, dek_ref: &DekRef) {
        if let Ok(mut state) = self.state.lock() {
            state.uncount_seal(dek_ref);
        }
    }

    /// Draws the IV and seals; the use is counted already.
    fn seal_under(
        &self,
        in_use: &InUse,
        binding: &Binding<'_>,
        plaintext: &[u8],
        padded: bool,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let iv = draw_iv(&*self.platform).inspect_err(|_| self.uncount(in_use.key.dek_ref()))?;
        seal_into(&in_use.key, binding, plaintext, padded, &iv, out)
    }

    fn opening_dek<'a>(&self, binding: &Binding<'_>, envelope: &'a [u8]) -> Result<(InUse, Frame<'a>), Error> {
        let frame = Frame::read(envelope, self.settings.field_limit);
        let (mut state, _) = self.enter()?;
        state.check_org(binding.org())?;
        let frame = frame?;
        Ok((state.deks.take_up(&frame.dek_ref)?, frame))
    }
}

/// A record DEK serves its own record only, so a record envelope can't be bound to another.
fn check_within_record(state: &State, dek_ref: &DekRef, from: &Binding<'_>, to: &Binding<'_>) -> Result<(), Error> {
    let same = from.table() == to.table() && from.record() == to.record();
    let record = state.deks.get(dek_ref).is_some_and(|held| held.identity.kind() == DekKind::Record);
    if record && !same { Err(Error::BadInput) } else { Ok(()) }
}
