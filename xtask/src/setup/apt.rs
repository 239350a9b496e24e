//! Debian packages, where apt is at hand and may be used without asking.

use anyhow::{Result, bail};

use crate::util::{Ctx, output, retry, say};

/// Installs packages, or installs them once more.
///
/// # Errors
/// The remedy, where apt is missing or needs a password; or apt fails.
pub(super) fn install(ctx: &Ctx, packages: &[&str], again: bool, remedy: &str) -> Result<()> {
    if output(ctx.cmd("apt-get").arg("--version")).is_err() {
        bail!("{remedy}");
    }
    let root = output(ctx.cmd("id").arg("-u"))?.trim() == "0";
    if !root && output(ctx.cmd("sudo").args(["-n", "true"])).is_err() {
        bail!("{remedy}");
    }
    say(format_args!("installing Debian's {} (apt-get)", packages.join(", ")));
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
    let mut args = vec!["install", "-y", "--no-install-recommends"];
    args.extend(again.then_some("--reinstall"));
    args.extend(packages);
    apt(&args)
}
