//! The core for Node and Electron's main process: a thin mirror of `strongroom`.
//!
//! This crate makes the *raw* functions that the package's TypeScript builds its
//! public API on. It turns JavaScript values into core values and back and decides
//! nothing; see `README.md` for the package and its security notes.
//!
//! Rules that hold for every function here:
//! - A thrown error is an `Error` whose `code` is the core's error name.
//! - A panic is caught and is `INTERNAL`.
//! - Bytes are read where JavaScript keeps them, and plaintext is written only into a
//!   buffer that JavaScript owns. Nothing is ever returned as an external buffer.
//! - No thread-locals: any worker may use any handle.
//! - Unsafe code is in `values/` alone, and in `registers.rs`, which clears what AES leaves there.
#![deny(unsafe_code)]

mod cpu;
mod fields;
mod free;
mod handles;
#[cfg(feature = "hazmat")]
mod hazmat;
mod module;
// One file for both native hosts: a signal's frame would save the DEK from the registers.
#[path = "../../bindings-go/src/registers.rs"]
#[allow(unsafe_code, reason = "clearing registers takes assembly")]
mod registers;
mod values;
mod vaults;
