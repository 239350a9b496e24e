//! A DEK's end is fixed when it comes in.

use super::{Scenario, scenarios};
use crate::world::{Dek, PT, Step, WALL, World, cmk, same};
use serde_json::json;

pub(super) const ALL: &[Scenario] = scenarios![
    at_the_second_of_its_end_a_dek_is_over,
    the_wall_clock_alone_ends_a_dek,
    the_monotonic_clock_alone_ends_a_dek,
    the_default_life_is_43200_seconds,
    use_does_not_move_the_end,
    a_kms_answer_for_a_dek_that_is_held_sets_its_end_anew,
    what_is_over_opens_again_once_it_comes_in_again,
    an_error_does_not_bring_back_what_is_over,
    after_sign_out_what_was_over_is_unknown,
    sign_out_forgets_every_dek,
    a_local_unwrap_ends_with_its_kek,
    a_local_unwrap_ends_ttl_later_if_that_is_sooner,
    a_kek_that_comes_in_anew_does_not_lengthen_what_it_unwrapped,
    a_generated_record_dek_ends_with_its_kek,
    a_kek_that_is_over_unwraps_nothing,
    every_call_says_that_a_dek_is_over,
    the_end_of_time_is_no_panic,
];

fn at_the_second_of_its_end_a_dek_is_over(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let (bind, env) = (dek.field("password"), w.bare(&dek, &dek.field("password"))?);
    w.time(59)?;
    w.opens(&bind, &env)?;
    w.time(60)?;
    w.no_open(&bind, &env, "EXPIRED")
}

fn the_wall_clock_alone_ends_a_dek(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let (bind, env) = (dek.field("password"), w.bare(&dek, &dek.field("password"))?);
    w.clock(59, 0)?;
    w.opens(&bind, &env)?;
    w.clock(60, 0)?;
    w.no_open(&bind, &env, "EXPIRED")
}

fn the_monotonic_clock_alone_ends_a_dek(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let (bind, env) = (dek.field("password"), w.bare(&dek, &dek.field("password"))?);
    w.clock(0, 59)?;
    w.opens(&bind, &env)?;
    w.clock(0, 60)?;
    w.no_open(&bind, &env, "EXPIRED")
}

fn the_default_life_is_43200_seconds(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    w.ends(&dek, 43_200)?;
    w.time(43_199)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.opens(&dek.field("password"), &env)?;
    w.time(43_200)?;
    w.no_open(&dek.field("password"), &env, "EXPIRED")
}

fn use_does_not_move_the_end(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    let bind = dek.field("password");
    let env = w.seal(&bind)?;
    for second in [10, 30, 50, 59] {
        w.time(second)?;
        w.opens(&bind, &env)?;
        w.seal(&bind)?;
        w.ends(&dek, 60)?;
    }
    w.time(60)?;
    w.no_open(&bind, &env, "EXPIRED")
}

fn a_kms_answer_for_a_dek_that_is_held_sets_its_end_anew(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    w.time(40)?;
    w.admit(&dek)?;
    w.ends(&dek, 100)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.time(99)?;
    w.opens(&dek.field("password"), &env)?;
    w.time(100)?;
    w.no_open(&dek.field("password"), &env, "EXPIRED")
}

fn what_is_over_opens_again_once_it_comes_in_again(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.time(60)?;
    w.no_open(&dek.field("password"), &env, "EXPIRED")?;
    w.admit(&dek)?;
    w.opens(&dek.field("password"), &env)?;
    w.ends(&dek, 120)
}

fn an_error_does_not_bring_back_what_is_over(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.time(60)?;
    w.admit_error(&dek, "ThrottlingException", "KMS_THROTTLED")?;
    w.no_open(&dek.field("password"), &env, "EXPIRED")
}

fn after_sign_out_what_was_over_is_unknown(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.time(60)?;
    w.no_open(&dek.field("password"), &env, "EXPIRED")?;
    w.ok("vault.sign_out", json!({}))?;
    w.no_open(&dek.field("password"), &env, "UNKNOWN_DEK")
}

fn sign_out_forgets_every_dek(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let deks = [Dek::org("acme", 1, "a"), Dek::org("globex", 1, "g"), Dek::record("acme", "h-17", 1, "r")];
    for dek in &deks {
        w.admit(dek)?;
    }
    w.ok("vault.sign_out", json!({}))?;
    same(&w.ok("vault.status", json!({}))?, &json!([]))?;
    for dek in &deks {
        let env = w.bare(dek, &dek.field("password"))?;
        w.no_open(&dek.field("password"), &env, "UNKNOWN_DEK")?;
    }
    Ok(())
}

fn a_local_unwrap_ends_with_its_kek(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 100}))?;
    let kek = Dek::org("acme", 1, "kek");
    w.mint(&kek)?;
    let row = w.ok(
        "vault.generate_record_dek",
        json!({"org": "acme", "table": "hosts", "record": "h-17", "version": 1, "created": WALL.to_string()}),
    )?;
    let env = w.seal_with(&kek.field("password"), json!({"scope": "record"}))?;
    w.ok("vault.sign_out", json!({}))?;
    w.admit(&kek)?;
    w.time(40)?;
    w.admit_local("acme", &row)?;
    w.time(99)?;
    w.opens(&kek.field("password"), &env)?;
    w.time(100)?;
    w.no_open(&kek.field("password"), &env, "EXPIRED")
}

