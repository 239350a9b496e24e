//! The sealed data as it lies in files, judged without any DEK.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place<'a> {
    pub(super) org: &'a str,
    pub(super) table: &'a str,
    pub(super) record: &'a str,
    pub(super) field: &'a str,
}

/// One line of an export.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) org: String,
    pub(super) table: String,
    pub(super) record: String,
    pub(super) field: String,
    pub(super) envelope: Vec<u8>,
}

impl Line {
    pub(super) fn place(&self) -> Place<'_> {
        Place { org: &self.org, table: &self.table, record: &self.record, field: &self.field }
    }

    fn of(text: &str) -> Result<Self> {
        let line: Value = serde_json::from_str(text)?;
        let member = |name: &str| {
            Ok::<_, anyhow::Error>(
                line.get(name).and_then(Value::as_str).with_context(|| format!("no {name}"))?.to_owned(),
            )
        };
        let printed = member("envelope")?;
        let text = printed.strip_prefix("sr1.").context("no printable envelope")?;
        let envelope = Base64UrlUnpadded::decode_vec(text).map_err(|_| anyhow::anyhow!("no base64url"))?;
        if envelope.len() < OVERHEAD {
            bail!("an envelope of {} bytes", envelope.len());
        }
        Ok(Self {
            org: member("org")?,
            table: member("table")?,
            record: member("record")?,
            field: member("field")?,
            envelope,
        })
    }
}

/// Reads an export file.
///
/// # Errors
/// If it can't be read, or a line is none.
pub(super) fn read(file: &Path) -> Result<Vec<Line>> {
    let text = fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    let lines = text.lines().enumerate();
    lines.map(|(at, line)| Line::of(line).with_context(|| format!("line {at} of {}", file.display()))).collect()
}

/// What whoever opens these lines must report: SHA-256 over their places and their values' digests.
///
/// # Errors
/// If a line stands for a value that does not exist.
pub(super) fn digest<'a>(lines: impl Iterator<Item = &'a Line>, values: &HashMap<Place<'_>, &[u8]>) -> Result<String> {
    let mut listing = Sha256::new();
    for line in lines {
        let value = values.get(&line.place()).with_context(|| format!("no value for {:?}", line.place()))?;
        let row =
            format!("{}\t{}\t{}\t{}\t{}\n", line.org, line.table, line.record, line.field, hex(&Sha256::digest(value)));
        listing.update(row.as_bytes());
    }
    Ok(hex(&listing.finalize()))
}

/// The SHA-256 of a file.
///
/// # Errors
/// If it can't be read.
pub(super) fn file_digest(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    Ok(hex(&Sha256::digest(bytes)))
}

/// How many of the resealed lines differ from the ones they were made of in anything but IV, ciphertext and tag, or don't differ there.
pub(super) fn unlike_reseals(before: &[&Line], after: &[Line]) -> usize {
    let pairs = before.iter().zip(after).filter(|(old, new)| is_reseal(old, new)).count();
    before.len().max(after.len()).saturating_sub(pairs)
}

/// Whether one line is another with a new IV: same place, DEK, flags and length, and nothing equal after them.
fn is_reseal(old: &Line, new: &Line) -> bool {
    let part = |line: &Line, range: std::ops::Range<usize>| line.envelope.get(range).map(<[u8]>::to_vec);
    let rest = |line: &Line| line.envelope.get(IV.end..).map(<[u8]>::to_vec);
    old.place() == new.place()
        && old.envelope.len() == new.envelope.len()
        && part(old, 0..IV.start) == part(new, 0..IV.start)
        && part(old, IV) != part(new, IV)
        && rest(old) != rest(new)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Header, IV and tag.
const OVERHEAD: usize = 68;
const IV: std::ops::Range<usize> = 40..52;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(field: &str, iv: u8, rest: u8) -> Line {
        let mut envelope = vec![7; 40];
        envelope.extend([iv; 12]);
        envelope.extend([rest; 20]);
        let part = |text: &str| text.to_owned();
        Line { org: part("o"), table: part("t"), record: part("r"), field: part(field), envelope }
    }

    #[test]
    fn a_reseal_has_a_new_iv_and_all_else_in_place() {
        let old = line("f", 1, 1);
        assert_eq!(unlike_reseals(&[&old], &[line("f", 2, 2)]), 0);
    }

    #[test]
    fn a_line_that_kept_its_iv_is_no_reseal() {
        let old = line("f", 1, 1);
        for new in [line("f", 1, 2), line("f", 1, 1), line("f", 2, 1), line("g", 2, 2)] {
            assert_eq!(unlike_reseals(&[&old], &[new]), 1);
        }
    }

    #[test]
    fn another_dek_or_length_is_no_reseal() {
        let old = line("f", 1, 1);
        let mut other_dek = line("f", 2, 2);
        other_dek.envelope.splice(4..5, [9]);
        let mut longer = line("f", 2, 2);
        longer.envelope.push(2);
        assert_eq!(unlike_reseals(&[&old], &[other_dek]), 1);
        assert_eq!(unlike_reseals(&[&old], &[longer]), 1);
    }

    #[test]
    fn a_line_too_many_or_too_few_is_counted() {
        let old = line("f", 1, 1);
        assert_eq!(unlike_reseals(&[&old], &[]), 1);
        assert_eq!(unlike_reseals(&[], &[line("f", 2, 2)]), 1);
    }

    #[test]
    fn the_digest_changes_with_any_value_any_name_and_the_order() {
        let (one, two) = (line("f", 1, 1), line("g", 1, 1));
        let values = HashMap::from([(one.place(), b"a".as_slice()), (two.place(), b"b".as_slice())]);
        let changed = HashMap::from([(one.place(), b"a".as_slice()), (two.place(), b"c".as_slice())]);
        let of = |lines: &[&Line], values| digest(lines.iter().copied(), values).ok();
        let whole = of(&[&one, &two], &values);
        assert!(whole.is_some());
        assert_ne!(whole, of(&[&two, &one], &values));
        assert_ne!(whole, of(&[&one], &values));
        assert_ne!(whole, of(&[&one, &two], &changed));
        assert_eq!(of(&[&line("h", 1, 1)], &values), None, "a place that does not exist");
    }

    #[test]
    fn what_is_no_export_line_is_refused() {
        let good = format!(r#"{{"org":"o","table":"t","record":"r","field":"f","envelope":"sr1.{}"}}"#, "A".repeat(96));
        assert!(Line::of(&good).is_ok());
        for bad in
            [good.replace("sr1.", ""), good.replace(r#""org":"o","#, ""), good.replace("AAAA", ""), "{".to_owned()]
        {
            assert!(Line::of(&bad).is_err(), "{bad}");
        }
    }
}
