//! One record is shared with the other org: a row more, and not one envelope byte changed.

use std::fs;

use anyhow::{Context as _, Result};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;

use super::prepare::{shared_records, small};
use crate::demo::{
    export::{self, Line},
    step::{Refusal, Step, number},
    witness::Kind,
    worker::Host,
    world::{CONTOSO, NORTHWIND, Task, World, wrap_rows},
};

/// The owner shares a procedure.
pub(super) fn share(world: &mut World<'_>) {
    world.step("node", "northwind shares one procedure with contoso", |world, step| {
        let (record, _) = shared_records(world)?;
        let dek_ref = dek_of(world, &record)?;
        let sealed = export::file_digest(&world.files.export())?;
        let before = fs::read(world.files.store())?;
        let reader_cmk = world.cmks.get(CONTOSO).context("contoso has no CMK")?.clone();
        let task = of_record(Host::Node, "share", &record).with("org", NORTHWIND).with("reader", CONTOSO);
        let answer = world.work(step, &task)?;
        let facts = answer.facts("share", 0)?;
        step.fact(facts, "/dekRef", dek_ref.clone());
        step.fact(facts, "/keyId", reader_cmk);
        step.fact(facts, "/kmsCalls", 2);
        step.equal("no envelope byte changed", &(export::file_digest(&world.files.export())? == sealed), &true);
        let after = fs::read(world.files.store())?;
        let added = after.strip_prefix(before.as_slice()).map(|added| String::from_utf8_lossy(added).lines().count());
        step.equal("lines added to the store, all others kept", &added, &Some(1));
        let rows = wrap_rows(&world.files.store())?;
        let shares = rows.iter().filter(|row| row.get("purpose").and_then(Value::as_str) == Some("share"));
        step.equal("share rows", &shares.count(), &1);
        step.figure("record", &record);
        let expected =
            [(1, Kind::own(NORTHWIND, "Decrypt")), (1, Kind::share(NORTHWIND, "Encrypt", NORTHWIND, CONTOSO))];
        world.witness(step, &expected)?;
        let named: Vec<&str> = step
            .calls
            .iter()
            .filter(|call| call.operation == "Encrypt")
            .map(|call| call.pair("strongroom-dek"))
            .collect();
        let right = named == [dek_ref.as_str()];
        let named = named.join(" ");
        step.check("the log names the record's own DEK, not the org's", right, named);
        Ok(())
    });
}

/// The reader opens it by its own KMS key, and no other record.
pub(super) fn open(world: &mut World<'_>, host: Host) {
    world.step(host.name(), "contoso opens the shared record, and only that one", |world, step| {
        let (record, unshared) = shared_records(world)?;
        let lines = export::read(&world.files.export())?;
        let of_record = |line: &&Line| line.org == NORTHWIND && line.table == TABLE && line.record == record;
        let fields = lines.iter().filter(of_record).count();
        let digest = export::digest(lines.iter().filter(of_record), &world.corpus()?.values())?;
        let answer = world.work(step, &reading(host, &record, &unshared))?;
        let facts = answer.facts("open-shared", 0)?;
        step.fact(facts, "/fields", small(fields));
        step.fact(facts, "/digest", digest);
        step.fact(facts, "/unshared", "UNKNOWN_DEK");
        step.fact(facts, "/kmsCalls", 1);
        step.fields = Some(small(fields));
        refused(step, facts);
        world.witness(step, &[(1, Kind::share(CONTOSO, "Decrypt", NORTHWIND, CONTOSO))])
    });
}

fn reading(host: Host, record: &str, unshared: &str) -> Task {
    of_record(host, "open-shared", record).with("org", CONTOSO).with("owner", NORTHWIND).with("unshared", unshared)
}

fn refused(step: &mut Step, facts: &Value) {
    step.refusals.push(Refusal {
        what: "contoso opens a record of northwind that was not shared".to_owned(),
        tried: 1,
        errors: facts.get("unshared").and_then(Value::as_str).unwrap_or("nothing").to_owned(),
        twin: format!("the shared record, same vault: {} field opened", number(facts, "/fields")),
    });
}

fn of_record(host: Host, step: &'static str, record: &str) -> Task {
    Task::new(host, step).with("table", TABLE).with("record", record)
}

/// The dek_ref in a record's envelopes.
fn dek_of(world: &World<'_>, record: &str) -> Result<String> {
    let lines = export::read(&world.files.export())?;
    let line = lines.iter().find(|line| line.org == NORTHWIND && line.record == record).context("no such record")?;
    Ok(Base64UrlUnpadded::encode_string(line.envelope.get(4..36).context("no dek_ref")?))
}

const TABLE: &str = "procedures";
