//! Statuses, their names and texts, and the guard that every entry runs in.

use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::OnceLock;

use strongroom::Error;

use crate::registers;

/// 0, or the number of an error.
pub type strongroom_status = u32;

/// The call did what it says.
pub const STRONGROOM_OK: u32 = 0;
/// An argument is missing or not allowed.
pub const STRONGROOM_BAD_INPUT: u32 = 1;
/// A limit is exceeded.
pub const STRONGROOM_LIMIT: u32 = 2;
/// A vault option is not known.
pub const STRONGROOM_UNKNOWN_OPTION: u32 = 3;
/// The bytes don't begin as an envelope does.
pub const STRONGROOM_NOT_AN_ENVELOPE: u32 = 10;
/// A format version that this release does not read.
pub const STRONGROOM_UNSUPPORTED_VERSION: u32 = 11;
/// A suite that this release does not read.
pub const STRONGROOM_UNSUPPORTED_SUITE: u32 = 12;
/// The bytes break their format.
pub const STRONGROOM_MALFORMED: u32 = 13;
/// Bytes are missing at the end.
pub const STRONGROOM_TRUNCATED: u32 = 14;
/// The vault does not hold the DEK.
pub const STRONGROOM_UNKNOWN_DEK: u32 = 20;
/// There is no DEK to seal under.
pub const STRONGROOM_NO_ACTIVE_DEK: u32 = 21;
/// A DEK is not the one that its row, entry or reply claims.
pub const STRONGROOM_KEY_MISMATCH: u32 = 22;
/// A row contradicts itself, the caller or the DEK that it names.
pub const STRONGROOM_ROW_INCONSISTENT: u32 = 23;
/// The DEK has sealed as often as it may.
pub const STRONGROOM_BUDGET_EXHAUSTED: u32 = 24;
/// An older DEK version than was seen, or a fork.
pub const STRONGROOM_ACTIVE_ROLLBACK: u32 = 25;
/// The org was shredded.
pub const STRONGROOM_ORG_TOMBSTONED: u32 = 26;
/// The DEK's time in this vault is over.
pub const STRONGROOM_EXPIRED: u32 = 27;
/// A clock went back and ended the DEKs held.
pub const STRONGROOM_CLOCK_ROLLBACK: u32 = 28;
/// Wrong binding or changed bytes, never more precise.
pub const STRONGROOM_AUTH_FAILED: u32 = 30;
/// The operating system gave no random bytes.
pub const STRONGROOM_RNG_FAILURE: u32 = 31;
/// The KMS refused. Final: don't retry.
pub const STRONGROOM_KMS_DENIED: u32 = 40;
/// The CMK is pending deletion.
pub const STRONGROOM_KMS_PENDING_DELETION: u32 = 41;
/// The KMS asks for fewer requests.
pub const STRONGROOM_KMS_THROTTLED: u32 = 42;
/// The KMS could not be reached or failed.
pub const STRONGROOM_KMS_UNAVAILABLE: u32 = 43;
/// Another CMK than was asked for, or one that is not listed for its org.
pub const STRONGROOM_KEY_ID_UNEXPECTED: u32 = 44;
/// An endpoint that is not allowed.
pub const STRONGROOM_ENDPOINT_POLICY: u32 = 45;
/// For stores: a conditional write met another state.
pub const STRONGROOM_PRECONDITION_FAILED: u32 = 50;
/// For stores: the store could not be read or written.
pub const STRONGROOM_STORE_UNAVAILABLE: u32 = 51;
/// A fault of this library, or a processor without the instructions it was built for.
pub const STRONGROOM_INTERNAL: u32 = 255;

/// The name of a status, such as `AUTH_FAILED`; null for 0 and for numbers that name no error.
/// The text lives as long as the process.
#[unsafe(no_mangle)]
pub extern "C" fn strongroom_error_name(status: strongroom_status) -> *const c_char {
    static NAMES: Table = OnceLock::new();
    lookup(&NAMES, Error::name, status)
}

/// A text for people; null for 0 and for numbers that name no error. Match on the number, never
/// on this. The text lives as long as the process.
#[unsafe(no_mangle)]
pub extern "C" fn strongroom_error_text(status: strongroom_status) -> *const c_char {
    static TEXTS: Table = OnceLock::new();
    lookup(&TEXTS, Error::text, status)
}

/// Runs the body of an entry and turns what comes of it into a status.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Error>) -> strongroom_status {
    // Unwind safety: the core's locks are poisoned or its state is whole after a panic; nothing
    // of ours outlives the closure.
    let ended = catch_unwind(AssertUnwindSafe(body));
    registers::wipe();
    match ended {
        Ok(Ok(())) => STRONGROOM_OK,
        Ok(Err(error)) => error.number(),
        Err(_) => STRONGROOM_INTERNAL,
    }
}

/// The error table's strings as C wants them, each with its number.
type Table = OnceLock<Vec<(u32, CString)>>;

fn lookup(table: &'static Table, part: fn(Error) -> &'static str, status: u32) -> *const c_char {
    let find = || {
        let fill = || {
            let entry = |error: &Error| (error.number(), CString::new(part(*error)).unwrap_or_default());
            Error::ALL.iter().map(entry).collect()
        };
        let entry = table.get_or_init(fill).iter().find(|(number, _)| *number == status);
        entry.map_or(ptr::null(), |(_, text)| text.as_ptr())
    };
    catch_unwind(find).unwrap_or(ptr::null())
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    /// The header's numbers, by the names they have there.
    fn header() -> Vec<(String, u32)> {
        include_str!("../strongroom.h")
            .lines()
            .filter_map(|line| line.strip_prefix("#define STRONGROOM_")?.split_once(' '))
            .filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?)))
            .collect()
    }

    fn text(pointer: *const c_char) -> Option<String> {
        // SAFETY: null or a text that lives as long as the process.
        (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
    }

    #[test]
    fn the_header_has_every_error_of_the_table_under_its_number() {
        let header = header();
        for error in Error::ALL {
            assert!(header.contains(&(error.name().to_owned(), error.number())), "{}", error.name());
        }
    }

    #[test]
    fn every_number_of_the_table_has_its_name_and_text() {
        for error in Error::ALL {
            assert_eq!(text(strongroom_error_name(error.number())).as_deref(), Some(error.name()));
            assert_eq!(text(strongroom_error_text(error.number())).as_deref(), Some(error.text()));
        }
    }

    #[test]
    fn numbers_outside_the_table_have_no_name() {
        for number in [0, 4, 9, 29, 52, 254, 256, u32::MAX] {
            assert_eq!(text(strongroom_error_name(number)), None);
            assert_eq!(text(strongroom_error_text(number)), None);
        }
    }

    #[test]
    fn a_panic_becomes_internal() {
        assert_eq!(guard(|| std::panic::resume_unwind(Box::new(()))), STRONGROOM_INTERNAL);
    }

    #[test]
    fn the_link_symbol_names_this_release() {
        let symbol = format!("strongroom_link_{}(", env!("CARGO_PKG_VERSION").replace(['.', '-'], "_"));
        assert!(include_str!("../strongroom.h").contains(&symbol));
    }
}
