//! Hosts of several languages on one store: killed, racing, counting together.

use std::fs;

use anyhow::Result;
use serde_json::json;

use super::stages::node_tests;
use crate::{build, util::Ctx};

pub(super) fn test(ctx: &Ctx) -> Result<()> {
    let worker = ctx.bin("fleet-go");
    build::go::program(ctx, "tests/fleet/workers/go", &worker, |_| ())?;
    let workers = json!({
        "node": ["node", ctx.path("tests/fleet/workers/node.mjs"), ctx.path("bindings-node")],
        "go": [worker],
    });
    fs::write(ctx.fleet(), workers.to_string())?;
    node_tests(ctx, "tests/fleet", ".")
}
