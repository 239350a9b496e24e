//! What all steps share: the files, the orgs, the KMS, and what was found so far.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};

use super::{
    context,
    corpus::Corpus,
    kms::{LocalKms, Log},
    step::Step,
    terminal, witness,
    worker::{self, Answer, Host},
};
use crate::util::Ctx;

/// The first org, which also shares a record.
pub(super) const NORTHWIND: &str = "northwind";
/// The second org: the browser's, and the reader of the share.
pub(super) const CONTOSO: &str = "contoso";
/// The thief's org.
pub(super) const MALLORY: &str = "mallory";
/// The two orgs whose data it is.
pub(super) const ORGS: [&str; 2] = [NORTHWIND, CONTOSO];

/// The demo as it runs.
pub(super) struct World<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) files: Files,
    pub(super) corpus: Option<Corpus>,
    pub(super) kms: Option<LocalKms>,
    pub(super) log: Log,
    /// Each org's CMK, as its own caller made it.
    pub(super) cmks: BTreeMap<String, String>,
    /// Where the page is served, which the KMS must know beforehand.
    pub(super) port: u16,
    pub(super) steps: Vec<Step>,
    /// Every line that any process said.
    pub(super) said: Vec<String>,
    /// Whether the last step was reached.
    pub(super) finished: bool,
}

impl<'a> World<'a> {
    /// Starts with an empty folder.
    ///
    /// # Errors
    /// If it can't be made, or there is no free port.
    pub(super) fn new(ctx: &'a Ctx) -> Result<Self> {
        let files = Files(ctx.target.join("demo"));
        if files.0.exists() {
            fs::remove_dir_all(&files.0).with_context(|| format!("can't empty {}", files.0.display()))?;
        }
        fs::create_dir_all(&files.0)?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let log = Log::new(files.log());
        let (steps, said, cmks) = (Vec::new(), Vec::new(), BTreeMap::new());
        Ok(Self { ctx, files, corpus: None, kms: None, log, cmks, port, steps, said, finished: false })
    }

    /// Runs one step. What breaks in it is kept and shown, and the next step goes on.
    pub(super) fn step(&mut self, who: &str, title: &str, body: impl FnOnce(&mut Self, &mut Step) -> Result<()>) {
        let number = self.steps.len().saturating_add(1);
        let mut step = Step::new(who, title);
        terminal::begin(&step);
        let start = Instant::now();
        if let Err(error) = body(self, &mut step) {
            step.check("the step runs to its end", false, format!("{error:#}"));
        }
        // Calls that the step did not account for.
        match self.log.take() {
            Ok(rest) if rest.is_empty() => {}
            Ok(rest) => {
                step.check("KMS log: nothing after the step", false, format!("{} calls", rest.len()));
                step.calls.extend(rest);
            }
            Err(error) => step.check("the KMS's log can be read", false, format!("{error:#}")),
        }
        step.time = start.elapsed();
        terminal::row(number, &step);
        self.steps.push(step);
    }

    /// Whether every step so far held.
    pub(super) fn holds(&self) -> bool {
        self.steps.iter().all(Step::holds)
    }

    /// Holds the KMS's log since the last time against what a step may have asked.
    ///
    /// # Errors
    /// If the log can't be read.
    pub(super) fn witness(&mut self, step: &mut Step, expected: &[(usize, witness::Kind)]) -> Result<()> {
        let calls = self.log.take()?;
        let rows = if calls.is_empty() { Vec::new() } else { wrap_rows(&self.files.store())? };
        let contexts = rows.iter().map(context::of_row).collect::<Result<_>>()?;
        step.checks.extend(witness::compare(&calls, &self.cmks, &contexts, expected));
        step.calls.extend(calls);
        Ok(())
    }

    /// The data, once it is made.
    ///
    /// # Errors
    /// Before that.
    pub(super) fn corpus(&self) -> Result<&Corpus> {
        self.corpus.as_ref().context("there is no data")
    }

    /// Lets a host work, and keeps the step if it reports that something failed.
    ///
    /// # Errors
    /// If the process can't be run.
    pub(super) fn work(&mut self, step: &mut Step, task: &Task) -> Result<Answer> {
        self.work_watched(step, task, |_, _| Ok(()))
    }

