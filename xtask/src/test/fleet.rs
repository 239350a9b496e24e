//! Hosts of several languages on one store: killed, racing, counting together.

use std::fs;

use anyhow::{Result, bail};
use serde_json::json;

use crate::util::{Ctx, files_below, output, run};

pub(super) fn test(ctx: &Ctx) -> Result<()> {
    let worker = ctx.bin("fleet-go");
    // Go doesn't see that an archive has changed; where there is no program, it links one.
    if worker.exists() {
        fs::remove_file(&worker)?;
    }
    let mut go = ctx.cmd("go");
    go.current_dir(ctx.path("tests/fleet/workers/go")).args(["build", "-trimpath", "-mod=readonly", "-o"]);
    output(go.arg(&worker).arg("."))?;
    let workers = json!({
        "node": ["node", ctx.path("tests/fleet/workers/node.mjs"), ctx.path("bindings-node")],
        "go": [worker],
    });
    let file = ctx.target.join("fleet.json");
    fs::write(&file, workers.to_string())?;
    let mut tests = files_below(&ctx.path("tests/fleet"))?;
    tests.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    if tests.is_empty() {
        bail!("tests/fleet has no test");
    }
    let mut node = ctx.cmd("node");
    node.args(["--test", "--test-concurrency=2", "--test-reporter=spec"]).env("STRONGROOM_FLEET", file);
    run(node.args(tests))
}
