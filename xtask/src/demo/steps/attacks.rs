//! What must be refused, each with its twin that must not.

use std::{collections::HashSet, path::PathBuf};

use serde_json::Value;

use super::prepare::small;
use crate::demo::{
    export,
    kms::Call,
    step::{Refusal, Step, number},
    witness::Kind,
    worker::Host,
    world::{CONTOSO, MALLORY, NORTHWIND, ORGS, Task, World, wrap_rows},
};

/// Envelopes at places where they were not sealed.
pub(super) fn transplants(world: &mut World<'_>) {
    world.step("node", "tries fields at wrong places, both orgs' DEKs held", |world, step| {
        let task =
            Task::new(Host::Node, "transplants").with("orgs", ORGS.join(",")).with("count", TRANSPLANTS.to_string());
        let answer = world.work(step, &task)?;
        for (nth, dimension) in ["org", "table", "record", "field"].into_iter().enumerate() {
            let facts = answer.facts("transplants", nth)?;
            step.fact(facts, "/dimension", dimension);
            let tried = number(facts, "/tried");
            step.check(format!("{dimension}: at least {TRANSPLANTS} tried"), tried >= TRANSPLANTS, tried.to_string());
            step.fact(facts, "/refused", tried);
            step.fact(facts, "/twins", tried);
            // That name alone, and for each of them.
            step.fact(facts, "/errors", serde_json::json!({ "AUTH_FAILED": tried }));
            step.refusals.push(Refusal {
                what: format!("a field opened under another {dimension}"),
                tried,
                errors: counted(facts.get("errors")),
                twin: format!("the right {dimension}, same vault: {} opened", number(facts, "/twins")),
            });
        }
        let held = answer.facts("held", 0)?;
        step.fact(held, "/orgs", serde_json::json!([CONTOSO, NORTHWIND]));
        step.fact(held, "/kmsCalls", 2);
        let expected: Vec<_> = ORGS.iter().map(|org| (1, Kind::own(org, "Decrypt"))).collect();
        world.witness(step, &expected)
    });
}

/// One org's caller asks for the other's DEK.
pub(super) fn foreign(world: &mut World<'_>) {
    world.step("node", "contoso's caller asks the KMS for northwind's DEK", |world, step| {
        let task = Task::new(Host::Node, "foreign").with("caller", CONTOSO).with("owner", NORTHWIND);
        let answer = world.work(step, &task)?;
        let facts = answer.facts("foreign", 0)?;
        step.fact(facts, "/error", "KMS_DENIED");
        step.fact(facts, "/twin", true);
        step.fact(facts, "/kmsCalls", 2);
        step.refusals.push(Refusal {
            what: "a caller of contoso asks the KMS to unwrap northwind's org DEK".to_owned(),
            tried: 1,
            errors: facts.get("error").and_then(Value::as_str).unwrap_or("nothing").to_owned(),
            twin: "northwind's own caller, same request and vault: admitted, and a field opens".to_owned(),
        });
        let own = Kind::own(NORTHWIND, "Decrypt");
        world.witness(step, &[(1, own.clone().by(CONTOSO).but("AccessDeniedException")), (1, own)])?;
        let order: Vec<&str> = step.calls.iter().map(|call| call.result.as_str()).collect();
        let right = order == ["AccessDeniedException", "ok"];
        let order = order.join(", ");
        step.check("KMS log: the denial first, asked once, then the twin", right, order);
        Ok(())
    });
}

/// A thief has the whole store and export, our package, and working credentials of another org.
pub(super) fn thief(world: &mut World<'_>) {
    world.step("node", "a thief with all files and credentials of mallory", |world, step| {
        let rows = wrap_rows(&world.files.store())?;
        let of_kms = rows.iter().filter(|row| row.get("provider").and_then(Value::as_str) == Some("aws-kms")).count();
        // Local rows go to the KMS only where the thief's CMK is written into them.
        let asked = of_kms.saturating_add(rows.len()).saturating_mul(2);
        let envelopes = export::read(&world.files.export())?.len();
        let answer = world.work(step, &Task::new(Host::Node, "thief").with("caller", MALLORY))?;
        let facts = answer.facts("thief", 0)?;
        step.fact(facts, "/rows", small(rows.len()));
        for (way, words) in WAYS {
            step.fact(facts, &format!("/tries/{way}"), small(rows.len()));
            let refused = facts.pointer(&format!("/refused/{way}"));
            step.equal(&format!("refused of them, {words}"), &sum(refused), &small(rows.len()));
            step.refusals.push(Refusal {
                what: format!("a thief unwraps every row {words}"),
                tried: number(facts, &format!("/tries/{way}")),
                errors: counted(refused),
                twin: "the thief's own rows, same vault and client: admitted".to_owned(),
            });
        }
        step.fact(facts, "/envelopes", small(envelopes));
        step.fact(facts, "/opened", 0);
        step.equal("envelopes refused", &sum(facts.get("openErrors")), &small(envelopes));
        // A row of the KMS and a local one, and a field under each.
        step.fact(facts, "/twin/admitted", 2);
        step.fact(facts, "/twin/opened", 2);
        step.refusals.push(Refusal {
            what: "a thief opens every envelope with what it got".to_owned(),
            tried: number(facts, "/envelopes"),
            errors: counted(facts.get("openErrors")),
            twin: "the thief's own fields, same vault: opened".to_owned(),
        });
        step.fields = Some(0);
        let calls = world.log.take()?;
        judge_thief(step, &calls, world.cmks.get(MALLORY).map_or("", String::as_str), asked);
        step.calls = calls;
        Ok(())
    });
}

