//! What the KMS's log must show: for each step exactly these calls, and none besides.

use std::collections::{BTreeMap, HashSet};

use super::{context::Pairs, kms::Call, step::Check};

/// A kind of call: what the log's lines are counted by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) caller: String,
    pub(super) operation: String,
    /// `strongroom-purpose`, empty without a context; likewise the next two.
    pub(super) purpose: String,
    /// `strongroom-org`: the org whose CMK is meant to be used.
    pub(super) org: String,
    pub(super) owner: String,
    /// The org whose CMK was named.
    pub(super) cmk: String,
    pub(super) result: String,
}

impl Kind {
    /// The first call of an org's life: it makes its CMK. The log names the key made.
    pub(super) fn create_key(org: &str) -> Self {
        Self {
            caller: org.into(),
            operation: "CreateKey".into(),
            cmk: org.into(),
            result: "ok".into(),
            ..Self::default()
        }
    }

    /// An org's use of its own CMK for its own org DEK.
    pub(super) fn own(org: &str, operation: &str) -> Self {
        Self {
            caller: org.into(),
            operation: operation.into(),
            purpose: "org-dek".into(),
            org: org.into(),
            owner: org.into(),
            cmk: org.into(),
            result: "ok".into(),
        }
    }

    /// A call about a share: by the owner to wrap it, by the reader to unwrap it.
    pub(super) fn share(caller: &str, operation: &str, owner: &str, reader: &str) -> Self {
        Self {
            purpose: "share".into(),
            org: reader.into(),
            owner: owner.into(),
            cmk: reader.into(),
            ..Self::own(caller, operation)
        }
    }

    /// The same call with another outcome.
    pub(super) fn but(self, result: &str) -> Self {
        Self { result: result.into(), ..self }
    }

    /// The same call by another caller.
    pub(super) fn by(self, caller: &str) -> Self {
        Self { caller: caller.into(), ..self }
    }

    pub(super) fn of(call: &Call, cmks: &BTreeMap<String, String>) -> Self {
        let owner_of_key = cmks.iter().find(|(_, arn)| **arn == call.key).map(|(org, _)| org.clone());
        Self {
            caller: call.caller.clone(),
            operation: call.operation.clone(),
            purpose: call.pair("strongroom-purpose").to_owned(),
            org: call.pair("strongroom-org").to_owned(),
            owner: call.pair("strongroom-owner").to_owned(),
            cmk: owner_of_key.unwrap_or_else(|| call.key.clone()),
            result: call.result.clone(),
        }
    }

    /// What the call was about, in a few words.
    pub(super) fn subject(&self) -> String {
        match self.purpose.as_str() {
            "" => "-".to_owned(),
            "share" => format!("share of {} for {}", self.owner, self.org),
            purpose => format!("{purpose} of {}", self.owner),
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{} {} ({}, CMK of {}): {}", self.caller, self.operation, self.subject(), self.cmk, self.result)
    }
}

/// Counts calls by their kind.
pub(super) fn count(calls: &[Call], cmks: &BTreeMap<String, String>) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        let count = counts.entry(Kind::of(call, cmks)).or_insert(0_usize);
        *count = count.saturating_add(1);
    }
    counts
}

/// Compares the log with what a step may have asked: caller, operation, context, CMK, result and count.
/// `contexts` are those of the rows stored by now: no call may have another.
pub(super) fn compare(
    calls: &[Call],
    cmks: &BTreeMap<String, String>,
    contexts: &HashSet<Pairs>,
    expected: &[(usize, Kind)],
) -> Vec<Check> {
    let mut found = count(calls, cmks);
    let mut checks = Vec::new();
    for (times, kind) in expected {
        let got = found.remove(kind).unwrap_or(0);
        checks.push(Check::new(format!("KMS log: {times} x {kind}"), got == *times, format!("{got} x")));
    }
    let rest: Vec<String> = found.iter().map(|(kind, times)| format!("{times} x {kind}")).collect();
    checks.push(Check::new("KMS log: no other call", rest.is_empty(), rest.join("; ")));
    let right =
        |call: &&Call| call.operation == "CreateKey" && call.context.is_empty() || contexts.contains(&call.context);
    let crooked: Vec<String> =
        calls.iter().filter(|call| !right(call)).map(|call| format!("{:?}", call.context)).collect();
    checks.push(Check::new(
        "KMS log: every context is a stored row's, pair by pair",
        crooked.is_empty(),
        crooked.join("; "),
    ));
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cmks() -> BTreeMap<String, String> {
        BTreeMap::from([("a".to_owned(), "arn-a".to_owned()), ("b".to_owned(), "arn-b".to_owned())])
    }

    fn context(org: &str) -> Pairs {
        let pairs = [("purpose", "org-dek"), ("org", org), ("owner", org), ("version", "1"), ("created", "5")];
        pairs.map(|(name, value)| (format!("strongroom-{name}"), value.to_owned())).into()
    }

    fn decrypt(caller: &str, org: &str) -> Call {
        let context = context(org);
        let operation = "Decrypt".to_owned();
        Call { caller: caller.to_owned(), operation, key: format!("arn-{org}"), context, result: "ok".to_owned() }
    }

    fn holds(calls: &[Call], expected: &[(usize, Kind)]) -> bool {
        compare(calls, &cmks(), &HashSet::from([context("a"), context("b")]), expected).iter().all(|check| check.ok)
    }

    fn wanted() -> Vec<(usize, Kind)> {
        vec![(1, Kind::own("a", "Decrypt")), (1, Kind::own("b", "Decrypt"))]
    }

    #[test]
    fn the_calls_expected_and_no_others_will_do() {
        assert!(holds(&[decrypt("a", "a"), decrypt("b", "b")], &wanted()));
        assert!(holds(&[], &[]));
    }

    #[test]
    fn one_call_more_or_less_breaks_the_expectation() {
        assert!(!holds(&[decrypt("a", "a"), decrypt("b", "b"), decrypt("b", "b")], &wanted()));
        assert!(!holds(&[decrypt("a", "a")], &wanted()));
        assert!(!holds(&[decrypt("a", "a")], &[]));
    }

    #[test]
    fn another_caller_operation_key_result_or_context_breaks_the_expectation() {
        let good = decrypt("a", "a");
        let expected = [(1, Kind::own("a", "Decrypt"))];
        assert!(holds(std::slice::from_ref(&good), &expected));
        let context = |name: &str, value: &str| {
            let mut call = good.clone();
            call.context.insert(name.to_owned(), value.to_owned());
            call
        };
        let mut dropped = good.clone();
        dropped.context.remove("strongroom-version");
        for bad in [
            Call { caller: "b".to_owned(), ..good.clone() },
            Call { operation: "GenerateDataKey".to_owned(), ..good.clone() },
            Call { key: "arn-b".to_owned(), ..good.clone() },
            Call { result: "AccessDeniedException".to_owned(), ..good.clone() },
            context("strongroom-org", "b"),
            context("strongroom-owner", "b"),
            context("strongroom-purpose", "share"),
            context("strongroom-dek", "x"),
            context("strongroom-version", "2"),
            context("strongroom-created", "6"),
            dropped,
        ] {
            assert!(!holds(std::slice::from_ref(&bad), &expected), "{bad:?}");
        }
    }
}
