//! What a scripted check works with: made-up DEKs, rows and KMS answers, and a vault in
//! the host under test.

use crate::answer::{Answer, read_item};
use crate::bytes::{bytes_of, hex};
use crate::hosts::Hello;
use crate::rng::Rng;
use crate::shim::{Shim, line};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// A step that went as expected, with what it gave; or why it didn't.
pub(crate) type Step<T = ()> = Result<T, String>;

/// When every scripted vault begins.
pub(crate) const WALL: u64 = 1_761_955_200;
/// Not 0, so that it can go back.
pub(crate) const MONO: u64 = 1_000;
/// What is sealed where nothing else is said.
pub(crate) const PT: &str = "736563726574";
/// The endpoint a reply comes from where nothing else is said.
pub(crate) const ENDPOINT: &str = "https://kms-fips.us-east-1.amazonaws.com";

/// A DEK that the check knows, held for a reader.
#[derive(Clone)]
pub(crate) struct Dek {
    pub(crate) key: Vec<u8>,
    pub(crate) owner: String,
    pub(crate) reader: String,
    pub(crate) version: u32,
    /// Table and record of a record DEK.
    pub(crate) place: Option<(String, String)>,
}

impl Dek {
    /// An org DEK; another `seed` is another key.
    pub(crate) fn org(owner: &str, version: u32, seed: &str) -> Self {
        Self { key: Rng::new(seed).bytes(32), owner: owner.into(), reader: owner.into(), version, place: None }
    }

    /// A record DEK of table `hosts`.
    pub(crate) fn record(owner: &str, record: &str, version: u32, seed: &str) -> Self {
        Self { place: Some(("hosts".into(), record.into())), ..Self::org(owner, version, seed) }
    }

    /// The same DEK, shared.
    pub(crate) fn shared(&self, reader: &str) -> Self {
        Self { reader: reader.into(), ..self.clone() }
    }

    pub(crate) fn identity(&self) -> Value {
        match &self.place {
            None => json!({"kind": "org", "org": self.owner, "version": self.version}),
            Some((table, record)) => {
                json!({"kind": "record", "org": self.owner, "version": self.version, "table": table, "record": record})
            }
        }
    }

    /// DESIGN 3.2.
    pub(crate) fn dek_ref(&self) -> Vec<u8> {
        let (table, record) = self.place.as_ref().map_or(("", ""), |(table, record)| (table, record));
        let mut message = b"strongroom/v1/dek-ref\0".to_vec();
        message.push(if self.place.is_some() { 2 } else { 1 });
        message.extend(self.version.to_be_bytes());
        for part in [self.owner.as_str(), table, record] {
            message.extend((part.len() as u16).to_be_bytes());
            message.extend(part.as_bytes());
        }
        // HMAC takes a key of any length.
        Hmac::<Sha256>::new_from_slice(&self.key)
            .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
            .unwrap_or_default()
    }

    pub(crate) fn hex_ref(&self) -> String {
        hex(&self.dek_ref())
    }

    pub(crate) fn text_ref(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.dek_ref())
    }

    fn purpose(&self) -> &'static str {
        match (&self.place, self.owner == self.reader) {
            (None, _) => "org-dek",
            (Some(_), true) => "record-dek",
            (Some(_), false) => "share",
        }
    }

    /// Its KMS wrap row.
    pub(crate) fn row(&self) -> Value {
        let mut row = json!({
            "v": 1, "purpose": self.purpose(), "owner": self.owner, "reader": self.reader, "version": self.version,
            "created": WALL, "dekRef": self.text_ref(), "provider": "aws-kms", "keyId": cmk(&self.reader),
            "blob": Base64::encode_string(BLOB),
        });
        if let Some((table, record)) = &self.place {
            row["table"] = json!(table);
            row["record"] = json!(record);
        }
        row
    }

    /// The encryption context of that row, for names that need no coding.
    pub(crate) fn context(&self) -> Value {
        let mut context = json!({
            "strongroom-purpose": self.purpose(), "strongroom-org": self.reader, "strongroom-owner": self.owner,
            "strongroom-version": self.version.to_string(), "strongroom-created": WALL.to_string(),
        });
        if let Some((table, record)) = &self.place {
            context["strongroom-dek"] = json!(self.text_ref());
            context["strongroom-resource"] = json!(resource(&self.owner, table, record));
        }
        context
    }

    /// The KMS's answer to `GenerateDataKey` or `Decrypt`.
    pub(crate) fn reply(&self) -> Value {
        let (key_id, plaintext) = (cmk(&self.reader), hex(&self.key));
        json!({"KeyId": key_id, "Plaintext": plaintext, "CiphertextBlob": hex(BLOB), "endpoint": ENDPOINT})
    }

    pub(crate) fn active(&self, rev: u64) -> Value {
        json!({"org": self.owner, "dekRef": self.text_ref(), "version": self.version, "state": "active", "rev": rev})
    }

    /// A field of the record the DEK serves, or of one for an org DEK.
    pub(crate) fn field(&self, field: &str) -> Value {
        let (table, record) = self.place.as_ref().map_or(("hosts", "h-17"), |(table, record)| (table, record));
        json!({"org": self.owner, "table": table, "record": record, "field": field})
    }
}

