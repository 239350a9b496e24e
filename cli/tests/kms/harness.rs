//! Starts the binary and speaks HTTP to it, plainly enough to send what no SDK would.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running KMS; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    pub(crate) dir: PathBuf,
    _home: Option<TempDir>,
}

/// One HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    command.args(["kms", "serve", "--dir"]).arg(dir).args(args).stdin(Stdio::null());
    command
}

/// Runs a KMS that must refuse to start.
pub(crate) fn refused(dir: &Path, args: &[&str]) -> Output {
    let output = command(dir, args).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(output.stdout, b"", "no ready line");
    output
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// A KMS with a folder of its own.
    pub(crate) fn with(args: &[&str]) -> Self {
        let home = TempDir::new().unwrap();
        let mut server = Self::at(&home.path().join("kms"), args);
        server._home = Some(home);
        server
    }

    pub(crate) fn at(dir: &Path, args: &[&str]) -> Self {
        let mut child = command(dir, args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let endpoint = ready["endpoint"].as_str().unwrap();
        let port = endpoint.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix('/'));
        Self { child, port: port.unwrap().parse().unwrap(), dir: dir.to_owned(), _home: None }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn restart(&mut self, args: &[&str]) {
        self.kill();
        let mut new = Self::at(&self.dir, args);
        std::mem::swap(&mut self.child, &mut new.child);
        self.port = new.port;
    }

    pub(crate) fn call(&self, org: &str, operation: &str, members: &Value) -> Answer {
        self.post(&head(operation, &authorization(org)), members.to_string().as_bytes())
    }

    pub(crate) fn ok(&self, org: &str, operation: &str, members: &Value) -> Value {
        let answer = self.call(org, operation, members);
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
        answer.body
    }

    /// The exception's name.
    pub(crate) fn fault(&self, org: &str, operation: &str, members: &Value) -> String {
        self.call(org, operation, members).fault()
    }

    /// A new key's ARN.
    pub(crate) fn key(&self, org: &str) -> String {
        let made = self.ok(org, "CreateKey", &json!({ "Tags": [tag(&encoded(org))] }));
        made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    }

    pub(crate) fn post(&self, headers: &str, body: &[u8]) -> Answer {
        let host = format!("Host: 127.0.0.1:{}", self.port);
        self.raw(&format!("POST / HTTP/1.1\r\n{host}\r\n{headers}"), body).unwrap()
    }

    /// Sends a request head (without `Content-Length`) and a body; an error if the server goes away.
    pub(crate) fn raw(&self, head: &str, body: &[u8]) -> std::io::Result<Answer> {
        raw(self.port, head, body)
    }

    /// The lines, each as the five facts that most tests ask for.
    pub(crate) fn log(&self) -> Vec<Value> {
        let of = |line: &Value| {
            json!({
                "callerOrg": line["additionalEventData"]["callerOrg"], "operation": line["eventName"],
                "keyId": line["requestParameters"]["keyId"],
                "encryptionContext": line["requestParameters"]["encryptionContext"],
                "result": line.get("errorCode").unwrap_or(&json!("ok")),
            })
        };
        self.lines().iter().map(of).collect()
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.join("log.jsonl")).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn key_file(&self, arn: &str) -> PathBuf {
        self.dir.join("keys").join(format!("{}.json", bare(arn)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    pub(crate) fn fault(&self) -> String {
        let name = self.body["__type"].as_str().unwrap_or("no fault").to_owned();
        assert_eq!(self.status == 200, name == "no fault", "{name}");
        if self.status != 200 {
            assert!(self.head.contains(&format!("x-amzn-errortype: {name}")), "{}", self.head);
        }
        name
    }
}

pub(crate) fn raw(port: u16, head: &str, body: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let length = body.len();
    let mut message = format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    message.extend_from_slice(body);
    // The server may answer and close before it has read everything.
    let sent = stream.write_all(&message);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let text = String::from_utf8(answer).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        sent?;
        read?;
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
    Ok(Answer { status, head: head.to_owned(), body })
}

/// The headers of an SDK, without `Host`.
pub(crate) fn head(operation: &str, authorization: &str) -> String {
    format!(
        "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: TrentService.{operation}\r\n\
         Authorization: {authorization}"
    )
}

pub(crate) fn authorization(org: &str) -> String {
    authorization_in("us-east-1", org)
}

pub(crate) fn authorization_in(region: &str, org: &str) -> String {
    let id = Base64UrlUnpadded::encode_string(org.as_bytes());
    let signature = "0a".repeat(32);
    format!(
        "AWS4-HMAC-SHA256 Credential=sr-{id}/20260101/{region}/kms/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={signature}"
    )
}

/// The two orgs of the tests that need the encoded form are written out, not computed.
pub(crate) fn encoded(org: &str) -> String {
    match org {
        "org b" => "b64.b3JnIGI".into(),
        "b64.x" => "b64.YjY0Lng".into(),
        plain => plain.into(),
    }
}

pub(crate) fn tag(org: &str) -> Value {
    json!({ "TagKey": "strongroom-org", "TagValue": org })
}

pub(crate) fn bare(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

pub(crate) fn unbase64(text: &Value) -> Vec<u8> {
    Base64::decode_vec(text.as_str().unwrap()).unwrap()
}
