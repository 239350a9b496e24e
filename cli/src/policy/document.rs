//! A policy document, read strictly.

use super::{condition, condition::Test, json::Node};

/// Why a policy is refused. No text holds anything of the policy but names that AWS knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A policy that lies within the subset.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(super) statements: Vec<Statement>,
}

#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sid: Option<String>,
    pub(super) allow: bool,
    pub(super) principals: Vec<Principal>,
    pub(super) actions: Vec<String>,
    /// `NotAction`: all actions but these.
    pub(super) inverted: bool,
    pub(super) tests: Vec<Test>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Principal {
    Everyone,
    /// An account's root: every principal of it that IAM lets.
    Account(String),
    /// A user, a role, or a role's session.
    Arn(String),
}

impl Policy {
    /// AWS's limit for key policies.
    pub(crate) const MAX_BYTES: usize = 32_768;

    /// Reads a policy.
    ///
    /// # Errors
    /// [`Malformed`] for what is no policy, past the limit, or outside the subset.
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() > Self::MAX_BYTES {
            return Err(Malformed("a key policy has at most 32768 bytes"));
        }
        let node = serde_json::from_str(text).map_err(|_| Malformed("not JSON, or a name stands twice"))?;
        let Node::Map(members) = node else { return Err(Malformed("a policy is an object")) };
        let (mut version, mut statements) = (false, None);
        for (name, node) in &members {
            match (name.as_str(), node) {
                ("Version", Node::Text(text)) if text == "2012-10-17" => version = true,
                ("Version", _) => return Err(Malformed("Version is 2012-10-17: older ones know no variables")),
                ("Id", Node::Text(_)) => {}
                ("Statement", Node::List(list)) => {
                    statements = Some(list.iter().map(statement).collect::<Result<Vec<_>, _>>()?);
                }
                ("Statement", one) => statements = Some(vec![statement(one)?]),
                _ => return Err(Malformed("a policy has Version, Id and Statement only")),
            }
        }
        let statements = statements.filter(|all| !all.is_empty()).ok_or(Malformed("a policy needs a Statement"))?;
        let mut sids: Vec<&str> = statements.iter().filter_map(|one| one.sid.as_deref()).collect();
        let count = sids.len();
        sids.sort_unstable();
        sids.dedup();
        match (version, sids.len() == count) {
            (false, _) => Err(Malformed("a policy needs the Version 2012-10-17")),
            (_, false) => Err(Malformed("a Sid stands twice")),
            _ => Ok(Self { statements }),
        }
    }
}

impl Statement {
    /// Its Sid, or its place.
    pub(super) fn name(&self, index: usize) -> String {
        self.sid.clone().unwrap_or_else(|| format!("statement {}", index.saturating_add(1)))
    }
}

fn statement(node: &Node) -> Result<Statement, Malformed> {
    let Node::Map(members) = node else { return Err(Malformed("a statement is an object")) };
    let (mut sid, mut allow, mut principals, mut actions, mut inverted) = (None, None, None, None, false);
    let (mut resource, mut tests) = (false, Vec::new());
    for (name, node) in members {
        match name.as_str() {
            "Sid" => sid = Some(words(node)?.concat()),
            "Effect" => {
                allow = match node {
                    Node::Text(text) if text == "Allow" => Some(true),
                    Node::Text(text) if text == "Deny" => Some(false),
                    _ => return Err(Malformed("Effect is Allow or Deny")),
                }
            }
            "Principal" => principals = Some(read_principals(node)?),
            "Action" | "NotAction" if actions.is_some() => {
                return Err(Malformed("a statement has Action or NotAction, not both"));
            }
            "Action" | "NotAction" => {
                inverted = name == "NotAction";
                actions = Some(read_actions(node)?);
            }
            "Resource" => {
                resource = words(node)?.iter().all(|text| text == "*");
                if !resource {
                    return Err(Malformed("Resource is *: the key that the policy stands at"));
                }
            }
            "Condition" => tests = condition::parse(node)?,
            "NotPrincipal" => return Err(Malformed("NotPrincipal is outside the subset")),
            "NotResource" => return Err(Malformed("NotResource is outside the subset")),
            _ => return Err(Malformed("a statement has an element that is unknown")),
        }
    }
    if !resource {
        return Err(Malformed("a statement needs a Resource"));
    }
    Ok(Statement {
        sid,
        allow: allow.ok_or(Malformed("a statement needs an Effect"))?,
        principals: principals.ok_or(Malformed("a statement needs a Principal"))?,
        actions: actions.ok_or(Malformed("a statement needs an Action"))?,
        inverted,
        tests,
    })
}

fn read_actions(node: &Node) -> Result<Vec<String>, Malformed> {
    let actions = words(node)?;
    let good = |text: &String| {
        let name =
            text.split_once(':').filter(|(service, _)| service.eq_ignore_ascii_case("kms")).map(|(_, name)| name);
        text == "*"
            || name.is_some_and(|name| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '*' || c == '?')
            })
    };
    actions.iter().all(good).then_some(actions).ok_or(Malformed("an Action is *, or kms: and a name"))
}

fn read_principals(node: &Node) -> Result<Vec<Principal>, Malformed> {
    let of = match node {
        Node::Text(text) if text == "*" => return Ok(vec![Principal::Everyone]),
        Node::Map(pairs) => match pairs.as_slice() {
            [(kind, of)] if kind == "AWS" => of,
            _ => return Err(Malformed("a Principal of another kind than AWS is outside the subset")),
        },
        _ => return Err(Malformed("a Principal is * or an object")),
    };
    words(of)?.iter().map(|text| read_principal(text)).collect()
}

fn read_principal(text: &str) -> Result<Principal, Malformed> {
    let digits = |text: &str| text.len() == 12 && text.chars().all(|c| c.is_ascii_digit());
    if text == "*" {
        return Ok(Principal::Everyone);
    }
    if digits(text) {
        return Ok(Principal::Account(text.to_owned()));
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, "root"] if digits(account) => Ok(Principal::Account((*account).to_owned())),
        ["arn", _, "iam" | "sts", "", account, name] if digits(account) && !name.contains(['*', '?']) => {
            Ok(Principal::Arn(text.to_owned()))
        }
        _ => Err(Malformed("a Principal is *, an account, or an ARN without wildcards")),
    }
}

fn words(node: &Node) -> Result<Vec<String>, Malformed> {
    let wrong = Malformed("an element is neither a text nor a list of texts");
    let one = |node: &Node| if let Node::Text(text) = node { Ok(text.clone()) } else { Err(wrong) };
    match node {
        Node::List(list) if list.is_empty() => Err(wrong),
        Node::List(list) => list.iter().map(one).collect(),
        node => Ok(vec![one(node)?]),
    }
}
