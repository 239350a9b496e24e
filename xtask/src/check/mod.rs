//! `cargo xtask check`: what needs no running host. One line a check.

mod artefacts;
mod crates;
mod header;
mod lines;
mod quickstarts;
mod rust;
mod scripts;
mod size;
mod sources;
mod threats;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::{
    build, setup,
    util::{Ctx, say, seconds},
};

/// A check: its name, and how it is made. What it returns is said beside `ok`.
struct Check {
    name: &'static str,
    run: fn(&Ctx) -> Result<String>,
}

const CHECKS: &[Check] = &[
    Check { name: "no file is past 600 lines", run: lines::check },
    Check { name: "the quickstarts are those that tests run", run: quickstarts::check },
    Check { name: "the threat model names tests that are there", run: threats::check },
    Check { name: "Rust is formatted", run: rust::formatted },
    Check { name: "Go is formatted and vetted", run: sources::go },
    Check { name: "TypeScript has its types right", run: sources::typescript },
    Check { name: "Rust has no warning", run: rust::linted },
    Check { name: "Rust's documentation has no warning", run: rust::documented },
    Check { name: "the core builds for bare metal", run: rust::bare_metal },
    Check { name: "the core's dependency tree is small", run: crates::check },
    Check { name: "no package has an install script", run: scripts::check },
    Check { name: "the C header is what the code says", run: header::check },
    Check { name: "released artefacts have no test entry", run: artefacts::check },
    Check { name: "the browser's package is small", run: size::check },
];

/// Runs every check, or those whose name contains a word.
///
/// # Errors
/// If one fails.
pub(crate) fn run(ctx: &Ctx, only: Option<&str>) -> Result<()> {
    setup::for_checks(ctx)?;
    let chosen: Vec<&Check> = CHECKS.iter().filter(|check| only.is_none_or(|word| check.name.contains(word))).collect();
    if chosen.is_empty() {
        bail!("no check has that word in its name");
    }
    build::released(ctx)?;
    build::hazmat(ctx)?;
    let mut failed: usize = 0;
    for check in &chosen {
        let start = Instant::now();
        let result = (check.run)(ctx);
        let time = seconds(start.elapsed());
        match result {
            Ok(note) if note.is_empty() => say(format_args!("ok    {} ({time})", check.name)),
            Ok(note) => say(format_args!("ok    {}: {note} ({time})", check.name)),
            Err(error) => {
                failed = failed.saturating_add(1);
                say(format_args!("FAIL  {}: {error:#} ({time})", check.name));
            }
        }
    }
    let passed = chosen.len().saturating_sub(failed);
    say(format_args!("checks: {passed} passed, {failed} failed"));
    if failed > 0 {
        bail!("{failed} checks failed");
    }
    Ok(())
}
