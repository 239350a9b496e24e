//! Test only: bare DEKs with their cipher outside (see [`crate::external`]). Each makes the checks
//! of its namesake in [`crate::hazmat`], in the same order.

use alloc::sync::Arc;
use alloc::vec::{self, Vec};

use crate::envelope::Frame;
use crate::envelope::external::{Join, seal_step};
use crate::external::{External, Place, Step};
use crate::hazmat::{bare, bare_key, given_iv, platform, wrappable};
use crate::secrets::{DekKey, IV_LEN, Wiped};
use crate::wrap::{LocalWrap, WrapRow, admit_unwrapped, local_step};
use crate::{Binding, DEFAULT_FIELD_LIMIT, Error, Identity, Platform};

/// [`crate::hazmat::seal`]; its result is the envelope.
///
/// # Errors
/// As there.
pub fn seal(
    key: &[u8],
    identity: &Identity,
    binding: &Binding<'_>,
    plaintext: &[u8],
    padded: bool,
    iv: Option<&[u8]>,
) -> Result<External<'static>, Error> {
    let key = bare_key(key, identity)?;
    if plaintext.len() > DEFAULT_FIELD_LIMIT {
        return Err(Error::Limit);
    }
    if !identity.serves(binding) {
        return Err(Error::BadInput);
    }
    Ok(one(seal_step(&key, binding, plaintext, padded, given_iv(iv)?)?))
}

/// [`crate::hazmat::open`]; its result is the plaintext.
///
/// # Errors
/// As there, but for what only the cipher finds.
pub fn open(
    key: &[u8],
    identity: &Identity,
    binding: &Binding<'_>,
    envelope: &[u8],
) -> Result<External<'static>, Error> {
    Ok(one(open_under(&bare_key(key, identity)?, binding, envelope)?.0))
}

/// [`crate::hazmat::seal_many`]; its result is the envelopes, one behind the other.
///
/// # Errors
/// As there.
pub fn seal_many(key: &[u8], identity: &Identity, binding: &Binding<'_>, n: usize) -> Result<External<'static>, Error> {
    let key = bare_key(key, identity)?;
    if n > crate::MAX_BATCH {
        return Err(Error::Limit);
    }
    if !identity.serves(binding) {
        return Err(Error::BadInput);
    }
    let mut ivs = alloc::vec![0; n.saturating_mul(IV_LEN)];
    platform().fill(&mut ivs)?;
    let (ivs, _) = ivs.as_chunks::<IV_LEN>();
    let steps: Result<Vec<_>, _> = ivs.iter().map(|iv| seal_step(&key, binding, &[], false, *iv)).collect();
    next(steps?.into_iter(), Vec::new())
}

/// [`crate::hazmat::reseal`]; its result is the envelope.
///
/// # Errors
/// As there.
pub fn reseal(
    from: (&[u8], &Identity),
    to: (&[u8], &Identity),
    binding: &Binding<'_>,
    envelope: &[u8],
) -> Result<External<'static>, Error> {
    let from_key = bare_key(from.0, from.1)?;
    let (to_key, to_identity) = (bare(to.0)?, to.1.clone());
    let ((step, join), padded) = open_under(&from_key, binding, envelope)?;
    let place = Place::new(binding);
    Ok(External::waits(step, move |output| {
        let plaintext = join.join(&output?)?;
        seal(to_key.expose(), &to_identity, &place.binding()?, &plaintext.0, padded, None)
    }))
}

/// [`crate::hazmat::wrap_local`]; its result is the row's JSON.
///
/// # Errors
/// As there.
pub fn wrap_local(
    kek: (&[u8], &Identity),
    key: (&[u8], &Identity),
    purpose: &str,
    reader: &str,
    created: u64,
    iv: Option<&[u8]>,
) -> Result<External<'static>, Error> {
    let (kek, key) = wrappable(kek, key, purpose, reader, created)?;
    let (mut row, step) = local_step(&kek, &key, reader, created, given_iv(iv)?)?;
    Ok(External::waits(step, move |output| {
        row.blob.extend_from_slice(&output?.0);
        Ok(External::done(WrapRow::from(row).to_json().into_bytes()))
    }))
}

/// [`crate::hazmat::unwrap_local`]; its result is the plaintext.
///
/// # Errors
/// As there.
pub fn unwrap_local(
    kek: (&[u8], &Identity),
    row: WrapRow,
    binding: &Binding<'_>,
    envelope: &[u8],
) -> Result<External<'static>, Error> {
    let kek = bare_key(kek.0, kek.1)?;
    let step = {
        let wrap = LocalWrap::read(&row)?;
        if wrap.kek_ref != kek.dek_ref().as_bytes() {
            return Err(Error::UnknownDek);
        }
        wrap.step(&kek)?
    };
    let (place, envelope) = (Place::new(binding), envelope.to_vec());
    Ok(External::waits(step, move |output| {
        let key = admit_unwrapped(&row, &mut output?.0)?;
        Ok(one(open_under(&key, &place.binding()?, &envelope)?.0))
    }))
}

fn open_under(key: &Arc<DekKey>, binding: &Binding<'_>, envelope: &[u8]) -> Result<((Step, Join), bool), Error> {
    let frame = Frame::read(envelope, DEFAULT_FIELD_LIMIT)?;
    if frame.dek_ref != key.dek_ref().as_bytes() {
        return Err(Error::UnknownDek);
    }
    Ok((frame.open_step(key, binding)?, frame.padded))
}

fn one((step, join): (Step, Join)) -> External<'static> {
    External::waits(step, move |output| Ok(External::of(join.join(&output?)?)))
}

fn next(mut rest: vec::IntoIter<(Step, Join)>, mut made: Vec<u8>) -> Result<External<'static>, Error> {
    let Some((step, join)) = rest.next() else { return Ok(External::done(made)) };
    Ok(External::waits(step, move |output| {
        let Wiped(envelope) = &join.join(&output?)?;
        made.extend_from_slice(envelope);
        next(rest, made)
    }))
}
