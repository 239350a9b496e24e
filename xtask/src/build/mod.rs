//! Builds what is released, and the test builds beside it, which are never released.

pub(crate) mod c;
pub(crate) mod go;
pub(crate) mod native;
pub(crate) mod node;
pub(crate) mod wasm;

use anyhow::{Result, bail};

use self::native::{Platform, Program};
use crate::util::{Ctx, timed};

/// What a build is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What users get.
    Released,
    /// The same with the test-only entries, in `target/hazmat`.
    Hazmat,
}

impl Kind {
    /// The profile of native builds. The test builds' own keeps released files from being overwritten.
    fn profile(self) -> &'static str {
        match self {
            Self::Released => "release",
            Self::Hazmat => "hazmat",
        }
    }

    /// The features besides the default ones.
    fn features(self) -> &'static [&'static str] {
        match self {
            Self::Released => &[],
            Self::Hazmat => &["--features", "hazmat"],
        }
    }
}

/// Builds everything that users get.
///
/// # Errors
/// If a build fails.
pub(crate) fn released(ctx: &Ctx) -> Result<()> {
    packages(ctx, Kind::Released)?;
    timed("build of the command", || native::program(ctx, &COMMAND))
}

/// Builds the packages with their test entries, and the conformance tools.
///
/// # Errors
/// If a build fails.
pub(crate) fn hazmat(ctx: &Ctx) -> Result<()> {
    packages(ctx, Kind::Hazmat)?;
    timed("build of the conformance tools", || TOOLS.iter().try_for_each(|tool| native::program(ctx, tool)))
}

/// Builds one part by its name; `-hazmat` behind it asks for the test build.
///
/// # Errors
/// If there is no such part, or its build fails.
pub(crate) fn part(ctx: &Ctx, name: &str) -> Result<()> {
    let (part, kind) = match name.strip_suffix("-hazmat") {
        Some(part) => (part, Kind::Hazmat),
        None => (name, Kind::Released),
    };
    timed(name, || match (part, kind) {
        ("released", Kind::Released) => released(ctx),
        ("hazmat", Kind::Released) => hazmat(ctx),
        ("node", _) => node::build(ctx, kind),
        ("c", _) => c::build(ctx, kind),
        ("wasm", _) => wasm::build(ctx, kind),
        ("cli", Kind::Released) => native::program(ctx, &COMMAND),
        ("tools", Kind::Released) => TOOLS.iter().try_for_each(|tool| native::program(ctx, tool)),
        _ => bail!("no part has the name {name:?}"),
    })
}

fn packages(ctx: &Ctx, kind: Kind) -> Result<()> {
    timed("build of the Node package", || node::build(ctx, kind))?;
    timed("build of the C library", || c::build(ctx, kind))?;
    timed("build of the browser's package", || wasm::build(ctx, kind))
}

const COMMAND: Program = Program {
    package: "strongroom-cli",
    file: "strongroom",
    name: "strongroom",
    optimised: true,
    features: &[],
    soft: false,
};

const SHIM: Program = Program {
    package: "strongroom-shim",
    file: "strongroom-shim",
    name: "shim-rust",
    optimised: false,
    features: &[],
    soft: false,
};

const TOOLS: [Program; 4] = [
    Program { package: "strongroom-conformance", file: "conformance", name: "conformance", ..SHIM },
    SHIM,
    Program { name: "shim-rust-soft", soft: true, ..SHIM },
    Program { name: "shim-rust-release", optimised: true, features: &["--no-default-features"], ..SHIM },
];
