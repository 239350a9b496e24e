//! The C library and its header, for C and for the Go module.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Kind, Platform, native};
use crate::util::{self, Ctx, output};

/// Builds the archive beside the Go files, or in `target/hazmat/c` with the header.
///
/// # Errors
/// If a step fails.
pub(crate) fn build(ctx: &Ctx, kind: Kind) -> Result<()> {
    let archive = archive(ctx, kind)?;
    let library = native::library(ctx, kind, "strongroom-c", "libstrongroom_c.a")?;
    util::copy(&library, &archive)?;
    // Debug information of the standard library is four fifths of the file.
    output(ctx.cmd("strip").arg("-S").arg(&archive))?;
    if kind == Kind::Hazmat {
        util::copy(&ctx.path(HEADER), &ctx.target.join("hazmat/c/strongroom.h"))?;
    }
    Ok(())
}

/// Where the archive is put.
///
/// # Errors
/// If nothing is released for this platform.
pub(crate) fn archive(ctx: &Ctx, kind: Kind) -> Result<PathBuf> {
    Ok(match kind {
        Kind::Released => ctx.path(&format!(
            "bindings-go/libstrongroom_{}.a",
            Platform::here()?.go
        )),
        Kind::Hazmat => ctx.target.join("hazmat/c/libstrongroom.a"),
    })
}

/// What the header must be, from the code.
///
/// # Errors
/// If cbindgen can't read the crate.
pub(crate) fn header(ctx: &Ctx) -> Result<Vec<u8>> {
    let folder = ctx.path("bindings-go");
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml"))
        .map_err(anyhow::Error::msg)
        .context("bindings-go/cbindgen.toml")?;
    let bindings = cbindgen::generate_with_config(&folder, config).context("cbindgen")?;
    let mut header = Vec::new();
    bindings.write(&mut header);
    Ok(header)
}

/// The committed header.
pub(crate) const HEADER: &str = "bindings-go/strongroom.h";
