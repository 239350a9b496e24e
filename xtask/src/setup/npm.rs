//! npm packages: exactly those of each lock file, no script run.

use std::path::Path;

use anyhow::{Context, Result};

use crate::util::{Ctx, digest, files_below, once, retry, run, say};

/// Installs the packages of every folder that has a lock file.
///
/// # Errors
/// If npm fails three times.
pub(crate) fn packages(ctx: &Ctx) -> Result<()> {
    for lock in files_below(&ctx.root)? {
        if lock.file_name().is_some_and(|name| name == "package-lock.json") {
            let dir = lock.parent().context("a lock file lies in no folder")?;
            folder(ctx, dir)?;
        }
    }
    Ok(())
}

fn folder(ctx: &Ctx, dir: &Path) -> Result<()> {
    let name = dir.strip_prefix(&ctx.root)?.display().to_string();
    let key = digest(&[dir.join("package.json"), dir.join("package-lock.json")])?;
    once(ctx, &dir.join("node_modules"), &key, || {
        say(format_args!("installing npm packages in {name} (no scripts)"));
        let args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        retry("npm", || run(ctx.cmd("npm").args(args).current_dir(dir)))
    })
}