/// The thief asked as nobody else, for each row in each way, and was answered only about its own DEK.
fn judge_thief(step: &mut Step, calls: &[Call], own_cmk: &str, asked: usize) {
    let others = calls.iter().filter(|call| call.caller != MALLORY).count();
    step.equal("KMS log: calls by anybody but the thief", &others, &0);
    let (answered, refused): (Vec<&Call>, Vec<&Call>) = calls.iter().partition(|call| call.result == "ok");
    let is_own = |call: &&&Call| {
        call.key == own_cmk && ["strongroom-org", "strongroom-owner"].iter().all(|pair| call.pair(pair) == MALLORY)
    };
    let foreign = answered.iter().filter(|call| !is_own(call)).count();
    step.equal("KMS log: answers about anything but the thief's own DEK", &foreign, &0);
    let twins = answered.iter().filter(|call| call.operation == "Decrypt").count();
    step.check("KMS log: the thief's own DEK is unwrapped", twins >= 1, twins.to_string());
    step.equal("KMS log: refusals, each row in each way", &refused.len(), &asked);
}

/// Neither a DEK nor a piece of a plaintext stands in any file.
pub(super) fn search(world: &mut World<'_>) {
    world.step("node", "looks for every DEK and 500 plaintexts in all files", |world, step| {
        let files = searched(world);
        let rows = wrap_rows(&world.files.store())?;
        let deks: HashSet<_> = rows.iter().filter_map(|row| row.get("dekRef").and_then(Value::as_str)).collect();
        let list: Vec<String> = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
        let answer = world
            .work(step, &Task::new(Host::Node, "search").with("orgs", ORGS.join(",")).with("files", list.join(",")))?;
        let facts = answer.facts("search", 0)?;
        step.fact(facts, "/deks", small(deks.len()));
        step.fact(facts, "/pieces", 500);
        step.fact(facts, "/files", small(files.len()));
        step.fact(facts, "/found", 0);
        let needles = number(facts, "/needles");
        let least = small(deks.len()).saturating_add(500).saturating_mul(4);
        step.check("needles in at least four spellings each", needles >= least, needles.to_string());
        step.fact(facts, "/controlExpected", needles);
        step.fact(facts, "/control", needles);
        step.figure("bytes searched", number(facts, "/bytes"));
        step.figure("needles", needles);
        step.refusals.push(Refusal {
            what: "DEKs and plaintext pieces looked for in the files".to_owned(),
            tried: needles,
            errors: format!("{} found", number(facts, "/found")),
            twin: format!("a control file, same search: {} found", number(facts, "/control")),
        });
        let expected: Vec<_> = ORGS.iter().map(|org| (1, Kind::own(org, "Decrypt"))).collect();
        world.witness(step, &expected)
    });
}

/// All that a thief of files would have.
fn searched(world: &World<'_>) -> Vec<PathBuf> {
    let hosts = [Host::Go, Host::Node, Host::Browser];
    let reseals = hosts.iter().flat_map(|host| ORGS.iter().map(|org| world.files.reseal(*host, org)));
    let files = [world.files.store(), world.files.export(), world.files.log()].into_iter().chain(reseals);
    files.filter(|file| file.is_file()).collect()
}

/// The sum of an object of counts.
fn sum(counts: Option<&Value>) -> u64 {
    counts.and_then(Value::as_object).into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

/// An object of counts as people read it.
fn counted(counts: Option<&Value>) -> String {
    let counts = counts.and_then(Value::as_object).into_iter().flatten();
    let words: Vec<String> = counts.map(|(name, count)| format!("{count} {name}")).collect();
    words.join(", ")
}

const TRANSPLANTS: u64 = 1_000;

const WAYS: [(&str, &str); 4] = [
    ("rowContext", "with the row's context"),
    ("ownContext", "with its own context"),
    ("ownCmk", "with its own CMK written into the row"),
    ("ownCmkOwnContext", "with its own CMK and its own context"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn call(caller: &str, org: &str, result: &str) -> Call {
        let context = ["strongroom-org", "strongroom-owner"].map(|pair| (pair.to_owned(), org.to_owned())).into();
        let operation = "Decrypt".to_owned();
        Call { caller: caller.to_owned(), operation, key: format!("arn-{org}"), context, result: result.to_owned() }
    }

    fn holds(calls: &[Call]) -> bool {
        let mut step = Step::new("node", "thief");
        judge_thief(&mut step, calls, "arn-mallory", 3);
        step.holds()
    }

    #[test]
    fn a_thief_who_is_refused_all_but_its_own_will_do() {
        let own = call(MALLORY, MALLORY, "ok");
        let refused = call(MALLORY, NORTHWIND, "AccessDeniedException");
        assert!(holds(&[refused.clone(), refused.clone(), refused, own]));
    }

    #[test]
    fn a_thief_who_is_answered_or_did_not_try_breaks_the_expectation() {
        let own = call(MALLORY, MALLORY, "ok");
        let refused = call(MALLORY, NORTHWIND, "AccessDeniedException");
        let three = vec![refused.clone(); 3];
        let with = |extra: Call| three.iter().cloned().chain([own.clone(), extra]).collect::<Vec<_>>();
        assert!(!holds(&with(refused.clone())), "something was tried once more");
        assert!(!holds(&with(call(MALLORY, NORTHWIND, "ok"))));
        assert!(!holds(&with(call(CONTOSO, CONTOSO, "ok"))));
        assert!(!holds(&three), "no twin");
        assert!(!holds(&[refused, own]), "not every way was tried");
    }

    #[test]
    fn counts_are_summed_and_spelled() {
        let counts = serde_json::json!({ "KMS_DENIED": 2, "UNKNOWN_DEK": 3 });
        assert_eq!(sum(Some(&counts)), 5);
        assert_eq!(sum(None), 0);
        assert_eq!(counted(Some(&counts)), "2 KMS_DENIED, 3 UNKNOWN_DEK");
    }
}
