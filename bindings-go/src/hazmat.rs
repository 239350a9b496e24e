//! What only tests do: bare DEKs, fixed IVs, set clocks, a failing generator. No release has it.

use std::sync::Mutex;

use strongroom::hazmat::{self, TestPlatform};
use strongroom::{Error, Identity, Vault, WrapRow};

use crate::functions::{STRONGROOM_ROW_MAX, put_text};
use crate::ptr::{Output, binding, flag, present, put_dek_ref, strongroom_binding, strongroom_bytes, strongroom_vault};
use crate::status::{guard, strongroom_status};

/// A bare DEK and whose it is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct strongroom_hazmat_dek {
    /// The DEK's bytes.
    pub key: strongroom_bytes,
    /// Its identity, JSON: `{kind, org, version}` or `{kind, org, version, table, record}`.
    pub identity: strongroom_bytes,
}

/// The reference of a DEK, 32 bytes.
///
/// # Safety
/// `dek` can be read, `dek_ref` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_dek_ref(
    dek: *const strongroom_hazmat_dek,
    dek_ref: *mut u8,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (key, identity) = unsafe { take(dek) }?;
        let (dst, found) = (present(dek_ref)?, hazmat::dek_ref(key, &identity)?);
        // SAFETY: not null, and the caller vouches for 32 bytes.
        unsafe { put_dek_ref(dst, &found) };
        Ok(())
    })
}

/// The AAD of a header and a binding.
///
/// # Safety
/// The inputs can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_binding_aad(
    header: strongroom_bytes,
    at: *const strongroom_binding,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (header, at, out) = unsafe { (header.slice()?, binding(at)?, Output::new(dst, cap, len, 0)?) };
        out.put(&hazmat::binding_aad(header, &at)?)
    })
}

/// Seals under a bare DEK; `iv` with `data` null means a random one.
///
/// # Safety
/// The inputs can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_seal(
    dek: *const strongroom_hazmat_dek,
    at: *const strongroom_binding,
    plaintext: strongroom_bytes,
    padded: u8,
    iv: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let ((key, identity), at, plaintext, iv, out) = unsafe {
            let out = Output::new(dst, cap, len, 0)?;
            (take(dek)?, binding(at)?, plaintext.slice()?, optional(iv)?, out)
        };
        out.put(&hazmat::seal(key, &identity, &at, plaintext, flag(padded)?, iv)?)
    })
}

/// Opens under a bare DEK.
///
/// # Safety
/// The inputs can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_open(
    dek: *const strongroom_hazmat_dek,
    at: *const strongroom_binding,
    envelope: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let ((key, identity), at, envelope, out) =
            unsafe { (take(dek)?, binding(at)?, envelope.slice()?, Output::new(dst, cap, len, 0)?) };
        out.put(&hazmat::open(key, &identity, &at, envelope)?)
    })
}

/// `count` envelopes of the empty value, one behind the other, of equal length.
///
/// # Safety
/// The inputs can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_seal_many(
    dek: *const strongroom_hazmat_dek,
    at: *const strongroom_binding,
    count: u32,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let ((key, identity), at, out) = unsafe { (take(dek)?, binding(at)?, Output::new(dst, cap, len, 0)?) };
        let count = usize::try_from(count).map_err(|_| Error::BadInput)?;
        out.put(&hazmat::seal_many(key, &identity, &at, count)?.concat())
    })
}

/// Opens under one bare DEK and seals under another, padded if the old envelope was.
///
/// # Safety
/// The inputs can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_reseal(
    from: *const strongroom_hazmat_dek,
    to: *const strongroom_hazmat_dek,
    at: *const strongroom_binding,
    envelope: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (from, to, at, envelope, out) = unsafe {
            let out = Output::new(dst, cap, len, 0)?;
            (take(from)?, take(to)?, binding(at)?, envelope.slice()?, out)
        };
        out.put(&hazmat::reseal((from.0, &from.1), (to.0, &to.1), &at, envelope)?)
    })
}

