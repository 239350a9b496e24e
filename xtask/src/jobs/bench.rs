//! `cargo xtask bench threads`: opens in one vault run side by side.

use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::report;
use crate::util::{Ctx, output, run, say};

/// Compares two threads that open 1 MiB fields in one vault with one thread.
///
/// # Errors
/// Two threads do less than 1.5 times what one does, on a machine with two cores or more.
pub(crate) fn threads(ctx: &Ctx) -> Result<()> {
    run(ctx.cargo("build").args(["--release", "--quiet", "-p", "strongroom-threads"]))?;
    let program = ctx.cargo_target().join("release/strongroom-threads");
    let line = output(&mut ctx.cmd(program))?;
    let figures = Figures::read(&line)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let verdict = judge(figures.ratio, cores)?;
    let body = format!(
        "`cargo xtask bench threads`: 1 MiB fields opened in one vault, best of the rounds.\n\n\
         | threads | MiB/s |\n| --- | --- |\n| 1 | {:.0} |\n| 2 | {:.0} |\n\n{verdict}",
        figures.one, figures.two
    );
    say(&body);
    report(ctx, "threads", "Two threads in one vault", &body)
}

struct Figures {
    one: f64,
    two: f64,
    ratio: f64,
}

impl Figures {
    fn read(line: &str) -> Result<Self> {
        let line: Value = serde_json::from_str(line).context("the measurement is not JSON")?;
        let figure = |name: &str| {
            line.get(name).and_then(Value::as_f64).with_context(|| format!("the measurement has no {name}"))
        };
        Ok(Self { one: figure("one")?, two: figure("two")?, ratio: figure("ratio")? })
    }
}

fn judge(ratio: f64, cores: usize) -> Result<String> {
    if cores < 2 {
        return Ok(format!("Two threads do {ratio:.2} times what one does; one core allows no verdict."));
    }
    if ratio < LEAST {
        bail!("two threads do {ratio:.2} times what one does, at least {LEAST} was expected");
    }
    Ok(format!("Two threads do {ratio:.2} times what one does; at least {LEAST} was expected."))
}

const LEAST: f64 = 1.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_that_wait_for_each_other_fail() {
        assert!(judge(1.49, 2).is_err());
        assert!(judge(1.5, 2).is_ok());
    }

    #[test]
    fn one_core_gives_no_verdict() {
        assert!(judge(1.0, 1).is_ok_and(|text| text.contains("no verdict")));
    }

    #[test]
    fn a_measurement_that_is_not_whole_is_refused() {
        assert!(Figures::read(r#"{"one":1.0,"two":2.0,"ratio":2.0}"#).is_ok());
        assert!(Figures::read(r#"{"one":1.0,"two":2.0}"#).is_err());
        assert!(Figures::read("").is_err());
    }
}
