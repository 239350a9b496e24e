//! What cargo itself can say about the Rust code.

use anyhow::Result;

use crate::{
    setup::BARE_METAL,
    util::{Ctx, output},
};

pub(super) fn formatted(ctx: &Ctx) -> Result<String> {
    // `cargo fmt` knows no `--locked`.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    output(ctx.cmd(cargo).args(["fmt", "--all", "--check"]))?;
    Ok(String::new())
}

pub(super) fn linted(ctx: &Ctx) -> Result<String> {
    // Everything as the tests see it, then what is released as it is released: without
    // the test feature, and for the browser's own target.
    let deny = ["--", "-D", "warnings"];
    // The addon has no Rust test, and as one its functions would be registered with nobody.
    let but_node = ["--workspace", "--all-targets", "--exclude", "strongroom-node"];
    output(ctx.cargo("clippy").args(but_node).args(deny))?;
    output(ctx.cargo("clippy").args(["-p", "strongroom-node", "--features", "hazmat"]).args(deny))?;
    output(ctx.cargo("clippy").args(["-p", "strongroom", "--no-default-features", "--features", "aes"]).args(deny))?;
    output(ctx.cargo("clippy").args(["-p", "strongroom-node", "-p", "strongroom-c"]).args(deny))?;
    let boring = ["-p", "strongroom-c", "--no-default-features", "--features", "boring,hazmat"];
    output(ctx.cargo("clippy").args(boring).args(deny))?;
    for package in ["strongroom-wasm", "strongroom-wasm-reports"] {
        // One at a time: together, the one would turn on the other's std.
        let target = ["-p", package, "--target", "wasm32-unknown-unknown"];
        output(ctx.cargo("clippy").args(target).args(deny))?;
    }
    Ok(String::new())
}

pub(super) fn documented(ctx: &Ctx) -> Result<String> {
    let mut cargo = ctx.cargo("doc");
    cargo.args(["--no-deps", "--all-features", "-p", "strongroom", "-p", "strongroom-host"]);
    output(cargo.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(String::new())
}

pub(super) fn bare_metal(ctx: &Ctx) -> Result<String> {
    let args = ["-p", "strongroom", "--no-default-features", "--features", "aes", "--target", BARE_METAL];
    output(ctx.cargo("build").args(args))?;
    Ok(BARE_METAL.to_owned())
}
