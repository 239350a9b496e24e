//! Sealing and opening.

use napi_derive::napi;
use strongroom::{Binding, Error, ResealOptions, Scope, SealOptions};

use crate::handles::find;
use crate::values::{Bytes, Copied, Flag, Numbers, Output, Result, Revision, Text, Whole, guard};

/// The dek_refs, 32 bytes each, of those envelopes that can't be opened yet.
#[napi(catch_unwind)]
pub(crate) fn missing(vault: Whole, envelopes: Bytes, lengths: Numbers) -> Result<Copied> {
    guard(|| {
        let mut rest = envelopes.read()?;
        let mut parts = Vec::new();
        for length in lengths.read()? {
            let length = usize::try_from(length).map_err(|_| Error::BadInput)?;
            let (part, after) = rest.split_at_checked(length).ok_or(Error::BadInput)?;
            parts.push(part);
            rest = after;
        }
        let missing = find(vault.handle())?.missing(&parts)?;
        Ok(Copied(missing.iter().flat_map(|dek_ref| *dek_ref.as_bytes()).collect()))
    })
}

/// Seals one value into `out`; gives the envelope's length.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "a small seal costs less than an object")]
pub(crate) fn seal(
    vault: Whole,
    org: Text,
    table: Text,
    record: Text,
    field: Text,
    revision: Revision,
    plaintext: Bytes,
    scope: Whole,
    padded: Flag,
    mut out: Output,
) -> Result<u32> {
    guard(|| {
        let binding = binding([&org, &table, &record, &field], revision)?;
        let options = SealOptions { scope: scope_of(scope)?, padded: padded.get()? };
        let out = out.beside(&[&plaintext])?;
        length(find(vault.handle())?.seal_into(&binding, plaintext.read()?, options, out)?)
    })
}

/// Opens one envelope into `out`; gives the plaintext's length.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "a small open costs less than an object")]
pub(crate) fn open(
    vault: Whole,
    org: Text,
    table: Text,
    record: Text,
    field: Text,
    revision: Revision,
    envelope: Bytes,
    mut out: Output,
) -> Result<u32> {
    guard(|| {
        let binding = binding([&org, &table, &record, &field], revision)?;
        let out = out.beside(&[&envelope])?;
        length(find(vault.handle())?.open_into(&binding, envelope.read()?, out)?)
    })
}

/// Seals a batch: a frame in, a frame out.
#[napi(catch_unwind)]
pub(crate) fn seal_frame(vault: Whole, frame: Bytes, mut out: Output) -> Result<u32> {
    guard(|| {
        let out = out.beside(&[&frame])?;
        length(find(vault.handle())?.seal_frame(frame.read()?, out)?)
    })
}

/// Opens a batch: a frame in, a frame out.
#[napi(catch_unwind)]
pub(crate) fn open_frame(vault: Whole, frame: Bytes, mut out: Output) -> Result<u32> {
    guard(|| {
        let out = out.beside(&[&frame])?;
        length(find(vault.handle())?.open_frame(frame.read()?, out)?)
    })
}

/// Opens, and seals under the active DEK; -1 for an option keeps what the envelope has.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "like `open`")]
pub(crate) fn reseal(
    vault: Whole,
    org: Text,
    table: Text,
    record: Text,
    field: Text,
    revision: Revision,
    envelope: Bytes,
    scope: Whole,
    padded: Whole,
) -> Result<Copied> {
    guard(|| {
        let binding = binding([&org, &table, &record, &field], revision)?;
        let scope = if scope.get() == Ok(-1_i32) { None } else { Some(scope_of(scope)?) };
        let padded = match padded.get()? {
            -1_i32 => None,
            0 => Some(false),
            1 => Some(true),
            _ => return Err(Error::BadInput),
        };
        let options = ResealOptions { scope, padded };
        Ok(Copied(find(vault.handle())?.reseal(&binding, envelope.read()?, options)?))
    })
}

/// Opens at one binding and seals at another.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "like `open`, with two bindings")]
pub(crate) fn rebind(
    vault: Whole,
    from_org: Text,
    from_table: Text,
    from_record: Text,
    from_field: Text,
    from_revision: Revision,
    to_org: Text,
    to_table: Text,
    to_record: Text,
    to_field: Text,
    to_revision: Revision,
    envelope: Bytes,
) -> Result<Copied> {
    guard(|| {
        let from = binding([&from_org, &from_table, &from_record, &from_field], from_revision)?;
        let to = binding([&to_org, &to_table, &to_record, &to_field], to_revision)?;
        Ok(Copied(find(vault.handle())?.rebind(&from, &to, envelope.read()?)?))
    })
}

/// The core's binding of four strings and a revision.
///
/// # Errors
/// [`Error::BadInput`] if one is ill-formed; what the core says of their lengths.
pub(crate) fn binding<'a>(parts: [&'a Text; 4], revision: Revision) -> Result<Binding<'a>, Error> {
    let [org, table, record, field] = parts;
    let binding = Binding::new(org.as_str()?, table.as_str()?, record.as_str()?, field.as_str()?)?;
    Ok(match revision.get()? {
        Some(revision) => binding.with_revision(revision),
        None => binding,
    })
}

fn scope_of(scope: Whole) -> Result<Scope, Error> {
    match scope.get()? {
        0_i32 => Ok(Scope::Org),
        1 => Ok(Scope::Record),
        _ => Err(Error::BadInput),
    }
}

fn length(length: usize) -> Result<u32, Error> {
    u32::try_from(length).map_err(|_| Error::Internal)
}
