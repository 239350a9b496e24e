//! A clock that goes back ends all DEKs held.

use super::{Scenario, scenarios};
use crate::world::{Dek, Step, World, cmk, mint, same};
use serde_json::json;

pub(super) const ALL: &[Scenario] = scenarios![
    a_step_back_of_one_second_counts_as_standing_still,
    a_step_back_of_two_seconds_ends_all_deks,
    single_steps_back_do_not_add_up_unseen,
    a_clock_that_jitters_by_a_second_keeps_its_deks,
    the_monotonic_clock_may_not_go_back_at_all,
    the_highest_value_is_the_highest_seen_not_the_one_at_admission,
    a_step_back_that_no_call_sees_did_not_happen,
    calls_that_use_no_dek_see_a_step_back_too,
    a_call_that_fails_sees_a_step_back_too,
    after_a_rollback_the_highest_value_starts_at_the_present,
    after_the_monotonic_clock_went_back_it_starts_at_the_present,
    the_reason_stays_until_the_dek_comes_in_again,
    what_is_over_by_one_clock_while_the_other_goes_back_is_over,
    after_sign_out_what_a_clock_ended_is_unknown,
    sealing_says_what_a_clock_ended,
    every_call_says_that_a_clock_ended_a_dek,
    another_vault_has_clocks_of_its_own,
];

fn a_step_back_of_one_second_counts_as_standing_still(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.clock(10, 10)?;
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.clock(9, 10)?;
    w.opens(&dek.field("password"), &env)?;
    w.ends(&dek, 70)?;
    w.clock(69, 10)?;
    w.opens(&dek.field("password"), &env)?;
    w.clock(70, 10)?;
    w.no_open(&dek.field("password"), &env, "EXPIRED")
}

fn a_step_back_of_two_seconds_ends_all_deks(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let deks = [Dek::org("acme", 1, "a"), Dek::record("globex", "h-17", 1, "g")];
    for dek in &deks {
        w.admit(dek)?;
    }
    w.clock(-2, 0)?;
    for dek in &deks {
        let env = w.bare(dek, &dek.field("password"))?;
        w.no_open(&dek.field("password"), &env, "CLOCK_ROLLBACK")?;
    }
    same(&w.ok("vault.status", json!({}))?, &json!([]))
}

fn single_steps_back_do_not_add_up_unseen(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.clock(10, 0)?;
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.clock(9, 0)?;
    w.opens(&dek.field("password"), &env)?;
    w.clock(8, 0)?;
    w.no_open(&dek.field("password"), &env, "CLOCK_ROLLBACK")
}

fn a_clock_that_jitters_by_a_second_keeps_its_deks(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    for (wall, mono) in [(5, 0), (4, 0), (5, 1), (4, 1), (6, 2), (5, 2)] {
        w.clock(wall, mono)?;
        w.opens(&dek.field("password"), &env)?;
    }
    Ok(())
}

fn the_monotonic_clock_may_not_go_back_at_all(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.clock(0, -1)?;
    w.no_open(&dek.field("password"), &env, "CLOCK_ROLLBACK")
}

fn the_highest_value_is_the_highest_seen_not_the_one_at_admission(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.clock(1000, 0)?;
    w.opens(&dek.field("password"), &env)?;
    w.clock(998, 0)?;
    w.no_open(&dek.field("password"), &env, "CLOCK_ROLLBACK")
}

fn a_step_back_that_no_call_sees_did_not_happen(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.clock(-100, -100)?;
    w.clock(0, 0)?;
    w.opens(&dek.field("password"), &env)
}

fn calls_that_use_no_dek_see_a_step_back_too(w: &mut World<'_>) -> Step {
    for op in ["vault.status", "vault.mint_request", "vault.shred_request", "vault.tombstone", "vault.set_active"] {
        w.vault(json!({}))?;
        let dek = Dek::org("acme", 1, "a");
        w.admit(&dek)?;
        let env = w.bare(&dek, &dek.field("password"))?;
        w.clock(-2, 0)?;
        let other = Dek::org("globex", 1, "g");
        let mut members = mint(&other);
        members["days"] = json!(7);
        members["active"] = other.active(1);
        w.ok(op, members)?;
        w.clock(0, 0)?;
        w.no_open(&dek.field("password"), &env, "CLOCK_ROLLBACK").map_err(|reason| format!("after {op}: {reason}"))?;
    }
    Ok(())
}

fn a_call_that_fails_sees_a_step_back_too(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.clock(0, -1)?;
    w.no_seal(&Dek::org("globex", 1, "g").field("password"), "NO_ACTIVE_DEK")?;
    w.clock(0, 0)?;
    w.no_open(&dek.field("password"), &env, "CLOCK_ROLLBACK")
}

