//! A running shim: lines go in, answers come out in the same order.

use crate::answer::{Answer, Texts, read};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// One host under test. A process that died or hung is started anew at the next question.
pub(crate) struct Shim {
    pub(crate) name: String,
    argv: Vec<String>,
    timeout: Duration,
    texts: Arc<Texts>,
    process: Option<Process>,
}

struct Process {
    child: Child,
    lines: Sender<String>,
    answers: Receiver<String>,
}

impl Shim {
    pub(crate) fn new(name: &str, argv: &[String], timeout: Duration, texts: &Arc<Texts>) -> Self {
        Self { name: name.to_owned(), argv: argv.to_vec(), timeout, texts: Arc::clone(texts), process: None }
    }

    pub(crate) fn texts(&self) -> Arc<Texts> {
        Arc::clone(&self.texts)
    }

    /// Asks one thing.
    pub(crate) fn ask(&mut self, op: &str, members: Value) -> Result<Answer, String> {
        self.ask_all(vec![line(op, members)]).pop().unwrap_or_else(|| Err("no answer".into()))
    }

    /// Asks many things without waiting in between; the answers stand in the same order.
    /// What is left when the process dies or hangs fails.
    pub(crate) fn ask_all(&mut self, lines: Vec<Value>) -> Vec<Result<Answer, String>> {
        let count = lines.len();
        let mut answers = Vec::with_capacity(count);
        if let Err(reason) = self.send(lines) {
            return vec![Err(reason); count];
        }
        while answers.len() < count {
            match self.receive() {
                Ok(text) => answers.push(read(&text, &self.texts)),
                Err(reason) => {
                    self.stop();
                    answers.push(Err(reason));
                    answers.resize(count, Err("not answered: the shim died before".into()));
                }
            }
        }
        answers
    }

    fn send(&mut self, lines: Vec<Value>) -> Result<(), String> {
        let process = match self.process.take() {
            Some(process) => process,
            None => start(&self.argv)?,
        };
        for line in lines {
            // A dead writer shows as a missing answer.
            let _ = process.lines.send(line.to_string());
        }
        self.process = Some(process);
        Ok(())
    }

    fn receive(&self) -> Result<String, String> {
        let process = self.process.as_ref().ok_or("the shim is not running")?;
        process.answers.recv_timeout(self.timeout).map_err(|error| match error {
            std::sync::mpsc::RecvTimeoutError::Timeout => "the shim did not answer in time".to_owned(),
            std::sync::mpsc::RecvTimeoutError::Disconnected => "the shim died".to_owned(),
        })
    }

    /// Ends the process: closes its input, waits a little, then kills it.
    pub(crate) fn stop(&mut self) {
        let Some(Process { mut child, lines, answers }) = self.process.take() else { return };
        drop(lines);
        drop(answers);
        let end = Instant::now() + GRACE;
        while Instant::now() < end {
            if matches!(child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        // Already gone is what we want.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A line of the protocol: the operation beside its members.
pub(crate) fn line(op: &str, members: Value) -> Value {
    let mut line = members;
    line["op"] = json!(op);
    line
}

fn start(argv: &[String]) -> Result<Process, String> {
    let (program, arguments) = argv.split_first().ok_or("a shim without arguments")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program} does not start: {error}"))?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    let output = child.stdout.take().ok_or("no standard output")?;
    let (lines, to_write) = channel::<String>();
    let (read, answers) = channel();
    thread::spawn(move || {
        for line in to_write {
            if input
                .write_all(line.as_bytes())
                .and_then(|()| input.write_all(b"\n"))
                .and_then(|()| input.flush())
                .is_err()
            {
                return;
            }
        }
    });
    thread::spawn(move || {
        for line in BufReader::with_capacity(1 << 20, output).lines() {
            let Ok(line) = line else { return };
            if read.send(line).is_err() {
                return;
            }
        }
    });
    Ok(Process { child, lines, answers })
}

/// A browser takes a moment to close.
const GRACE: Duration = Duration::from_secs(10);
