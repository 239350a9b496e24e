//! `cargo xtask test`: every test of every host, as stages of one table.

mod stages;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use self::stages::STAGES;
use crate::{
    setup, shims,
    util::{Ctx, say, seconds},
};

/// A stage: a name to ask for it by, what it shows, and how it is run.
struct Stage {
    name: &'static str,
    about: &'static str,
    run: fn(&Ctx) -> Result<()>,
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
    shims::build(ctx)?;
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
    summary(&results)
}

fn summary(results: &[(&str, bool, Duration)]) -> Result<()> {
    say("\nstage                  result  time");
    for (name, passed, time) in results {
        let word = if *passed { "ok" } else { "FAILED" };
        say(format_args!("{name:<22} {word:<7} {}", seconds(*time)));
    }
    let failed = results.iter().filter(|(_, passed, _)| !passed).count();
    let passed = results.len().saturating_sub(failed);
    say(format_args!("stages: {passed} passed, {failed} failed"));
    if failed > 0 {
        bail!("{failed} stages failed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stage_that_fails_fails_the_run() {
        let time = Duration::from_secs(1);
        assert!(summary(&[("a", true, time), ("b", false, time), ("c", true, time)]).is_err());
        assert!(summary(&[("a", true, time)]).is_ok());
    }

    #[test]
    fn no_two_stages_have_one_name() {
        let mut names: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STAGES.len());
    }
}
