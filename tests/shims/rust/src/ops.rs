//! One line, one answer.

use crate::values::{Members, Out, Stop, hex};
use crate::vaults::Vaults;
use serde_json::{Value, json};
use strongroom::{WrapRow, from_text, inspect, to_text, version};

/// The vaults made so far, and every operation.
#[derive(Default)]
pub(crate) struct Ops {
    vaults: Vaults,
}

impl Ops {
    /// Answers one line.
    pub(crate) fn answer(&mut self, line: &str) -> String {
        let mut wiped = false;
        let mut answer = match self.out(line, &mut wiped) {
            Ok(out) => json!({"ok": true, "out": out}),
            Err(stop) => refusal(&stop),
        };
        if wiped && let Some(members) = answer.as_object_mut() {
            members.insert("wiped".into(), json!(true));
        }
        answer.to_string()
    }

    fn out(&mut self, line: &str, wiped: &mut bool) -> Out {
        let members = Members::read(line)?;
        let op = members.text("op")?;
        match op.as_str() {
            "hello" => Ok(hello()),
            "inspect" => {
                let header = inspect(&members.bytes("env")?)?;
                Ok(json!({
                    "version": header.version, "suite": header.suite, "padded": header.padded,
                    "dek_ref": hex(header.dek_ref.as_bytes()), "ct_len": header.ct_len,
                }))
            }
            "to_text" => Ok(json!(to_text(&members.bytes("env")?)?)),
            "from_text" => Ok(hex(&from_text(&members.text("text")?)?)),
            "kms_context" => {
                let row = WrapRow::from_json(members.json("row")?.as_bytes())?;
                Ok(serde_json::from_str(&row.encryption_context_json()?)?)
            }
            op if op.starts_with("vault.") => self.vaults.out(op, &members, wiped),
            #[cfg(feature = "hazmat")]
            op => crate::bare::out(op, &members),
            #[cfg(not(feature = "hazmat"))]
            op => Err(Stop::Crash(format!("no op {op}"))),
        }
    }
}

pub(crate) fn refusal(stop: &Stop) -> Value {
    match stop {
        Stop::Core(error) => json!({"ok": false, "err": error.name(), "num": error.number(), "msg": error.text()}),
        Stop::Crash(reason) => json!({"ok": false, "err": "CRASH", "num": 0, "msg": reason}),
    }
}

fn hello() -> Value {
    let mut ops = RELEASED.to_vec();
    let mut extras = vec!["wiped", "large", "cmks", "min_versions", "field_limit", "danger_endpoint"];
    if cfg!(feature = "hazmat") {
        ops.extend(TEST_ONLY);
        extras.push("iv");
    }
    json!({"protocol": 1, "name": "rust", "version": version(), "strings": [], "ops": ops, "extras": extras})
}

const RELEASED: &[&str] = &[
    "inspect",
    "to_text",
    "from_text",
    "kms_context",
    "vault.new",
    "vault.mint_request",
    "vault.admit_minted",
    "vault.set_active",
    "vault.unwrap_request",
    "vault.admit",
    "vault.missing",
    "vault.seal",
    "vault.seal_many",
    "vault.open",
    "vault.open_many",
    "vault.reseal",
    "vault.rebind",
    "vault.generate_record_dek",
    "vault.wrap_local",
    "vault.wrap_request",
    "vault.share_request",
    "vault.admit_shared",
    "vault.shred_request",
    "vault.status",
    "vault.cache_export",
    "vault.cache_import",
    "vault.tombstone",
    "vault.sign_out",
    "vault.close",
];

const TEST_ONLY: &[&str] = &[
    "dek_ref",
    "binding_aad",
    "seal",
    "open",
    "seal_many",
    "reseal",
    "wrap_local",
    "unwrap_local",
    "vault.set_clock",
    "vault.rng",
];
