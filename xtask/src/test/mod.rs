//! `cargo xtask test`: every test of every host, as stages of one table.

mod crate_package;
mod fleet;
mod stages;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::stages::STAGES;
use crate::{
    setup, shims,
    util::{Ctx, say, seconds},
};

/// A stage: a name to ask for it by, what it shows, and how it is run.
struct Stage {
    name: &'static str,
    about: &'static str,
    needs: Needs,
    run: fn(&Ctx) -> Result<()>,
}

/// What must be there before a stage runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// The source; the stage builds what it tests.
    Sources,
    /// Every package and shim.
    Builds,
}

/// Sets up, builds, and runs every stage or the one named; a stage that fails stops no other.
///
/// # Errors
/// If no stage has the name, the builds fail, or a stage does.
pub(crate) fn run(ctx: &Ctx, only: Option<&str>) -> Result<()> {
    let chosen: Vec<&Stage> = STAGES.iter().filter(|stage| only.is_none_or(|name| stage.name == name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        bail!("no such stage; there are {}", names.join(" "));
    }
    setup::everything(ctx)?;
    if chosen.iter().any(|stage| stage.needs == Needs::Builds) {
        shims::build(ctx)?;
    }
    let mut results = Vec::new();
    for stage in chosen {
        say(format_args!("\n== {}: {}", stage.name, stage.about));
        let start = Instant::now();
        let result = (stage.run)(ctx);
        if let Err(error) = &result {
            say(format_args!("== {} FAILED: {error:#}", stage.name));
        }
        results.push((stage.name, result.is_ok(), start.elapsed()));
    }
    let (table, failed) = summary(&results);
    say(table);
    if failed > 0 {
        bail!("{failed} stages failed");
    }
    Ok(())
}

/// Runs one stage on what is built already.
///
/// # Errors
/// If no stage has the name, or it fails.
pub(crate) fn stage(ctx: &Ctx, name: &str) -> Result<()> {
    let stage = STAGES.iter().find(|stage| stage.name == name).with_context(|| format!("no stage {name}"))?;
    (stage.run)(ctx)
}

/// What each stage gave, and how many failed.
fn summary(results: &[(&str, bool, Duration)]) -> (String, usize) {
    let mut table = "\nstage                  result  time\n".to_owned();
    for (name, passed, time) in results {
        let word = if *passed { "ok" } else { "FAILED" };
        table.push_str(&format!("{name:<22} {word:<7} {}\n", seconds(*time)));
    }
    let failed = results.iter().filter(|(_, passed, _)| !passed).count();
    let passed = results.len().saturating_sub(failed);
    table.push_str(&format!("stages: {passed} passed, {failed} failed"));
    (table, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_that_fails_is_counted_and_named() {
        let time = Duration::from_secs(1);
        let (table, failed) = summary(&[("first", true, time), ("second", false, time), ("third", false, time)]);
        assert_eq!(failed, 2);
        assert!(table.ends_with("stages: 1 passed, 2 failed"), "{table}");
        for line in ["first ok", "second FAILED", "third FAILED"] {
            let found = table.lines().any(|row| row.split_whitespace().take(2).eq(line.split(' ')));
            assert!(found, "no {line} in {table}");
        }
        assert_eq!(summary(&[("first", true, time)]).1, 0);
    }

    #[test]
    fn no_two_stages_have_one_name() {
        let mut names: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STAGES.len());
    }
}
