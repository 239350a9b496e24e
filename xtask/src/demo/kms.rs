//! The local KMS as a process, and its log: the witness of the demo.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::terminal;
use crate::util::Ctx;

/// A running KMS; ended when dropped.
#[derive(Debug)]
pub(super) struct LocalKms {
    child: Child,
    pub(super) endpoint: String,
}

impl LocalKms {
    /// Starts it on a folder of its own, for pages of one origin.
    ///
    /// # Errors
    /// If it doesn't say within ten seconds where it listens.
    pub(super) fn start(ctx: &Ctx, dir: &std::path::Path, origin: &str) -> Result<Self> {
        let mut command = ctx.cmd(ctx.bin("strongroom"));
        command.args(["kms", "serve", "--dir"]).arg(dir).args(["--allow-origin", origin]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("can't start the local KMS")?;
        let warnings = child.stderr.take().context("the KMS has no standard error")?;
        thread::spawn(move || {
            BufReader::new(warnings).lines().map_while(Result::ok).for_each(|line| terminal::note(&line))
        });
        let stdout = child.stdout.take().context("the KMS has no standard output")?;
        let (ready, answer) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // Nobody waits any more where the ten seconds are over.
            let _ = ready.send(read.map(|_| line));
        });
        // From here on, dropping it ends the process.
        let mut kms = Self { child, endpoint: String::new() };
        let line = answer.recv_timeout(Duration::from_secs(10)).context("the local KMS didn't start")??;
        let ready: Value = serde_json::from_str(&line).with_context(|| format!("the local KMS said {line:?}"))?;
        kms.endpoint = ready.get("endpoint").and_then(Value::as_str).context("the KMS named no endpoint")?.to_owned();
        if !kms.endpoint.starts_with("http://127.0.0.1:") {
            bail!("the local KMS is not on loopback but at {}", kms.endpoint);
        }
        Ok(kms)
    }
}

impl Drop for LocalKms {
    fn drop(&mut self) {
        // One that has ended by itself is ended all the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One line of the KMS's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) caller: String,
    pub(super) operation: String,
    pub(super) key: String,
    pub(super) context: BTreeMap<String, String>,
    pub(super) result: String,
}

impl Call {
    fn of(line: &str) -> Result<Self> {
        let line: Value = serde_json::from_str(line)?;
        let text = |path: &str| line.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let pairs =
            line.pointer("/requestParameters/encryptionContext").and_then(Value::as_object).into_iter().flatten();
        let context =
            pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
        let call = Self {
            caller: text("/additionalEventData/callerOrg"),
            operation: text("/eventName"),
            key: text("/requestParameters/keyId"),
            context,
            result: line.get("errorCode").map_or("ok", |code| code.as_str().unwrap_or_default()).to_owned(),
        };
        if call.result.is_empty() || line.get("eventSource").is_none() {
            bail!("not a line of the KMS's log");
        }
        Ok(call)
    }

    /// A pair of the encryption context; empty where it is absent.
    pub(super) fn pair(&self, name: &str) -> &str {
        self.context.get(name).map_or("", String::as_str)
    }
}

/// The log, read piece by piece.
#[derive(Debug)]
pub(super) struct Log {
    file: PathBuf,
    read: usize,
}

impl Log {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, read: 0 }
    }

    /// The calls since the last time. The KMS writes a line before it answers, so whoever
    /// has its answer finds it here.
    ///
    /// # Errors
    /// If the log can't be read, or a line is none.
    pub(super) fn take(&mut self) -> Result<Vec<Call>> {
        let calls = self.all()?.split_off(self.read);
        self.read = self.read.saturating_add(calls.len());
        Ok(calls)
    }

    /// How many calls there are by now that [`Self::take`] has not yet given.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(super) fn waiting(&self) -> Result<usize> {
        Ok(self.all()?.len().saturating_sub(self.read))
    }

    fn all(&self) -> Result<Vec<Call>> {
        // There is none before the first call.
        let text = if self.file.exists() { fs::read_to_string(&self.file)? } else { String::new() };
        let calls: Vec<Call> =
            text.lines().map(|line| Call::of(line).context("in the KMS's log")).collect::<Result<_>>()?;
        if calls.len() < self.read {
            bail!("the KMS's log has become shorter");
        }
        Ok(calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_is_read_with_its_context() {
        let line = r#"{"eventSource":"kms.amazonaws.com","eventName":"Decrypt","requestParameters":{"keyId":"arn","encryptionContext":{"strongroom-org":"o"}}}"#;
        let call = Call::of(line).ok();
        assert_eq!(call.as_ref().map(|call| call.pair("strongroom-org")), Some("o"));
        assert_eq!(call.map(|call| call.result), Some("ok".to_owned()));
    }

    #[test]
    fn what_is_no_line_of_the_log_is_an_error() {
        for line in ["", "{", r#"{"eventName":"Decrypt"}"#] {
            assert!(Call::of(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_log_that_became_shorter_is_an_error() {
        let mut log = Log { file: PathBuf::from("there-is-no-such-file"), read: 1 };
        assert!(log.take().is_err());
    }
}
