//! The processes of the hosts: how they are started, and what they report.

use std::{
    io::{BufRead as _, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::terminal;

/// What a process said: its facts, and every line of it for the search.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) facts: Vec<Value>,
    pub(super) lines: Vec<String>,
    pub(super) succeeded: bool,
}

impl Answer {
    /// The facts of a step, the `nth` line of it.
    ///
    /// # Errors
    /// If the process did not report it.
    pub(super) fn facts(&self, step: &str, nth: usize) -> Result<&Value> {
        let mut of_step = self.facts.iter().filter(|facts| facts.get("step").and_then(Value::as_str) == Some(step));
        of_step.nth(nth).with_context(|| format!("the process reported no {step:?}"))
    }
}

/// Runs a process to its end. Its facts are handed on as they come, its progress is shown.
///
/// # Errors
/// If it can't be started, says something on its standard output that is no fact, or doesn't end in time.
pub(super) fn run(command: &mut Command, mut on_facts: impl FnMut(&Value) -> Result<()>) -> Result<Answer> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process(command.spawn().with_context(|| format!("can't start {program}"))?);
    let (send, said) = mpsc::channel();
    listen(process.0.stdout.take(), send.clone(), Said::Fact);
    listen(process.0.stderr.take(), send, Said::Progress);
    let deadline = Instant::now().checked_add(LONGEST).context("no clock")?;
    let mut answer = Answer { facts: Vec::new(), lines: Vec::new(), succeeded: false };
    loop {
        match said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Said::Fact(line)) => {
                let facts = serde_json::from_str(&line).with_context(|| format!("{program} said {line:?}"))?;
                on_facts(&facts)?;
                answer.facts.push(facts);
                answer.lines.push(line);
            }
            Ok(Said::Progress(line)) => {
                terminal::note(&line);
                answer.lines.push(line);
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("{program} did not end within {} s", LONGEST.as_secs()),
        }
    }
    answer.succeeded = process.0.wait()?.success();
    Ok(answer)
}

/// How to start each host's worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Go,
    Node,
    Browser,
}

impl Host {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Node => "node",
            Self::Browser => "chromium",
        }
    }

    /// The worker's command without its arguments.
    pub(super) fn program(self) -> Vec<PathBuf> {
        let words: &[&str] = match self {
            Self::Go => &["target/bin/demo-agent"],
            Self::Node => &["node", "examples/electron-main/worker.mjs"],
            Self::Browser => &["node", "examples/browser-preview/run.mjs"],
        };
        words.iter().map(PathBuf::from).collect()
    }
}

/// A process that does not outlive the wait for it.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, unless something broke.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

enum Said {
    Fact(String),
    Progress(String),
}

/// Hands on the lines of a pipe until it is closed.
fn listen(pipe: Option<impl Read + Send + 'static>, to: mpsc::Sender<Said>, what: fn(String) -> Said) {
    let Some(pipe) = pipe else { return };
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok).filter(|line| !line.trim().is_empty()) {
            if to.send(what(line)).is_err() {
                return;
            }
        }
    });
}

/// A step that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Answer> {
        run(Command::new("sh").args(["-c", script]), |_| Ok(()))
    }

    #[test]
    fn facts_and_progress_are_kept_apart() {
        let answer = shell(r#"echo '{"step":"open","ok":true}'; echo progress >&2"#).ok();
        assert!(answer.as_ref().is_some_and(|answer| answer.succeeded && answer.facts.len() == 1));
        assert!(answer.as_ref().is_some_and(|answer| answer.facts("open", 0).is_ok() && answer.lines.len() == 2));
        assert!(answer.is_some_and(|answer| answer.facts("open", 1).is_err() && answer.facts("seal", 0).is_err()));
    }

    #[test]
    fn a_process_that_fails_or_says_what_is_no_fact_is_found_out() {
        assert!(shell("exit 3").is_ok_and(|answer| !answer.succeeded));
        assert!(shell("echo hello").is_err());
        assert!(run(&mut Command::new("there-is-no-such-program"), |_| Ok(())).is_err());
    }
}
