//! The thief: all files, our package, and another org's working credentials.

use serde_json::Value;

use super::prepare::small;
use crate::demo::{
    export,
    kms::Call,
    step::{Refusal, Step, counted, number, sum},
    worker::Host,
    world::{MALLORY, Task, World, wrap_rows},
};

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
        judge_tries(step, facts, small(rows.len()), small(envelopes));
        step.fields = Some(0);
        let calls = world.log.take()?;
        judge_thief(step, &calls, world.cmks.get(MALLORY).map_or("", String::as_str), asked);
        step.calls = calls;
        Ok(())
    });
}

/// Every row was tried in every way and every envelope after that, and all was refused but the thief's own.
fn judge_tries(step: &mut Step, facts: &Value, rows: u64, envelopes: u64) {
    step.fact(facts, "/rows", rows);
    for (way, words) in WAYS {
        let refused = facts.pointer(&format!("/refused/{way}"));
        step.fact(facts, &format!("/tries/{way}"), rows);
        step.equal(&format!("refused of them, {words}"), &sum(refused), &rows);
        step.equal(&format!("admitted of them, {words}"), &refused.and_then(|refused| refused.get("ADMITTED")), &None);
        step.refusals.push(Refusal {
            what: format!("a thief unwraps every row {words}"),
            tried: number(facts, &format!("/tries/{way}")),
            errors: counted(refused),
            twin: "the thief's own rows, same vault and client: admitted".to_owned(),
        });
    }
    step.fact(facts, "/envelopes", envelopes);
    step.fact(facts, "/opened", 0);
    step.equal("envelopes refused", &sum(facts.get("openErrors")), &envelopes);
    // A row of the KMS and a local one, and a field under each.
    step.fact(facts, "/twin/admitted", 2);
    step.fact(facts, "/twin/opened", 2);
    step.refusals.push(Refusal {
        what: "a thief opens every envelope with what it got".to_owned(),
        tried: number(facts, "/envelopes"),
        errors: counted(facts.get("openErrors")),
        twin: "the thief's own fields, same vault: opened".to_owned(),
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

const WAYS: [(&str, &str); 4] = [
    ("rowContext", "with the row's context"),
    ("ownContext", "with its own context"),
    ("ownCmk", "with its own CMK written into the row"),
    ("ownCmkOwnContext", "with its own CMK and its own context"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::demo::world::{CONTOSO, NORTHWIND};

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

    fn tried(pointer: &str, value: Value) -> bool {
        let ways = json!({ "rowContext": 3, "ownContext": 3, "ownCmk": 3, "ownCmkOwnContext": 3 });
        let all = json!({ "KMS_DENIED": 2, "UNKNOWN_DEK": 1 });
        let refused = json!({ "rowContext": all, "ownContext": all, "ownCmk": all, "ownCmkOwnContext": all });
        let mut facts = json!({
            "rows": 3, "tries": ways, "refused": refused, "envelopes": 9, "opened": 0,
            "openErrors": { "UNKNOWN_DEK": 9 }, "twin": { "admitted": 2, "opened": 2 },
        });
        if let Some(member) = facts.pointer_mut(pointer) {
            *member = value;
        }
        let mut step = Step::new("node", "thief");
        judge_tries(&mut step, &facts, 3, 9);
        step.holds()
    }

    #[test]
    fn a_thief_who_tried_all_and_opened_nothing_will_do() {
        assert!(tried("/nothing", Value::Null));
    }

    #[test]
    fn a_row_not_refused_an_envelope_opened_or_a_missing_twin_breaks_the_expectation() {
        for (pointer, value) in [
            ("/rows", json!(2)),
            ("/tries/ownCmk", json!(2)),
            ("/refused/ownCmk", json!({ "KMS_DENIED": 2 })),
            ("/refused/rowContext", json!({ "KMS_DENIED": 2, "ADMITTED": 1 })),
            ("/refused/ownContext", Value::Null),
            ("/opened", json!(1)),
            ("/envelopes", json!(8)),
            ("/openErrors", json!({ "UNKNOWN_DEK": 8 })),
            ("/twin/admitted", json!(1)),
            ("/twin/opened", json!(0)),
        ] {
            assert!(!tried(pointer, value.clone()), "{pointer}: {value}");
        }
    }
}
