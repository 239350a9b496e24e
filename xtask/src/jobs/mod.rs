//! Jobs that the gate has no time for. Each leaves a dated report in `docs/reports`.

pub(crate) mod bench;
pub(crate) mod dist;
pub(crate) mod tsan;
pub(crate) mod wasm_pack;

use std::{fs, thread};

use anyhow::Result;

use crate::util::{self, Ctx, output, say};

/// Writes `docs/reports/DATE-NAME.md`: what was run, on what, and what it gave.
///
/// # Errors
/// If the date can't be told or the file not be written.
fn report(ctx: &Ctx, name: &str, title: &str, body: &str) -> Result<()> {
    let date = output(ctx.cmd("date").args(["-u", "+%F"]))?;
    let date = date.trim();
    let commit = output(ctx.cmd("git").args(["rev-parse", "--short", "HEAD"]));
    let commit = commit.map_or_else(|_| "unknown".to_owned(), |commit| commit.trim().to_owned());
    let file = format!("docs/reports/{date}-{name}.md");
    let head = format!("# {title}\n\n{date}, commit {commit}, {}\n\n", machine());
    util::write(&ctx.path(&file), format!("{head}{}\n", body.trim_end()).as_bytes())?;
    say(format_args!("wrote {file}"));
    Ok(())
}

/// What kind of machine this is, in one line.
fn machine() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    format!("{cores} cores, {}", model.trim_start_matches([' ', '\t', ':']))
}
