//! Strongroom behind a C ABI, for Go and C. `strongroom.h` is generated from this crate.
//!
//! The manners of every call:
//!
//! - It returns a status: 0, or the number of the core's error table. There is no last-error
//!   state. After an error no output was written.
//! - Inputs come first, outputs last. The caller owns every buffer; nothing that a call is lent
//!   is kept after it returns. Variable outputs are `(dst, cap, len)`: `*len` says how much was
//!   written, and a `cap` below what the call documents is `BAD_INPUT`.
//! - Rows, requests, options and the status list are JSON text, as DESIGN and the specification
//!   spell them; everything else is bytes and numbers.
//! - A panic never crosses: it becomes `INTERNAL`.
//!
//! Unsafe code stands in `ptr.rs`, in the `extern "C"` shells, which trust the caller for exactly
//! what the header asks, and in `registers.rs`, which clears what AES leaves there.

#![deny(unsafe_op_in_unsafe_fn)]
#![allow(non_camel_case_types, reason = "types carry the names that the header gives them")]

#[cfg(feature = "boring")]
mod boring;
mod cpu;
mod functions;
#[cfg(feature = "hazmat")]
mod hazmat;
#[cfg(all(feature = "hazmat", feature = "boring"))]
mod hazmat_boring;
mod keys;
mod ptr;
mod registers;
mod status;
#[cfg(test)]
mod tests;
mod vault;

#[cfg(feature = "boring")]
pub use boring::*;
pub use functions::*;
#[cfg(feature = "hazmat")]
pub use hazmat::*;
#[cfg(all(feature = "hazmat", feature = "boring"))]
pub use hazmat_boring::*;
pub use keys::*;
pub use ptr::{strongroom_binding, strongroom_bytes, strongroom_reply, strongroom_vault};
pub use status::*;
pub use vault::*;
