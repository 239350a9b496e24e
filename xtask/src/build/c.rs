//! The C library and its header, for C and for the Go module.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{Kind, Platform, native};
use crate::util::{self, Ctx, output};

/// Builds the archive beside the Go files, or in `target/hazmat/c` with the headers.
///
/// # Errors
/// If a step fails.
pub(crate) fn build(ctx: &Ctx, kind: Kind) -> Result<()> {
    library(ctx, kind, &[], &archive(ctx, kind)?)?;
    let boring = boring_archive(ctx, kind)?;
    library(ctx, kind, &["--no-default-features", "--features", "boring"], &boring)?;
    without_aes(ctx, &boring)?;
    if kind == Kind::Hazmat {
        for header in ["strongroom.h", "strongroom_hazmat.h"] {
            let to = ctx.target.join("hazmat/c").join(header);
            util::copy(&ctx.path("bindings-go").join(header), &to)?;
        }
    }
    Ok(())
}

fn library(ctx: &Ctx, kind: Kind, features: &[&str], archive: &Path) -> Result<()> {
    let library = native::library(ctx, kind, "strongroom-c", "libstrongroom_c.a", features)?;
    util::copy(&library, archive)?;
    // Debug information of the standard library is four fifths of the file.
    output(ctx.cmd("strip").arg("-S").arg(archive)).map(drop)
}

/// The library for BoringCrypto has no AES to fall back on: no symbol and no instruction of it.
fn without_aes(ctx: &Ctx, archive: &Path) -> Result<()> {
    for (tool, option) in [("nm", "-A"), ("objdump", "-d")] {
        let listed = output(ctx.cmd(tool).arg(option).arg(archive))?.to_ascii_lowercase();
        if let Some(line) = listed.lines().find(|line| line.contains("aes")) {
            bail!("{} has AES: {line}", archive.display());
        }
    }
    Ok(())
}

/// Where the archive for Go under `GOEXPERIMENT=boringcrypto` is put.
fn boring_archive(ctx: &Ctx, kind: Kind) -> Result<PathBuf> {
    Ok(match kind {
        Kind::Released => ctx.path(&format!("bindings-go/libstrongroom_boring_{}.a", Platform::here()?.go)),
        Kind::Hazmat => ctx.target.join("hazmat/c/libstrongroom_boring.a"),
    })
}

/// Where the archive is put.
///
/// # Errors
/// If nothing is released for this platform.
pub(crate) fn archive(ctx: &Ctx, kind: Kind) -> Result<PathBuf> {
    Ok(match kind {
        Kind::Released => ctx.path(&format!("bindings-go/libstrongroom_{}.a", Platform::here()?.go)),
        Kind::Hazmat => ctx.target.join("hazmat/c/libstrongroom.a"),
    })
}

/// A header that is made of source files.
pub(crate) struct Header {
    /// Where it is committed.
    pub(crate) file: &'static str,
    config: &'static str,
    sources: &'static [&'static str],
}

impl Header {
    /// What it must be, from the code.
    ///
    /// # Errors
    /// If cbindgen can't read the code.
    pub(crate) fn generate(&self, ctx: &Ctx) -> Result<Vec<u8>> {
        let folder = ctx.path("bindings-go");
        let config = cbindgen::Config::from_file(folder.join(self.config))
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("can't read {}", self.config))?;
        let mut builder = cbindgen::Builder::new().with_config(config);
        for source in self.sources {
            builder = builder.with_src(folder.join("src").join(source));
        }
        let mut header = Vec::new();
        builder.generate().with_context(|| format!("cbindgen can't make {}", self.file))?.write(&mut header);
        Ok(header)
    }
}

/// Writes the headers anew.
///
/// # Errors
/// If one can't be made or written.
pub(crate) fn headers(ctx: &Ctx) -> Result<()> {
    HEADERS.iter().try_for_each(|header| util::write(&ctx.path(header.file), &header.generate(ctx)?))
}

/// The headers: the released one first, then the one of the test builds.
pub(crate) const HEADERS: [Header; 4] = [
    Header {
        file: "bindings-go/strongroom.h",
        config: "cbindgen.toml",
        sources: &["status.rs", "ptr.rs", "functions.rs", "vault.rs", "keys.rs"],
    },
    Header { file: "bindings-go/strongroom_boring.h", config: "cbindgen-boring.toml", sources: &["boring.rs"] },
    Header { file: "bindings-go/strongroom_hazmat.h", config: "cbindgen-hazmat.toml", sources: &["hazmat.rs"] },
    Header {
        file: "bindings-go/strongroom_hazmat_boring.h",
        config: "cbindgen-hazmat-boring.toml",
        sources: &["hazmat_boring.rs"],
    },
];
