//! The log: one line for each call, in CloudTrail's shape, written before the call is answered.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{caller::Caller, context::Context, key::ACCOUNT};
use crate::audit::{FIRST, digest, timestamp};

/// What one line says. It never holds plaintext, blobs, signatures or key material.
#[derive(Default)]
pub(crate) struct Note {
    /// Who called.
    pub(crate) caller: Option<Caller>,
    /// The operation's name.
    pub(crate) operation: Option<String>,
    /// The key's ARN or, where no such key was found, what the caller gave.
    pub(crate) key_id: Option<String>,
    /// The encryption context of the call.
    pub(crate) encryption_context: Option<Context>,
    /// The exception's name.
    pub(crate) error: Option<&'static str>,
}

/// An append-only file of lines, each of which names the digest of the one before.
pub(crate) struct Log(Mutex<Chain>);

struct Chain {
    file: File,
    sequence: u64,
    previous: String,
}

impl Log {
    /// Opens the log, or makes it with mode 0600.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        cut_torn_line(&mut file)?;
        file.seek(SeekFrom::Start(0))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let (mut sequence, mut previous) = (0, FIRST.to_owned());
        if let Some(last) = text.lines().last() {
            let line: Value = serde_json::from_str(last)?;
            sequence = line.pointer("/additionalEventData/sequence").and_then(Value::as_u64).unwrap_or(0);
            previous = digest(last);
        }
        Ok(Self(Mutex::new(Chain { file, sequence, previous })))
    }

    /// Appends one line with a single write.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn write(&self, note: &Note) -> io::Result<()> {
        // The lock comes first, so that times go up from line to line.
        let mut chain = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let sequence = chain.sequence.saturating_add(1);
        let event = uuid::Builder::from_random_bytes(random()?).into_uuid();
        let mut line = note.line(now, sequence, &chain.previous, event).to_string();
        let previous = digest(&line);
        line.push('\n');
        chain.file.write_all(line.as_bytes())?;
        (chain.sequence, chain.previous) = (sequence, previous);
        Ok(())
    }
}

impl Note {
    fn line(&self, now: u64, sequence: u64, previous: &str, event: uuid::Uuid) -> Value {
        let identity = self.caller.as_ref().map_or_else(
            || json!({ "type": "Unknown" }),
            |caller| {
                json!({
                    "type": "AssumedRole", "arn": caller.arn(), "accountId": ACCOUNT,
                    "accessKeyId": caller.access_key_id,
                })
            },
        );
        let tags = self.caller.as_ref().map(|caller| json!({ "strongroom-org": caller.tag }));
        let parameters = (self.key_id.is_some() || self.encryption_context.is_some())
            .then(|| json!({ "keyId": self.key_id, "encryptionContext": self.encryption_context }));
        let resources: Vec<Value> = self
            .key_id
            .iter()
            .filter(|id| id.starts_with("arn:"))
            .map(|arn| json!({ "accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn }))
            .collect();
        let operation = self.operation.as_deref();
        let read_only = operation
            .is_none_or(|name| ["Describe", "List", "Get"].iter().any(|start| name.starts_with(start)))
            || operation.is_some_and(|name| ["Decrypt", "Encrypt", "GenerateDataKey"].contains(&name));
        let mut line = json!({
            "eventVersion": "1.11",
            "userIdentity": identity,
            "eventTime": timestamp(now),
            "eventSource": "kms.amazonaws.com",
            "eventName": operation,
            "awsRegion": self.caller.as_ref().map(|caller| &caller.region),
            "sourceIPAddress": "127.0.0.1",
            "requestParameters": parameters,
            "responseElements": null,
            "additionalEventData": {
                "callerOrg": self.caller.as_ref().map(|caller| &caller.org),
                "principalTags": tags,
                "sequence": sequence,
                "previous": previous,
            },
            "eventID": event,
            "readOnly": read_only,
            "resources": resources,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
        });
        if let (Some(error), Some(members)) = (self.error, line.as_object_mut()) {
            members.insert("errorCode".into(), error.into());
        }
        line
    }
}

fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| io::Error::other("the system's generator failed"))?;
    Ok(bytes)
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
