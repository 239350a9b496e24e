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
    match total {
        _ if total > LIMIT => bail!("{total} B (brotli), and the limit is {LIMIT} B"),
        _ if total > GOAL => {
            Ok(format!("{total} B (brotli), within the limit of {LIMIT} B and above the goal of {GOAL} B"))
        }
        _ => Ok(format!("{total} B (brotli), within the goal of {GOAL} B")),
    }
}

const GOAL: u64 = 25_000;

const LIMIT: u64 = 32_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_more_than_the_limit_fails() {
        assert!(judge(LIMIT).is_ok());
        assert!(judge(LIMIT.saturating_add(1)).is_err());
    }

    #[test]
    fn what_is_above_the_goal_is_said() -> Result<()> {
        assert!(judge(GOAL)?.contains("within the goal"));
        assert!(judge(GOAL.saturating_add(1))?.contains("above the goal"));
        Ok(())
    }
}
