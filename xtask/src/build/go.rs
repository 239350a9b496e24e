//! Go programs on the cgo module.

use std::{fs, path::Path};

use anyhow::Result;

use crate::util::{Ctx, output};

/// Builds the program in a folder of the project; `change` may add to the command.
///
/// # Errors
/// If it doesn't build.
pub(crate) fn program(
    ctx: &Ctx,
    folder: &str,
    to: &Path,
    change: impl FnOnce(&mut std::process::Command),
) -> Result<()> {
    // Go doesn't see that an archive has changed; where there is no program, it links one.
    if to.exists() {
        fs::remove_file(to)?;
    }
    let mut go = ctx.cmd("go");
    go.current_dir(ctx.path(folder)).args(["build", "-trimpath", "-mod=readonly"]);
    change(&mut go);
    output(go.arg("-o").arg(to).arg(".")).map(drop)
}
