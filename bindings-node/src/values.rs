//! JavaScript values as the functions of this crate take them.
//!
//! A value of a wrong type does not fail while arguments are converted: it becomes
//! [`Error::BadInput`] when it is first used. So each function can first take charge of
//! the buffer that it must wipe, and every fault has the core's name.

mod bytes;
mod scalars;

use std::panic::{AssertUnwindSafe, catch_unwind};

use strongroom::Error;

use crate::registers;

pub(crate) use bytes::{Bytes, Copied, Numbers, Output, Secret};
pub(crate) use scalars::{Flag, Revision, Text, Whole};

/// What a function of this crate gives back to JavaScript. The attribute macro knows a result by
/// this name alone.
pub(crate) type Result<T, E = napi::Error<&'static str>> = core::result::Result<T, E>;

/// Runs the body of an exported function: no panic passes, and errors get their names.
///
/// # Errors
/// What `body` says, and [`Error::Internal`] for a panic.
pub(crate) fn guard<T>(body: impl FnOnce() -> Result<T, Error>) -> Result<T> {
    let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or(Err(Error::Internal));
    registers::wipe();
    outcome.map_err(|error| napi::Error::new(error.name(), error.text()))
}
