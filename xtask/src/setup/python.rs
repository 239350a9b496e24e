//! A Python environment of our own for moto, the second judge of the KMS adapters, and
//! for NIST's test vectors. Nothing is installed into the machine's Python.

use std::fs;

use anyhow::{Context, Result};

use crate::util::{Ctx, once, retry, run, say};

/// Makes the environment from the pinned, hashed list.
///
/// # Errors
/// If Python or pip fails.
pub(crate) fn environment(ctx: &Ctx) -> Result<()> {
    let list = ctx.path("xtask/requirements.txt");
    let pins = fs::read_to_string(&list).with_context(|| format!("can't read {}", list.display()))?;
    once(ctx, &ctx.venv("python"), &pins, || {
        say("installing a Python environment in target/venv: moto, boto3, cryptography_vectors (pip)");
        run(ctx.cmd("python3").args(["-m", "venv", "--clear"]).arg(ctx.target.join("venv")))?;
        let args = ["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"];
        let ours = ["--disable-pip-version-check", "--no-input", "-r"];
        retry("pip", || run(ctx.cmd(ctx.venv("python")).args(args).args(ours).arg(&list)))
    })
}
