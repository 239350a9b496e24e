//! The product's data: real texts and seeded secrets, in files.

mod material;
mod rng;
mod secrets;
mod tables;
mod texts;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
};

use anyhow::{Result, bail};
use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Value, json};

use self::rng::Rng;
use super::export::Place;
use crate::util::{self, Ctx};

/// One record before it is sealed.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) org: String,
    pub(super) table: &'static str,
    pub(super) record: String,
    pub(super) fields: Vec<(String, Vec<u8>)>,
}

/// Everything that is sealed, and by which every host's work is judged.
#[derive(Debug)]
pub(super) struct Corpus {
    pub(super) records: Vec<Record>,
    /// How many texts the passages come from, and in how many other languages.
    pub(super) texts: usize,
    pub(super) languages: usize,
}

impl Corpus {
    /// Makes the data of these orgs.
    ///
    /// # Errors
    /// If the machine has too few texts, or the data has not the size and the shapes that the demo is about.
    pub(super) fn generate(ctx: &Ctx, orgs: &[&str]) -> Result<Self> {
        let material = material::gather(ctx)?;
        let rng = Rng::new(SEED);
        let records = orgs.iter().flat_map(|org| tables::records(org, &rng, &material)).collect();
        let corpus = Self { records, texts: material.english.len(), languages: material.foreign.len() };
        corpus.judge()?;
        Ok(corpus)
    }

