//! `cargo xtask demo`: a product's secrets through every host, with real processes, a KMS
//! whose log is the witness, and everything that must be refused tried.

mod context;
mod corpus;
mod export;
mod kms;
mod report;
mod step;
mod steps;
mod terminal;
mod witness;
mod worker;
mod world;

use std::time::Instant;

use anyhow::{Result, bail};

use self::{step::Step, world::World};
use crate::{
    build, setup,
    util::{self, Ctx, output, say, timed},
};

/// Sets up, builds what users get, and runs the demo; the report is written also where something broke.
///
/// # Errors
/// If set-up or a build fails, or any expectation broke.
pub(crate) fn run(ctx: &Ctx, args: &[String]) -> Result<()> {
    match args {
        [] => prepare(ctx)?,
        [option] if option == "--built" => {}
        _ => bail!("the only option is `--built`: run what is built already"),
    }
    let start = Instant::now();
    let mut world = World::new(ctx)?;
    terminal::head();
    // What the later steps stand on may be missing: the report then shows how far it came.
    if let Err(error) = steps::all(&mut world) {
        say(format_args!("the demo stops here: {error:#}"));
    }
    let file = world.files.report();
    util::write(&file, report::page(&world, start.elapsed()).as_bytes())?;
    terminal::verdict(&world.steps, start.elapsed(), file.strip_prefix(&ctx.root).unwrap_or(&file).display());
    outcome(&world.steps, world.finished)
}

/// Whether the demo may be called a success.
fn outcome(steps: &[Step], finished: bool) -> Result<()> {
    let broken: usize = steps.iter().map(|step| step.broken().count()).sum();
    if broken > 0 {
        bail!("{broken} expectations broke");
    }
    if !finished {
        bail!("the last step was not reached");
    }
    Ok(())
}

/// Set-up, and what users get.
fn prepare(ctx: &Ctx) -> Result<()> {
    setup::everything(ctx)?;
    build::released(ctx)?;
    timed("build of the Go agent", || build::go::program(ctx, "examples/go-agent", &ctx.bin("demo-agent"), |_| ()))?;
    timed("build of the page", || page(ctx))
}

/// The browser's page, bundled.
fn page(ctx: &Ctx) -> Result<()> {
    let mut npm = ctx.cmd("npm");
    output(npm.current_dir(ctx.path("examples/browser-preview")).args(["run", "--silent", "build"])).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_expectation_or_a_missing_end_makes_the_demo_fail() {
        let good = || {
            let mut step = Step::new("node", "opens");
            step.check("it opens", true, "");
            step
        };
        let mut bad = good();
        bad.check("it is refused", false, "it opened");
        assert!(outcome(&[good(), good()], true).is_ok());
        assert!(outcome(&[good(), bad, good()], true).is_err());
        assert!(outcome(&[good()], false).is_err());
    }
}
