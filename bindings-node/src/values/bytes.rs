//! Bytes that JavaScript owns, read and written where they lie.
//!
//! What makes the pointers sound:
//! - Every exported function is synchronous and runs no JavaScript, so while it runs no
//!   buffer of its thread can move, be detached, resized or written by anyone else.
//! - Memory that another thread could touch at the same time (`SharedArrayBuffer`) is
//!   refused.
//! - Two arguments may be views of one buffer. [`Bytes`] are only read, so they may
//!   overlap; an [`Output`] is lent for writing only together with the inputs of the same
//!   call, and not at all where it overlaps one of them.
#![allow(unsafe_code, reason = "calls of Node-API, which has no safe form")]

use std::ops::Range;
use std::{ptr, slice};

use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, sys};
use strongroom::Error;
use zeroize::Zeroize;

/// A `Uint8Array` that is only read.
pub(crate) struct Bytes(Option<View>);

impl Bytes {
    /// # Errors
    /// [`Error::BadInput`] if it was no `Uint8Array` on memory of its own.
    pub(crate) fn read(&self) -> Result<&[u8], Error> {
        let view = self.0.as_ref().ok_or(Error::BadInput)?;
        // SAFETY: Node-API gave `start` and `length` of live memory, which stays in place
        // while the call lasts; no `Output` of this call that overlaps it is ever lent.
        Ok(unsafe { slice::from_raw_parts(view.start, view.length) })
    }
}

/// A `Uint8Array` that is written.
pub(crate) struct Output(Option<View>);

impl Output {
    /// Lends the buffer for writing beside the inputs of the same call.
    ///
    /// # Errors
    /// [`Error::BadInput`] if it was no `Uint8Array` on memory of its own, or overlaps
    /// one of `inputs`.
    pub(crate) fn beside(&mut self, inputs: &[&Bytes]) -> Result<&mut [u8], Error> {
        let view = self.0.as_mut().ok_or(Error::BadInput)?;
        let overlaps = |input: &&Bytes| input.0.as_ref().is_some_and(|input| view.overlaps(input));
        if inputs.iter().any(overlaps) {
            return Err(Error::BadInput);
        }
        // SAFETY: as in `Bytes::read`; `&mut self` keeps it from being lent twice, a
        // function has one `Output` at most, and it overlaps no input.
        Ok(unsafe { slice::from_raw_parts_mut(view.start, view.length) })
    }
}

/// A `Uint8Array` that is zeroed in JavaScript's memory when the call ends, however it ends.
pub(crate) struct Secret(Output);

impl Secret {
    /// As [`Output::beside`].
    ///
    /// # Errors
    /// As [`Output::beside`].
    pub(crate) fn beside(&mut self, inputs: &[&Bytes]) -> Result<&mut [u8], Error> {
        self.0.beside(inputs)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        // An input that overlaps is no longer read: it was lent to a call that is over.
        if let Ok(bytes) = self.0.beside(&[]) {
            bytes.zeroize();
        }
    }
}

/// A `Uint32Array` that is only read.
pub(crate) struct Numbers(Option<View>);

impl Numbers {
    /// # Errors
    /// [`Error::BadInput`] if it was no `Uint32Array` on memory of its own.
    pub(crate) fn read(&self) -> Result<impl Iterator<Item = u32>, Error> {
        let view = self.0.as_ref().ok_or(Error::BadInput)?;
        // SAFETY: as in `Bytes::read`.
        let bytes = unsafe { slice::from_raw_parts(view.start, view.length) };
        Ok(bytes.as_chunks().0.iter().map(|number| u32::from_ne_bytes(*number)))
    }
}

/// Bytes for JavaScript: copied into a buffer that it owns. Never for secrets.
pub(crate) struct Copied(pub(crate) Vec<u8>);

impl ToNapiValue for Copied {
    unsafe fn to_napi_value(env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        let length = value.0.len();
        let (mut data, mut buffer, mut array) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: `data` and `buffer` are live pointers to write to.
        napi::check_status!(unsafe { sys::napi_create_arraybuffer(env, length, &mut data, &mut buffer) })?;
        if length > 0 {
            // SAFETY: the new buffer has `length` bytes, and nobody else knows it.
            unsafe { ptr::copy_nonoverlapping(value.0.as_ptr(), data.cast(), length) };
        }
        // SAFETY: the view covers exactly the buffer made above.
        napi::check_status!(unsafe {
            let kind = sys::TypedarrayType::uint8_array;
            sys::napi_create_typedarray(env, kind, length, buffer, 0, &mut array)
        })?;
        Ok(array)
    }
}

/// Where the bytes of a typed array lie. `start` is never null.
struct View {
    start: *mut u8,
    length: usize,
}

impl View {
    fn span(&self) -> Range<usize> {
        let start = self.start.addr();
        start..start.saturating_add(self.length)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.span(), other.span());
        mine.start < theirs.end && theirs.start < mine.end
    }

    /// # Safety
    /// `env` and `value` belong to the call that is being made.
    unsafe fn of(
        env: sys::napi_env,
        value: sys::napi_value,
        kind: sys::napi_typedarray_type,
        width: usize,
    ) -> Option<Self> {
        let (mut found, mut elements, mut offset, mut owned) = (0, 0, 0, false);
        let (mut start, mut buffer) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: every out-parameter is a live variable of the type that is written.
        let status = unsafe {
            sys::napi_get_typedarray_info(env, value, &mut found, &mut elements, &mut start, &mut buffer, &mut offset)
        };
        if status != sys::Status::napi_ok || found != kind {
            return None;
        }
        // Not so for a SharedArrayBuffer, whose memory other threads may write meanwhile.
        // SAFETY: `buffer` was written by the call above.
        let status = unsafe { sys::napi_is_arraybuffer(env, buffer, &mut owned) };
        if status != sys::Status::napi_ok || !owned {
            return None;
        }
        if start.is_null() {
            // An empty buffer looks like a detached one, whose bytes are gone.
            let mut detached = true;
            // SAFETY: as above.
            let status = unsafe { sys::napi_is_detached_arraybuffer(env, buffer, &mut detached) };
            let empty = status == sys::Status::napi_ok && !detached && elements == 0;
            return empty.then_some(Self { start: ptr::dangling_mut(), length: 0 });
        }
        Some(Self { start: start.cast(), length: elements.checked_mul(width)? })
    }
}

impl FromNapiValue for Bytes {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: passed on from the caller.
        Ok(Self(unsafe { View::of(env, value, sys::TypedarrayType::uint8_array, 1) }))
    }
}

impl FromNapiValue for Output {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: passed on from the caller.
        Ok(Self(unsafe { View::of(env, value, sys::TypedarrayType::uint8_array, 1) }))
    }
}

impl FromNapiValue for Secret {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: passed on from the caller.
        Ok(Self(unsafe { Output::from_napi_value(env, value) }?))
    }
}

impl FromNapiValue for Numbers {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: passed on from the caller.
        Ok(Self(unsafe { View::of(env, value, sys::TypedarrayType::uint32_array, 4) }))
    }
}
