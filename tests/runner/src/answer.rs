//! One answer of a shim, held against the protocol and the error table.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What a shim answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// `out`, or the name of the error.
    pub(crate) result: Result<Value, String>,
    /// Whether the shim saw the buffer of `Plaintext` zeroed.
    pub(crate) wiped: bool,
}

impl Answer {
    /// Passes if the answer is this error.
    pub(crate) fn is(&self, name: &str) -> Result<(), String> {
        match &self.result {
            Err(found) if found == name => Ok(()),
            Err(found) => Err(format!("{name} expected, not {found}")),
            Ok(out) => Err(format!("{name} expected, not {out}")),
        }
    }

    /// The `out`, if the answer is one.
    pub(crate) fn out(self) -> Result<Value, String> {
        self.result.map_err(|name| format!("an answer expected, not {name}"))
    }
}

/// Reads an answer; one that breaks the protocol, says `CRASH` or `INTERNAL`, or names an
/// error otherwise than the table does, is a failure.
pub(crate) fn read(line: &str, texts: &Texts) -> Result<Answer, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    let members = value.as_object().ok_or("an answer is an object")?;
    let wiped = match members.get("wiped") {
        None => false,
        Some(Value::Bool(true)) => true,
        Some(other) => return Err(format!("wiped is {other}")),
    };
    Ok(Answer { result: result(members, texts)?, wiped })
}

/// Reads the answer of one item of a batch.
pub(crate) fn read_item(item: &Value, texts: &Texts) -> Result<Answer, String> {
    let members = item.as_object().ok_or("an item's answer is an object")?;
    Ok(Answer { result: result(members, texts)?, wiped: false })
}

fn result(members: &Map<String, Value>, texts: &Texts) -> Result<Result<Value, String>, String> {
    match members.get("ok") {
        Some(Value::Bool(true)) => {
            only(members, &["ok", "out", "wiped"])?;
            Ok(Ok(members.get("out").ok_or("ok without out")?.clone()))
        }
        Some(Value::Bool(false)) => {
            // An error returns nothing else: an `out` beside it is what must never be.
            only(members, &["ok", "err", "num", "msg", "wiped"])?;
            let name = members.get("err").and_then(Value::as_str).ok_or("an error without its name")?;
            let text = members.get("msg").and_then(Value::as_str).unwrap_or_default();
            let number = TABLE.iter().find(|row| row.1 == name).ok_or_else(|| format!("{name}: {text}"))?.0;
            if name == "INTERNAL" {
                return Err("INTERNAL".into());
            }
            if members.get("num").and_then(Value::as_u64) != Some(number) {
                return Err(format!("{name} with another number than {number}"));
            }
            texts.same(name, text)?;
            Ok(Err(name.to_owned()))
        }
        _ => Err("an answer without ok".into()),
    }
}

fn only(members: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("member {name} has no place in this answer")),
        None => Ok(()),
    }
}

/// The texts of errors seen so far, by name, over all hosts: they must not differ.
#[derive(Default)]
pub(crate) struct Texts(Mutex<BTreeMap<String, String>>);

impl Texts {
    fn same(&self, name: &str, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Err(format!("{name} without a text"));
        }
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = seen.entry(name.to_owned()).or_insert_with(|| text.to_owned());
        if first == text { Ok(()) } else { Err(format!("{name} says {text:?}, elsewhere {first:?}")) }
    }
}

/// DESIGN section 6. Numbers and names are never reused.
pub(crate) const TABLE: &[(u64, &str)] = &[
    (1, "BAD_INPUT"),
    (2, "LIMIT"),
    (3, "UNKNOWN_OPTION"),
    (10, "NOT_AN_ENVELOPE"),
    (11, "UNSUPPORTED_VERSION"),
    (12, "UNSUPPORTED_SUITE"),
    (13, "MALFORMED"),
    (14, "TRUNCATED"),
    (20, "UNKNOWN_DEK"),
    (21, "NO_ACTIVE_DEK"),
    (22, "KEY_MISMATCH"),
    (23, "ROW_INCONSISTENT"),
    (24, "BUDGET_EXHAUSTED"),
    (25, "ACTIVE_ROLLBACK"),
    (26, "ORG_TOMBSTONED"),
    (27, "EXPIRED"),
    (28, "CLOCK_ROLLBACK"),
    (30, "AUTH_FAILED"),
    (31, "RNG_FAILURE"),
    (40, "KMS_DENIED"),
    (41, "KMS_PENDING_DELETION"),
    (42, "KMS_THROTTLED"),
    (43, "KMS_UNAVAILABLE"),
    (44, "KEY_ID_UNEXPECTED"),
    (45, "ENDPOINT_POLICY"),
    (50, "PRECONDITION_FAILED"),
    (51, "STORE_UNAVAILABLE"),
    (255, "INTERNAL"),
];

#[cfg(test)]
mod tests {
    use super::{Texts, read};

    #[test]
    fn an_answer_is_read_with_what_it_says() {
        let texts = Texts::default();
        let good =
            read(r#"{"ok":true,"out":"00","wiped":true}"#, &texts).map(|answer| (answer.wiped, answer.result.is_ok()));
        assert_eq!(good, Ok((true, true)));
        let refusal = read(r#"{"ok":false,"err":"LIMIT","num":2,"msg":"a limit is exceeded"}"#, &texts);
        assert_eq!(refusal.and_then(|answer| answer.is("LIMIT")), Ok(()));
    }

    #[test]
    fn what_breaks_the_protocol_is_a_failure() {
        let texts = Texts::default();
        for line in [
            "",
            "[]",
            "{}",
            r#"{"ok":1,"out":"00"}"#,
            r#"{"ok":true}"#,
            r#"{"ok":true,"out":"00","err":"LIMIT"}"#,
            r#"{"ok":false,"err":"LIMIT","num":2,"msg":"x","out":"00"}"#,
            r#"{"ok":false,"num":2,"msg":"x"}"#,
            r#"{"ok":false,"err":"LIMIT","num":3,"msg":"x"}"#,
            r#"{"ok":false,"err":"LIMIT","msg":"x"}"#,
            r#"{"ok":false,"err":"LIMIT","num":2}"#,
            r#"{"ok":false,"err":"CRASH","num":0,"msg":"x"}"#,
            r#"{"ok":false,"err":"INTERNAL","num":255,"msg":"internal error"}"#,
            r#"{"ok":true,"out":"00","wiped":false}"#,
        ] {
            assert!(read(line, &texts).is_err(), "{line}");
        }
    }

    #[test]
    fn two_hosts_may_not_word_one_error_differently() {
        let texts = Texts::default();
        assert!(read(r#"{"ok":false,"err":"LIMIT","num":2,"msg":"a"}"#, &texts).is_ok());
        assert!(read(r#"{"ok":false,"err":"LIMIT","num":2,"msg":"b"}"#, &texts).is_err());
    }
}
