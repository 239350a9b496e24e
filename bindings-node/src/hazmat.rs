//! What only tests do: set clocks, fixed IVs, a generator that fails, bare DEKs.
//!
//! No released addon has this file. Here plaintext is returned as an ordinary copy.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use napi::Env;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use strongroom::hazmat::{self, TestPlatform};
use strongroom::{Error, Identity, Vault, VaultOptions, WrapRow};

use crate::fields::binding;
use crate::handles::{self, Owner};
use crate::values::{Bytes, Copied, Flag, Result, Revision, Text, Whole, guard};

/// The dek_ref of a bare DEK.
#[napi(catch_unwind)]
pub(crate) fn hz_dek_ref(key: Bytes, identity: Text) -> Result<Copied> {
    guard(|| Ok(Copied(hazmat::dek_ref(key.read()?, &identity_of(&identity)?)?.as_bytes().to_vec())))
}

/// The AAD of a header and a binding.
#[napi(catch_unwind)]
pub(crate) fn hz_binding_aad(
    header: Bytes,
    org: Text,
    table: Text,
    record: Text,
    field: Text,
    revision: Revision,
) -> Result<Copied> {
    guard(|| {
        let binding = binding([&org, &table, &record, &field], revision)?;
        Ok(Copied(hazmat::binding_aad(header.read()?, &binding)?))
    })
}

/// Seals under a bare DEK.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "as the vault's own")]
pub(crate) fn hz_seal(
    key: Bytes,
    identity: Text,
    org: Text,
    table: Text,
    record: Text,
    field: Text,
    revision: Revision,
    plaintext: Bytes,
    padded: Flag,
    iv: Option<Bytes>,
) -> Result<Copied> {
    guard(|| {
        let binding = binding([&org, &table, &record, &field], revision)?;
        let (identity, iv) = (identity_of(&identity)?, optional(iv.as_ref())?);
        let (key, plaintext) = (key.read()?, plaintext.read()?);
        Ok(Copied(hazmat::seal(key, &identity, &binding, plaintext, padded.get()?, iv)?))
    })
}

/// Opens with a bare DEK.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "as the vault's own")]
pub(crate) fn hz_open(
    key: Bytes,
    identity: Text,
    org: Text,
    table: Text,
    record: Text,
    field: Text,
    revision: Revision,
    envelope: Bytes,
) -> Result<Copied> {
    guard(|| {
        let binding = binding([&org, &table, &record, &field], revision)?;
        let plaintext = hazmat::open(key.read()?, &identity_of(&identity)?, &binding, envelope.read()?)?;
        Ok(Copied(plaintext.to_vec()))
    })
}

/// Seals the empty plaintext `count` times.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "as the vault's own")]
pub(crate) fn hz_seal_many(
    key: Bytes,
    identity: Text,
    org: Text,
    table: Text,
    record: Text,
    field: Text,
    revision: Revision,
    count: Whole,
) -> Result<Vec<Copied>> {
    guard(|| {
        let binding = binding([&org, &table, &record, &field], revision)?;
        let identity = identity_of(&identity)?;
        let envelopes = hazmat::seal_many(key.read()?, &identity, &binding, count.get()?)?;
        Ok(envelopes.into_iter().map(Copied).collect())
    })
}

/// Opens with one bare DEK and seals with another.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "as the vault's own")]
pub(crate) fn hz_reseal(
    from_key: Bytes,
    from_identity: Text,
    to_key: Bytes,
    to_identity: Text,
    org: Text,
    table: Text,
    record: Text,
    field: Text,
    revision: Revision,
    envelope: Bytes,
) -> Result<Copied> {
    guard(|| {
        let binding = binding([&org, &table, &record, &field], revision)?;
        let (from, to) = (identity_of(&from_identity)?, identity_of(&to_identity)?);
        let (from, to) = ((from_key.read()?, &from), (to_key.read()?, &to));
        Ok(Copied(hazmat::reseal(from, to, &binding, envelope.read()?)?))
    })
}

/// Wraps a bare DEK under another.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "as the core's")]
pub(crate) fn hz_wrap_local(
    kek: Bytes,
    kek_identity: Text,
    key: Bytes,
    identity: Text,
    purpose: Text,
    reader: Text,
    created: Whole,
    iv: Option<Bytes>,
) -> Result<String> {
    guard(|| {
        let (kek_identity, identity) = (identity_of(&kek_identity)?, identity_of(&identity)?);
        let row = hazmat::wrap_local(
            (kek.read()?, &kek_identity),
            (key.read()?, &identity),
            purpose.as_str()?,
            reader.as_str()?,
            created.get()?,
            optional(iv.as_ref())?,
        )?;
        Ok(row.to_json())
    })
}