/// The CMK of an org.
pub(crate) fn cmk(org: &str) -> String {
    format!("arn:aws:kms:us-east-1:123456789012:key/{org}")
}

/// A binding in org acme's table `hosts`.
pub(crate) fn at(record: &str, field: &str) -> Value {
    json!({"org": "acme", "table": "hosts", "record": record, "field": field})
}

/// An error reply of the KMS.
pub(crate) fn kms_error(name: &str) -> Value {
    json!({"error": name, "endpoint": ENDPOINT})
}

fn resource(owner: &str, table: &str, record: &str) -> String {
    use sha2::Digest;
    let mut hash = Sha256::new_with_prefix(b"strongroom/v1/resource\0");
    for part in [owner, table, record] {
        hash.update((part.len() as u16).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize()[..16])
}

/// A vault in the host under test.
pub(crate) struct World<'a> {
    pub(crate) shim: &'a mut Shim,
    pub(crate) hello: &'a Hello,
    /// The vault that ops are about.
    pub(crate) vault: Value,
    made: Vec<Value>,
}

impl<'a> World<'a> {
    pub(crate) fn new(shim: &'a mut Shim, hello: &'a Hello) -> Self {
        Self { shim, hello, vault: Value::Null, made: Vec::new() }
    }

    /// Makes a vault with these options and turns to it.
    pub(crate) fn vault(&mut self, options: Value) -> Step<Value> {
        self.vault_at(options, WALL, MONO)
    }

    pub(crate) fn vault_at(&mut self, options: Value, wall: u64, mono: u64) -> Step<Value> {
        let made = self.ok(
            "vault.new",
            json!({"options": options, "clock": {"wall": wall.to_string(), "mono": mono.to_string()}}),
        )?;
        self.made.push(made.clone());
        self.vault = made.clone();
        Ok(made)
    }

    /// Closes every vault made here.
    pub(crate) fn close(&mut self) -> Step {
        for vault in std::mem::take(&mut self.made) {
            self.shim.ask("vault.close", json!({"vault": vault}))?.out()?;
        }
        self.vault = Value::Null;
        Ok(())
    }

    /// Sets both clocks, in seconds after the beginning.
    pub(crate) fn clock(&mut self, wall: i64, mono: i64) -> Step {
        let wall = WALL.saturating_add_signed(wall).to_string();
        let mono = MONO.saturating_add_signed(mono).to_string();
        self.ok("vault.set_clock", json!({"wall": wall, "mono": mono})).map(drop)
    }

    /// Both clocks advance to the same second.
    pub(crate) fn time(&mut self, seconds: i64) -> Step {
        self.clock(seconds, seconds)
    }

    pub(crate) fn ask(&mut self, op: &str, members: Value) -> Step<Answer> {
        let line = self.line(op, members);
        self.shim
            .ask_all(vec![line])
            .pop()
            .unwrap_or_else(|| Err("no answer".into()))
            .map_err(|reason| format!("{op}: {reason}"))
    }

    pub(crate) fn line(&self, op: &str, members: Value) -> Value {
        let mut line = line(op, members);
        if op.starts_with("vault.") && op != "vault.new" && line.get("vault").is_none() {
            line["vault"] = self.vault.clone();
        }
        line
    }

