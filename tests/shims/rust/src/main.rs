//! The core behind the conformance protocol: one JSON object a line in, one out.
//! It converts and calls, and decides nothing.

#[cfg(feature = "hazmat")]
mod bare;
mod ops;
mod values;
mod vaults;

use std::io::{BufRead, Write, stdin, stdout};

fn main() -> std::io::Result<()> {
    let mut ops = ops::Ops::default();
    let mut out = stdout().lock();
    for line in stdin().lock().lines() {
        writeln!(out, "{}", ops.answer(&line?))?;
        out.flush()?;
    }
    Ok(())
}
