//! The Node package: the addon beside its loader, and the JavaScript.

use std::path::PathBuf;

use anyhow::Result;

use super::{Kind, Platform, native};
use crate::util::{self, Ctx, output};

/// Builds the package in its own folder or in `target/hazmat/node`.
///
/// # Errors
/// If a step fails.
pub(crate) fn build(ctx: &Ctx, kind: Kind) -> Result<()> {
    let sources = SOURCES.map(|path| ctx.path(path));
    util::once(ctx, &folder(ctx, kind).join("dist/index.js"), &util::digest(&sources)?, || {
        let mut script = ctx.cmd("node");
        script.arg("bindings-node/build.mjs");
        if kind == Kind::Hazmat {
            script.arg("--hazmat").arg(folder(ctx, kind));
        }
        output(&mut script).map(drop)
    })?;
    let library = native::library(ctx, kind, "strongroom-node", LIBRARY, &[])?;
    util::copy(&library, &addon(ctx, kind)?)
}

/// Where the addon is put.
///
/// # Errors
/// If nothing is released for this platform.
pub(crate) fn addon(ctx: &Ctx, kind: Kind) -> Result<PathBuf> {
    Ok(folder(ctx, kind).join(format!("strongroom.{}.node", platform()?)))
}

/// This platform, as Node's packages call it.
///
/// # Errors
/// If nothing is released for it.
pub(crate) fn platform() -> Result<&'static str> {
    Ok(Platform::here()?.node)
}

fn folder(ctx: &Ctx, kind: Kind) -> PathBuf {
    match kind {
        Kind::Released => ctx.path("bindings-node"),
        Kind::Hazmat => ctx.target.join("hazmat/node"),
    }
}

/// What the JavaScript is made of.
const SOURCES: [&str; 7] = [
    "hosts/ts/src",
    "bindings-node/ts",
    "bindings-node/build.mjs",
    "bindings-node/native-loader.cjs",
    "bindings-node/package.json",
    "bindings-node/package-lock.json",
    "bindings-node/tsconfig.json",
];

#[cfg(target_os = "macos")]
const LIBRARY: &str = "libstrongroom_node.dylib";

#[cfg(not(target_os = "macos"))]
const LIBRARY: &str = "libstrongroom_node.so";