fn a_local_unwrap_ends_ttl_later_if_that_is_sooner(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 100}))?;
    let (kek, record) = (Dek::org("acme", 1, "kek"), Dek::record("acme", "h-17", 1, "r"));
    w.mint(&kek)?;
    w.admit(&record)?;
    let row =
        w.ok("vault.wrap_local", json!({"org": "acme", "dek_ref": record.hex_ref(), "created": WALL.to_string()}))?;
    w.time(10)?;
    w.admit(&kek)?;
    w.time(10)?;
    w.admit_local("acme", &row)?;
    w.ends(&record, 110)?;
    w.ends(&kek, 110)
}

fn a_kek_that_comes_in_anew_does_not_lengthen_what_it_unwrapped(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 100}))?;
    let (kek, record) = (Dek::org("acme", 1, "kek"), Dek::record("acme", "h-17", 1, "r"));
    w.mint(&kek)?;
    w.admit(&record)?;
    let row =
        w.ok("vault.wrap_local", json!({"org": "acme", "dek_ref": record.hex_ref(), "created": WALL.to_string()}))?;
    w.time(50)?;
    w.admit_local("acme", &row)?;
    w.ends(&record, 100)?;
    w.admit(&kek)?;
    w.ends(&record, 100)?;
    w.admit_local("acme", &row)?;
    w.ends(&record, 150)
}

fn a_generated_record_dek_ends_with_its_kek(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 100}))?;
    let kek = Dek::org("acme", 1, "kek");
    w.mint(&kek)?;
    w.time(70)?;
    w.ok(
        "vault.generate_record_dek",
        json!({"org": "acme", "table": "hosts", "record": "h-17", "version": 1, "created": WALL.to_string()}),
    )?;
    let env = w.seal_with(&kek.field("password"), json!({"scope": "record"}))?;
    w.admit(&kek)?;
    w.time(99)?;
    w.opens(&kek.field("password"), &env)?;
    w.time(100)?;
    w.no_open(&kek.field("password"), &env, "EXPIRED")
}

fn a_kek_that_is_over_unwraps_nothing(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 100}))?;
    let (kek, record) = (Dek::org("acme", 1, "kek"), Dek::record("acme", "h-17", 1, "r"));
    w.mint(&kek)?;
    w.admit(&record)?;
    let row =
        w.ok("vault.wrap_local", json!({"org": "acme", "dek_ref": record.hex_ref(), "created": WALL.to_string()}))?;
    w.time(100)?;
    w.no("vault.admit", json!({"org": "acme", "row": row}), "EXPIRED")?;
    w.ok("vault.sign_out", json!({}))?;
    w.no("vault.admit", json!({"org": "acme", "row": row}), "UNKNOWN_DEK")
}

fn every_call_says_that_a_dek_is_over(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 100, "session": "s"}))?;
    let (org, record) = (Dek::org("acme", 1, "a"), Dek::record("acme", "h-17", 1, "r"));
    w.mint(&org)?;
    w.admit(&record)?;
    let bind = org.field("password");
    let (by_org, by_record) = (w.seal(&bind)?, w.seal_with(&bind, json!({"scope": "record"}))?);
    w.time(100)?;
    let created = WALL.to_string();
    w.no_open(&bind, &by_org, "EXPIRED")?;
    w.no_open(&bind, &by_record, "EXPIRED")?;
    w.no_seal(&bind, "EXPIRED")?;
    w.no_seal_record(&bind, "EXPIRED")?;
    w.no("vault.reseal", json!({"bind": bind, "env": by_org}), "EXPIRED")?;
    w.no("vault.rebind", json!({"from": bind, "to": org.field("other"), "env": by_record}), "EXPIRED")?;
    w.no(
        "vault.generate_record_dek",
        json!({"org": "acme", "table": "hosts", "record": "h-18", "version": 1, "created": created}),
        "EXPIRED",
    )?;
    w.no("vault.wrap_local", json!({"org": "acme", "dek_ref": record.hex_ref(), "created": created}), "EXPIRED")?;
    w.no(
        "vault.wrap_request",
        json!({"dek_ref": record.hex_ref(), "cmk": cmk("acme"), "created": created}),
        "EXPIRED",
    )?;
    w.no(
        "vault.share_request",
        json!({"dek_ref": record.hex_ref(), "reader": "globex", "cmk": cmk("globex"), "created": created}),
        "EXPIRED",
    )?;
    if w.hello.lists("ops", "vault.cache_export") {
        w.no("vault.cache_export", json!({"dek_ref": record.hex_ref()}), "EXPIRED")?;
    }
    for op in ["vault.seal_many", "vault.open_many"] {
        let answers = w.batch(op, &json!([{"bind": bind, "pt": PT, "env": by_org}]))?;
        answers[0].is("EXPIRED")?;
    }
    let missing = w.ok("vault.missing", json!({"envs": [by_org, by_record]}))?;
    same(&json!(missing.as_array().map(Vec::len)), &json!(2))
}

fn the_end_of_time_is_no_panic(w: &mut World<'_>) -> Step {
    w.vault_at(json!({}), u64::MAX - 5, u64::MAX - 5)?;
    let dek = Dek::org("acme", 1, "a");
    let env = w.bare(&dek, &dek.field("password"))?;
    // Whatever the answer is, it is one.
    let answer = w.ask("vault.admit", crate::world::admission(&dek))?;
    if answer.result.is_ok() {
        w.opens(&dek.field("password"), &env)?;
    }
    w.ok("vault.set_clock", json!({"wall": u64::MAX.to_string(), "mono": u64::MAX.to_string()}))?;
    w.no_of("vault.open", json!({"bind": dek.field("other"), "env": env}), &["AUTH_FAILED", "EXPIRED", "UNKNOWN_DEK"])
}
