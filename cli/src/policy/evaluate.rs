//! What a policy says of one request: explicit Deny before Allow before the implicit deny.

use std::collections::BTreeMap;

use super::{
    document::{Policy, Principal, Statement},
    pattern::action_matches,
};

/// A request as policies see it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Such as `kms:Decrypt`.
    pub(crate) action: String,
    /// The caller's ARN.
    pub(crate) principal: String,
    keys: BTreeMap<String, Vec<String>>,
}

/// The answer, with the place of the statement that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// A statement allows, and none denies.
    Allow(usize),
    /// A statement denies.
    Deny(usize),
    /// No statement speaks of it.
    ImplicitDeny,
}

impl Request {
    /// A request of a principal of `account`.
    pub(crate) fn new(operation: &str, account: &str, principal: &str) -> Self {
        let keys = BTreeMap::new();
        let mut request = Self { action: format!("kms:{operation}"), principal: principal.to_owned(), keys };
        request.set("aws:PrincipalAccount", account);
        request.set("kms:CallerAccount", account);
        request.set("aws:PrincipalArn", principal);
        request
    }

    /// Adds a value of a condition key.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.keys.entry(key.to_ascii_lowercase()).or_default().push(value.to_owned());
    }

    /// Adds a pair of the encryption context.
    pub(crate) fn set_context(&mut self, name: &str, value: &str) {
        self.set(&format!("kms:EncryptionContext:{name}"), value);
        self.set("kms:EncryptionContextKeys", name);
    }

    /// The values of a key, named in small letters.
    pub(super) fn values(&self, key: &str) -> &[String] {
        self.keys.get(key).map_or(&[], Vec::as_slice)
    }

    /// The value of a key that has exactly one.
    pub(super) fn single(&self, key: &str) -> Option<&str> {
        match self.values(key) {
            [one] => Some(one),
            _ => None,
        }
    }
}

impl Policy {
    /// Judges a request.
    pub(crate) fn evaluate(&self, request: &Request) -> Decision {
        let mut allowed = Decision::ImplicitDeny;
        for (index, statement) in self.statements.iter().enumerate() {
            match (statement.speaks_of(request), statement.allow) {
                (true, false) => return Decision::Deny(index),
                (true, true) if allowed == Decision::ImplicitDeny => allowed = Decision::Allow(index),
                _ => {}
            }
        }
        allowed
    }
}

impl Statement {
    fn speaks_of(&self, request: &Request) -> bool {
        let named = self.actions.iter().any(|pattern| action_matches(pattern, &request.action));
        named != self.inverted
            && self.principals.iter().any(|principal| principal.is(request))
            && self.tests.iter().all(|test| test.holds(request))
    }
}

impl Principal {
    fn is(&self, request: &Request) -> bool {
        match self {
            Self::Everyone => true,
            Self::Account(account) => request.single("aws:principalaccount") == Some(account),
            Self::Arn(arn) => *arn == request.principal || role_of(&request.principal).as_deref() == Some(arn),
        }
    }
}

/// The role of a role's session.
fn role_of(session: &str) -> Option<String> {
    let (head, rest) = session.split_once(":assumed-role/")?;
    let (role, _) = rest.rsplit_once('/')?;
    Some(format!("{}:role/{role}", head.replacen(":sts:", ":iam:", 1)))
}