    /// As [`Self::work`], with a look at the log whenever the process reports something.
    ///
    /// # Errors
    /// As [`Self::work`].
    pub(super) fn work_watched(
        &mut self,
        step: &mut Step,
        task: &Task,
        mut watch: impl FnMut(&Value, &Log) -> Result<()>,
    ) -> Result<Answer> {
        let endpoint = self.kms.as_ref().context("no KMS is running")?.endpoint.clone();
        let mut words = task.host.program().into_iter();
        let mut command = self.ctx.cmd(words.next().context("no program")?);
        command.args(words).arg(task.step).args(["--kms", &endpoint]);
        if task.step != "create-key" {
            let cmks: Map<String, Value> = self
                .cmks
                .iter()
                .filter(|(org, _)| task.knows(org))
                .map(|(org, arn)| (org.clone(), Value::from(vec![arn.clone()])))
                .collect();
            command.args(["--store", &self.argument(&self.files.store())]);
            command.args(["--export", &self.argument(&self.exported(task))]);
            command.args(["--manifest", "examples/product/fields.json"]);
            command.args(["--cmks", &Value::Object(cmks).to_string()]);
        }
        if task.host == Host::Browser {
            command.args(["--port", &self.port.to_string()]);
        }
        for (name, value) in &task.args {
            command.arg(format!("--{name}")).arg(value);
        }
        let answer = worker::run(&mut command, |facts| watch(facts, &self.log))?;
        self.said.extend(answer.lines.iter().cloned());
        let danger = format!("danger_endpoint: {endpoint} (local KMS, loopback)");
        step.check("it says that it uses danger_endpoint", answer.lines.contains(&danger), "no such line");
        judge(step, &answer)?;
        Ok(answer)
    }

    /// A file as the processes are told of it: they start in the project's folder.
    pub(super) fn argument(&self, file: &Path) -> String {
        file.strip_prefix(&self.ctx.root).unwrap_or(file).to_string_lossy().into_owned()
    }

    fn exported(&self, task: &Task) -> PathBuf {
        task.export.clone().unwrap_or_else(|| self.files.export())
    }
}

/// A process that failed has nothing more to say that could be judged.
fn judge(step: &mut Step, answer: &Answer) -> Result<()> {
    let failed = |facts: &&Value| facts.get("ok") != Some(&Value::Bool(true));
    if let Some(facts) = answer.facts.iter().find(failed) {
        bail!("the process reported {facts}");
    }
    if !answer.succeeded || answer.facts.is_empty() {
        bail!("the process failed");
    }
    step.check("the process succeeds, and all that it reports is ok", true, "");
    Ok(())
}

/// What a host is asked to do.
pub(super) struct Task {
    pub(super) host: Host,
    step: &'static str,
    args: Vec<(&'static str, String)>,
    export: Option<PathBuf>,
}

impl Task {
    pub(super) fn new(host: Host, step: &'static str) -> Self {
        Self { host, step, args: Vec::new(), export: None }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.args.push((name, value.into()));
        self
    }

    /// Another file of envelopes than the export.
    pub(super) fn export(mut self, file: PathBuf) -> Self {
        self.export = Some(file);
        self
    }

    /// Whether the process may know an org's CMK: the thief's is nobody's business.
    fn knows(&self, org: &str) -> bool {
        org != MALLORY || self.step == "thief"
    }
}

/// Where everything lies.
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn data(&self, org: &str) -> PathBuf {
        self.0.join("data").join(format!("{org}.jsonl"))
    }

    pub(super) fn store(&self) -> PathBuf {
        self.0.join("store.jsonl")
    }

    pub(super) fn export(&self) -> PathBuf {
        self.0.join("export.jsonl")
    }

    pub(super) fn reseal(&self, host: Host, org: &str) -> PathBuf {
        self.0.join(format!("reseal-{}-{org}.jsonl", host.name()))
    }

    pub(super) fn kms(&self) -> PathBuf {
        self.0.join("kms")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.kms().join("log.jsonl")
    }

    /// What the processes said, for the search.
    pub(super) fn said(&self) -> PathBuf {
        self.0.join("said.txt")
    }

    pub(super) fn report(&self) -> PathBuf {
        self.0.join("report.html")
    }
}

/// The rows of the store, for counting: nothing in them is secret.
///
/// # Errors
/// If the file can't be read, or a line is none.
pub(super) fn wrap_rows(store: &Path) -> Result<Vec<Value>> {
    // Before the first row is stored there is no file.
    let text = if store.exists() { fs::read_to_string(store)? } else { String::new() };
    let mut rows = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).context("in the store")?;
        rows.extend(line.get("wrap").cloned());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(facts: Vec<Value>, succeeded: bool) -> bool {
        judge(&mut Step::new("node", "opens"), &Answer { facts, lines: Vec::new(), succeeded }).is_ok()
    }

    #[test]
    fn a_process_that_succeeds_and_reports_only_what_is_ok_is_judged_further() {
        assert!(judged(vec![json!({ "step": "open", "ok": true })], true));
    }

    #[test]
    fn a_process_that_fails_or_says_so_or_says_nothing_breaks_the_step() {
        let (good, bad) = (json!({ "step": "open", "ok": true }), json!({ "step": "open", "ok": false }));
        assert!(!judged(vec![good.clone()], false));
        assert!(!judged(vec![good.clone(), bad], true));
        assert!(!judged(vec![good, json!({ "step": "open" })], true));
        assert!(!judged(Vec::new(), true));
    }
}
