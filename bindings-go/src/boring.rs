//! For Go under `GOEXPERIMENT=boringcrypto`: the library has no AES, and each operation that uses
//! a DEK begins here, hands out its cipher steps and goes on with their results. Only that build
//! has these entries.

use std::ptr;

use strongroom::external::External;
use strongroom::{Error, ResealOptions, SealOptions, WrapRow};

use crate::ptr::{Output, binding, flag, present, strongroom_binding, strongroom_bytes, strongroom_vault, vault};
use crate::status::{guard, strongroom_status};
use crate::vault::{kept, scope};

/// An operation under way. It must be freed before its vault is; freeing it at any point wipes
/// everything in it.
pub struct strongroom_external(Option<External<'static>>);

/// AES-256-GCM work: its memory is the operation's, and ends with the next call on it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct strongroom_external_step {
    /// 32 bytes: the key, for this step only.
    pub key: *const u8,
    /// 12 bytes: the IV.
    pub iv: *const u8,
    /// The additional authenticated data.
    pub aad: strongroom_bytes,
    /// The plaintext, or the ciphertext and its tag of 16 bytes.
    pub input: strongroom_bytes,
    /// Where the ciphertext and its tag, or the plaintext, belong; null if that is empty.
    pub output: *mut u8,
    /// The exact length of the output.
    pub output_len: usize,
    /// 1 to encrypt, 0 to decrypt.
    pub seals: u8,
}

/// Makes an operation and hands it over.
pub(crate) fn begin(
    made: *mut *mut strongroom_external,
    make: impl FnOnce() -> Result<External<'static>, Error>,
) -> strongroom_status {
    guard(|| {
        let made = present(made)?;
        let external = Box::new(strongroom_external(Some(make()?)));
        // SAFETY: `present` found it not null, and the caller vouches for the rest.
        unsafe { made.write(Box::into_raw(external)) };
        Ok(())
    })
}

/// `strongroom_vault_seal`, begun. The result is the envelope.
///
/// # Safety
/// `at` and `plaintext` can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_seal_begin(
    vault: *const strongroom_vault,
    at: *const strongroom_binding,
    plaintext: strongroom_bytes,
    scope: u8,
    padded: u8,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (vault, at, plaintext) = unsafe { (self::vault(vault)?, binding(at)?, plaintext.slice()?) };
        let options = SealOptions { scope: self::scope(scope)?, padded: flag(padded)? };
        vault.seal_begin(&at, plaintext, options)
    })
}

/// `strongroom_vault_open`, begun. The result is the plaintext.
///
/// # Safety
/// `at` and `envelope` can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_open_begin(
    vault: *const strongroom_vault,
    at: *const strongroom_binding,
    envelope: strongroom_bytes,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (vault, at, envelope) = unsafe { (self::vault(vault)?, binding(at)?, envelope.slice()?) };
        vault.open_begin(&at, envelope)
    })
}

/// `strongroom_vault_seal_many`, begun. The result is the reply.
///
/// # Safety
/// `frame` can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_seal_many_begin(
    vault: *const strongroom_vault,
    frame: strongroom_bytes,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (vault, frame) = unsafe { (self::vault(vault)?, frame.slice()?) };
        vault.seal_frame_begin(frame)
    })
}

/// `strongroom_vault_open_many`, begun. The result is the reply.
///
/// # Safety
/// `frame` can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_open_many_begin(
    vault: *const strongroom_vault,
    frame: strongroom_bytes,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (vault, frame) = unsafe { (self::vault(vault)?, frame.slice()?) };
        vault.open_frame_begin(frame)
    })
}

/// `strongroom_vault_reseal`, begun: an open and a seal. The result is the envelope.
///
/// # Safety
/// `at` and `envelope` can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_reseal_begin(
    vault: *const strongroom_vault,
    at: *const strongroom_binding,
    envelope: strongroom_bytes,
    scope: i8,
    padded: i8,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (vault, at, envelope) = unsafe { (self::vault(vault)?, binding(at)?, envelope.slice()?) };
        let scope = kept(scope)?.map(self::scope).transpose()?;
        let padded = kept(padded)?.map(flag).transpose()?;
        vault.reseal_begin(&at, envelope, ResealOptions { scope, padded })
    })
}

/// `strongroom_vault_rebind`, begun: an open and a seal. The result is the envelope.
///
/// # Safety
/// `from`, `to` and `envelope` can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_rebind_begin(
    vault: *const strongroom_vault,
    from: *const strongroom_binding,
    to: *const strongroom_binding,
    envelope: strongroom_bytes,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (vault, from, to, envelope) =
            unsafe { (self::vault(vault)?, binding(from)?, binding(to)?, envelope.slice()?) };
        vault.rebind_begin(&from, &to, envelope)
    })
}

