//! `cargo xtask tsan`: the core's thread tests under ThreadSanitizer.

use anyhow::Result;

use super::report;
use crate::util::{Ctx, output, retry, run, say};

/// Builds std and the core with the sanitizer, and runs the tests that use threads.
///
/// # Errors
/// If a test fails or the sanitizer finds a race.
pub(crate) fn run_tests(ctx: &Ctx) -> Result<()> {
    install(ctx)?;
    let host = output(ctx.cmd("rustc").args(["--print", "host-tuple"]))?;
    let mut cargo = ctx.cmd("rustup");
    cargo.args(["run", "nightly", "cargo", "test", "--locked", "-Zbuild-std", "--target", host.trim()]);
    cargo.args(["-p", "strongroom", "--features", "hazmat", "--test", "threads", "--target-dir"]);
    cargo.arg(ctx.cargo_target().join("tsan"));
    cargo.env("RUSTFLAGS", "-Zsanitizer=thread").env("TSAN_OPTIONS", "halt_on_error=1");
    let answer = output(&mut cargo)?;
    say(&answer);
    let compiler = output(ctx.cmd("rustup").args(["run", "nightly", "rustc", "--version"]))?;
    let results: Vec<&str> = answer.lines().filter(|line| line.starts_with("test ")).collect();
    let body = format!(
        "`cargo xtask tsan`: std and the core built with ThreadSanitizer, {}; no race was found.\n\n```\n{}\n```",
        compiler.trim(),
        results.join("\n")
    );
    report(ctx, "tsan", "ThreadSanitizer", &body)
}

/// The sanitizer needs a nightly compiler and the source of std.
fn install(ctx: &Ctx) -> Result<()> {
    let toolchains = output(ctx.cmd("rustup").args(["toolchain", "list"]))?;
    if !toolchains.lines().any(|line| line.starts_with("nightly")) {
        say("installing a nightly Rust (rustup)");
        let args = ["toolchain", "install", "nightly", "--profile", "minimal"];
        retry("rustup", || run(ctx.cmd("rustup").args(args)))?;
    }
    let components = output(ctx.cmd("rustup").args(["component", "list", "--installed", "--toolchain", "nightly"]))?;
    if !components.lines().any(|line| line == "rust-src") {
        say("installing the source of std for it (rustup)");
        let args = ["component", "add", "rust-src", "--toolchain", "nightly"];
        retry("rustup", || run(ctx.cmd("rustup").args(args)))?;
    }
    Ok(())
}
