//! Native code: libraries and programs for this machine's platform.

use std::{
    env::consts::{ARCH, OS},
    path::PathBuf,
};

use anyhow::{Context, Result, bail};

use super::Kind;
use crate::util::{self, Ctx};

/// This machine's platform, as each package manager calls it.
pub(crate) struct Platform {
    /// As in `strongroom.linux-x64-gnu.node`.
    pub(crate) node: &'static str,
    /// As in `libstrongroom_linux_amd64.a`.
    pub(crate) go: &'static str,
}

impl Platform {
    /// The platform that this runs on.
    ///
    /// # Errors
    /// If nothing is released for it.
    pub(crate) fn here() -> Result<Self> {
        let musl = cfg!(target_env = "musl");
        Ok(match (OS, ARCH) {
            ("linux", "x86_64") if musl => Self { node: "linux-x64-musl", go: "linux_amd64" },
            ("linux", "x86_64") => Self { node: "linux-x64-gnu", go: "linux_amd64" },
            ("linux", "aarch64") if musl => Self { node: "linux-arm64-musl", go: "linux_arm64" },
            ("linux", "aarch64") => Self { node: "linux-arm64-gnu", go: "linux_arm64" },
            ("macos", "x86_64") => Self { node: "darwin-x64", go: "darwin_amd64" },
            ("macos", "aarch64") => Self { node: "darwin-arm64", go: "darwin_arm64" },
            _ => bail!("nothing is released for {OS} on {ARCH}"),
        })
    }
}

/// Builds a library of the workspace and returns where cargo put it.
///
/// # Errors
/// If it doesn't build.
pub(super) fn library(ctx: &Ctx, kind: Kind, package: &str, file: &str, features: &[&str]) -> Result<PathBuf> {
    // Builds with flags of their own have a folder of their own: flags that come and go
    // would rebuild everything each time.
    let dir = ctx.cargo_target().join("native");
    let mut cargo = ctx.cargo("build");
    cargo.args(["-p", package, "--profile", kind.profile(), "--target-dir"]).arg(&dir);
    cargo.args(kind.features()).args(features);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(ctx)?);
    util::run(cargo.arg("--quiet"))?;
    let built = dir.join(kind.profile()).join(file);
    built.is_file().then_some(&built).with_context(|| format!("cargo made no {}", built.display()))?;
    Ok(built)
}

/// Builds a program of the workspace into `target/bin`, under a name of its own.
///
/// # Errors
/// If it doesn't build.
pub(super) fn program(ctx: &Ctx, program: &Program) -> Result<()> {
    let mut cargo = ctx.cargo("build");
    cargo.args(["--quiet", "-p", program.package, "--bin", program.file]).args(program.features);
    let mut dir = ctx.cargo_target();
    if program.soft {
        dir.push("soft");
        cargo.env("RUSTFLAGS", SOFT);
    }
    let profile = if program.optimised { "release" } else { "debug" };
    if program.optimised {
        cargo.arg("--release");
    }
    util::run(cargo.arg("--target-dir").arg(&dir))?;
    util::copy(&dir.join(profile).join(program.file), &ctx.bin(program.name))
}

/// A program of the workspace.
pub(super) struct Program {
    pub(super) package: &'static str,
    /// As the package calls it.
    pub(super) file: &'static str,
    /// As it is called in `target/bin`.
    pub(super) name: &'static str,
    /// As it is released, rather than as the tests are built.
    pub(super) optimised: bool,
    pub(super) features: &'static [&'static str],
    /// Built on the ciphers that need no processor's help.
    pub(super) soft: bool,
}

/// The flags that choose the soft back ends.
pub(crate) const SOFT: &str = r#"--cfg aes_backend="soft" --cfg polyval_backend="soft""#;

/// The flags of native builds, as cargo takes them.
fn flags(ctx: &Ctx) -> Result<String> {
    let mut flags = remap(ctx)?;
    if ARCH == "x86_64" {
        // Crate-wide, so that the bodies of the ciphers can be inlined: a third faster. The
        // bindings check the processor before they use it. Not AVX: libraries have code that
        // runs before the check does, and it would end the process on a processor without.
        flags.push("-Ctarget-feature=+aes,+pclmulqdq,+ssse3,+sse4.1".to_owned());
    }
    Ok(flags.join("\u{1f}"))
}

/// No path of the building machine stands in what is released.
///
/// # Errors
/// If there is no home folder to be hidden.
pub(super) fn remap(ctx: &Ctx) -> Result<Vec<String>> {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = std::env::home_dir().map(|home| home.join(".cargo"));
    let cargo = cargo.or(home).context("neither CARGO_HOME nor a home folder is known")?;
    Ok(vec![
        format!("--remap-path-prefix={}=/cargo", cargo.display()),
        format!("--remap-path-prefix={}=/strongroom", ctx.root.display()),
    ])
}
