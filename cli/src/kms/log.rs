//! The log: one JSON line for each call, written before the call is answered.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use super::context::Context;

/// What one line says. It never holds plaintext, blobs, signatures or key material.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Note {
    /// Unix milliseconds.
    time: u64,
    /// The caller's org, as it is (not encoded).
    pub(crate) caller_org: Option<String>,
    /// The operation's name.
    pub(crate) operation: Option<String>,
    /// The key's ARN or, where no such key was found, what the caller gave.
    pub(crate) key_id: Option<String>,
    /// The encryption context of the call.
    pub(crate) encryption_context: Option<Context>,
    /// `ok`, or the exception's name.
    pub(crate) result: &'static str,
}

/// An append-only file of [`Note`]s.
pub(crate) struct Log(Mutex<File>);

impl Log {
    /// Opens the log, or makes it with mode 0600.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        cut_torn_line(&mut file)?;
        Ok(Self(Mutex::new(file)))
    }

    /// Appends one line with a single write.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn write(&self, mut note: Note) -> io::Result<()> {
        // The lock comes first, so that times go up from line to line.
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        note.time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        let mut line = serde_json::to_vec(&note)?;
        line.push(b'\n');
        file.write_all(&line)
    }
}

/// A line that a crash cut short belongs to a call that was never answered.
fn cut_torn_line(file: &mut File) -> io::Result<()> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let whole = end;
    let mut last = [0; 1];
    while let Some(before) = end.checked_sub(1) {
        file.seek(SeekFrom::Start(before))?;
        file.read_exact(&mut last)?;
        if last == *b"\n" {
            break;
        }
        end = before;
    }
    if end < whole { file.set_len(end) } else { Ok(()) }
}
