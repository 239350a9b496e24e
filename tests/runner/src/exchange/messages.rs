//! What is exchanged: seeded, of all sizes, at places with unusual names.

use crate::bytes::hex;
use crate::rng::Rng;
use serde_json::{Value, json};

/// The records of table `hosts` that have DEKs of their own.
pub(crate) const RECORDS: [&str; 3] = ["h-17", "caf\u{e9}", "\u{1f5dd}\u{fe0f}"];

/// One value and where it belongs.
pub(crate) struct Message {
    pub(crate) bind: Value,
    pub(crate) pt: String,
    pub(crate) padded: bool,
    pub(crate) record_dek: bool,
}

impl Message {
    /// Members of `vault.seal`, or an item of its batch.
    pub(crate) fn to_seal(&self) -> Value {
        let scope = if self.record_dek { "record" } else { "org" };
        json!({"bind": self.bind, "pt": self.pt, "options": {"scope": scope, "padded": self.padded}})
    }

    /// Members of `vault.open`, or an item of its batch.
    pub(crate) fn to_open(&self, env: &Value) -> Value {
        json!({"bind": self.bind, "env": env})
    }

    /// The binding with one part another.
    pub(crate) fn elsewhere(&self, part: &str) -> Value {
        let mut bind = self.bind.clone();
        if part != "revision" {
            bind[part] = json!(format!("{}\u{301}", self.bind[part].as_str().unwrap_or_default()));
        } else if self.bind.get("revision").is_none() {
            bind["revision"] = json!("0");
        } else if let Some(members) = bind.as_object_mut() {
            members.remove("revision");
        }
        bind
    }
}

/// `count` messages.
pub(crate) fn messages(rng: &mut Rng, count: usize) -> Vec<Message> {
    (0..count).map(|number| message(rng, number)).collect()
}

fn message(rng: &mut Rng, number: usize) -> Message {
    let record_dek = number % 2 == 1;
    let (table, record) =
        if record_dek { ("hosts", *rng.pick(&RECORDS)) } else { (*rng.pick(NAMES), *rng.pick(NAMES)) };
    let mut bind =
        json!({"org": "acme", "table": table, "record": record, "field": format!("{}{number}", rng.pick(NAMES))});
    if number.is_multiple_of(3) {
        bind["revision"] = json!(rng.pick(REVISIONS));
    }
    let size = match number % 10 {
        0 => *rng.pick(EDGES),
        1 => rng.below(8192),
        2 if number % 20 == 2 => 60_000 + rng.below(5_537),
        _ => rng.below(300),
    };
    Message { bind, pt: hex(&rng.bytes(size)), padded: number % 4 < 2, record_dek }
}

const EDGES: &[usize] = &[0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 4095, 4096, 65_535, 65_536];

const REVISIONS: &[&str] = &["0", "1", "4294967296", "9007199254740993", "18446744073709551615"];

const NAMES: &[&str] = &[
    "password",
    "h-17",
    " ",
    "\0",
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{5bc6}\u{7801}",
    "\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}",
    "\u{643}\u{644}\u{645}\u{629}",
    "\u{1f469}\u{200d}\u{1f4bb}",
    "\u{10ffff}",
    "\u{feff}x",
    "a\nb\"c\\d",
    "\u{2028}",
    "__proto__",
    "constructor",
];
