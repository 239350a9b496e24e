//! A Chromium for the browser's tests: the one named by `CHROME`, one on the path, or Debian's.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use crate::util::{Ctx, output, retry, say};

/// Finds a browser, installs Debian's where none is found, and remembers it for later commands.
///
/// # Errors
/// None is found and none can be installed.
pub(crate) fn browser(ctx: &Ctx) -> Result<()> {
    if let Some(named) = env::var_os("CHROME") {
        let named = PathBuf::from(named);
        if !named.is_file() {
            bail!("CHROME names {}, which is no file: correct or unset it", named.display());
        }
        ctx.set_browser(named);
        return Ok(());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    if find(&NAMES, env::split_paths(&path)).is_none() {
        install(ctx)?;
    }
    // Debian's folder last: it may not be on the path.
    let places = env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    match find(&NAMES, places) {
        Some(found) => ctx.set_browser(found),
        None => bail!("{REMEDY}"),
    }
    Ok(())
}

fn find(names: &[&str], places: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let places: Vec<PathBuf> = places.collect();
    let paths = names.iter().flat_map(|name| places.iter().map(move |dir| dir.join(name)));
    paths.into_iter().find(|path| path.is_file())
}

fn install(ctx: &Ctx) -> Result<()> {
    if output(ctx.cmd("apt-get").arg("--version")).is_err() {
        bail!("{REMEDY}");
    }
    let root = output(ctx.cmd("id").arg("-u"))?.trim() == "0";
    if !root && output(ctx.cmd("sudo").args(["-n", "true"])).is_err() {
        bail!("{REMEDY}");
    }
    say("installing Debian's chromium (apt-get)");
    let apt = |args: &[&str]| {
        let mut command = if root { ctx.cmd("apt-get") } else { ctx.cmd("sudo") };
        if !root {
            command.args(["-n", "apt-get"]);
        }
        // Another installation on the same machine is waited for.
        command.args(["-qq", "-o", "DPkg::Lock::Timeout=300"]).args(args);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        retry("apt-get", || output(&mut command).map(drop))
    };
    apt(&["update"])?;
    apt(&["install", "-y", "--no-install-recommends", "chromium"])?;
    if !Path::new("/usr/bin/chromium").is_file() {
        // Installed once, and taken away by hand since.
        apt(&["install", "-y", "--reinstall", "--no-install-recommends", "chromium"])?;
    }
    Ok(())
}

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const REMEDY: &str = "no browser was found: install Chromium, or name one in the variable CHROME";
