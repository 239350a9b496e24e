//! The encryption context: read strictly, spelled one way, authenticated in every blob.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};

/// The pairs of one call, in byte order of their names. Absent and empty are the same, as in AWS.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Context(BTreeMap<String, String>);

impl Context {
    /// Bytes of all names and values together; AWS has the same limit.
    const MAX_BYTES: usize = 8192;

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether two names differ in case only.
    pub(crate) fn is_ambiguous(&self) -> bool {
        let names: BTreeSet<String> = self.0.keys().map(|name| name.to_ascii_lowercase()).collect();
        names.len() != self.0.len()
    }

    /// The additional data of a blob: its header, then every part behind its own length, so that
    /// `{"a":"bc"}` and `{"ab":"c"}` differ.
    pub(crate) fn aad(&self, header: &[u8]) -> Vec<u8> {
        let mut aad = header.to_vec();
        aad.extend_from_slice(&(self.0.len() as u64).to_be_bytes());
        for part in self.0.iter().flat_map(|(name, value)| [name, value]) {
            aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
            aad.extend_from_slice(part.as_bytes());
        }
        aad
    }
}

impl<'de> Deserialize<'de> for Context {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Pairs)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Context;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Context, M::Error> {
        let mut pairs = BTreeMap::new();
        let mut room = Context::MAX_BYTES;
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            room = room
                .checked_sub(name.len())
                .and_then(|left| left.checked_sub(value.len()))
                .ok_or_else(|| M::Error::custom("encryption context too long"))?;
            // A map that keeps the last of two equal names would authenticate one and hide one.
            if pairs.insert(name, value).is_some() {
                return Err(M::Error::custom("encryption context names a pair twice"));
            }
        }
        Ok(Context(pairs))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn aad(json: &str) -> Vec<u8> {
        serde_json::from_str::<Context>(json).unwrap().aad(b"h")
    }

    #[test]
    fn contexts_that_read_alike_when_joined_differ() {
        let all = [
            "{}",
            r#"{"":""}"#,
            r#"{"a":"bc"}"#,
            r#"{"ab":"c"}"#,
            r#"{"abc":""}"#,
            r#"{"":"abc"}"#,
            r#"{"a":"b","c":""}"#,
            r#"{"a":"","b":"c"}"#,
        ];
        for (i, left) in all.iter().enumerate() {
            for right in all.iter().skip(i).skip(1) {
                assert_ne!(aad(left), aad(right), "{left} and {right}");
            }
        }
    }

    #[test]
    fn the_order_of_pairs_does_not_matter() {
        assert_eq!(aad(r#"{"a":"1","b":"2"}"#), aad(r#"{"b":"2","a":"1"}"#));
    }

    #[test]
    fn a_pair_named_twice_or_not_of_strings_is_refused() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(Context::MAX_BYTES));
        for json in [r#"{"a":"1","a":"1"}"#, r#"{"a":1}"#, r#"{"a":null}"#, "[]", "3", &long] {
            assert!(serde_json::from_str::<Context>(json).is_err(), "{json}");
        }
    }
}
