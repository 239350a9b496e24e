//! In a batch each item has its own result, in input order.

use super::{Scenario, scenarios};
use crate::world::{Dek, PT, Step, World, at, expect, named_by, same};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    results_stand_in_input_order,
    one_bad_item_spoils_no_other_when_sealing,
    one_bad_item_spoils_no_other_when_opening,
    an_empty_batch_has_no_results,
    a_batch_of_10000_is_sealed_under_10000_ivs,
    a_batch_of_10001_is_over_the_limit_and_does_nothing,
    missing_takes_10000_envelopes_and_no_more,
    missing_lists_each_dek_once_and_passes_over_what_cannot_be_read,
    missing_lists_what_is_over_and_changes_nothing,
    one_batch_may_serve_many_orgs_and_deks,
];

fn results_stand_in_input_order(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    let items: Value = (0..50)
        .map(|number| json!({"bind": at("h-17", &format!("f{number}")), "pt": format!("{number:02x}")}))
        .collect();
    let sealed = w.batch("vault.seal_many", &items)?;
    let mut to_open = Vec::new();
    for (number, answer) in sealed.into_iter().enumerate() {
        to_open.push(json!({"bind": at("h-17", &format!("f{number}")), "env": answer.out()?}));
    }
    for (number, answer) in w.batch("vault.open_many", &json!(to_open))?.into_iter().enumerate() {
        same(&answer.out()?, &json!(format!("{number:02x}")))?;
    }
    Ok(())
}

