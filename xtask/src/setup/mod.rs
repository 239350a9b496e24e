//! Set-up of a fresh machine. Each part says what it installs, is quick when there
//! is nothing to do, and stops with a one-line remedy where it can't help.

mod apt;
mod browser;
pub(crate) mod dynamodb;
pub(crate) mod keyring;
mod npm;
mod prerequisites;
mod python;
mod rust;

use anyhow::Result;

pub(crate) use self::rust::BARE_METAL;

use crate::util::{Ctx, timed};

/// Everything that `demo` and `test` need.
///
/// # Errors
/// A prerequisite is missing or an installation fails.
pub(crate) fn everything(ctx: &Ctx) -> Result<()> {
    timed("set-up", || {
        prerequisites::check(ctx)?;
        rust::targets(ctx)?;
        npm::packages(ctx)?;
        python::environment(ctx)?;
        browser::browser(ctx)
    })
}

/// What the checks need: no browser and no Python environment.
///
/// # Errors
/// As [`everything`].
pub(crate) fn for_checks(ctx: &Ctx) -> Result<()> {
    timed("set-up for the checks", || {
        prerequisites::check(ctx)?;
        rust::targets(ctx)?;
        npm::packages(ctx)
    })
}
