//! A vault's life, and what it does with envelopes.

use std::sync::Mutex;

use strongroom::{Error, ResealOptions, Scope, SealOptions, Vault};

use crate::cpu;
use crate::functions::{STRONGROOM_DEK_REF_LEN, STRONGROOM_PAD_BLOCK, put_text};
use crate::ptr::{Output, binding, flag, present, strongroom_binding, strongroom_bytes, strongroom_vault, vault};
use crate::status::{guard, strongroom_status};

/// Scope: seal under the org's active DEK.
pub const STRONGROOM_SCOPE_ORG: u8 = 0;
/// Scope: seal under the record's own DEK.
pub const STRONGROOM_SCOPE_RECORD: u8 = 1;
/// For reseal: keep what the old envelope has.
pub const STRONGROOM_KEEP: i8 = -1;
/// What an item's answer in a sealed batch may exceed its question by.
pub const STRONGROOM_SEAL_REPLY_EXTRA: usize = 136;

/// Makes a vault. `options` is a JSON object; null means the defaults. Without the option `cmks` a
/// vault trusts the rows that it is given: always list the CMKs.
///
/// `UNKNOWN_OPTION`, `BAD_INPUT` or `LIMIT` for the options; `INTERNAL` on a processor without
/// the instructions that the library was built for.
///
/// # Safety
/// `options` can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_new(
    options: strongroom_bytes,
    made: *mut *mut strongroom_vault,
) -> strongroom_status {
    guard(|| {
        cpu::check()?;
        let made = present(made)?;
        // SAFETY: the caller keeps the header's promise.
        let options = unsafe { options.options() }?;
        let handle = Box::new(strongroom_vault {
            vault: Vault::new(&options)?,
            gone: Mutex::default(),
            #[cfg(feature = "hazmat")]
            clock: None,
        });
        // SAFETY: not null, and the caller vouches for the rest.
        unsafe { made.write(Box::into_raw(handle)) };
        Ok(())
    })
}

/// Wipes every DEK and frees the vault. Null is fine. No other call may be under way.
///
/// # Safety
/// `vault` is null or came from `strongroom_vault_new` and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_free(vault: *mut strongroom_vault) {
    if !vault.is_null() {
        // A panic must not cross, and there is nobody to tell.
        let _status = guard(|| {
            // SAFETY: the pointer was made by `Box::into_raw`, and the caller gives it up.
            drop(unsafe { Box::from_raw(vault) });
            Ok(())
        });
    }
}

/// The DEKs that the envelopes need and the vault does not hold, each once, 32 bytes each.
/// Envelopes that `strongroom_vault_open` would refuse to read are passed over.
///
/// `envelopes` holds them one behind the other, `lengths` says how long each is. `cap` must be
/// 32 bytes for each of `count` or more. `LIMIT` for more than 10,000.
///
/// # Safety
/// `envelopes` can be read, and `count` numbers at `lengths`; `dst` and `len` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_missing(
    vault: *const strongroom_vault,
    envelopes: strongroom_bytes,
    lengths: *const u32,
    count: usize,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        let least = count.saturating_mul(STRONGROOM_DEK_REF_LEN);
        // SAFETY: the caller keeps the header's promise.
        let (out, vault, mut rest, lengths) = unsafe {
            let lengths = crate::ptr::numbers(lengths, count)?;
            (Output::new(dst, cap, len, least)?, self::vault(vault)?, envelopes.slice()?, lengths)
        };
        let mut list = Vec::with_capacity(count);
        for length in lengths {
            let length = usize::try_from(*length).map_err(|_| Error::BadInput)?;
            let (envelope, behind) = rest.split_at_checked(length).ok_or(Error::BadInput)?;
            list.push(envelope);
            rest = behind;
        }
        if !rest.is_empty() {
            return Err(Error::BadInput);
        }
        let missing = vault.missing(&list)?;
        out.put(&missing.iter().flat_map(|dek_ref| *dek_ref.as_bytes()).collect::<Vec<u8>>())
    })
}

/// Encrypts one field. Room for `strongroom_sealed_len(plaintext.len, padded)` bytes is needed,
/// and `dst` may not overlap `plaintext`.
///
/// `NO_ACTIVE_DEK`, `BUDGET_EXHAUSTED`, `EXPIRED`, `CLOCK_ROLLBACK`, `LIMIT`, and what a binding
/// can be refused for.
///
/// # Safety
/// `at` and `plaintext` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_seal(
    vault: *const strongroom_vault,
    at: *const strongroom_binding,
    plaintext: strongroom_bytes,
    scope: u8,
    padded: u8,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, at, plaintext, mut out) =
            unsafe { (self::vault(vault)?, binding(at)?, plaintext.slice()?, Output::new(dst, cap, len, 0)?) };
        let options = SealOptions { scope: self::scope(scope)?, padded: flag(padded)? };
        let written = vault.seal_into(&at, plaintext, options, out.room(plaintext)?)?;
        out.set_len(written);
        Ok(())
    })
}