/// Wraps one bare DEK under another; `iv` with `data` null means a random one. Gives the row.
///
/// # Safety
/// The inputs can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_wrap_local(
    kek: *const strongroom_hazmat_dek,
    dek: *const strongroom_hazmat_dek,
    purpose: strongroom_bytes,
    reader: strongroom_bytes,
    created: u64,
    iv: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (kek, dek, [purpose, reader], iv, out) = unsafe {
            let out = Output::new(dst, cap, len, STRONGROOM_ROW_MAX)?;
            (take(kek)?, take(dek)?, [purpose.text()?, reader.text()?], optional(iv)?, out)
        };
        let (kek, dek) = ((kek.0, &kek.1), (dek.0, &dek.1));
        let row = hazmat::wrap_local(kek, dek, purpose, reader, created, iv)?;
        put_text(&out, &row.to_json())
    })
}

/// Unwraps a local row under a bare KEK and opens `envelope` with what it got.
///
/// # Safety
/// The inputs can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_unwrap_local(
    kek: *const strongroom_hazmat_dek,
    row: strongroom_bytes,
    at: *const strongroom_binding,
    envelope: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let ((kek, identity), row, at, envelope, out) = unsafe {
            let out = Output::new(dst, cap, len, 0)?;
            (take(kek)?, row.slice()?, binding(at)?, envelope.slice()?, out)
        };
        out.put(&hazmat::unwrap_local((kek, &identity), &WrapRow::from_json(row)?, &at, envelope)?)
    })
}

/// A vault whose clocks stand where the test puts them, in seconds.
///
/// # Safety
/// `options` can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_vault_new(
    options: strongroom_bytes,
    wall: u64,
    mono: u64,
    made: *mut *mut strongroom_vault,
) -> strongroom_status {
    guard(|| {
        let made = present(made)?;
        // SAFETY: the caller keeps the header's promise.
        let options = unsafe { options.options() }?;
        let clock = TestPlatform::new(wall, mono);
        let vault = Vault::with_platform(&options, Box::new(clock.clone()))?;
        let handle = Box::new(strongroom_vault { vault, gone: Mutex::default(), clock: Some(clock) });
        // SAFETY: not null, and the caller vouches for the rest.
        unsafe { made.write(Box::into_raw(handle)) };
        Ok(())
    })
}

/// Moves the clocks of a vault that `strongroom_hazmat_vault_new` made.
///
/// # Safety
/// `vault` came from `strongroom_hazmat_vault_new` and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_set_clock(
    vault: *const strongroom_vault,
    wall: u64,
    mono: u64,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let handle = unsafe { vault.as_ref() }.ok_or(Error::BadInput)?;
        handle.clock.as_ref().ok_or(Error::BadInput)?.set_clock(wall, mono);
        Ok(())
    })
}

/// Lets the generator of random bytes fail in the whole process while `ok` is 0.
#[unsafe(no_mangle)]
pub extern "C" fn strongroom_hazmat_set_rng_ok(ok: u8) -> strongroom_status {
    guard(|| {
        hazmat::set_rng_ok(flag(ok)?);
        Ok(())
    })
}

/// # Safety
/// `dek` is null or points to members that can be read.
pub(crate) unsafe fn take<'a>(dek: *const strongroom_hazmat_dek) -> Result<(&'a [u8], Identity), Error> {
    // SAFETY: the caller's promise is passed on.
    let (key, identity) = unsafe {
        let dek = dek.as_ref().ok_or(Error::BadInput)?;
        (dek.key.slice()?, dek.identity.slice()?)
    };
    Ok((key, Identity::from_json(identity)?))
}

/// # Safety
/// As for [`strongroom_bytes::slice`].
pub(crate) unsafe fn optional<'a>(bytes: strongroom_bytes) -> Result<Option<&'a [u8]>, Error> {
    // SAFETY: the caller's promise is passed on.
    Ok(Some(unsafe { bytes.slice() }?).filter(|_| !bytes.data.is_null()))
}