fn after_a_rollback_the_highest_value_starts_at_the_present(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.clock(-1000, 0)?;
    w.no_open(&dek.field("password"), &env, "CLOCK_ROLLBACK")?;
    w.admit(&dek)?;
    w.opens(&dek.field("password"), &env)?;
    w.clock(-1001, 0)?;
    w.opens(&dek.field("password"), &env)?;
    w.clock(-1002, 0)?;
    w.no_open(&dek.field("password"), &env, "CLOCK_ROLLBACK")
}

fn after_the_monotonic_clock_went_back_it_starts_at_the_present(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.clock(0, -500)?;
    w.no_open(&dek.field("password"), &env, "CLOCK_ROLLBACK")?;
    w.admit(&dek)?;
    w.opens(&dek.field("password"), &env)?;
    w.clock(0, -501)?;
    w.no_open(&dek.field("password"), &env, "CLOCK_ROLLBACK")
}

fn the_reason_stays_until_the_dek_comes_in_again(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let (expired, rolled) = (Dek::org("acme", 1, "a"), Dek::org("globex", 1, "g"));
    w.admit(&expired)?;
    w.time(50)?;
    w.admit(&rolled)?;
    let (first, second) = (w.bare(&expired, &expired.field("x"))?, w.bare(&rolled, &rolled.field("x"))?);
    w.time(60)?;
    w.no_open(&expired.field("x"), &first, "EXPIRED")?;
    w.clock(40, 60)?;
    for (wall, mono) in [(40, 60), (41, 61), (5000, 5000)] {
        w.clock(wall, mono)?;
        w.no_open(&expired.field("x"), &first, "EXPIRED")?;
        w.no_open(&rolled.field("x"), &second, "CLOCK_ROLLBACK")?;
    }
    w.admit(&rolled)?;
    w.opens(&rolled.field("x"), &second)?;
    w.no_open(&expired.field("x"), &first, "EXPIRED")
}

fn what_is_over_by_one_clock_while_the_other_goes_back_is_over(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.clock(-10, 60)?;
    w.no_of("vault.open", json!({"bind": dek.field("password"), "env": env}), &["EXPIRED", "CLOCK_ROLLBACK"])
}

fn after_sign_out_what_a_clock_ended_is_unknown(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.clock(-2, 0)?;
    w.no_open(&dek.field("password"), &env, "CLOCK_ROLLBACK")?;
    w.ok("vault.sign_out", json!({}))?;
    w.no_open(&dek.field("password"), &env, "UNKNOWN_DEK")
}

fn sealing_says_what_a_clock_ended(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    w.clock(-2, 0)?;
    w.no_seal(&dek.field("password"), "CLOCK_ROLLBACK")?;
    w.admit(&dek)?;
    w.seal(&dek.field("password")).map(drop)
}

fn every_call_says_that_a_clock_ended_a_dek(w: &mut World<'_>) -> Step {
    w.vault(json!({"session": "s"}))?;
    let (org, record) = (Dek::org("acme", 1, "a"), Dek::record("acme", "h-17", 1, "r"));
    w.mint(&org)?;
    w.admit(&record)?;
    let wrap = json!({"org": "acme", "dek_ref": record.hex_ref(), "created": "0"});
    let row = w.ok("vault.wrap_local", wrap.clone())?;
    let (bind, name) = (org.field("x"), "CLOCK_ROLLBACK");
    let env = w.seal(&bind)?;
    w.clock(-2, 0)?;
    w.no_open(&bind, &env, name)?;
    w.no_seal_record(&bind, name)?;
    w.no("vault.reseal", json!({"bind": bind, "env": env}), name)?;
    w.no("vault.rebind", json!({"from": bind, "to": org.field("y"), "env": env}), name)?;
    w.no("vault.wrap_local", wrap.clone(), name)?;
    w.no("vault.admit", json!({"org": "acme", "row": row}), name)?;
    let mut request = wrap;
    request["cmk"] = json!(cmk("acme"));
    w.no("vault.wrap_request", request.clone(), name)?;
    request["reader"] = json!("globex");
    w.no("vault.share_request", request, name)?;
    w.no(
        "vault.generate_record_dek",
        json!({"org": "acme", "table": "t", "record": "r", "version": 1, "created": "0"}),
        name,
    )?;
    if w.hello.lists("ops", "vault.cache_export") {
        w.no("vault.cache_export", json!({"dek_ref": record.hex_ref()}), name)?;
    }
    w.admit(&org)?;
    w.admit_local("acme", &row)?;
    w.opens(&bind, &env)
}

fn another_vault_has_clocks_of_its_own(w: &mut World<'_>) -> Step {
    let first = w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.vault(json!({}))?;
    w.clock(-100, -100)?;
    w.ok("vault.status", json!({}))?;
    w.vault = first;
    w.opens(&dek.field("password"), &env)
}