    /// Asks and expects an answer.
    pub(crate) fn ok(&mut self, op: &str, members: Value) -> Step<Value> {
        self.ask(op, members)?.out().map_err(|reason| format!("{op}: {reason}"))
    }

    /// Asks and expects that error.
    pub(crate) fn no(&mut self, op: &str, members: Value, name: &str) -> Step {
        self.ask(op, members)?.is(name).map_err(|reason| format!("{op}: {reason}"))
    }

    /// Asks and expects one of those errors: where the specification leaves it open.
    pub(crate) fn no_of(&mut self, op: &str, members: Value, names: &[&str]) -> Step {
        let answer = self.ask(op, members)?;
        match &answer.result {
            Err(name) if names.contains(&name.as_str()) => Ok(()),
            other => Err(format!("{op}: one of {names:?} expected, not {other:?}")),
        }
    }

    /// Asks many things at once; all must be answered.
    pub(crate) fn all(&mut self, op: &str, members: impl IntoIterator<Item = Value>) -> Step<Vec<Value>> {
        let lines = members.into_iter().map(|members| self.line(op, members)).collect();
        self.shim
            .ask_all(lines)
            .into_iter()
            .map(|answer| answer?.out().map_err(|reason| format!("{op}: {reason}")))
            .collect()
    }

    /// Asks a batch; each item's answer.
    pub(crate) fn batch(&mut self, op: &str, items: &Value) -> Step<Vec<Answer>> {
        let out = self.ok(op, json!({"items": items}))?;
        let answers = out.as_array().ok_or("a batch answers with a list")?;
        let texts = self.shim.texts();
        let answers: Vec<Answer> = answers.iter().map(|item| read_item(item, &texts)).collect::<Step<_>>()?;
        if answers.len() == items.as_array().map_or(0, Vec::len) {
            Ok(answers)
        } else {
            Err(format!("{op}: {} answers", answers.len()))
        }
    }

    // -- minting, admitting --

    /// Asks for a DEK and gives the KMS's answer: what to store.
    pub(crate) fn minted(&mut self, dek: &Dek) -> Step<Value> {
        let request = self.ok("vault.mint_request", mint(dek))?;
        self.ok("vault.admit_minted", json!({"request": request["id"], "reply": dek.reply()}))
    }

    /// Mints, stores and makes active.
    pub(crate) fn mint(&mut self, dek: &Dek) -> Step {
        let minted = self.minted(dek)?;
        self.set_active(&minted["active"])
    }

    pub(crate) fn set_active(&mut self, active: &Value) -> Step {
        self.ok("vault.set_active", json!({"active": active})).map(drop)
    }

    /// Admits the DEK by its KMS row, acting for its reader.
    pub(crate) fn admit(&mut self, dek: &Dek) -> Step {
        let answer = self.ask("vault.admit", admission(dek))?;
        if !answer.wiped {
            return Err("vault.admit: the reply's DEK was not wiped".into());
        }
        let dek_ref = answer.out().map_err(|reason| format!("vault.admit: {reason}"))?;
        same(&dek_ref, &json!(dek.hex_ref()))
    }

    pub(crate) fn no_admit(&mut self, dek: &Dek, name: &str) -> Step {
        self.no("vault.admit", admission(dek), name)
    }

    /// Admits a local row.
    pub(crate) fn admit_local(&mut self, org: &str, row: &Value) -> Step {
        self.ok("vault.admit", json!({"org": org, "row": row})).map(drop)
    }

    /// Gives `admit` an error reply of the KMS.
    pub(crate) fn admit_error(&mut self, dek: &Dek, error: &str, name: &str) -> Step {
        self.no("vault.admit", json!({"org": dek.reader, "row": dek.row(), "reply": kms_error(error)}), name)
    }

    // -- sealing, opening --

    /// Seals without options.
    pub(crate) fn seal(&mut self, bind: &Value) -> Step<Value> {
        self.seal_with(bind, json!({}))
    }

    pub(crate) fn seal_with(&mut self, bind: &Value, options: Value) -> Step<Value> {
        self.ok("vault.seal", json!({"bind": bind, "pt": PT, "options": options}))
    }

    pub(crate) fn no_seal(&mut self, bind: &Value, name: &str) -> Step {
        self.no("vault.seal", json!({"bind": bind, "pt": PT}), name)
    }

