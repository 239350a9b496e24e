//! What a policy lets through that it should not: by asking the evaluator a systematic set of
//! requests, and by looking at how its statements are built.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    condition::Kind,
    document::{Policy, Principal, Statement},
    evaluate::{Decision, Request},
    template::MANAGEMENT,
};

/// Whose key the policy is to stand at.
pub(super) struct Scope<'a> {
    pub(super) account: &'a str,
    /// Principals that may manage the key, as the template's option says.
    pub(super) admins: &'a [String],
}

/// What was found out about a policy.
#[derive(Default)]
pub(super) struct Report {
    /// Statement -> the operations of the rules that it allows.
    pub(super) allows: BTreeMap<String, BTreeSet<String>>,
    /// Statement and what is wrong with it.
    pub(super) findings: BTreeSet<(String, String)>,
    /// Requests of the rules that no statement allows: hosts would be refused.
    pub(super) refused: BTreeSet<String>,
    pub(super) probes: usize,
}

/// Looks at a policy from all sides.
pub(super) fn check(policy: &Policy, scope: &Scope<'_>) -> Report {
    let mut report = Report::default();
    for (index, statement) in policy.statements.iter().enumerate().filter(|(_, statement)| statement.allow) {
        for what in built(statement, scope) {
            report.findings.insert((statement.name(index), what.to_owned()));
        }
    }
    let values = Values::of(policy);
    for caller in callers(policy, scope, &values.tags) {
        for operation in OPERATIONS {
            for context in contexts(operation, &values) {
                for secure in ["true", "false"] {
                    probe(policy, &Probe { operation, caller: &caller, context: &context, secure }, &mut report);
                }
            }
        }
    }
    report
}

/// Who asks.
struct Caller {
    account: String,
    arn: String,
    tag: Option<String>,
    ours: bool,
    admin: bool,
}

#[derive(Clone, Default)]
struct Pairs {
    org: Option<String>,
    owner: Option<String>,
    purpose: Option<String>,
    other: bool,
    /// The org's name in capitals, which conditions can't tell from the real one.
    loud: bool,
}

struct Probe<'a> {
    operation: &'a str,
    caller: &'a Caller,
    context: &'a Pairs,
    secure: &'a str,
}

impl Probe<'_> {
    fn request(&self) -> Request {
        let mut request = Request::new(self.operation, &self.caller.account, &self.caller.arn);
        request.set("aws:ResourceTag/strongroom-org", OWN);
        request.set("aws:SecureTransport", self.secure);
        if let Some(tag) = &self.caller.tag {
            request.set("aws:PrincipalTag/strongroom-org", tag);
        }
        let pairs = [
            (if self.context.loud { "STRONGROOM-ORG" } else { "strongroom-org" }, &self.context.org),
            ("strongroom-owner", &self.context.owner),
            ("strongroom-purpose", &self.context.purpose),
        ];
        for (name, value) in pairs {
            if let Some(value) = value {
                request.set_context(name, value);
            }
        }
        if self.context.other {
            request.set_context("other", "pair");
        }
        if USES.contains(&self.operation) {
            request.set("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
        }
        request
    }

    /// What breaks the tenant rules; `None` if they allow it. This is the rules' own statement:
    /// nothing of it comes from the template.
    fn breach(&self) -> Option<&'static str> {
        let own = self.caller.tag.as_deref() == Some(OWN);
        let for_own = self.context.org.as_deref() == Some(OWN) && !self.context.loud;
        let purpose = self.context.purpose.as_deref();
        let managing = MANAGEMENT.iter().any(|name| name.strip_prefix("kms:") == Some(self.operation));
        if managing && self.caller.admin {
            return None;
        }
        if !managing && !USES.contains(&self.operation) {
            return Some("that no host needs");
        }
        if !self.caller.ours {
            return Some("by a principal of another account");
        }
        if self.operation == "Encrypt" && purpose == Some("share") {
            let owned = self.caller.tag.is_some() && self.context.owner == self.caller.tag;
            return match (for_own, owned) {
                (false, _) => Some("of a share with another strongroom-org than the key's"),
                (_, false) => Some("of a share whose strongroom-owner is not the caller"),
                _ => None,
            };
        }
        match (self.operation, own, for_own, purpose) {
            ("Encrypt", _, _, purpose) if purpose != Some("record-dek") => {
                Some("with a strongroom-purpose that is neither record-dek nor share")
            }
            (_, false, _, _) if self.caller.tag.is_none() => Some("by a caller without the tag strongroom-org"),
            (_, false, _, _) => Some("by another org's caller"),
            (_, _, false, _) if !managing => Some("with another strongroom-org than the key's, or none"),
            _ => None,
        }
    }
}

