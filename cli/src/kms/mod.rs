//! A strict development KMS that speaks the AWS KMS JSON protocol on loopback.

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::json;

use self::{call::Call, caller::Caller, fault::Fault, log::Log, log::Note, store::Store};

mod blob;
mod call;
mod caller;
mod context;
mod fault;
mod gate;
mod http;
mod key;
mod log;
mod ops;
mod policy;
mod serve;
mod store;

pub(crate) use serve::{Options, serve};

/// The KMS behind the HTTP server.
struct Kms {
    store: Store,
    log: Log,
    /// Calls that are still to be throttled.
    throttle: AtomicU64,
}

impl Kms {
    /// Opens the folder.
    ///
    /// # Errors
    /// As [`Store::open`] and [`Log::open`].
    fn open(dir: &Path, throttle: u64) -> io::Result<Self> {
        Ok(Self { store: Store::open(dir, now())?, log: Log::open(&dir.join("log.jsonl"))?, throttle: throttle.into() })
    }

    /// Answers one request. Its line is in the log when this returns.
    fn answer(&self, request: Result<Request, Fault>) -> Reply {
        let mut note = Note::default();
        let outcome = request.and_then(|request| self.call(&request, &mut note));
        note.error = outcome.as_ref().err().map(|fault| fault.name());
        match self.log.write(&note) {
            // What the log does not witness did not happen, as far as the caller learns.
            Err(_) => Reply::fault(Fault::Internal),
            Ok(()) => outcome.unwrap_or_else(Reply::fault),
        }
    }

    fn call(&self, request: &Request, note: &mut Note) -> Result<Reply, Fault> {
        let operation = request.operation()?;
        note.operation = Some(operation.to_owned());
        let header = request.authorization.as_deref().ok_or(Fault::MissingToken)?;
        let caller = Caller::from_authorization(header)?;
        note.caller = Some(caller.clone());
        let left = self.throttle.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_ok() {
            return Err(Fault::Throttled);
        }
        let mut call = Call { store: &self.store, caller: &caller, now: now(), body: &request.body, note };
        let answer = ops::run(operation, &mut call)?;
        Ok(Reply { status: 200, body: answer.map(|members| members.to_string()).unwrap_or_default(), fault: None })
    }
}

/// What the HTTP server took from a request.
struct Request {
    target: Option<String>,
    authorization: Option<String>,
    body: Vec<u8>,
}

impl Request {
    /// The operation that `X-Amz-Target: TrentService.NAME` asks for.
    fn operation(&self) -> Result<&str, Fault> {
        self.target
            .as_deref()
            .and_then(|target| target.strip_prefix("TrentService."))
            .filter(|name| (1..=64).contains(&name.len()))
            .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric()))
            .ok_or(Fault::Unsupported("X-Amz-Target names no operation of TrentService"))
    }
}

/// What the HTTP server sends back.
struct Reply {
    status: u16,
    body: String,
    fault: Option<&'static str>,
}

impl Reply {
    fn fault(fault: Fault) -> Self {
        Self {
            status: fault.status(),
            body: json!({ "__type": fault.name(), "message": fault.message() }).to_string(),
            fault: Some(fault.name()),
        }
    }
}

fn now() -> u64 {
    // A clock before 1970 counts as 1970: no key's end has come then.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