    /// Writes an org's records, one JSON object a line.
    ///
    /// # Errors
    /// If the file can't be written.
    pub(super) fn write(&self, org: &str, file: &Path) -> Result<()> {
        let mut lines = String::new();
        for record in self.of(org) {
            let fields: Map<String, Value> =
                record.fields.iter().map(|(name, value)| (name.clone(), spelled(value))).collect();
            let line = json!({ "org": record.org, "table": record.table, "record": record.record, "fields": fields });
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        util::write(file, lines.as_bytes())
    }

    pub(super) fn of(&self, org: &str) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.org == org)
    }

    /// Every value by where it lives.
    pub(super) fn values(&self) -> HashMap<Place<'_>, &[u8]> {
        let mut values = HashMap::new();
        for record in &self.records {
            for (field, value) in &record.fields {
                let place = Place { org: &record.org, table: record.table, record: &record.record, field };
                values.insert(place, value.as_slice());
            }
        }
        values
    }

    pub(super) fn field_count(&self, org: &str) -> usize {
        self.of(org).map(|record| record.fields.len()).sum()
    }

    pub(super) fn byte_count(&self, org: &str) -> usize {
        self.of(org).flat_map(|record| &record.fields).map(|(_, value)| value.len()).sum()
    }

    /// Per table: records, fields, bytes.
    pub(super) fn tables(&self) -> BTreeMap<&'static str, [usize; 3]> {
        let mut tables = BTreeMap::new();
        for record in &self.records {
            let [records, fields, bytes] = tables.entry(record.table).or_insert([0_usize; 3]);
            *records = records.saturating_add(1);
            *fields = fields.saturating_add(record.fields.len());
            *bytes = record.fields.iter().fold(*bytes, |sum, (_, value)| sum.saturating_add(value.len()));
        }
        tables
    }

    /// Different pieces of 16 bytes out of this many values, spread over all: what must stand nowhere else.
    pub(super) fn pieces(&self, count: usize) -> Vec<&[u8]> {
        let fields = self.records.iter().flat_map(|record| &record.fields);
        let mut seen = HashSet::new();
        // A passage may occur in several values.
        let pieces: Vec<&[u8]> =
            fields.filter_map(|(_, value)| telling_piece(value)).filter(|piece| seen.insert(*piece)).collect();
        let stride = pieces.len().checked_div(count).unwrap_or(1).max(1);
        pieces.into_iter().step_by(stride).take(count).collect()
    }

    fn judge(&self) -> Result<()> {
        let values = || self.records.iter().flat_map(|record| &record.fields).map(|(_, value)| value);
        let fields = values().count();
        if self.records.len() < FEWEST_RECORDS || fields < FEWEST_FIELDS || self.tables().len() != 6 {
            bail!("the generator made {} records with {fields} fields", self.records.len());
        }
        let ids: BTreeSet<_> = self.records.iter().map(|record| (&record.org, record.table, &record.record)).collect();
        if ids.len() != self.records.len() {
            bail!("the generator gave two records one name");
        }
        let has = |shape: fn(&str) -> bool| values().filter_map(|value| std::str::from_utf8(value).ok()).any(shape);
        if has(|text| is_runbook(text) && !(texts::SMALLEST..=texts::LARGEST).contains(&text.len())) {
            bail!("the generator made a runbook that is not of 1 to 40 KiB");
        }
        let shapes = [
            ("empty string", values().any(Vec::is_empty)),
            ("binary value", values().any(|value| std::str::from_utf8(value).is_err())),
            ("PEM key", has(|text| text.starts_with("-----BEGIN"))),
            ("OAuth blob", has(|text| text.contains(r#""refresh_token""#))),
            ("bearer token", has(|text| text.contains(r#""bearer""#))),
            ("basic authentication", has(|text| text.contains(r#""basic""#))),
            ("custom header", has(|text| text.contains("X-Api-Key"))),
            ("camera credential", has(|text| text.contains("rtsp://"))),
            ("runbook of 1 KiB", has(|text| is_runbook(text) && text.len() < 2 * texts::SMALLEST)),
            ("runbook of nearly 40 KiB", has(|text| is_runbook(text) && text.len() > 30 * 1_024)),
            ("text in Cyrillic", has(|text| text.contains('ж'))),
            ("text in Japanese", has(|text| text.contains('の'))),
            ("text in Korean", has(|text| text.contains('니'))),
        ];
        match shapes.iter().find(|(_, found)| !found) {
            Some((name, _)) => bail!("the generator made no {name}"),
            None => Ok(()),
        }
    }
}

fn is_runbook(text: &str) -> bool {
    text.starts_with("# Runbook")
}

/// How a value stands in the data files.
fn spelled(value: &[u8]) -> Value {
    match std::str::from_utf8(value) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "base64": Base64::encode_string(value) }),
    }
}

/// The 16 bytes from the middle of a value, if they say enough to be looked for.
fn telling_piece(value: &[u8]) -> Option<&[u8]> {
    let from = value.len().checked_sub(PIECE)?.checked_div(2)?;
    let piece = value.get(from..from.checked_add(PIECE)?)?;
    let distinct: BTreeSet<&u8> = piece.iter().collect();
    (distinct.len() >= 8).then_some(piece)
}

const SEED: u64 = 0x5eed_0000_0000_0001;
const PIECE: usize = 16;
const FEWEST_RECORDS: usize = 1_500;
const FEWEST_FIELDS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_as_text_and_what_is_none_as_base64() {
        assert_eq!(spelled("ß".as_bytes()), json!({ "text": "ß" }));
        assert_eq!(spelled(&[0xff, 0x00]), json!({ "base64": "/wA=" }));
        assert_eq!(spelled(b""), json!({ "text": "" }));
    }

    #[test]
    fn a_value_that_is_short_or_says_nothing_is_not_looked_for() {
        assert_eq!(telling_piece(b"fifteen bytes.."), None);
        assert_eq!(telling_piece(&[b' '; 64]), None);
        assert_eq!(telling_piece(b"..0123456789abcdef.."), Some(b"0123456789abcdef".as_slice()));
    }

    #[test]
    fn data_that_is_too_small_is_refused() {
        let record = Record { org: "o".to_owned(), table: "procedures", record: "r".to_owned(), fields: Vec::new() };
        let corpus = Corpus { records: vec![record], texts: 1, languages: 1 };
        assert!(corpus.judge().is_err());
    }
}