fn one_bad_item_spoils_no_other_when_sealing(w: &mut World<'_>) -> Step {
    w.vault(json!({"field_limit": 64}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    let good = json!({"bind": at("h-17", "x"), "pt": PT});
    let answers = w.batch(
        "vault.seal_many",
        &json!([
            good,
            {"bind": at("", "x"), "pt": PT},
            {"bind": at("h-17", &"f".repeat(1025)), "pt": PT},
            {"bind": at("h-17", "x"), "pt": "00".repeat(65)},
            {"bind": {"org": "globex", "table": "t", "record": "r", "field": "f"}, "pt": PT},
            {"bind": at("h-17", "x"), "pt": PT, "options": {"scope": "record"}},
            good,
        ]),
    )?;
    for (answer, name) in answers[1..6].iter().zip(["BAD_INPUT", "LIMIT", "LIMIT", "NO_ACTIVE_DEK", "NO_ACTIVE_DEK"]) {
        answer.is(name)?;
    }
    let (first, last) = (answers[0].clone().out()?, answers[6].clone().out()?);
    expect(first != last, "two IVs")?;
    w.opens(&at("h-17", "x"), &first)?;
    w.opens(&at("h-17", "x"), &last)
}

fn one_bad_item_spoils_no_other_when_opening(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    let bind = at("h-17", "x");
    let env = w.seal(&bind)?;
    let strange = w.bare(&Dek::org("acme", 2, "b"), &bind)?;
    let whole = env.as_str().unwrap_or_default();
    let changed = format!("{}{}", &whole[..whole.len() - 1], if whole.ends_with('0') { "1" } else { "0" });
    let answers = w.batch(
        "vault.open_many",
        &json!([
            {"bind": bind, "env": env},
            {"bind": at("h-18", "x"), "env": env},
            {"bind": bind, "env": strange},
            {"bind": bind, "env": ""},
            {"bind": bind, "env": "f7"},
            {"bind": at("", "x"), "env": env},
            {"bind": bind, "env": format!("{whole}00")},
            {"bind": bind, "env": changed},
            {"bind": bind, "env": env},
        ]),
    )?;
    let names = ["AUTH_FAILED", "UNKNOWN_DEK", "NOT_AN_ENVELOPE", "TRUNCATED", "BAD_INPUT", "MALFORMED", "AUTH_FAILED"];
    for (answer, name) in answers[1..8].iter().zip(names) {
        answer.is(name)?;
    }
    same(&answers[0].clone().out()?, &json!(PT))?;
    same(&answers[8].clone().out()?, &json!(PT))
}

fn an_empty_batch_has_no_results(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    for op in ["vault.seal_many", "vault.open_many"] {
        same(&w.ok(op, json!({"items": []}))?, &json!([]))?;
    }
    same(&w.ok("vault.missing", json!({"envs": []}))?, &json!([]))
}

fn a_batch_of_10000_is_sealed_under_10000_ivs(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    let items: Value = (0..10_000).map(|_| json!({"bind": at("h-17", "x"), "pt": ""})).collect();
    let mut ivs = Vec::new();
    for answer in w.batch("vault.seal_many", &items)? {
        ivs.push(crate::world::iv(&answer.out()?)?);
    }
    ivs.sort_unstable();
    ivs.dedup();
    expect(ivs.len() == 10_000, "10,000 IVs")?;
    w.seals(&dek, 10_000)
}

fn a_batch_of_10001_is_over_the_limit_and_does_nothing(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    let env = w.seal(&at("h-17", "x"))?;
    let items: Value = (0..10_001).map(|_| json!({"bind": at("h-17", "x"), "pt": "", "env": env})).collect();
    for op in ["vault.seal_many", "vault.open_many"] {
        w.no(op, json!({"items": items}), "LIMIT")?;
    }
    w.seals(&dek, 1)
}

fn missing_takes_10000_envelopes_and_no_more(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    let env = w.bare(&dek, &at("h-17", "x"))?;
    same(&w.ok("vault.missing", json!({"envs": vec![env.clone(); 10_000]}))?, &json!([dek.hex_ref()]))?;
    w.no("vault.missing", json!({"envs": vec![env; 10_001]}), "LIMIT")
}

fn missing_lists_each_dek_once_and_passes_over_what_cannot_be_read(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (held, one, other) = (Dek::org("acme", 1, "a"), Dek::org("acme", 2, "b"), Dek::record("acme", "h-17", 1, "r"));
    w.admit(&held)?;
    let mut envs = Vec::new();
    for dek in [&one, &held, &other, &one, &other] {
        envs.push(w.bare(dek, &at("h-17", "x"))?);
    }
    let cut = envs[0].as_str().map(|env| env[..env.len() - 2].to_owned());
    let foreign = envs[0].as_str().map(|env| format!("f6{}", &env[2..]));
    envs.extend([json!(""), json!(cut), json!(foreign), json!("00")]);
    let missing = w.ok("vault.missing", json!({"envs": envs}))?;
    let mut found: Vec<&str> = missing.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    found.sort_unstable();
    let mut expected = [one.hex_ref(), other.hex_ref()];
    expected.sort_unstable();
    expect(found == expected, "the two that are not held")
}

fn missing_lists_what_is_over_and_changes_nothing(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &at("h-17", "x"))?;
    same(&w.ok("vault.missing", json!({"envs": [env]}))?, &json!([]))?;
    w.time(60)?;
    for _ in 0..2 {
        same(&w.ok("vault.missing", json!({"envs": [env]}))?, &json!([named_by(&env)?]))?;
    }
    w.no_open(&at("h-17", "x"), &env, "EXPIRED")
}

fn one_batch_may_serve_many_orgs_and_deks(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    w.mint(&Dek::org("globex", 1, "g"))?;
    w.admit(&Dek::record("acme", "h-17", 1, "r"))?;
    let globex = json!({"org": "globex", "table": "t", "record": "r", "field": "f"});
    let answers = w.batch(
        "vault.seal_many",
        &json!([
            {"bind": at("h-17", "x"), "pt": PT},
            {"bind": globex, "pt": PT},
            {"bind": at("h-17", "x"), "pt": PT, "options": {"scope": "record", "padded": true}},
        ]),
    )?;
    let mut refs = Vec::new();
    for answer in answers {
        refs.push(named_by(&answer.out()?)?);
    }
    refs.sort_unstable();
    refs.dedup();
    expect(refs.len() == 3, "three DEKs")
}
