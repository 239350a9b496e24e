//! The encryption context that a wrap row stands for, written down a second time: the demo
//! must not take the word of the code that it looks at.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// An encryption context: the KMS's own authenticated pairs.
pub(super) type Pairs = BTreeMap<String, String>;

/// What the KMS must be told when it wraps or unwraps this row.
///
/// # Errors
/// If the row lacks a member.
pub(super) fn of_row(row: &Value) -> Result<Pairs> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).with_context(|| format!("a row without {name}"));
    let number = |name: &str| row.get(name).and_then(Value::as_u64).with_context(|| format!("a row without {name}"));
    let (purpose, owner) = (text("purpose")?, text("owner")?);
    let mut pairs = vec![
        ("strongroom-purpose", purpose.to_owned()),
        // The org whose CMK wraps is always the reader's: the owner's own but for shares.
        ("strongroom-org", text("reader")?.to_owned()),
        ("strongroom-owner", owner.to_owned()),
        ("strongroom-version", number("version")?.to_string()),
        ("strongroom-created", number("created")?.to_string()),
    ];
    if purpose != "org-dek" {
        pairs.push(("strongroom-dek", text("dekRef")?.to_owned()));
        pairs.push(("strongroom-resource", resource(owner, text("table")?, text("record")?)?));
    }
    Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A record's name for the audit log, which must not show it in clear.
fn resource(owner: &str, table: &str, record: &str) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(b"strongroom/v1/resource\0");
    for part in [owner, table, record] {
        hash.update(u16::try_from(part.len()).context("a name that is too long")?.to_be_bytes());
        hash.update(part);
    }
    Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn share() -> Value {
        json!({
            "purpose": "share", "owner": "a", "reader": "b", "table": "t", "record": "r",
            "version": 2, "created": 5, "dekRef": "ref",
        })
    }

    #[test]
    fn an_org_deks_context_names_neither_dek_nor_record() {
        let row =
            json!({ "purpose": "org-dek", "owner": "a", "reader": "a", "version": 1, "created": 5, "dekRef": "ref" });
        let pairs = of_row(&row).unwrap_or_default();
        let names: Vec<&str> = pairs.keys().map(|name| name.trim_start_matches("strongroom-")).collect();
        assert_eq!(names, ["created", "org", "owner", "purpose", "version"]);
    }

    #[test]
    fn a_shares_context_names_the_reader_as_org_and_the_record_by_a_hash() {
        let pairs = of_row(&share()).unwrap_or_default();
        let pair = |name: &str| pairs.get(name).map(String::as_str);
        assert_eq!(pair("strongroom-org"), Some("b"));
        assert_eq!(pair("strongroom-owner"), Some("a"));
        assert_eq!(pair("strongroom-dek"), Some("ref"));
        // Told apart by the lengths in front: "a" "t" is not "at" "".
        assert_eq!(pair("strongroom-resource").map(str::len), Some(32));
        assert_ne!(resource("a", "t", "r").ok(), resource("at", "", "r").ok());
    }

    #[test]
    fn a_row_that_lacks_a_member_is_an_error() {
        for name in ["purpose", "owner", "reader", "table", "record", "version", "created", "dekRef"] {
            let mut row = share();
            row.as_object_mut().and_then(|row| row.remove(name));
            assert!(of_row(&row).is_err(), "{name}");
        }
    }
}
