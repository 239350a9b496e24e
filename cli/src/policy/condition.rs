//! The `Condition` element: operators, keys, and when they hold.

use super::{document::Malformed, evaluate::Request, json::Node, pattern::Pattern};

/// One operator on one key.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) set: Option<Set>,
    pub(super) kind: Kind,
    pub(super) if_exists: bool,
    /// In small letters.
    pub(super) key: String,
    pub(super) values: Vec<Pattern>,
}

/// How a key with several values is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Equals,
    NotEquals,
    Like,
    NotLike,
    Bool,
    Null,
}

impl Kind {
    fn negated(self) -> bool {
        matches!(self, Self::NotEquals | Self::NotLike)
    }
}

/// Reads all tests of a statement; every one of them must hold.
///
/// # Errors
/// [`Malformed`] for operators, keys and values outside the subset.
pub(super) fn parse(node: &Node) -> Result<Vec<Test>, Malformed> {
    let Node::Map(operators) = node else { return Err(Malformed("Condition is an object")) };
    let mut tests = Vec::new();
    for (operator, keys) in operators {
        let (set, kind, if_exists) = read_operator(operator)?;
        let Node::Map(keys) = keys else { return Err(Malformed("a condition operator takes an object of keys")) };
        if keys.is_empty() {
            return Err(Malformed("a condition operator names no key"));
        }
        for (key, values) in keys {
            let key = key.to_ascii_lowercase();
            let several = known_key(&key).ok_or(Malformed("a condition key is outside the subset"))?;
            if several != set.is_some() && kind != Kind::Null {
                return Err(Malformed(
                    "ForAllValues and ForAnyValue go with kms:EncryptionContextKeys, and only with it",
                ));
            }
            let values = read_values(kind, values)?;
            tests.push(Test { set, kind, if_exists, key, values });
        }
    }
    Ok(tests)
}

impl Test {
    /// Whether it holds. Several values are alternatives; a negated operator holds if none matches.
    pub(super) fn holds(&self, request: &Request) -> bool {
        let found = request.values(&self.key);
        if self.kind == Kind::Null {
            let wanted = if found.is_empty() { "true" } else { "false" };
            return self.values.iter().any(|value| value.matches(wanted, request));
        }
        let one = |found: &String| {
            let hit = self.values.iter().any(|value| match self.kind {
                Kind::Bool => value.matches(&found.to_ascii_lowercase(), request),
                _ => value.matches(found, request),
            });
            hit != self.kind.negated()
        };
        match (self.set, found) {
            (Some(Set::All), found) => found.iter().all(one),
            (Some(Set::Any), []) => self.if_exists,
            (Some(Set::Any), found) => found.iter().any(one),
            (None, []) => self.if_exists || self.kind.negated(),
            (None, [found]) => one(found),
            // Two names of a context that differ in case only: nobody knows which is meant.
            (None, _) => false,
        }
    }
}

/// Whether a condition key is known, and then whether it has several values.
pub(super) fn known_key(key: &str) -> Option<bool> {
    const SINGLE: [&str; 5] = [
        "aws:principalaccount",
        "aws:principalarn",
        "aws:securetransport",
        "kms:calleraccount",
        "kms:encryptionalgorithm",
    ];
    const PREFIXES: [&str; 3] = ["aws:principaltag/", "aws:resourcetag/", "kms:encryptioncontext:"];
    if key == "kms:encryptioncontextkeys" {
        return Some(true);
    }
    let named = |prefix: &&str| key.strip_prefix(*prefix).is_some_and(|name| !name.is_empty());
    (SINGLE.contains(&key) || PREFIXES.iter().any(named)).then_some(false)
}

fn read_operator(name: &str) -> Result<(Option<Set>, Kind, bool), Malformed> {
    let (set, rest) = match name.split_once(':') {
        Some(("ForAllValues", rest)) => (Some(Set::All), rest),
        Some(("ForAnyValue", rest)) => (Some(Set::Any), rest),
        Some(_) => return Err(Malformed("a set operator is ForAllValues or ForAnyValue")),
        None => (None, name),
    };
    let (base, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |base| (base, true));
    let kind = match base {
        "StringEquals" => Kind::Equals,
        "StringNotEquals" => Kind::NotEquals,
        "StringLike" => Kind::Like,
        "StringNotLike" => Kind::NotLike,
        "Bool" => Kind::Bool,
        "Null" if !if_exists && set.is_none() => Kind::Null,
        "Null" => return Err(Malformed("Null goes with no IfExists and no set operator")),
        _ => return Err(Malformed(outside(base))),
    };
    Ok((set, kind, if_exists))
}

fn read_values(kind: Kind, node: &Node) -> Result<Vec<Pattern>, Malformed> {
    let truth = matches!(kind, Kind::Bool | Kind::Null);
    let one = |node: &Node| match node {
        Node::Bool(value) if truth => Pattern::parse(if *value { "true" } else { "false" }, false),
        Node::Text(text) if truth && (text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")) => {
            Pattern::parse(&text.to_ascii_lowercase(), false)
        }
        Node::Text(text) if !truth => Pattern::parse(text, matches!(kind, Kind::Like | Kind::NotLike)),
        _ => Err(Malformed("a condition's value is of another type than its operator compares")),
    };
    match node {
        Node::List(list) if list.is_empty() => Err(Malformed("a condition key has no value")),
        Node::List(list) => list.iter().map(one).collect(),
        node => Ok(vec![one(node)?]),
    }
}

macro_rules! outside {
    ($($name:literal)*) => {
        /// What to say of an operator that AWS has and this subset has not.
        fn outside(name: &str) -> &'static str {
            match name {
                $($name => concat!("the condition operator ", $name, " is outside the subset"),)*
                _ => "a condition operator is unknown",
            }
        }
    };
}

outside! {
    "StringEqualsIgnoreCase" "StringNotEqualsIgnoreCase" "NumericEquals" "NumericNotEquals" "NumericLessThan"
    "NumericLessThanEquals" "NumericGreaterThan" "NumericGreaterThanEquals" "DateEquals" "DateNotEquals"
    "DateLessThan" "DateLessThanEquals" "DateGreaterThan" "DateGreaterThanEquals" "BinaryEquals" "IpAddress"
    "NotIpAddress" "ArnEquals" "ArnLike" "ArnNotEquals" "ArnNotLike"
}
