//! Every IV used under a DEK is counted, for as long as the vault lives.

use super::{Scenario, scenarios};
use crate::world::{Dek, PT, Step, WALL, World, at, expect, same};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    seals_are_counted_and_opens_are_not,
    every_item_of_a_batch_counts,
    reseal_and_rebind_count_where_they_seal,
    local_wraps_count_under_their_kek,
    a_record_dek_counts_by_itself,
    what_fails_before_its_iv_is_not_counted,
    the_budget_is_the_seal_limit,
    every_way_to_seal_has_the_same_budget,
    a_batch_stops_at_the_budget,
    coming_in_again_does_not_reset_the_count,
    neither_expiry_nor_sign_out_nor_denial_resets_the_count,
    after_a_rotation_there_is_a_new_budget,
    two_vaults_count_apart,
    without_random_bytes_nothing_is_sealed_and_nothing_counted,
    a_batch_without_random_bytes_seals_and_counts_nothing,
    minting_and_opening_need_no_generator,
    an_exhausted_budget_is_said_before_a_failing_generator,
];

fn generate(record: &str) -> Value {
    json!({"org": "acme", "table": "hosts", "record": record, "version": 1, "created": WALL.to_string()})
}

fn minted(w: &mut World<'_>, options: Value) -> Step<(Dek, Value)> {
    w.vault(options)?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    let bind = dek.field("password");
    Ok((dek, bind))
}

fn seals_are_counted_and_opens_are_not(w: &mut World<'_>) -> Step {
    let (dek, bind) = minted(w, json!({}))?;
    w.seals(&dek, 0)?;
    let env = w.seal(&bind)?;
    w.seal_with(&bind, json!({"padded": true}))?;
    w.opens(&bind, &env)?;
    w.no_open(&at("h-18", "password"), &env, "AUTH_FAILED")?;
    w.seals(&dek, 2)
}

fn every_item_of_a_batch_counts(w: &mut World<'_>) -> Step {
    let (dek, bind) = minted(w, json!({}))?;
    let items: Value = (0..25).map(|_| json!({"bind": bind, "pt": PT})).collect();
    w.batch("vault.seal_many", &items)?;
    w.seals(&dek, 25)
}

fn reseal_and_rebind_count_where_they_seal(w: &mut World<'_>) -> Step {
    let (old, bind) = minted(w, json!({}))?;
    let env = w.seal(&bind)?;
    let new = Dek::org("acme", 2, "b");
    w.mint(&new)?;
    w.ok("vault.reseal", json!({"bind": bind, "env": env}))?;
    w.ok("vault.rebind", json!({"from": bind, "to": at("h-18", "x"), "env": env}))?;
    w.seals(&old, 1)?;
    w.seals(&new, 2)
}

fn local_wraps_count_under_their_kek(w: &mut World<'_>) -> Step {
    let (kek, _) = minted(w, json!({}))?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.admit(&record)?;
    w.ok("vault.wrap_local", json!({"org": "acme", "dek_ref": record.hex_ref(), "created": WALL.to_string()}))?;
    w.ok("vault.generate_record_dek", generate("h-18"))?;
    w.seals(&kek, 2)?;
    w.seals(&record, 0)
}

fn a_record_dek_counts_by_itself(w: &mut World<'_>) -> Step {
    let (org, bind) = minted(w, json!({}))?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.admit(&record)?;
    for _ in 0..3 {
        w.seal_with(&bind, json!({"scope": "record"}))?;
    }
    w.seals(&record, 3)?;
    w.seals(&org, 0)
}

fn what_fails_before_its_iv_is_not_counted(w: &mut World<'_>) -> Step {
    let (dek, bind) = minted(w, json!({"field_limit": 64}))?;
    let env = w.seal(&bind)?;
    w.no("vault.seal", json!({"bind": bind, "pt": "00".repeat(65)}), "LIMIT")?;
    w.no("vault.seal", json!({"bind": at("", "x"), "pt": PT}), "BAD_INPUT")?;
    w.no_seal_record(&bind, "NO_ACTIVE_DEK")?;
    w.no("vault.reseal", json!({"bind": at("h-18", "x"), "env": env}), "AUTH_FAILED")?;
    w.no("vault.rebind", json!({"from": at("h-18", "x"), "to": bind, "env": env}), "AUTH_FAILED")?;
    w.no(
        "vault.wrap_local",
        json!({"org": "acme", "dek_ref": dek.hex_ref(), "created": WALL.to_string()}),
        "BAD_INPUT",
    )?;
    w.seals(&dek, 1)
}

fn the_budget_is_the_seal_limit(w: &mut World<'_>) -> Step {
    let (dek, bind) = minted(w, json!({"seal_limit": 3}))?;
    let env = w.seal(&bind)?;
    w.seal(&bind)?;
    w.seal(&bind)?;
    for _ in 0..2 {
        w.no_seal(&bind, "BUDGET_EXHAUSTED")?;
    }
    w.opens(&bind, &env)?;
    w.seals(&dek, 3)
}

fn every_way_to_seal_has_the_same_budget(w: &mut World<'_>) -> Step {
    let (dek, bind) = minted(w, json!({"seal_limit": 4}))?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.admit(&record)?;
    let env = w.seal(&bind)?;
    w.ok("vault.generate_record_dek", generate("h-18"))?;
    w.ok("vault.wrap_local", json!({"org": "acme", "dek_ref": record.hex_ref(), "created": WALL.to_string()}))?;
    w.ok("vault.reseal", json!({"bind": bind, "env": env}))?;
    w.no_seal(&bind, "BUDGET_EXHAUSTED")?;
    w.no("vault.reseal", json!({"bind": bind, "env": env}), "BUDGET_EXHAUSTED")?;
    w.no("vault.rebind", json!({"from": bind, "to": at("h-17", "x"), "env": env}), "BUDGET_EXHAUSTED")?;
    w.no("vault.generate_record_dek", generate("h-19"), "BUDGET_EXHAUSTED")?;
    w.no(
        "vault.wrap_local",
        json!({"org": "acme", "dek_ref": record.hex_ref(), "created": WALL.to_string()}),
        "BUDGET_EXHAUSTED",
    )?;
    w.seals(&dek, 4)?;
    w.seal_with(&bind, json!({"scope": "record"})).map(drop)
}

