//! The browser's package: the module, its glue, and the bundles around both.

use std::{
    fs,
    path::{Path, PathBuf},
    slice,
};

use anyhow::{Context, Result};
use walrus::Module;
use wasm_bindgen_cli_support::Bindgen;

use super::{Kind, native::remap};
use crate::util::{self, Ctx, output, run};

/// Builds the package in its own folder or in `target/hazmat/wasm`.
///
/// # Errors
/// If a step fails.
pub(crate) fn build(ctx: &Ctx, kind: Kind) -> Result<()> {
    let name = match kind {
        Kind::Released => "release",
        Kind::Hazmat => "hazmat",
    };
    bundle(ctx, kind, &glue(ctx, kind, "strongroom-wasm", VAULT, name)?)
}

/// Makes the package of a module with its glue.
///
/// # Errors
/// If a step fails.
pub(crate) fn bundle(ctx: &Ctx, kind: Kind, vault: &Path) -> Result<()> {
    let reports = glue(ctx, Kind::Released, "strongroom-wasm-reports", "reports", "reports")?;
    let package = match kind {
        Kind::Released => ctx.path("bindings-wasm"),
        Kind::Hazmat => ctx.target.join("hazmat/wasm"),
    };
    let mut sources = SOURCES.map(|path| ctx.path(path)).to_vec();
    sources.extend([vault.to_path_buf(), reports.clone()]);
    util::once(ctx, &package.join("dist/index.js"), &util::digest(&sources)?, || {
        let mut bundle = ctx.cmd("node");
        bundle.arg("bindings-wasm/scripts/build.mjs").arg("--glue").arg(vault).arg("--reports").arg(&reports);
        if kind == Kind::Hazmat {
            util::copy(&ctx.path("bindings-wasm/package.json"), &package.join("package.json"))?;
            bundle.arg("--hazmat").arg("--package").arg(&package);
        }
        output(&mut bundle).map(drop)
    })
}

/// Builds a module and its glue into `target/wasm-glue`.
fn glue(ctx: &Ctx, kind: Kind, package: &str, name: &str, dir: &str) -> Result<PathBuf> {
    let out = ctx.target.join("wasm-glue").join(dir);
    let compiled = compile(ctx, kind, package)?;
    let module = out.join(format!("{name}_bg.wasm"));
    util::once(ctx, &module, &util::digest(slice::from_ref(&compiled))?, || {
        bindgen(&compiled, name, &out)?;
        optimise(ctx, &module)
    })?;
    Ok(out)
}

fn bindgen(module: &Path, name: &str, out: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    match name {
        VAULT => bindgen.input_bytes(name, without_values(&fs::read(module)?)?),
        _ => bindgen.input_path(module),
    };
    bindgen
        .out_name(name)
        .web(true)?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        // Without its default path, the glue can't find the module that lies beside it.
        .omit_default_module_path(false)
        .generate(out)
        .with_context(|| format!("wasm-bindgen refused {}", module.display()))
}

/// Takes out what tells wasm-bindgen that JavaScript's values may cross: only numbers do. Else
/// every page would load a table of values, and what fills it.
fn without_values(module: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::from_buffer(module)?;
    let table = module.exports.iter().filter(|export| export.name.starts_with("__externref"));
    for export in table.map(|export| export.id()).collect::<Vec<_>>() {
        module.exports.delete(export);
    }
    module.customs.remove_raw("target_features");
    Ok(module.emit_wasm())
}

/// Runs binaryen's optimiser over a module, in place.
///
/// # Errors
/// If it fails.
pub(crate) fn optimise(ctx: &Ctx, module: &Path) -> Result<()> {
    let mut command = ctx.cmd(ctx.tool("wasm-opt"));
    command.args(["--enable-bulk-memory-opt", "--enable-bulk-memory", "--enable-reference-types"]);
    command.args(["--enable-multivalue", "--enable-mutable-globals", "--enable-nontrapping-float-to-int"]);
    command.args(["--enable-sign-ext", "--enable-simd"]);
    // A function with one caller stays one: large functions compress worse than many small ones.
    command.args(["--one-caller-inline-max-function-size", "50"]);
    // No address is below 1,024: the stack ends there, and no address wraps around.
    command.arg("--low-memory-unused");
    // Control flow that is written anew has fewer shapes; the second round finds what the first left.
    command.args(["--flatten", "--rereloop", "-Oz", "-Oz"]);
    command.arg("--strip-target-features");
    output(command.arg(module).arg("-o").arg(module)).map(drop)
}

fn compile(ctx: &Ctx, kind: Kind, package: &str) -> Result<PathBuf> {
    let mut cargo = ctx.cargo("build");
    cargo.args(["-p", package, "--target", TARGET, "--profile", "wasm", "--quiet"]);
    cargo.args(kind.features());
    let mut flags = remap(ctx)?;
    // The short forms: a page waits for every byte, and here they are no slower.
    flags.extend(SHORT.map(str::to_owned));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    run(&mut cargo)?;
    let file = format!("{}.wasm", package.replace('-', "_"));
    Ok(ctx.cargo_target().join(TARGET).join("wasm").join(file))
}

const SHORT: [&str; 4] = [
    "--cfg=aes_backend=\"soft\"",
    "--cfg=aes_backend_soft=\"compact\"",
    "--cfg=sha2_backend=\"soft\"",
    "--cfg=sha2_backend_soft=\"compact\"",
];

/// What the bundles are made of, besides the modules and their glue.
const SOURCES: [&str; 6] = [
    "hosts/ts/src",
    "bindings-wasm/ts",
    "bindings-wasm/scripts",
    "bindings-wasm/package.json",
    "bindings-wasm/package-lock.json",
    "bindings-wasm/tsconfig.json",
];

/// The vault's module among the glue.
const VAULT: &str = "strongroom";

const TARGET: &str = "wasm32-unknown-unknown";