/// Decrypts one field. Room for the envelope's length less `STRONGROOM_OVERHEAD` is needed, and
/// `dst` may not overlap `envelope`. After an error `dst` is as it was.
///
/// `AUTH_FAILED` if `at` is not where the field was sealed or a byte was changed; `UNKNOWN_DEK`,
/// `EXPIRED`, `CLOCK_ROLLBACK` for its DEK; the errors of `strongroom_inspect`.
///
/// # Safety
/// `at` and `envelope` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_open(
    vault: *const strongroom_vault,
    at: *const strongroom_binding,
    envelope: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, at, envelope, mut out) =
            unsafe { (self::vault(vault)?, binding(at)?, envelope.slice()?, Output::new(dst, cap, len, 0)?) };
        let written = vault.open_into(&at, envelope, out.room(envelope)?)?;
        out.set_len(written);
        Ok(())
    })
}

/// Seals a batch: at most 10,000 items, each with its own answer, in the order of the items.
///
/// All numbers are big-endian. `frame` holds for each item: four texts (org, table, record,
/// field), each u32 length and bytes; u8 1 if there is a revision, else 0; u64 revision, else 0;
/// u8 scope; u8 padded; u32 length and bytes of the value. `dst` gets for each item: u32 status;
/// u32 length and bytes of the envelope, length 0 after an error. `cap` must be the frame's
/// length and `STRONGROOM_SEAL_REPLY_EXTRA` for each item or more. `dst` may not overlap `frame`.
///
/// `BAD_INPUT` for a frame of another shape, `LIMIT` for more items.
///
/// # Safety
/// `frame` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_seal_many(
    vault: *const strongroom_vault,
    frame: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, frame, mut out) = unsafe { (self::vault(vault)?, frame.slice()?, Output::new(dst, cap, len, 0)?) };
        let written = vault.seal_frame(frame, out.room(frame)?)?;
        out.set_len(written);
        Ok(())
    })
}

/// Opens a batch, framed as for `strongroom_vault_seal_many` with scope and padded 0 and the
/// envelope as value. `cap` must be the frame's length or more. `dst` may not overlap `frame`.
///
/// # Safety
/// `frame` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_open_many(
    vault: *const strongroom_vault,
    frame: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, frame, mut out) = unsafe { (self::vault(vault)?, frame.slice()?, Output::new(dst, cap, len, 0)?) };
        let written = vault.open_frame(frame, out.room(frame)?)?;
        out.set_len(written);
        Ok(())
    })
}

/// Opens an envelope and seals it again under the DEK that is active now. `scope` and `padded`
/// may be `STRONGROOM_KEEP`. `cap` must be the envelope's length and `STRONGROOM_PAD_BLOCK` or
/// more. The errors are those of open and seal.
///
/// # Safety
/// `at` and `envelope` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_reseal(
    vault: *const strongroom_vault,
    at: *const strongroom_binding,
    envelope: strongroom_bytes,
    scope: i8,
    padded: i8,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        let least = envelope.len.saturating_add(STRONGROOM_PAD_BLOCK);
        // SAFETY: the caller keeps the header's promise.
        let (vault, at, envelope, out) =
            unsafe { (self::vault(vault)?, binding(at)?, envelope.slice()?, Output::new(dst, cap, len, least)?) };
        let scope = kept(scope)?.map(self::scope).transpose()?;
        let padded = kept(padded)?.map(flag).transpose()?;
        out.put(&vault.reseal(&at, envelope, ResealOptions { scope, padded })?)
    })
}

/// Opens an envelope at one binding and seals it at another of the same org; an envelope under a
/// record's DEK stays within its record. `cap` must be the envelope's length or more. `BAD_INPUT`
/// where the bindings don't allow it, and the errors of open and seal.
///
/// # Safety
/// `from`, `to` and `envelope` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_rebind(
    vault: *const strongroom_vault,
    from: *const strongroom_binding,
    to: *const strongroom_binding,
    envelope: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, from, to, envelope, out) = unsafe {
            let out = Output::new(dst, cap, len, envelope.len)?;
            (self::vault(vault)?, binding(from)?, binding(to)?, envelope.slice()?, out)
        };
        out.put(&vault.rebind(&from, &to, envelope)?)
    })
}

/// The DEKs that are held and not over, by `dek_ref`: a JSON list of `{dekRef, kind, org,
/// version, reader, ends, seals}`. If `*len` comes back greater than `cap`, nothing was written
/// to `dst`: call again with that much room.
///
/// # Safety
/// `dst` and `len` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_status(
    vault: *const strongroom_vault,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, out) = unsafe { (self::vault(vault)?, Output::new(dst, cap, len, 0)?) };
        let list = vault.status_json()?;
        if list.len() > out.cap() {
            out.set_len(list.len());
            return Ok(());
        }
        put_text(&out, &list)
    })
}

pub(crate) fn scope(byte: u8) -> Result<Scope, Error> {
    match byte {
        STRONGROOM_SCOPE_ORG => Ok(Scope::Org),
        STRONGROOM_SCOPE_RECORD => Ok(Scope::Record),
        _ => Err(Error::BadInput),
    }
}

pub(crate) fn kept(value: i8) -> Result<Option<u8>, Error> {
    match value {
        STRONGROOM_KEEP => Ok(None),
        value => u8::try_from(value).map(Some).map_err(|_| Error::BadInput),
    }
}
