//! What needs no vault.

use std::ffi::{CString, c_char};
use std::panic::catch_unwind;
use std::ptr::null;
use std::sync::OnceLock;

use strongroom::{ActiveRow, Error, WrapRow, sealed_len};

use crate::ptr::{Output, present, strongroom_bytes};
use crate::status::{guard, strongroom_status};

/// The length of a `dek_ref`.
pub const STRONGROOM_DEK_REF_LEN: usize = 32;
/// The length of a DEK.
pub const STRONGROOM_DEK_LEN: usize = 32;
/// What an envelope adds to an unpadded value.
pub const STRONGROOM_OVERHEAD: usize = 68;
/// Padding rounds a value up to a multiple of this, and always adds at least a byte.
pub const STRONGROOM_PAD_BLOCK: usize = 64;
/// Room for any wrap row.
pub const STRONGROOM_ROW_MAX: usize = 49_152;
/// Room for any active row.
pub const STRONGROOM_ACTIVE_MAX: usize = 8_192;
/// Room for any request.
pub const STRONGROOM_REQUEST_MAX: usize = 32_768;
/// Room for any encryption context.
pub const STRONGROOM_CONTEXT_MAX: usize = 4_096;
/// Room for any keychain entry.
pub const STRONGROOM_CACHE_ENTRY_MAX: usize = 8_192;
/// Room for what a sign-out lists, unless more DEKs went through the keychain than a vault can hold
/// at a time.
pub const STRONGROOM_SIGN_OUT_MAX: usize = 4_096 * STRONGROOM_DEK_REF_LEN;

/// What an envelope says about itself. Nothing vouches for it until the envelope was opened.
#[repr(C)]
pub struct strongroom_untrusted_header {
    /// The format version.
    pub version: u8,
    /// The suite.
    pub suite: u8,
    /// 1 if the value is padded, else 0.
    pub padded: u8,
    /// The DEK that opens it.
    pub dek_ref: [u8; 32],
    /// The length of the ciphertext without its tag.
    pub ct_len: u32,
}

/// Does nothing. Its name changes with every release: a program that calls it can't be linked
/// with an archive of another release than its header.
#[unsafe(no_mangle)]
pub const extern "C" fn strongroom_link_0_1_0() {}

/// `strongroom X.Y.Z format 1 aes=BACKEND`, a text that lives as long as the process.
#[unsafe(no_mangle)]
pub extern "C" fn strongroom_version() -> *const c_char {
    static VERSION: OnceLock<CString> = OnceLock::new();
    let make = || CString::new(strongroom::version()).unwrap_or_default();
    catch_unwind(|| VERSION.get_or_init(make).as_ptr()).unwrap_or(null())
}

/// `ENDPOINT_POLICY` unless `endpoint` is the KMS's FIPS endpoint of `region`; `BAD_INPUT` for a
/// region that is none.
///
/// # Safety
/// The texts can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_assert_fips_endpoint(
    endpoint: strongroom_bytes,
    region: strongroom_bytes,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (endpoint, region) = unsafe { (endpoint.text()?, region.text()?) };
        strongroom::assert_fips_endpoint(endpoint, region)
    })
}

/// The length of the envelope around a value of `plaintext_len` bytes.
#[unsafe(no_mangle)]
pub extern "C" fn strongroom_sealed_len(plaintext_len: usize, padded: u8) -> usize {
    catch_unwind(|| sealed_len(plaintext_len, padded != 0)).unwrap_or(usize::MAX)
}

/// The length of the printable form of an envelope of `envelope_len` bytes.
#[unsafe(no_mangle)]
pub const extern "C" fn strongroom_text_len(envelope_len: usize) -> usize {
    const PREFIX: usize = 4;
    // Four characters for three bytes, no padding.
    let whole = envelope_len / 3;
    let rest = match envelope_len % 3 {
        0 => 0,
        bytes => bytes.saturating_add(1),
    };
    whole.saturating_mul(4).saturating_add(rest).saturating_add(PREFIX)
}

/// Reads an envelope's header without any key. The errors are those of a reader:
/// `NOT_AN_ENVELOPE`, `UNSUPPORTED_VERSION`, `UNSUPPORTED_SUITE`, `MALFORMED`, `TRUNCATED`.
///
/// # Safety
/// `envelope` can be read, `header` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_inspect(
    envelope: strongroom_bytes,
    header: *mut strongroom_untrusted_header,
) -> strongroom_status {
    guard(|| {
        let header = present(header)?;
        // SAFETY: the caller keeps the header's promise.
        let found = strongroom::inspect(unsafe { envelope.slice() }?)?;
        let found = strongroom_untrusted_header {
            version: found.version,
            suite: found.suite,
            padded: found.padded.into(),
            dek_ref: *found.dek_ref.as_bytes(),
            ct_len: found.ct_len,
        };
        // SAFETY: not null, and the caller vouches for the rest.
        unsafe { header.write(found) };
        Ok(())
    })
}

/// An envelope's printable form, `strongroom_text_len` bytes.
///
/// # Safety
/// `envelope` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_to_text(
    envelope: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (out, envelope) = unsafe { (Output::new(dst, cap, len, 0)?, envelope.slice()?) };
        out.put(strongroom::to_text(envelope)?.as_bytes())
    })
}

/// Reads the printable form. Room for `text.len` bytes is always enough.
///
/// # Safety
/// `text` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_from_text(
    text: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (out, text) = unsafe { (Output::new(dst, cap, len, 0)?, text.text()?) };
        out.put(&strongroom::from_text(text)?)
    })
}

/// The encryption context of a row that a KMS wraps, a JSON object of texts.
/// `cap` must be `STRONGROOM_CONTEXT_MAX` or more.
///
/// # Safety
/// `row` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_kms_context(
    row: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (out, row) = unsafe { (Output::new(dst, cap, len, STRONGROOM_CONTEXT_MAX)?, row.slice()?) };
        put_text(&out, &WrapRow::from_json(row)?.encryption_context_json()?)
    })
}

/// Reads a wrap row by the core's strict reader, and does nothing else.
///
/// # Safety
/// `row` can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_wrap_row_check(row: strongroom_bytes) -> strongroom_status {
    // SAFETY: the caller keeps the header's promise.
    guard(|| WrapRow::from_json(unsafe { row.slice() }?).map(drop))
}

/// Reads an active row by the core's strict reader, and does nothing else.
///
/// # Safety
/// `active` can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_active_row_check(active: strongroom_bytes) -> strongroom_status {
    // SAFETY: the caller keeps the header's promise.
    guard(|| ActiveRow::from_json(unsafe { active.slice() }?).map(drop))
}

/// Turns JSON text into an output.
pub(crate) fn put_text(out: &Output, text: &str) -> Result<(), Error> {
    out.put(text.as_bytes())
}
