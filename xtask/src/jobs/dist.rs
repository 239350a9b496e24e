//! `cargo xtask dist`: what is released, packed as each package manager expects it.

use std::fs;

use anyhow::{Context, Result};

use crate::{
    build::{self, Kind, node},
    setup,
    util::{self, Ctx, output, say, timed},
};

/// Packs the npm packages, the crate and the Go module into `target/dist`, with their digests.
///
/// # Errors
/// If a build or a packer fails.
pub(crate) fn pack(ctx: &Ctx) -> Result<()> {
    setup::for_checks(ctx)?;
    build::released(ctx)?;
    let dist = ctx.target.join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).with_context(|| format!("can't empty {}", dist.display()))?;
    }
    fs::create_dir_all(&dist).with_context(|| format!("can't make {}", dist.display()))?;
    timed("npm packages", || {
        for folder in ["bindings-node", &platform_package(ctx)?, "bindings-wasm"] {
            let mut npm = ctx.cmd("npm");
            npm.current_dir(ctx.path(folder)).args(["pack", "--ignore-scripts", "--silent", "--pack-destination"]);
            output(npm.arg(&dist))?;
        }
        Ok(())
    })?;
    timed("crate", || {
        output(ctx.cargo("package").args(["-p", "strongroom", "--no-verify", "--allow-dirty", "--quiet"]))?;
        for entry in fs::read_dir(ctx.cargo_target().join("package"))? {
            let file = entry?.path();
            if file.extension().is_some_and(|end| end == "crate") {
                let name = file.file_name().context("a crate without a name")?;
                util::copy(&file, &dist.join(name))?;
            }
        }
        Ok(())
    })?;
    timed("Go module", || output(ctx.cmd("sh").arg("bindings-go/pack.sh").arg(dist.join("go"))).map(drop))?;
    digests(ctx)
}

/// Puts the addon into its platform's package, and returns that package's folder.
fn platform_package(ctx: &Ctx) -> Result<String> {
    let addon = node::addon(ctx, Kind::Released)?;
    let folder = format!("bindings-node/npm/{}", node::platform()?);
    let name = addon.file_name().context("an addon without a name")?;
    util::copy(&addon, &ctx.path(&folder).join(name))?;
    Ok(folder)
}

fn digests(ctx: &Ctx) -> Result<()> {
    let dist = ctx.target.join("dist");
    let files = util::files_in(&dist)?;
    let names = files.iter().map(|file| file.strip_prefix(&dist).unwrap_or(file));
    let sums = output(ctx.cmd("sha256sum").current_dir(&dist).args(names))?;
    util::write(&dist.join("SHA256SUMS"), sums.as_bytes())?;
    say(sums.trim_end());
    Ok(())
}
