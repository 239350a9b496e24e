//! Puts the same questions to every host and holds the answers against what the
//! specification says. A host is a shim: a program that reads one JSON object a
//! line and answers one a line.
//!
//! Start with [`run`], which is the whole of the `conformance` program.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test tool: an overflow or a missing index is a failed run, which is its job to report"
)]

mod answer;
mod bits;
mod bytes;
mod cipher;
mod cli;
mod exchange;
mod hosts;
mod pins;
mod report;
mod rng;
mod scenarios;
mod shim;
mod transplants;
mod vectors;
mod world;

pub use cli::run;
