//! Strings, numbers and booleans.
#![allow(unsafe_code, reason = "calls of Node-API, which has no safe form")]

use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, sys};
use strongroom::Error;

/// A string, read as the UTF-16 units that it is, so that nothing is ever repaired.
pub(crate) struct Text(Option<String>);

impl Text {
    /// # Errors
    /// [`Error::BadInput`] if it was no string, or had a lone surrogate.
    pub(crate) fn as_str(&self) -> Result<&str, Error> {
        self.0.as_deref().ok_or(Error::BadInput)
    }

    /// The text of an argument that may be absent.
    ///
    /// # Errors
    /// As [`Text::as_str`].
    pub(crate) fn optional(text: Option<&Self>) -> Result<Option<&str>, Error> {
        text.map(Self::as_str).transpose()
    }
}

impl FromNapiValue for Text {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // Names are short: one call reads most of them.
        let mut short = [0_u16; 64];
        let mut units = 0;
        // SAFETY: `short` is writable for its whole length, which is what is passed.
        let status =
            unsafe { sys::napi_get_value_string_utf16(env, value, short.as_mut_ptr(), short.len(), &mut units) };
        if status != sys::Status::napi_ok {
            return Ok(Self(None));
        }
        // Node-API keeps the last unit for a zero, so a fuller buffer may be cut.
        if units.saturating_add(1) < short.len() {
            return Ok(Self(short.get(..units).and_then(|units| String::from_utf16(units).ok())));
        }
        // SAFETY: a null buffer asks for the length alone.
        let status = unsafe { sys::napi_get_value_string_utf16(env, value, ptr::null_mut(), 0, &mut units) };
        if status != sys::Status::napi_ok {
            return Ok(Self(None));
        }
        let mut long = vec![0_u16; units.saturating_add(1)];
        // SAFETY: `long` is writable for its whole length, which is what is passed.
        let status = unsafe { sys::napi_get_value_string_utf16(env, value, long.as_mut_ptr(), long.len(), &mut units) };
        if status != sys::Status::napi_ok {
            return Ok(Self(None));
        }
        Ok(Self(long.get(..units).and_then(|units| String::from_utf16(units).ok())))
    }
}

/// A number, taken only if it is whole.
#[derive(Clone, Copy)]
pub(crate) struct Whole(Option<i64>);

impl Whole {
    /// # Errors
    /// [`Error::BadInput`] if it was no whole number, or does not fit.
    pub(crate) fn get<T: TryFrom<i64>>(self) -> Result<T, Error> {
        self.0.and_then(|number| T::try_from(number).ok()).ok_or(Error::BadInput)
    }

    /// A handle: whatever is not one is as unknown as a closed one.
    pub(crate) fn handle(self) -> Option<u32> {
        self.get().ok()
    }
}

impl FromNapiValue for Whole {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let mut number = 0.0;
        // SAFETY: `number` is a live double.
        let status = unsafe { sys::napi_get_value_double(env, value, &mut number) };
        // Beyond 2^53 - 1 a double no longer says which whole number was meant.
        let exact = number.trunc() == number && number.abs() <= 9_007_199_254_740_991.0;
        #[allow(clippy::cast_possible_truncation, reason = "whole and below 2^53, see above")]
        Ok(Self((status == sys::Status::napi_ok && exact).then_some(number as i64)))
    }
}

/// A `bigint` of 64 bits, or nothing.
#[derive(Clone, Copy)]
pub(crate) struct Revision(Result<Option<u64>, Error>);

impl Revision {
    /// # Errors
    /// [`Error::BadInput`] if it was neither `undefined` nor a `bigint` of 64 bits.
    pub(crate) fn get(self) -> Result<Option<u64>, Error> {
        self.0
    }
}

impl FromNapiValue for Revision {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let (mut number, mut lossless, mut kind) = (0, false, 0);
        // SAFETY: `number` and `lossless` are live and of the types that are written.
        let status = unsafe { sys::napi_get_value_bigint_uint64(env, value, &mut number, &mut lossless) };
        if status == sys::Status::napi_ok {
            return Ok(Self(if lossless { Ok(Some(number)) } else { Err(Error::BadInput) }));
        }
        // SAFETY: `kind` is a live integer.
        let status = unsafe { sys::napi_typeof(env, value, &mut kind) };
        let absent = status == sys::Status::napi_ok && kind == sys::ValueType::napi_undefined;
        Ok(Self(if absent { Ok(None) } else { Err(Error::BadInput) }))
    }
}

/// A boolean.
#[derive(Clone, Copy)]
pub(crate) struct Flag(Option<bool>);

impl Flag {
    /// # Errors
    /// [`Error::BadInput`] if it was no boolean.
    pub(crate) fn get(self) -> Result<bool, Error> {
        self.0.ok_or(Error::BadInput)
    }
}

impl FromNapiValue for Flag {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let mut flag = false;
        // SAFETY: `flag` is a live boolean.
        let status = unsafe { sys::napi_get_value_bool(env, value, &mut flag) };
        Ok(Self((status == sys::Status::napi_ok).then_some(flag)))
    }
}
