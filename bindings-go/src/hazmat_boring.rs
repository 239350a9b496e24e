//! Test only: bare DEKs, with the cipher in Go.

use strongroom::{WrapRow, hazmat_external};

use crate::boring::{begin, strongroom_external};
use crate::hazmat::{optional, strongroom_hazmat_dek, take};
use crate::ptr::{binding, flag, strongroom_binding, strongroom_bytes};
use crate::status::strongroom_status;

/// `strongroom_hazmat_seal`, begun.
///
/// # Safety
/// The inputs can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_seal_begin(
    dek: *const strongroom_hazmat_dek,
    at: *const strongroom_binding,
    plaintext: strongroom_bytes,
    padded: u8,
    iv: strongroom_bytes,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let ((key, identity), at, plaintext, iv) =
            unsafe { (take(dek)?, binding(at)?, plaintext.slice()?, optional(iv)?) };
        hazmat_external::seal(key, &identity, &at, plaintext, flag(padded)?, iv)
    })
}

/// `strongroom_hazmat_open`, begun.
///
/// # Safety
/// The inputs can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_open_begin(
    dek: *const strongroom_hazmat_dek,
    at: *const strongroom_binding,
    envelope: strongroom_bytes,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let ((key, identity), at, envelope) = unsafe { (take(dek)?, binding(at)?, envelope.slice()?) };
        hazmat_external::open(key, &identity, &at, envelope)
    })
}

/// `strongroom_hazmat_seal_many`, begun.
///
/// # Safety
/// The inputs can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_seal_many_begin(
    dek: *const strongroom_hazmat_dek,
    at: *const strongroom_binding,
    count: u32,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let ((key, identity), at) = unsafe { (take(dek)?, binding(at)?) };
        hazmat_external::seal_many(key, &identity, &at, usize::try_from(count).unwrap_or(usize::MAX))
    })
}

/// `strongroom_hazmat_reseal`, begun.
///
/// # Safety
/// The inputs can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_reseal_begin(
    from: *const strongroom_hazmat_dek,
    to: *const strongroom_hazmat_dek,
    at: *const strongroom_binding,
    envelope: strongroom_bytes,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (from, to, at, envelope) = unsafe { (take(from)?, take(to)?, binding(at)?, envelope.slice()?) };
        hazmat_external::reseal((from.0, &from.1), (to.0, &to.1), &at, envelope)
    })
}

/// `strongroom_hazmat_wrap_local`, begun.
///
/// # Safety
/// The inputs can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_wrap_local_begin(
    kek: *const strongroom_hazmat_dek,
    dek: *const strongroom_hazmat_dek,
    purpose: strongroom_bytes,
    reader: strongroom_bytes,
    created: u64,
    iv: strongroom_bytes,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (kek, dek, purpose, reader, iv) =
            unsafe { (take(kek)?, take(dek)?, purpose.text()?, reader.text()?, optional(iv)?) };
        hazmat_external::wrap_local((kek.0, &kek.1), (dek.0, &dek.1), purpose, reader, created, iv)
    })
}

/// `strongroom_hazmat_unwrap_local`, begun.
///
/// # Safety
/// The inputs can be read, `made` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_hazmat_unwrap_local_begin(
    kek: *const strongroom_hazmat_dek,
    row: strongroom_bytes,
    at: *const strongroom_binding,
    envelope: strongroom_bytes,
    made: *mut *mut strongroom_external,
) -> strongroom_status {
    begin(made, || {
        // SAFETY: the caller keeps the header's promise.
        let (kek, row, at, envelope) = unsafe { (take(kek)?, row.slice()?, binding(at)?, envelope.slice()?) };
        hazmat_external::unwrap_local((kek.0, &kek.1), WrapRow::from_json(row)?, &at, envelope)
    })
}