fn probe(policy: &Policy, probe: &Probe<'_>, report: &mut Report) {
    report.probes = report.probes.saturating_add(1);
    match (policy.evaluate(&probe.request()), probe.breach()) {
        (Decision::Allow(index), breach) => {
            let name = policy.statements.get(index).map_or_else(String::new, |statement| statement.name(index));
            match breach {
                Some(breach) => {
                    report.findings.insert((name, format!("lets kms:{} through {breach}", probe.operation)));
                }
                None => {
                    report.allows.entry(name).or_default().insert(format!("kms:{}", probe.operation));
                }
            }
        }
        (_, None) if probe.secure == "true" && !probe.context.other && !probe.caller.admin => {
            report.refused.insert(format!("kms:{}", probe.operation));
        }
        _ => {}
    }
}

/// What makes an Allow wider than it looks.
fn built(statement: &Statement, scope: &Scope<'_>) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let admin = |principal: &Principal| matches!(principal, Principal::Arn(arn) if scope.admins.contains(arn));
    if statement.inverted {
        found.insert("allows by NotAction: what AWS adds later is allowed too");
    }
    if statement.actions.iter().any(|action| action.contains(['*', '?'])) {
        found.insert("allows actions by wildcard: what AWS adds later is allowed too");
    }
    for principal in &statement.principals {
        match principal {
            Principal::Everyone => found.insert("allows every principal of every account"),
            Principal::Account(account) if account != scope.account => found.insert("allows another account"),
            Principal::Arn(arn) if !admin(principal) && arn.split(':').nth(4) != Some(scope.account) => {
                found.insert("allows a principal of another account")
            }
            _ => false,
        };
    }
    if statement.tests.is_empty() && !statement.principals.iter().all(admin) {
        found.insert("allows without any condition");
    }
    for test in &statement.tests {
        if test.if_exists {
            found.insert("has an ...IfExists: who leaves the key out passes");
        }
        if test.set == Some(super::condition::Set::All) {
            found.insert("has a ForAllValues: who leaves the key out passes");
        }
        match test.kind {
            Kind::NotEquals | Kind::NotLike => {
                found.insert("allows by a negated operator: who leaves the key out passes")
            }
            Kind::Like if test.values.iter().any(super::pattern::Pattern::is_open) => {
                found.insert("compares with a wildcard")
            }
            Kind::Null if test.values.iter().any(|value| value.example().as_deref() == Some("true")) => {
                found.insert("allows where a key is missing")
            }
            _ => false,
        };
        let tenant = test.key.ends_with("strongroom-org") || test.key.ends_with("strongroom-owner");
        if tenant && test.kind != Kind::Null && test.values.iter().any(|value| value.example().is_some()) {
            found.insert("compares an org with a fixed text");
        }
    }
    found
}

/// Values worth trying: the rules' own, and those that the policy itself names.
struct Values {
    tags: Vec<Option<String>>,
    orgs: Vec<Option<String>>,
    owners: Vec<Option<String>>,
    purposes: Vec<Option<String>>,
}

