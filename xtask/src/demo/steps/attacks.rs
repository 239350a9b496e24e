//! What must be refused, each with its twin that must not.

use serde_json::{Value, json};

use crate::demo::{
    step::{Refusal, Step, counted, number},
    terminal::grouped,
    witness::Kind,
    worker::Host,
    world::{CONTOSO, NORTHWIND, ORGS, Task, World},
};

/// Envelopes at places where they were not sealed.
pub(super) fn transplants(world: &mut World<'_>) {
    world.step("node", "tries fields at wrong places, both orgs' DEKs held", |world, step| {
        let task =
            Task::new(Host::Node, "transplants").with("orgs", ORGS.join(",")).with("count", TRANSPLANTS.to_string());
        let answer = world.work(step, &task)?;
        for (nth, dimension) in ["org", "table", "record", "field"].into_iter().enumerate() {
            judge_transplants(step, answer.facts("transplants", nth)?, dimension);
        }
        let held = answer.facts("held", 0)?;
        step.fact(held, "/orgs", json!([CONTOSO, NORTHWIND]));
        step.fact(held, "/kmsCalls", 2);
        let expected: Vec<_> = ORGS.iter().map(|org| (1, Kind::own(org, "Decrypt"))).collect();
        world.witness(step, &expected)
    });
}

/// Every transplant was refused, by that name alone, and every twin opened.
fn judge_transplants(step: &mut Step, facts: &Value, dimension: &str) {
    let tried = number(facts, "/tried");
    step.fact(facts, "/dimension", dimension);
    step.check(format!("{dimension}: at least {TRANSPLANTS} tried"), tried >= TRANSPLANTS, tried.to_string());
    step.fact(facts, "/refused", tried);
    step.fact(facts, "/twins", tried);
    step.fact(facts, "/errors", json!({ "AUTH_FAILED": tried }));
    step.refusals.push(Refusal {
        what: format!("a field opened under another {dimension}"),
        tried,
        errors: counted(facts.get("errors")),
        twin: format!("the right {dimension}, same vault: {} opened", grouped(number(facts, "/twins"))),
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

const TRANSPLANTS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(facts: &Value) -> bool {
        let mut step = Step::new("node", "transplants");
        judge_transplants(&mut step, facts, "org");
        step.holds()
    }

    fn facts(name: &str, value: Value) -> Value {
        let errors = json!({ "AUTH_FAILED": 1_000 });
        let mut facts =
            json!({ "dimension": "org", "tried": 1_000, "refused": 1_000, "twins": 1_000, "errors": errors });
        if let Some(member) = facts.get_mut(name) {
            *member = value;
        }
        facts
    }

    #[test]
    fn transplants_that_are_all_refused_and_whose_twins_all_open_will_do() {
        assert!(holds(&facts("", Value::Null)));
    }

    #[test]
    fn a_missing_refusal_a_missing_twin_or_another_error_breaks_the_expectation() {
        for (name, value) in [
            ("dimension", json!("table")),
            ("tried", json!(999)),
            ("refused", json!(999)),
            ("twins", json!(999)),
            ("twins", Value::Null),
            ("errors", json!({ "AUTH_FAILED": 999, "UNKNOWN_DEK": 1 })),
            ("errors", json!({ "UNKNOWN_DEK": 1_000 })),
        ] {
            assert!(!holds(&facts(name, value.clone())), "{name}: {value}");
        }
    }
}
