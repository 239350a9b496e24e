//! The local KMS, tested as its users meet it: the real binary, over HTTP.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]

mod cadence;
mod contexts;
mod crashes;
mod files;
mod gate;
mod harness;
mod keys;
mod log;
mod members;
mod policies;
mod tenants;
