//! The rules for strings (DESIGN 3): well-formed UTF-8, 1 to 1,024 bytes, compared byte for byte.

use alloc::string::String;
use alloc::vec::Vec;

use crate::Error;

/// The longest part of a binding, org or session, in bytes.
pub const MAX_TEXT: usize = 1_024;

/// The longest key id, in bytes.
pub const MAX_KEY_ID: usize = 2_048;

/// Takes bytes that a host hands over as a string. Nothing is repaired.
///
/// # Errors
/// [`Error::BadInput`] if `bytes` is not well-formed UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str, Error> {
    well_formed(bytes).ok_or(Error::BadInput)
}

/// The text that these bytes are, if they are one.
pub(crate) fn owned(bytes: Vec<u8>) -> Option<String> {
    #[cfg(not(target_arch = "wasm32"))]
    let text = String::from_utf8(bytes).ok();
    #[cfg(target_arch = "wasm32")]
    let text = well_formed(&bytes).map(String::from);
    text
}

#[cfg(not(target_arch = "wasm32"))]
fn well_formed(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok()
}

/// Byte by byte, which takes a third of the machine code.
#[cfg(target_arch = "wasm32")]
fn well_formed(bytes: &[u8]) -> Option<&str> {
    let Some(first) = bytes.utf8_chunks().next() else { return Some("") };
    first.invalid().is_empty().then_some(first.valid())
}

pub(crate) fn check(text: &str) -> Result<(), Error> {
    check_up_to(text, MAX_TEXT)
}

pub(crate) fn check_key_id(text: &str) -> Result<(), Error> {
    check_up_to(text, MAX_KEY_ID)
}

fn check_up_to(text: &str, limit: usize) -> Result<(), Error> {
    match text.len() {
        0 => Err(Error::BadInput),
        len if len > limit => Err(Error::Limit),
        _ => Ok(()),
    }
}

/// Appends `lp(x)`: a u16 length, then the bytes. `text` must have been checked.
pub(crate) fn push_lp(out: &mut Vec<u8>, text: &str) {
    // Checked strings are at most 1,024 bytes; were one longer, the clamp makes a
    // value that no reader accepts rather than an ambiguous one.
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::{MAX_TEXT, check, check_key_id, text};
    use crate::Error;
    use alloc::string::String;

    #[test]
    fn ill_formed_utf8_is_bad_input() {
        for bytes in [&b"\xff"[..], b"a\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"] {
            assert_eq!(text(bytes), Err(Error::BadInput));
        }
        assert_eq!(text("\u{10ffff}é".as_bytes()), Ok("\u{10ffff}é"));
    }

    #[test]
    fn lengths_are_counted_in_bytes() {
        assert_eq!(check(""), Err(Error::BadInput));
        let full: String = core::iter::repeat_n('é', MAX_TEXT / 2).collect();
        assert!(check(&full).is_ok());
        assert_eq!(check(&(full.clone() + "e")), Err(Error::Limit));
        assert!(check_key_id(&(full.clone() + "e")).is_ok());
        assert_eq!(check_key_id(&(full.clone() + &full + "e")), Err(Error::Limit));
    }
}
