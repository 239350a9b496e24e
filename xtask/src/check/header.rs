//! The committed C header is the one that the code gives.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{
    build::c::{HEADER, header},
    util::Ctx,
};

pub(super) fn check(ctx: &Ctx) -> Result<String> {
    let committed = fs::read(ctx.path(HEADER)).with_context(|| format!("can't read {HEADER}"))?;
    if committed != header(ctx)? {
        bail!("{HEADER} is stale: run `cargo xtask build header`");
    }
    Ok(String::new())
}
