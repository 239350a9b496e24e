//! `cargo xtask shims`: one program a host behind the conformance protocol, and the two
//! lists of how to start them: on the test builds, and on what users get.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::{
    build::{self, Kind},
    util::{self, Ctx, output, say, timed},
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
            go(ctx, kind, "shim-go", None)?;
            go(ctx, kind, "shim-go-boring", Some("boringcrypto"))?;
        }
        Ok(())
    })?;
    let lists = [
        (list(Kind::Hazmat), "target/shims.json"),
        (list(Kind::Released), "target/shims-release.json"),
        (ciphers(), CIPHERS),
    ];
    for (list, file) in lists {
        util::write(&ctx.path(file), serde_json::to_string_pretty(&list)?.as_bytes())?;
        say(format_args!("wrote {file}"));
    }
    Ok(())
}

/// How each host's shim is started, from the project's folder.
fn list(kind: Kind) -> Value {
    let (node, wasm, ending) = match kind {
        Kind::Released => ("bindings-node", "bindings-wasm", "-release"),
        Kind::Hazmat => ("target/hazmat/node", "target/hazmat/wasm", ""),
    };
    let mut hosts = Map::new();
    hosts.insert("rust".to_owned(), json!([format!("target/bin/shim-rust{ending}")]));
    hosts.insert("node".to_owned(), json!(["node", "tests/shims/node/shim.mjs", node]));
    hosts.insert("wasm-node".to_owned(), json!(["node", "tests/shims/wasm/node.mjs", wasm]));
    hosts.insert("wasm-browser".to_owned(), json!(["node", "tests/shims/wasm/browser.mjs", wasm]));
    hosts.insert("c".to_owned(), json!([format!("target/bin/shim-c{ending}")]));
    hosts.insert("go".to_owned(), json!([format!("target/bin/shim-go{ending}")]));
    hosts.insert("go-boring".to_owned(), json!([format!("target/bin/shim-go-boring{ending}")]));
    Value::Object(hosts)
}

/// The hosts for the published AES-GCM cases: the core's cipher on each of its back ends.
fn ciphers() -> Value {
    let mut hosts = list(Kind::Hazmat);
    if let Some(hosts) = hosts.as_object_mut() {
        hosts.retain(|host, _| matches!(host.as_str(), "rust" | "node" | "wasm-node"));
        hosts.insert("rust-soft".to_owned(), json!(["target/bin/shim-rust-soft"]));
    }
    hosts
}

/// The list of [`ciphers`].
pub(crate) const CIPHERS: &str = "target/shims-cipher.json";

/// The C program, on the C ABI.
fn c(ctx: &Ctx, kind: Kind) -> Result<()> {
    let name = match kind {
        Kind::Released => "release",
        Kind::Hazmat => "hazmat",
    };
    output(ctx.cmd("sh").args(["tests/shims/c/build.sh", name]).arg(bin(ctx, kind, "shim-c"))).map(drop)
}

/// The Go program, on the cgo module; `experiment` is a GOEXPERIMENT.
fn go(ctx: &Ctx, kind: Kind, name: &str, experiment: Option<&str>) -> Result<()> {
    build::go::program(ctx, "tests/shims/go", &bin(ctx, kind, name), |go| {
        if let Some(experiment) = experiment {
            go.env("GOEXPERIMENT", experiment);
        }
        if kind == Kind::Hazmat {
            go.args(["-tags", "hazmat"]);
        }
    })
}

fn bin(ctx: &Ctx, kind: Kind, name: &str) -> PathBuf {
    match kind {
        Kind::Released => ctx.bin(&format!("{name}-release")),
        Kind::Hazmat => ctx.bin(name),
    }
}
