//! A gnome-keyring and a session bus for the keychain's tests.

use anyhow::{Result, bail};

use super::apt;
use crate::util::{Ctx, output};

/// Looks for the programs and installs Debian's where one is missing.
///
/// # Errors
/// One is missing and can't be installed.
pub(crate) fn installed(ctx: &Ctx) -> Result<()> {
    if missing(ctx).is_none() {
        return Ok(());
    }
    apt::install(ctx, &["gnome-keyring", "dbus"], false, REMEDY)?;
    match missing(ctx) {
        None => Ok(()),
        Some(program) => bail!("{program} is missing still: {REMEDY}"),
    }
}

fn missing(ctx: &Ctx) -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| output(ctx.cmd(program).arg("--version")).is_err())
}

const PROGRAMS: [&str; 2] = ["gnome-keyring-daemon", "dbus-run-session"];

const REMEDY: &str = "no keyring was found: install one (`apt-get install gnome-keyring dbus`)";
