//! Data, KMS, keys, and the sealing of it all.

use std::collections::HashSet;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::demo::{
    corpus::Corpus,
    export,
    kms::LocalKms,
    step::number,
    terminal::grouped,
    witness::Kind,
    worker::Host,
    world::{MALLORY, NORTHWIND, ORGS, Task, World, wrap_rows},
};

/// Makes the product's data and writes it to files.
pub(super) fn data(world: &mut World<'_>) {
    world.step("xtask", "makes the product's data of real texts and seeded secrets", |world, step| {
        let corpus = Corpus::generate(world.ctx, &ORGS)?;
        for org in ORGS {
            corpus.write(org, &world.files.data(org))?;
            step.figure(&format!("{org}: bytes"), grouped(small(corpus.byte_count(org))));
        }
        let fields: usize = ORGS.iter().map(|org| corpus.field_count(org)).sum();
        step.fields = Some(small(fields));
        step.check("1,500 records or more", corpus.records.len() >= 1_500, corpus.records.len().to_string());
        step.check("10,000 fields or more", fields >= 10_000, fields.to_string());
        step.equal("tables", &corpus.tables().len(), &6);
        step.figure("records", grouped(small(corpus.records.len())));
        step.figure("texts used", corpus.texts);
        step.figure("other languages", corpus.languages);
        world.corpus = Some(corpus);
        Ok(())
    });
}

/// Starts the local KMS.
pub(super) fn kms(world: &mut World<'_>) {
    world.step("kms", "the local KMS starts on loopback", |world, step| {
        let origin = format!("http://127.0.0.1:{}", world.port);
        let kms = LocalKms::start(world.ctx, &world.files.kms(), &origin)?;
        step.figure("endpoint", &kms.endpoint);
        step.figure("origin of the page", origin);
        world.kms = Some(kms);
        world.witness(step, &[])
    });
}

/// Each org makes its own CMK, in a process of its own.
pub(super) fn keys(world: &mut World<'_>) {
    world.step("go", "each org makes its CMK as its own caller", |world, step| {
        let mut expected = Vec::new();
        for org in ORGS.into_iter().chain([MALLORY]) {
            let answer = world.work(step, &Task::new(Host::Go, "create-key").with("org", org))?;
            let arn = answer.facts("create-key", 0)?.get("arn").and_then(Value::as_str).context("no ARN")?;
            world.cmks.insert(org.to_owned(), arn.to_owned());
            expected.push((1, Kind::create_key(org)));
        }
        world.witness(step, &expected)
    });
}

/// The Go agent mints an org's DEK and seals the org's records.
pub(super) fn seal(world: &mut World<'_>, org: &'static str) {
    let title = format!("mints the DEK of {org} and seals all its fields");
    world.step("go", &title, |world, step| {
        let corpus = world.corpus()?;
        let records = corpus.of(org).count();
        let record_deks = corpus.of(org).filter(|record| record.table == "procedures").count();
        let (fields, bytes) = (corpus.field_count(org), corpus.byte_count(org));
        let data = world.argument(&world.files.data(org));
        let task = Task::new(Host::Go, "seal").with("org", org).with("data", data);
        let answer = world.work(step, &task)?;
        let facts = answer.facts("seal", 0)?;
        for (name, want) in [
            ("/records", records),
            ("/fields", fields),
            ("/bytes", bytes),
            ("/recordDeks", record_deks),
            ("/kmsCalls", 1),
        ] {
            step.fact(facts, name, small(want));
        }
        step.fields = Some(number(facts, "/fields"));
        step.figure("sealing took, ms", number(facts, "/ms"));
        step.figure("record DEKs", record_deks);
        world.witness(step, &[(1, Kind::own(org, "GenerateDataKey"))])
    });
}

/// Looks at what was sealed, without any DEK.
pub(super) fn sealed(world: &mut World<'_>) {
    world.step("xtask", "holds export and rows against the data, without a DEK", |world, step| {
        let lines = export::read(&world.files.export())?;
        let values = world.corpus()?.values();
        let places: HashSet<_> = lines.iter().map(export::Line::place).collect();
        step.equal("lines of the export", &lines.len(), &values.len());
        let missing = values.keys().filter(|place| !places.contains(place)).count();
        step.equal("fields of the data that are not in it", &missing, &0);
        let ivs: HashSet<_> = lines.iter().filter_map(|line| line.envelope.get(40..52)).collect();
        step.equal("different IVs", &ivs.len(), &lines.len());
        let refs: HashSet<_> = lines.iter().filter_map(|line| line.envelope.get(4..36)).collect();
        let rows = wrap_rows(&world.files.store())?;
        step.equal("rows, one for each DEK used", &rows.len(), &refs.len());
        let of_kms = rows.iter().filter(|row| row.get("provider").and_then(Value::as_str) == Some("aws-kms")).count();
        step.equal("rows wrapped by the KMS", &of_kms, &ORGS.len());
        let shared = rows.iter().filter(|row| row.get("owner") != row.get("reader")).count();
        step.equal("rows for a foreign reader", &shared, &0);
        step.fields = Some(small(lines.len()));
        step.figure("DEKs", refs.len());
        world.witness(step, &[])
    });
}

/// The record that is shared, and one that is not.
///
/// # Errors
/// If there is no data.
pub(super) fn shared_records(world: &World<'_>) -> Result<(String, String)> {
    let mut records = world.corpus()?.of(NORTHWIND).filter(|record| record.table == "procedures");
    let mut next = || Ok::<_, anyhow::Error>(records.next().context("no procedure")?.record.clone());
    Ok((next()?, next()?))
}

/// A count as JSON and the table take it.
pub(super) fn small(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