fn a_batch_stops_at_the_budget(w: &mut World<'_>) -> Step {
    let (_, bind) = minted(w, json!({"seal_limit": 3}))?;
    let items: Value = (0..5).map(|_| json!({"bind": bind, "pt": PT})).collect();
    let answers = w.batch("vault.seal_many", &items)?;
    for answer in &answers[..3] {
        expect(answer.result.is_ok(), "three are sealed")?;
    }
    for answer in &answers[3..] {
        answer.is("BUDGET_EXHAUSTED")?;
    }
    Ok(())
}

fn coming_in_again_does_not_reset_the_count(w: &mut World<'_>) -> Step {
    let (dek, bind) = minted(w, json!({"seal_limit": 2}))?;
    w.seal(&bind)?;
    w.admit(&dek)?;
    w.seals(&dek, 1)?;
    w.seal(&bind)?;
    w.admit(&dek)?;
    w.no_seal(&bind, "BUDGET_EXHAUSTED")
}

fn neither_expiry_nor_sign_out_nor_denial_resets_the_count(w: &mut World<'_>) -> Step {
    let (dek, bind) = minted(w, json!({"seal_limit": 4, "ttl": 60}))?;
    w.seal(&bind)?;
    w.time(60)?;
    w.no_seal(&bind, "EXPIRED")?;
    w.admit(&dek)?;
    w.seals(&dek, 1)?;
    w.seal(&bind)?;
    w.ok("vault.sign_out", json!({}))?;
    w.admit(&dek)?;
    w.seals(&dek, 2)?;
    w.seal(&bind)?;
    w.admit_error(&dek, "AccessDeniedException", "KMS_DENIED")?;
    w.admit(&dek)?;
    w.seals(&dek, 3)?;
    w.clock(0, 0)?;
    w.no_seal(&bind, "CLOCK_ROLLBACK")?;
    w.admit(&dek)?;
    w.seals(&dek, 3)?;
    w.seal(&bind)?;
    w.no_seal(&bind, "BUDGET_EXHAUSTED")
}

fn after_a_rotation_there_is_a_new_budget(w: &mut World<'_>) -> Step {
    let (_, bind) = minted(w, json!({"seal_limit": 1}))?;
    w.seal(&bind)?;
    w.no_seal(&bind, "BUDGET_EXHAUSTED")?;
    w.mint(&Dek::org("acme", 2, "b"))?;
    w.seal(&bind)?;
    w.no_seal(&bind, "BUDGET_EXHAUSTED")
}

fn two_vaults_count_apart(w: &mut World<'_>) -> Step {
    let (dek, bind) = minted(w, json!({"seal_limit": 1}))?;
    w.seal(&bind)?;
    minted(w, json!({"seal_limit": 1}))?;
    w.seals(&dek, 0)?;
    w.seal(&bind).map(drop)
}

fn without_random_bytes_nothing_is_sealed_and_nothing_counted(w: &mut World<'_>) -> Step {
    let (dek, bind) = minted(w, json!({}))?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.admit(&record)?;
    let env = w.seal(&bind)?;
    w.ok("vault.rng", json!({"ok": false}))?;
    let name = "RNG_FAILURE";
    w.no_seal(&bind, name)?;
    w.no_seal_record(&bind, name)?;
    w.no("vault.reseal", json!({"bind": bind, "env": env}), name)?;
    w.no("vault.rebind", json!({"from": bind, "to": at("h-17", "x"), "env": env}), name)?;
    w.no("vault.generate_record_dek", generate("h-18"), name)?;
    w.no("vault.wrap_local", json!({"org": "acme", "dek_ref": record.hex_ref(), "created": WALL.to_string()}), name)?;
    w.opens(&bind, &env)?;
    w.seals(&dek, 1)?;
    w.seals(&record, 0)?;
    w.ok("vault.rng", json!({"ok": true}))?;
    w.no_seal_record(&at("h-18", "x"), "NO_ACTIVE_DEK")?;
    w.seal(&bind)?;
    w.seals(&dek, 2)
}

fn a_batch_without_random_bytes_seals_and_counts_nothing(w: &mut World<'_>) -> Step {
    let (dek, bind) = minted(w, json!({}))?;
    w.ok("vault.rng", json!({"ok": false}))?;
    let items: Value = (0..3).map(|_| json!({"bind": bind, "pt": PT})).collect();
    for answer in w.batch("vault.seal_many", &items)? {
        answer.is("RNG_FAILURE")?;
    }
    w.ok("vault.rng", json!({"ok": true}))?;
    w.seals(&dek, 0)
}

fn minting_and_opening_need_no_generator(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.ok("vault.rng", json!({"ok": false}))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    w.no_seal(&dek.field("x"), "RNG_FAILURE")?;
    same(&w.ok("vault.missing", json!({"envs": []}))?, &json!([]))
}

fn an_exhausted_budget_is_said_before_a_failing_generator(w: &mut World<'_>) -> Step {
    let (_, bind) = minted(w, json!({"seal_limit": 1}))?;
    w.seal(&bind)?;
    w.ok("vault.rng", json!({"ok": false}))?;
    w.no_seal(&bind, "BUDGET_EXHAUSTED")
}
