//! `cargo xtask shims`: one program a host behind the conformance protocol, and the two
//! lists of how to start them: on the test builds, and on what users get.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

use crate::{
    build::{self, Kind, c},
    util::{self, Ctx, files_below, output, say, timed},
};

/// Builds everything that the shims stand on, the shims, and the lists.
///
/// # Errors
/// If a build fails.
pub(crate) fn build(ctx: &Ctx) -> Result<()> {
    build::released(ctx)?;
    build::hazmat(ctx)?;
    timed("build of the shims", || {
        for kind in [Kind::Released, Kind::Hazmat] {
            c(ctx, kind)?;
            go(ctx, kind)?;
        }
        Ok(())
    })?;
    for (kind, file) in [(Kind::Hazmat, "target/shims.json"), (Kind::Released, "target/shims-release.json")] {
        let list = serde_json::to_string_pretty(&list(kind))?;
        util::write(&ctx.path(file), list.as_bytes())?;
        say(format_args!("wrote {file}"));
    }
    Ok(())
}

/// How each host's shim is started, from the project's folder.
fn list(kind: Kind) -> Value {
    let (node, wasm, ending) = match kind {
        Kind::Released => ("bindings-node", "bindings-wasm", "-released"),
        Kind::Hazmat => ("target/hazmat/node", "target/hazmat/wasm", ""),
    };
    let mut hosts = Map::new();
    hosts.insert("rust".to_owned(), json!([format!("target/bin/strongroom-shim{ending}")]));
    hosts.insert("node".to_owned(), json!(["node", "tests/shims/node/shim.mjs", node]));
    hosts.insert("wasm-node".to_owned(), json!(["node", "tests/shims/wasm/node.mjs", wasm]));
    hosts.insert("wasm-browser".to_owned(), json!(["node", "tests/shims/wasm/browser.mjs", wasm]));
    hosts.insert("c".to_owned(), json!([format!("target/bin/shim-c{ending}")]));
    hosts.insert("go".to_owned(), json!([format!("target/bin/shim-go{ending}")]));
    Value::Object(hosts)
}

/// The C program, linked with the archive.
fn c(ctx: &Ctx, kind: Kind) -> Result<()> {
    let mut cc = ctx.cmd("cc");
    cc.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-I", "bindings-go"]);
    if kind == Kind::Hazmat {
        cc.arg("-DSTRONGROOM_HAZMAT");
    }
    cc.args(sources(ctx, "tests/shims/c", "c")?).arg(c::archive(ctx, kind)?);
    cc.args(["-lpthread", "-ldl", "-lm", "-o"]).arg(bin(ctx, kind, "shim-c"));
    output(&mut cc).map(drop)
}

/// The Go program, over the cgo module.
fn go(ctx: &Ctx, kind: Kind) -> Result<()> {
    let mut go = ctx.cmd("go");
    go.current_dir(ctx.path("tests/shims/go")).arg("build");
    if kind == Kind::Hazmat {
        go.args(["-tags", "hazmat"]);
    }
    output(go.arg("-o").arg(bin(ctx, kind, "shim-go")).arg(".")).map(drop)
}

fn bin(ctx: &Ctx, kind: Kind, name: &str) -> PathBuf {
    match kind {
        Kind::Released => ctx.bin(&format!("{name}-released")),
        Kind::Hazmat => ctx.bin(name),
    }
}

/// The files of a folder with an ending, or there is nothing to build.
fn sources(ctx: &Ctx, folder: &str, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = files_below(&ctx.path(folder))?;
    found.retain(|file| file.extension().is_some_and(|end| end == ending));
    if found.is_empty() {
        bail!("{folder} has no .{ending} file");
    }
    Ok(found)
}