/// `strongroom_vault_generate_record_dek`, begun. The result is the row.
///
/// # Safety
/// The texts can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_generate_record_dek_begin(
    vault: *const strongroom_vault,
    org: strongroom_bytes,
    table: strongroom_bytes,
    record: strongroom_bytes,
    version: u32,
    created: u64,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (vault, org, table, record) = unsafe { (self::vault(vault)?, org.text()?, table.text()?, record.text()?) };
        vault.generate_record_dek_begin(org, table, record, version, created)
    })
}

/// `strongroom_vault_wrap_local`, begun. The result is the row.
///
/// # Safety
/// `org` and `dek_ref` can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_wrap_begin(
    vault: *const strongroom_vault,
    org: strongroom_bytes,
    dek_ref: strongroom_bytes,
    created: u64,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (vault, org, dek_ref) = unsafe { (self::vault(vault)?, org.text()?, dek_ref.slice()?) };
        vault.wrap_local_begin(org, dek_ref, created)
    })
}

/// `strongroom_vault_admit` without a reply, begun. The result is the `dek_ref`.
///
/// # Safety
/// `org` and `row` can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_unwrap_begin(
    vault: *const strongroom_vault,
    org: strongroom_bytes,
    row: strongroom_bytes,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (vault, org, row) = unsafe { (self::vault(vault)?, org.text()?, row.slice()?) };
        vault.admit_begin(org, WrapRow::from_json(row)?)
    })
}

/// What is to be done now. `*more` is 0, and `*step` as it was, once the result is there.
///
/// # Safety
/// `external` came from a `_begin` call and was not freed; nobody else uses it; `step` and `more`
/// can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_external_next(
    external: *mut strongroom_external,
    step: *mut strongroom_external_step,
    more: *mut u8,
) -> strongroom_status {
    guard(|| {
        let (to, more) = (present(step)?, present(more)?);
        // SAFETY: the caller keeps the header's promise.
        let external = unsafe { external.as_mut() }.and_then(|external| external.0.as_mut()).ok_or(Error::BadInput)?;
        let Some(step) = external.step() else {
            // SAFETY: not null, and the caller vouches for the rest.
            unsafe { more.write(0) };
            return Ok(());
        };
        // Go takes no pointer that points nowhere, as an empty vector's does.
        let lend = |bytes: &[u8]| strongroom_bytes {
            data: if bytes.is_empty() { ptr::null() } else { bytes.as_ptr() },
            len: bytes.len(),
        };
        let mut lent = strongroom_external_step {
            key: step.key().as_ptr(),
            iv: step.iv().as_ptr(),
            aad: lend(step.aad()),
            input: lend(step.input()),
            output: ptr::null_mut(),
            output_len: 0,
            seals: u8::from(step.seals()),
        };
        let output = step.output();
        if !output.is_empty() {
            (lent.output, lent.output_len) = (output.as_mut_ptr(), output.len());
        }
        // SAFETY: not null, and the caller vouches for the rest.
        unsafe {
            to.write(lent);
            more.write(1);
        }
        Ok(())
    })
}

/// Goes on: `ok` says whether the step succeeded. After an error the operation is over.
/// `AUTH_FAILED` for a failed decryption, and what the operation can end with after its cipher.
///
/// # Safety
/// As for `strongroom_external_next`; the step's output was written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_external_resume(external: *mut strongroom_external, ok: u8) -> strongroom_status {
    guard(|| {
        let ok = flag(ok)?;
        // SAFETY: the caller keeps the header's promise.
        let external = unsafe { external.as_mut() }.ok_or(Error::BadInput)?;
        external.0 = Some(external.0.take().ok_or(Error::BadInput)?.resume(ok)?);
        Ok(())
    })
}

/// Gives the result. `dst` is as it was after an error, such as `INTERNAL` while a step waits.
///
/// # Safety
/// As for `strongroom_external_next`; `dst` and `len` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_external_finish(
    external: *const strongroom_external,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (out, external) = unsafe { (Output::new(dst, cap, len, 0)?, external.as_ref()) };
        out.put(external.and_then(|external| external.0.as_ref()).ok_or(Error::BadInput)?.result()?)
    })
}

/// Ends the operation, wherever it stands, and wipes everything in it. A seal that was begun stays
/// counted. Null is fine.
///
/// # Safety
/// `external` is null, or came from a `_begin` call and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_external_free(external: *mut strongroom_external) {
    if !external.is_null() {
        // A panic must not cross, and there is nobody to tell.
        let _status = guard(|| {
            // SAFETY: the pointer was made by `Box::into_raw`, and the caller gives it up.
            drop(unsafe { Box::from_raw(external) });
            Ok(())
        });
    }
}
