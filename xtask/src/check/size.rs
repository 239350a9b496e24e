//! What the browser's first entry costs a page.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::util::{Ctx, output};

pub(super) fn check(ctx: &Ctx) -> Result<String> {
    let sizes = output(ctx.cmd("node").args(["bindings-wasm/scripts/size.mjs", "--json"]))?;
    let sizes: Value = serde_json::from_str(&sizes).context("the sizes are not JSON")?;
    let total = sizes.get("total").and_then(Value::as_u64).context("the sizes have no total")?;
    judge(total)
}

fn judge(total: u64) -> Result<String> {
    if total > LIMIT {
        bail!("{total} B (brotli), at most {LIMIT} B are allowed");
    }
    let word = if total > GOAL { "above" } else { "within" };
    Ok(format!("{total} B (brotli), {word} the goal of {GOAL} B"))
}

const GOAL: u64 = 25_000;

const LIMIT: u64 = 32_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_above_the_limit_fails() {
        assert!(judge(LIMIT).is_ok());
        assert!(judge(LIMIT.saturating_add(1)).is_err());
    }

    #[test]
    fn a_byte_above_the_goal_is_said() -> Result<()> {
        assert!(judge(GOAL)?.contains("within"));
        assert!(judge(GOAL.saturating_add(1))?.contains("above"));
        Ok(())
    }
}
