//! The committed C headers are those that the code gives.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{build::c::HEADERS, util::Ctx};

pub(super) fn check(ctx: &Ctx) -> Result<String> {
    for header in &HEADERS {
        let committed = fs::read(ctx.path(header.file)).with_context(|| format!("can't read {}", header.file))?;
        if committed != header.generate(ctx)? {
            bail!("{} is stale: run `cargo xtask header`", header.file);
        }
    }
    Ok(format!("{} headers", HEADERS.len()))
}