/// Unwraps a row with a bare DEK, and opens a probe with what it finds.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "as the core's")]
pub(crate) fn hz_unwrap_local(
    kek: Bytes,
    kek_identity: Text,
    row: Text,
    org: Text,
    table: Text,
    record: Text,
    field: Text,
    revision: Revision,
    envelope: Bytes,
) -> Result<Copied> {
    guard(|| {
        let binding = binding([&org, &table, &record, &field], revision)?;
        let row = WrapRow::from_json(row.as_str()?.as_bytes())?;
        let kek_identity = identity_of(&kek_identity)?;
        let kek = (kek.read()?, &kek_identity);
        let plaintext = hazmat::unwrap_local(kek, &row, &binding, envelope.read()?)?;
        Ok(Copied(plaintext.to_vec()))
    })
}

/// Makes a vault with clocks that stand still until they are set.
#[napi(catch_unwind)]
pub(crate) fn hz_vault_new(env: &Env, options: Text, wall: Revision, mono: Revision) -> Result<u32> {
    guard(|| {
        let platform = TestPlatform::new(seconds(wall)?, seconds(mono)?);
        let options = VaultOptions::from_json(options.as_str()?.as_bytes())?;
        let vault = Vault::with_platform(&options, Box::new(platform.clone()))?;
        let handle = handles::keep(Owner::of(env), vault)?;
        CLOCKS.lock().unwrap_or_else(PoisonError::into_inner).insert(handle, platform);
        Ok(handle)
    })
}

/// Sets a vault's clocks.
#[napi(catch_unwind)]
pub(crate) fn hz_set_clock(vault: Whole, wall: Revision, mono: Revision) -> Result<()> {
    guard(|| {
        let clocks = CLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        let platform = vault.handle().and_then(|handle| clocks.get(&handle)).ok_or(Error::BadInput)?;
        platform.set_clock(seconds(wall)?, seconds(mono)?);
        Ok(())
    })
}

/// Makes every vault's generator fail, or work again.
#[napi(catch_unwind)]
pub(crate) fn hz_rng(ok: Flag) -> Result<()> {
    guard(|| {
        hazmat::set_rng_ok(ok.get()?);
        Ok(())
    })
}

/// The core's cipher alone: ciphertext and tag.
#[napi(catch_unwind)]
pub(crate) fn hz_gcm_seal(key: Bytes, iv: Bytes, aad: Bytes, data: Bytes) -> Result<Copied> {
    guard(|| Ok(Copied(hazmat::gcm_seal(key.read()?, iv.read()?, aad.read()?, data.read()?)?)))
}

/// The core's cipher alone: plaintext of ciphertext and tag.
#[napi(catch_unwind)]
pub(crate) fn hz_gcm_open(key: Bytes, iv: Bytes, aad: Bytes, data: Bytes) -> Result<Copied> {
    guard(|| {
        let plaintext = hazmat::gcm_open(key.read()?, iv.read()?, aad.read()?, data.read()?)?;
        Ok(Copied(plaintext.to_vec()))
    })
}

/// Panics: shows that a panic is caught.
#[napi(catch_unwind)]
#[allow(clippy::panic, reason = "what it is for")]
pub(crate) fn hz_panic() -> Result<()> {
    guard(|| panic!("asked for by a test"))
}

/// Returns an external buffer, as no other function does: shows that the test which
/// counts them can count.
#[napi(catch_unwind)]
pub(crate) fn hz_external_buffer() -> Buffer {
    vec![1, 2, 3].into()
}

fn identity_of(identity: &Text) -> Result<Identity, Error> {
    Identity::from_json(identity.as_str()?.as_bytes())
}

fn optional(bytes: Option<&Bytes>) -> Result<Option<&[u8]>, Error> {
    bytes.map(Bytes::read).transpose()
}

fn seconds(seconds: Revision) -> Result<u64, Error> {
    seconds.get()?.ok_or(Error::BadInput)
}

static CLOCKS: LazyLock<Mutex<HashMap<u32, TestPlatform>>> = LazyLock::new(Mutex::default);
