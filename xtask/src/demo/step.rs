//! What a step of the demo found: expectations that held or broke, calls, figures, refusals.

use std::{
    fmt::{Debug, Display},
    time::Duration,
};

use serde_json::Value;

use super::{kms::Call, terminal::grouped};

/// One expectation, and whether it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) text: String,
    pub(super) ok: bool,
    /// What was found instead.
    pub(super) got: String,
}

impl Check {
    pub(super) fn new(text: impl Into<String>, ok: bool, got: impl Into<String>) -> Self {
        Self { text: text.into(), ok, got: got.into() }
    }
}

/// Something that had to be refused, and the same call with its fault put right.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) what: String,
    pub(super) tried: u64,
    pub(super) errors: String,
    pub(super) twin: String,
}

/// A step, as it goes into the table and the report.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// The process that worked.
    pub(super) who: String,
    pub(super) title: String,
    pub(super) fields: Option<u64>,
    pub(super) checks: Vec<Check>,
    pub(super) calls: Vec<Call>,
    pub(super) figures: Vec<(String, String)>,
    pub(super) refusals: Vec<Refusal>,
    /// Likewise what had to be found nowhere, and where the same search found it.
    pub(super) searches: Vec<Refusal>,
    /// Who resealed what is opened here.
    pub(super) resealed_by: Option<&'static str>,
    pub(super) time: Duration,
}

impl Step {
    pub(super) fn new(who: &str, title: &str) -> Self {
        Self { who: who.to_owned(), title: title.to_owned(), ..Self::default() }
    }

    pub(super) fn holds(&self) -> bool {
        self.broken().next().is_none()
    }

    pub(super) fn broken(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.ok)
    }

    pub(super) fn check(&mut self, text: impl Into<String>, ok: bool, got: impl Into<String>) {
        self.checks.push(Check::new(text, ok, got));
    }

    /// Expects something to be equal to something.
    pub(super) fn equal<T: PartialEq + Debug>(&mut self, text: &str, got: &T, want: &T) {
        self.check(format!("{text}: {want:?}"), got == want, format!("{got:?}"));
    }

    /// Expects a fact that a process reported.
    pub(super) fn fact(&mut self, facts: &Value, name: &str, want: impl Into<Value>) {
        let want = want.into();
        let got = facts.pointer(name).cloned().unwrap_or(Value::Null);
        self.check(format!("{}: {}", words(name), short(&want)), got == want, short(&got));
    }

    pub(super) fn figure(&mut self, name: &str, value: impl Display) {
        self.figures.push((name.to_owned(), value.to_string()));
    }
}

/// A number out of a process's facts; 0 where it is none.
pub(super) fn number(facts: &Value, name: &str) -> u64 {
    facts.pointer(name).and_then(Value::as_u64).unwrap_or(0)
}

/// The sum of an object of counts.
pub(super) fn sum(counts: Option<&Value>) -> u64 {
    counts.and_then(Value::as_object).into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

/// An object of counts as people read it.
pub(super) fn counted(counts: Option<&Value>) -> String {
    let counts = counts.and_then(Value::as_object).into_iter().flatten();
    let words: Vec<String> =
        counts.map(|(name, count)| format!("{} {name}", grouped(count.as_u64().unwrap_or(0)))).collect();
    words.join(", ")
}

/// The name of a fact as people read it: `/cspRefused/eval` is "cspRefused eval".
fn words(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', " ")
}

/// A value in a line: digests are known by their beginning.
fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    };
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return format!("{}…", text.chars().take(16).collect::<String>());
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wrong_or_missing_fact_breaks_the_step() {
        let facts = json!({ "digest": "ab", "cspRefused": { "eval": true } });
        let mut step = Step::new("node", "opens");
        step.fact(&facts, "/digest", "ab");
        step.fact(&facts, "/cspRefused/eval", true);
        assert!(step.holds());
        step.fact(&facts, "/digest", "ac");
        step.fact(&facts, "/cspRefused/inlineScript", true);
        assert_eq!(step.broken().count(), 2);
    }

    #[test]
    fn a_number_is_not_equal_to_its_text() {
        let mut step = Step::new("node", "opens");
        step.fact(&json!({ "fields": "5" }), "/fields", 5);
        assert!(!step.holds());
    }

    #[test]
    fn counts_are_summed_and_spelled() {
        let counts = json!({ "KMS_DENIED": 2, "UNKNOWN_DEK": 3 });
        assert_eq!(sum(Some(&counts)), 5);
        assert_eq!(sum(None), 0);
        assert_eq!(counted(Some(&counts)), "2 KMS_DENIED, 3 UNKNOWN_DEK");
    }

    #[test]
    fn two_digests_with_one_beginning_are_not_equal() {
        let digest = |last: &str| format!("{}{last}", "a".repeat(63));
        let mut step = Step::new("node", "opens");
        step.fact(&json!({ "digest": digest("b") }), "/digest", digest("c"));
        assert!(!step.holds());
    }
}
