//! `cargo xtask wasm-pack`: the browser's package by the documented route, wasm-pack and
//! the wasm-bindgen command, under the same tests as the package of the usual route.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};

use super::report;
use crate::{
    build::{self, Kind, wasm},
    setup, test,
    util::{Ctx, output, retry, run, say, seconds, timed},
};

/// Installs the tools, builds the package with them, tests it, and puts the usual one back.
///
/// # Errors
/// If an installation, a build or a test fails.
pub(crate) fn build_and_test(ctx: &Ctx) -> Result<()> {
    let start = Instant::now();
    setup::everything(ctx)?;
    TOOLS.iter().try_for_each(|tool| install(ctx, tool))?;
    build::released(ctx)?;
    build::hazmat(ctx)?;
    timed("build by wasm-pack", || {
        wasm::bundle(ctx, Kind::Released, &pack(ctx, "release", &[])?)?;
        wasm::bundle(ctx, Kind::Hazmat, &pack(ctx, "hazmat", &["--features", "hazmat"])?)
    })?;
    let tested = ["wasm", "wasm-package"].iter().try_for_each(|stage| timed(stage, || test::stage(ctx, stage)));
    // Whatever the tests say, the folder holds what it usually does.
    timed("build by the usual route", || {
        wasm::build(ctx, Kind::Released).and_then(|()| wasm::build(ctx, Kind::Hazmat))
    })?;
    tested?;
    let body = format!(
        "`cargo xtask wasm-pack`: the package built by wasm-pack {} and wasm-bindgen-cli {} passes\n\
         the stages `wasm` and `wasm-package` of `cargo xtask test`. All took {}.",
        TOOLS[0].version,
        TOOLS[1].version,
        seconds(start.elapsed())
    );
    report(ctx, "wasm-pack", "The package by way of wasm-pack", &body)
}

/// Builds the module and its glue, and returns the folder with both.
fn pack(ctx: &Ctx, name: &str, features: &[&str]) -> Result<PathBuf> {
    let out = ctx.target.join("wasm-glue/wasm-pack").join(name);
    let mut command = ctx.cmd(tools(ctx).join("bin/wasm-pack"));
    command.env("PATH", path(ctx)?);
    // Nothing is fetched: the tools are those on the path, wasm-opt among them.
    command.args(["build", "--mode", "no-install", "--profile", "wasm", "--target", "web"]);
    command.args(["--no-pack", "--out-name", "strongroom", "--out-dir"]).arg(&out);
    command.arg("bindings-wasm").args(["--", "--locked"]).args(features);
    output(&mut command)?;
    wasm::optimise(ctx, &out.join("strongroom_bg.wasm"))?;
    Ok(out)
}

/// A tool that is built from source.
struct Tool {
    name: &'static str,
    version: &'static str,
    /// The program that proves that it is there.
    program: &'static str,
    locked: &'static [&'static str],
}

const TOOLS: [Tool; 2] = [
    Tool { name: "wasm-pack", version: "0.15.1", program: "wasm-pack", locked: &["--locked"] },
    // Its own lock file names a release that can't be had.
    Tool { name: "wasm-bindgen-cli", version: "0.2.130", program: "wasm-bindgen", locked: &[] },
];

fn install(ctx: &Ctx, tool: &Tool) -> Result<()> {
    let program = tools(ctx).join("bin").join(tool.program);
    let there = output(ctx.cmd(&program).arg("--version")).is_ok_and(|said| said.contains(tool.version));
    if there {
        return Ok(());
    }
    say(format_args!("installing {} {} in target/tools (cargo install)", tool.name, tool.version));
    let crate_ = format!("{}@{}", tool.name, tool.version);
    timed(tool.name, || {
        retry("cargo install", || {
            let mut cargo = ctx.cmd(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["install", "--quiet", &crate_, "--root"]).arg(tools(ctx)).args(tool.locked);
            run(cargo.arg("--target-dir").arg(ctx.cargo_target().join("tools")))
        })
    })
}

fn tools(ctx: &Ctx) -> PathBuf {
    ctx.target.join("tools")
}

fn path(ctx: &Ctx) -> Result<OsString> {
    let wasm_opt = ctx.tool("wasm-opt");
    let beside = wasm_opt.parent().map(Path::to_path_buf).context("wasm-opt lies in no folder")?;
    let old = env::var_os("PATH").unwrap_or_default();
    Ok(env::join_paths([tools(ctx).join("bin"), beside].into_iter().chain(env::split_paths(&old)))?)
}