impl Values {
    fn of(policy: &Policy) -> Self {
        let named = |key: &str| {
            let tests = policy.statements.iter().flat_map(|statement| &statement.tests).filter(|test| test.key == key);
            tests.flat_map(|test| &test.values).filter_map(super::pattern::Pattern::example).take(4).collect::<Vec<_>>()
        };
        let with = |fixed: &[&str], keys: &[&str]| {
            let all: BTreeSet<String> =
                fixed.iter().map(|text| (*text).to_owned()).chain(keys.iter().flat_map(|key| named(key))).collect();
            std::iter::once(None).chain(all.into_iter().map(Some)).collect()
        };
        let org = "kms:encryptioncontext:strongroom-org";
        Self {
            tags: with(&[OWN, FOREIGN, ""], &["aws:principaltag/strongroom-org"]),
            orgs: with(&[OWN, FOREIGN, ""], &[org]),
            owners: with(&[OWN, FOREIGN], &["kms:encryptioncontext:strongroom-owner"]),
            purposes: with(&["record-dek", "share", "org-dek"], &["kms:encryptioncontext:strongroom-purpose"]),
        }
    }
}

fn callers(policy: &Policy, scope: &Scope<'_>, tags: &[Option<String>]) -> Vec<Caller> {
    let other = if scope.account == OTHER_ACCOUNT { "999999999998" } else { OTHER_ACCOUNT };
    let session = |account: &str| (account.to_owned(), format!("arn:aws:sts::{account}:assumed-role/host/session"));
    let mut all = BTreeSet::from([session(scope.account), session(other)]);
    for principal in policy.statements.iter().flat_map(|statement| &statement.principals) {
        match principal {
            Principal::Everyone => {}
            Principal::Account(account) => {
                all.insert(session(account));
            }
            Principal::Arn(arn) => {
                all.insert((arn.split(':').nth(4).unwrap_or_default().to_owned(), arn.clone()));
            }
        }
    }
    let mut callers = Vec::new();
    for (account, arn) in all {
        for tag in tags {
            let (ours, admin) = (account == scope.account, scope.admins.contains(&arn));
            callers.push(Caller { account: account.clone(), arn: arn.clone(), tag: tag.clone(), ours, admin });
        }
    }
    callers
}

fn contexts(operation: &str, values: &Values) -> Vec<Pairs> {
    if !TAKES_CONTEXT.contains(&operation) {
        return vec![Pairs::default()];
    }
    let mut all = Vec::new();
    for org in &values.orgs {
        for owner in &values.owners {
            for purpose in &values.purposes {
                for (other, loud) in [(false, false), (true, false), (false, true)] {
                    let (org, owner, purpose) = (org.clone(), owner.clone(), purpose.clone());
                    all.push(Pairs { org, owner, purpose, other, loud });
                }
            }
        }
    }
    all
}

const OWN: &str = "org-of-the-key";
const FOREIGN: &str = "another-org";
const OTHER_ACCOUNT: &str = "999999999999";
const USES: [&str; 3] = ["GenerateDataKey", "Decrypt", "Encrypt"];
const TAKES_CONTEXT: [&str; 8] = [
    "GenerateDataKey",
    "Decrypt",
    "Encrypt",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "ReEncryptFrom",
    "ReEncryptTo",
    "CreateGrant",
];
/// KMS's actions on a key, as AWS's service authorization reference lists them.
const OPERATIONS: [&str; 46] = [
    "CancelKeyDeletion",
    "CreateAlias",
    "CreateGrant",
    "Decrypt",
    "DeleteAlias",
    "DeleteImportedKeyMaterial",
    "DeriveSharedSecret",
    "DescribeKey",
    "DisableKey",
    "DisableKeyRotation",
    "EnableKey",
    "EnableKeyRotation",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "GetParametersForImport",
    "GetPublicKey",
    "ImportKeyMaterial",
    "ListGrants",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListResourceTags",
    "PutKeyPolicy",
    "ReEncryptFrom",
    "ReEncryptTo",
    "ReplicateKey",
    "RetireGrant",
    "RevokeGrant",
    "RotateKeyOnDemand",
    "ScheduleKeyDeletion",
    "Sign",
    "SynchronizeMultiRegionKey",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateKeyDescription",
    "UpdatePrimaryRegion",
    "Verify",
    "VerifyMac",
    "ConnectCustomKeyStore",
    "OperationOfTomorrow",
];

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
