//! A Chromium for the browser's tests: the one named by `CHROME`, one on the path, or Debian's.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use super::apt;
use crate::util::Ctx;

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
    apt::install(ctx, &["chromium"], false, REMEDY)?;
    if !Path::new("/usr/bin/chromium").is_file() {
        // Installed once, and taken away by hand since.
        apt::install(ctx, &["chromium"], true, REMEDY)?;
    }
    Ok(())
}

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const REMEDY: &str = "no browser was found: install Chromium, or name one in the variable CHROME";
