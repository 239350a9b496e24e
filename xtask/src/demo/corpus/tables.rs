//! The six tables of the product, row by row.

use serde_json::json;

use super::{
    Record,
    material::Material,
    rng::Rng,
    secrets,
    texts::{message, output, runbook, tool_call},
};

/// All records of one org.
pub(super) fn records(org: &str, rng: &Rng, material: &Material) -> Vec<Record> {
    let mut records = Vec::new();
    for table in TABLES {
        let mut rng = rng.fork(org).fork(table.name);
        for number in 0..table.records {
            let record = format!("{}-{number:04}-{}", table.prefix, rng.hex(8));
            let fields = (table.fields)(&mut rng, material);
            records.push(Record { org: org.to_owned(), table: table.name, record, fields });
        }
    }
    records
}

/// A table: its name, what its record ids start with, how many records an org has, and what a record holds.
struct Table {
    name: &'static str,
    prefix: &'static str,
    records: usize,
    fields: fn(&mut Rng, &Material) -> Fields,
}

type Fields = Vec<(String, Vec<u8>)>;

const TABLES: [Table; 6] = [
    Table {
        name: "keyChainEntries",
        prefix: "kc",
        records: 150,
        fields: |rng, _| vec![named("payload", secrets::payload(rng))],
    },
    Table {
        name: "connectorEntries",
        prefix: "con",
        records: 100,
        fields: |rng, _| vec![named("auth", secrets::authentication(rng))],
    },
    Table {
        name: "mcpServerEntries",
        prefix: "mcp",
        records: 80,
        fields: |rng, _| vec![named("auth", secrets::authentication(rng))],
    },
    Table { name: "connectionProtocols", prefix: "cp", records: 130, fields: protocols },
    Table {
        name: "procedures",
        prefix: "proc",
        records: 120,
        fields: |rng, material| vec![named("body", runbook(rng, material).into_bytes())],
    },
    Table { name: "procedureRuns", prefix: "run", records: 260, fields: run },
];

/// How each of a few hosts is reached.
fn protocols(rng: &mut Rng, _: &Material) -> Fields {
    let mut fields = Vec::new();
    for _ in 0..rng.between(1, 3) {
        let host = format!("host-{:03}", rng.below(1_000));
        fields.push(named(&format!("password.{host}"), secrets::password(rng).into_bytes()));
        match rng.below(3) {
            0 => fields.push(named(&format!("keyReference.{host}"), secrets::key_reference(rng).into_bytes())),
            1 => fields.push(named(&format!("camera.{host}"), secrets::camera(rng).into_bytes())),
            _ => {}
        }
    }
    // Two hosts of one name are one host.
    fields.sort();
    fields.dedup_by(|one, other| one.0 == other.0);
    fields
}

/// One run of a procedure: arguments, the conversation, what the tools did, and the end of it.
fn run(rng: &mut Rng, material: &Material) -> Fields {
    let mut fields = vec![
        named("arguments.host", format!("host-{:03}", rng.below(1_000)).into_bytes()),
        named("arguments.reason", if rng.one_in(3) { Vec::new() } else { message(rng, material).into_bytes() }),
        named(
            "arguments.window",
            json!({ "minutes": rng.between(5, 240), "dryRun": rng.one_in(2) }).to_string().into_bytes(),
        ),
        named("output", output(rng, material).into_bytes()),
    ];
    for number in 1..=rng.between(8, 16) {
        fields.push(named(&format!("messages.{number:03}"), message(rng, material).into_bytes()));
    }
    for number in 1..=rng.between(2, 6) {
        fields.push(named(&format!("toolCalls.{number:03}"), tool_call(rng).into_bytes()));
    }
    fields
}

fn named(name: &str, value: Vec<u8>) -> (String, Vec<u8>) {
    (name.to_owned(), value)
}
