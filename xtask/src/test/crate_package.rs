//! The crate as `cargo package` packs it, used from outside the project.

use std::{env, fs, path::PathBuf, process};

use anyhow::{Context, Result};

use crate::util::{self, Ctx, output, run};

/// Packs the crate, unpacks it elsewhere, and runs a program that depends on it.
///
/// # Errors
/// If it can't be packed, or the program doesn't build or run.
pub(super) fn test(ctx: &Ctx) -> Result<()> {
    let outside = Outside::new()?;
    output(ctx.cargo("package").args(["-p", "strongroom", "--no-verify", "--allow-dirty", "--quiet"]))?;
    let version = version(ctx)?;
    let packed = ctx.cargo_target().join(format!("package/strongroom-{version}.crate"));
    output(ctx.cmd("tar").arg("-xzf").arg(&packed).arg("-C").arg(&outside.0))?;
    fs::rename(outside.0.join(format!("strongroom-{version}")), outside.0.join("strongroom"))?;
    let user = outside.0.join("crate-user");
    for file in ["Cargo.toml", "src/main.rs"] {
        util::copy(&ctx.path("xtask/fixtures/crate-user").join(file), &user.join(file))?;
    }
    // The versions that are tested here, not those of the day.
    util::copy(&ctx.path("Cargo.lock"), &user.join("Cargo.lock"))?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = ctx.cmd(cargo);
    cargo.current_dir(&user).args(["run", "--quiet", "--target-dir"]);
    run(cargo.arg(ctx.cargo_target().join("crate-user")))
}

fn version(ctx: &Ctx) -> Result<String> {
    let id = output(ctx.cargo("pkgid").args(["-p", "strongroom"]))?;
    let version = id.trim().rsplit(['@', '#']).next().context("cargo names no version")?;
    Ok(version.to_owned())
}

/// A folder outside the project, removed at the end.
struct Outside(PathBuf);

impl Outside {
    fn new() -> Result<Self> {
        let dir = env::temp_dir().join(format!("strongroom-crate-{}", process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("can't make {}", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // It is in the machine's folder for temporary files, which is cleared anyway.
        let _ = fs::remove_dir_all(&self.0);
    }
}