    pub(crate) fn no_seal_record(&mut self, bind: &Value, name: &str) -> Step {
        self.no("vault.seal", json!({"bind": bind, "pt": PT, "options": {"scope": "record"}}), name)
    }

    /// Expects the envelope to open to what [`Self::seal`] sealed.
    pub(crate) fn opens(&mut self, bind: &Value, env: &Value) -> Step {
        let pt = self.ok("vault.open", json!({"bind": bind, "env": env}))?;
        same(&pt, &json!(PT))
    }

    pub(crate) fn no_open(&mut self, bind: &Value, env: &Value, name: &str) -> Step {
        self.no("vault.open", json!({"bind": bind, "env": env}), name)
    }

    /// Seals under a bare DEK: an envelope that owes nothing to a vault.
    pub(crate) fn bare(&mut self, dek: &Dek, bind: &Value) -> Step<Value> {
        self.ok("seal", json!({"key": hex(&dek.key), "identity": dek.identity(), "bind": bind, "pt": PT}))
    }

    // -- looking --

    /// The status line of a DEK, if it is held and not over.
    pub(crate) fn status(&mut self, dek: &Dek) -> Step<Option<Value>> {
        let list = self.ok("vault.status", json!({}))?;
        Ok(list
            .as_array()
            .ok_or("status is a list")?
            .iter()
            .find(|entry| entry["dek_ref"] == json!(dek.hex_ref()))
            .cloned())
    }

    pub(crate) fn ends(&mut self, dek: &Dek, seconds: u64) -> Step {
        let status = self.status(dek)?.ok_or("not in the status")?;
        same(&status["ends"], &json!((WALL + seconds).to_string()))
    }

    pub(crate) fn seals(&mut self, dek: &Dek, count: u64) -> Step {
        let status = self.status(dek)?.ok_or("not in the status")?;
        if status["seals"] == json!(count) {
            Ok(())
        } else {
            Err(format!("{count} seals expected, not {}", status["seals"]))
        }
    }
}

/// Members of `vault.mint_request` for a DEK.
pub(crate) fn mint(dek: &Dek) -> Value {
    json!({"org": dek.owner, "cmk": cmk(&dek.owner), "version": dek.version, "created": WALL.to_string()})
}

/// Members of `vault.admit` for a DEK.
pub(crate) fn admission(dek: &Dek) -> Value {
    json!({"org": dek.reader, "row": dek.row(), "reply": dek.reply()})
}

/// The dek_ref an envelope names.
pub(crate) fn named_by(env: &Value) -> Step<String> {
    Ok(hex(bytes_of(env)?.get(4..36).ok_or("no envelope")?))
}

/// Whether an envelope is padded.
pub(crate) fn padded(env: &Value) -> Step<bool> {
    Ok(bytes_of(env)?.get(3) == Some(&1))
}

/// The IV of an envelope.
pub(crate) fn iv(env: &Value) -> Step<String> {
    Ok(hex(bytes_of(env)?.get(40..52).ok_or("no envelope")?))
}

pub(crate) fn same(found: &Value, expected: &Value) -> Step {
    if found == expected { Ok(()) } else { Err(format!("{expected} expected, not {found}")) }
}

/// Expects something of what an answer holds.
pub(crate) fn expect(holds: bool, what: &str) -> Step {
    if holds { Ok(()) } else { Err(format!("expected: {what}")) }
}

/// What a made-up KMS answers as `CiphertextBlob`.
pub(crate) const BLOB: &[u8] = b"a blob of the KMS that only the KMS can read";

#[cfg(test)]
mod tests {
    use super::Dek;
    use crate::bytes::unhex;

    #[test]
    fn a_dek_ref_is_computed_as_the_vectors_have_it() {
        let key = unhex("88069945ebea4b87ec49cb40ca573fa4c2236ca7e460359386a64726c8105f9e").unwrap_or_default();
        let org = Dek { key: key.clone(), ..Dek::org("acme", 1, "") };
        assert_eq!(org.text_ref(), "Yj4odQnigBGFR96DAKZyUQW8T1_wqcpeJ4ontE4Du-c");
        let record = Dek { key, ..Dek::record("acme", "h-17", 1, "") };
        assert_eq!(record.text_ref(), "yyWfdq7DvyQHUop2NBF2e4m8dt3g3--PPFnpiM6PwG0");
    }
}
