//! The targets besides the machine's own.

use anyhow::Result;

use crate::util::{Ctx, output, retry, run, say};

/// The browser's, and a bare-metal one that proves that the core needs no std.
const TARGETS: [&str; 2] = ["wasm32-unknown-unknown", BARE_METAL];

/// A target without std.
pub(crate) const BARE_METAL: &str = "thumbv7em-none-eabihf";

/// Adds what the toolchain in use lacks.
///
/// # Errors
/// If rustup can't add a target.
pub(crate) fn targets(ctx: &Ctx) -> Result<()> {
    let installed = output(ctx.cmd("rustup").args(["target", "list", "--installed"]))?;
    for target in TARGETS {
        if !installed.lines().any(|line| line == target) {
            say(format_args!("installing the Rust target {target} (rustup)"));
            retry("rustup", || run(ctx.cmd("rustup").args(["target", "add", target])))?;
        }
    }
    Ok(())
}
