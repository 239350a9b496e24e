//! The table of stages.

use anyhow::{Result, bail};

use super::{Stage, crate_package};
use crate::{
    build::native::SOFT,
    shims::CIPHERS,
    util::{Ctx, files_below, output, run},
};

pub(super) const STAGES: &[Stage] = &[
    Stage { name: "rust", about: "every crate of the workspace", run: rust },
    Stage { name: "rust-soft", about: "the core on its soft AES back end", run: rust_soft },
    Stage { name: "typescript", about: "the source of both JavaScript packages", run: typescript },
    Stage { name: "node", about: "the Node package", run: node },
    Stage { name: "wasm", about: "the browser's package, in Node and in Chromium", run: wasm },
    Stage { name: "go", about: "the C example, the Go modules, races and memory", run: go },
    Stage { name: "vectors", about: "the shared vectors in every host", run: |ctx| conformance(ctx, &["vectors"]) },
    Stage { name: "bits", about: "every bit flipped, every truncation", run: |ctx| conformance(ctx, &["bits"]) },
    Stage {
        name: "transplants",
        about: "36 x 36 transplants in every host",
        run: |ctx| conformance(ctx, &["transplants"]),
    },
    Stage { name: "scenarios", about: "vaults over time, in every host", run: |ctx| conformance(ctx, &["scenarios"]) },
    Stage { name: "exchange", about: "each seals, every other opens, on released artefacts", run: exchange },
    Stage { name: "cipher", about: "NIST's and Wycheproof's AES-256-GCM cases", run: cipher },
    Stage { name: "crate-package", about: "the packed crate, outside the project", run: crate_package::test },
    Stage { name: "node-package", about: "the packed Node package, outside the project", run: node_package },
    Stage { name: "wasm-package", about: "the packed browser's package, outside the project", run: wasm_package },
];

fn rust(ctx: &Ctx) -> Result<()> {
    run(ctx.cargo("test").args(["--workspace", "--quiet"]))
}

fn rust_soft(ctx: &Ctx) -> Result<()> {
    let mut cargo = ctx.cargo("test");
    cargo.args(["-p", "strongroom", "--features", "hazmat", "--quiet", "--target-dir"]);
    cargo.arg(ctx.cargo_target().join("soft"));
    run(cargo.env("RUSTFLAGS", SOFT))
}

fn typescript(ctx: &Ctx) -> Result<()> {
    run(ctx.cmd("npm").args(["test", "--silent"]).current_dir(ctx.path("hosts/ts")))
}

fn node(ctx: &Ctx) -> Result<()> {
    node_tests(ctx, "bindings-node", "test")
}

fn wasm(ctx: &Ctx) -> Result<()> {
    node_tests(ctx, "bindings-wasm", "test")
}

fn go(ctx: &Ctx) -> Result<()> {
    run(ctx.cmd("sh").arg("bindings-go/test.sh"))
}

fn exchange(ctx: &Ctx) -> Result<()> {
    conformance(ctx, &["exchange", "--messages", "200"])
}

fn cipher(ctx: &Ctx) -> Result<()> {
    let find = "import cryptography_vectors as v, os; print(os.path.dirname(v.__file__))";
    let vectors = output(ctx.cmd(ctx.venv("python")).args(["-c", find]))?;
    let folder = format!("{}/ciphers/AES/GCM", vectors.trim());
    conformance(ctx, &["cipher", "--shims", CIPHERS, "--cavp", &folder])
}

fn conformance(ctx: &Ctx, args: &[&str]) -> Result<()> {
    run(ctx.cmd(ctx.bin("conformance")).args(args))
}

fn node_package(ctx: &Ctx) -> Result<()> {
    run(ctx.cmd("node").arg("bindings-node/test/pack.mjs"))
}

fn wasm_package(ctx: &Ctx) -> Result<()> {
    run(ctx.cmd("node").arg("bindings-wasm/test/pack.mjs"))
}

/// Every `*.test.mjs` of a package's test folder; Node 20 knows no patterns, so they are listed.
fn node_tests(ctx: &Ctx, package: &str, folder: &str) -> Result<()> {
    let package = ctx.path(package);
    let mut tests = files_below(&package.join(folder))?;
    tests.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    if tests.is_empty() {
        bail!("{} has no test", package.display());
    }
    let mut node = ctx.cmd("node");
    node.current_dir(&package).args(["--test", "--test-concurrency=2", "--test-reporter=spec"]);
    run(node.args(tests))
}
