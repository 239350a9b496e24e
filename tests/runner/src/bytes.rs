//! Bytes as they stand in lines and vectors: lower-case hex, and what abbreviates it.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes of lower-case hex; one spelling only.
pub(crate) fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err("hex of odd length".into());
    }
    digits.chunks_exact(2).map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// The bytes of a member that should be hex.
pub(crate) fn bytes_of(value: &Value) -> Result<Vec<u8>, String> {
    unhex(value.as_str().ok_or("bytes expected, not hex")?)
}

/// Writes out every `{"repeat", "times"}` and every list of hex that a case abbreviates.
///
/// A list stands for its concatenation only where its parts are hex and repeats, and at
/// least one is a repeat or the member is one that holds bytes.
pub(crate) fn expand(value: &Value) -> Result<Value, String> {
    match value {
        Value::Object(members) if members.contains_key("repeat") => Ok(Value::String(repeated(value)?)),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                let expanded = if BYTES.contains(&name.as_str()) && member.is_array() {
                    concatenated(member)
                } else {
                    expand(member)
                };
                Ok((name.clone(), expanded?))
            })
            .collect::<Result<_, String>>()
            .map(Value::Object),
        Value::Array(items) => items.iter().map(expand).collect::<Result<_, _>>().map(Value::Array),
        _ => Ok(value.clone()),
    }
}

/// Whether an answer's `out` is what the case describes.
pub(crate) fn agrees(expected: &Value, out: &Value) -> Result<bool, String> {
    if let (Some(length), Some(sha256)) = (expected.get("length"), expected.get("sha256")) {
        let bytes = bytes_of(out)?;
        return Ok(
            length.as_u64() == Some(bytes.len() as u64) && sha256.as_str() == Some(&hex(&Sha256::digest(&bytes)))
        );
    }
    if expected.is_array() && out.is_string() {
        return Ok(concatenated(expected)? == *out);
    }
    Ok(expand(expected)? == *out)
}

fn concatenated(list: &Value) -> Result<Value, String> {
    let parts = list.as_array().ok_or("a list of parts expected")?;
    let parts: Vec<String> = parts.iter().map(repeated).collect::<Result<_, _>>()?;
    Ok(Value::String(parts.concat()))
}

fn repeated(part: &Value) -> Result<String, String> {
    if let Some(hex) = part.as_str() {
        return Ok(hex.to_owned());
    }
    let hex = part.get("repeat").and_then(Value::as_str).ok_or("a part is neither hex nor a repeat")?;
    let times = part.get("times").and_then(Value::as_u64).ok_or("a repeat without times")?;
    Ok(hex.repeat(usize::try_from(times).map_err(|_| "times too large")?))
}

fn digit(digit: u8) -> Result<u8, String> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err("not lower-case hex".into()),
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The members that hold bytes: only there is a list a concatenation.
const BYTES: &[&str] = &["env", "pt", "key", "kek", "iv", "header", "entry", "Plaintext", "CiphertextBlob", "text"];

#[cfg(test)]
mod tests {
    use super::{agrees, expand, hex, unhex};
    use serde_json::json;

    #[test]
    fn hex_has_one_spelling() {
        assert_eq!(hex(&[0, 0xf7, 0x0a]), "00f70a");
        assert_eq!(unhex("00f70a"), Ok(vec![0, 0xf7, 0x0a]));
        for other in ["0", "F7", "0x", " 00", "g0"] {
            assert!(unhex(other).is_err(), "{other}");
        }
    }

    #[test]
    fn repeats_and_lists_are_written_out_where_bytes_stand() {
        let case = json!({
            "env": ["f7", {"repeat": "0102", "times": 2}, "ff"], "pt": {"repeat": "61", "times": 3},
            "tombstone": ["aa", "bb"],
        });
        assert_eq!(expand(&case), Ok(json!({"env": "f701020102ff", "pt": "616161", "tombstone": ["aa", "bb"]})));
        assert!(expand(&json!({"env": [{"repeat": "61"}]})).is_err());
    }

    #[test]
    fn a_digest_describes_exactly_its_bytes() {
        let of_abc = json!({"length": 3, "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"});
        assert_eq!(agrees(&of_abc, &json!("616263")), Ok(true));
        assert_eq!(agrees(&of_abc, &json!("616264")), Ok(false));
        assert_eq!(agrees(&json!({"length": 4, "sha256": of_abc["sha256"]}), &json!("616263")), Ok(false));
        assert!(agrees(&of_abc, &json!({"length": 3})).is_err());
        assert_eq!(agrees(&json!({"a": 1}), &json!({"a": 1, "b": 2})), Ok(false));
    }
}
