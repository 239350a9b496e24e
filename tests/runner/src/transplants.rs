//! A field moved to another place does not open: 36 x 36 bindings under one DEK.

use crate::answer::Answer;
use crate::hosts::{Hello, Hosts};
use crate::report::Report;
use crate::shim::Shim;
use crate::world::{Dek, PT, Step, World};
use serde_json::{Value, json};

pub(crate) fn run(hosts: &Hosts, report: &Report) {
    hosts.each("transplants", report, |shim, report| {
        let name = shim.name.clone();
        let result = host(shim, report);
        report.check(|| format!("{name} transplants"), result);
    });
}

fn host(shim: &mut Shim, report: &Report) -> Step {
    let hello = Hello::ask(shim)?;
    let mut world = World::new(shim, &hello);
    world.vault(json!({}))?;
    world.mint(&Dek::org("acme", 1, "transplants"))?;
    matrix(&mut world, "org", &under_org_dek(), report)?;
    world.admit(&Dek::record("acme", "h-17", 1, "transplants"))?;
    matrix(&mut world, "record", &under_record_dek(), report)?;
    world.close()
}

/// Seals at each place and tries each envelope at each: it opens where it was sealed.
fn matrix(world: &mut World<'_>, scope: &str, places: &[Value], report: &Report) -> Step {
    let items: Value = places.iter().map(|bind| json!({"bind": bind, "pt": PT, "options": {"scope": scope}})).collect();
    let envelopes: Vec<Value> =
        world.batch("vault.seal_many", &items)?.into_iter().map(Answer::out).collect::<Step<_>>()?;
    for (i, env) in envelopes.iter().enumerate() {
        let lines = places.iter().map(|bind| world.line("vault.open", json!({"bind": bind, "env": env}))).collect();
        let alone = world.shim.ask_all(lines);
        let items: Value = places.iter().map(|bind| json!({"bind": bind, "env": env})).collect();
        let together = world.batch("vault.open_many", &items)?.into_iter().map(Ok);
        for (how, answers) in [("open", alone), ("open_many", together.collect())] {
            for (j, answer) in answers.into_iter().enumerate() {
                let result = answer.and_then(|answer| match answer.result {
                    Ok(pt) if i == j && pt == PT => Ok(()),
                    _ if i == j => Err(format!("does not open where it was sealed: {:?}", answer.result)),
                    _ => answer.is("AUTH_FAILED"),
                });
                report.check(
                    || {
                        format!(
                            "{} {how} under the {scope} DEK, sealed at {}, tried at {}",
                            world.shim.name, places[i], places[j]
                        )
                    },
                    result,
                );
            }
        }
    }
    Ok(())
}

/// 36 places that a careless encoding or comparison takes for one another.
fn under_org_dek() -> Vec<Value> {
    let mut places: Vec<Value> = NAMES
        .iter()
        .map(|[table, record, field]| json!({"org": "acme", "table": table, "record": record, "field": field}))
        .collect();
    places.extend(revisions("hosts", "h-17", "password"));
    places
}

/// As many within one record: field and revision are left to differ in.
fn under_record_dek() -> Vec<Value> {
    let fields = NAMES.iter().enumerate().map(|(at, names)| format!("{}{at}", names[2]));
    let mut places: Vec<Value> =
        fields.map(|field| json!({"org": "acme", "table": "hosts", "record": "h-17", "field": field})).collect();
    places.extend(revisions("hosts", "h-17", "password"));
    places
}

fn revisions(table: &str, record: &str, field: &str) -> impl Iterator<Item = Value> {
    let numbers = ["0", "1", "2", "255", "256", "4294967296", "9007199254740993", "18446744073709551615"];
    numbers
        .map(|revision| json!({"org": "acme", "table": table, "record": record, "field": field, "revision": revision}))
        .into_iter()
}

const NAMES: [[&str; 3]; 28] = [
    ["hosts", "h-17", "password"],
    ["hosts", "h-17", "passwor"],
    ["hosts", "h-17", "password "],
    ["hosts", "h-17", "Password"],
    ["hosts", "h-17", "password\0"],
    ["hosts", "h-17", "h-17"],
    ["hosts", "password", "h-17"],
    ["h-17", "hosts", "password"],
    ["password", "h-17", "hosts"],
    ["hostsh", "-17", "password"],
    ["hosts", "h-17p", "assword"],
    ["hosts", "h-1", "7password"],
    ["host", "sh-17", "password"],
    ["hosts", "h-18", "password"],
    ["hosts", "h-17\0", "password"],
    ["hosts", "h-17/password", "x"],
    ["hosts", "h-17", "x/password"],
    ["hosts/h-17", "x", "password"],
    ["hosts", "caf\u{e9}", "password"],
    ["hosts", "cafe\u{301}", "password"],
    ["hosts", "caf\u{c9}", "password"],
    ["hosts", "\u{212b}", "password"],
    ["hosts", "\u{c5}", "password"],
    ["hosts", "\u{1f511}", "password"],
    ["hosts", "h-17", "\u{ff50}assword"],
    ["hosts", "h-17", "\u{feff}password"],
    ["acme", "acme", "acme"],
    ["acme", "acme", "acmeacme"],
];

#[cfg(test)]
mod tests {
    use super::{under_org_dek, under_record_dek};

    #[test]
    fn there_are_36_different_places_under_each_dek() {
        for mut places in [under_org_dek(), under_record_dek()] {
            assert_eq!(places.len(), 36);
            places.sort_by_key(ToString::to_string);
            places.dedup();
            assert_eq!(places.len(), 36);
        }
    }
}
