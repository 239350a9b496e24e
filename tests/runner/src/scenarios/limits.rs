//! Sizes of fields, and how many DEKs a vault holds.

use super::{Scenario, scenarios};
use crate::world::{Dek, Step, World, admission, at, expect, same};
use serde_json::json;

pub(super) const ALL: &[Scenario] = scenarios![
    a_field_is_at_most_the_field_limit,
    a_longer_envelope_is_over_the_limit_before_its_dek_is_looked_for,
    a_field_of_17_mib_goes_through_where_the_option_allows_it,
    padding_hides_lengths_up_to_64_bytes,
    the_least_recently_used_dek_goes_when_the_4097th_comes,
    a_dek_that_is_over_still_takes_its_place,
    status_lists_what_is_held_by_dek_ref,
];

const HELD: u32 = 4096;

fn record(number: u32) -> Dek {
    Dek::record("acme", &format!("r-{number}"), 1, &format!("held {number}"))
}

fn a_field_is_at_most_the_field_limit(w: &mut World<'_>) -> Step {
    w.vault(json!({"field_limit": 100}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    let bind = at("h-17", "x");
    for padded in [false, true] {
        let env = w.ok("vault.seal", json!({"bind": bind, "pt": "61".repeat(100), "options": {"padded": padded}}))?;
        same(&w.ok("vault.open", json!({"bind": bind, "env": env}))?, &json!("61".repeat(100)))?;
        w.no("vault.seal", json!({"bind": bind, "pt": "61".repeat(101), "options": {"padded": padded}}), "LIMIT")?;
    }
    w.ok("vault.seal", json!({"bind": bind, "pt": ""})).map(drop)
}

fn a_longer_envelope_is_over_the_limit_before_its_dek_is_looked_for(w: &mut World<'_>) -> Step {
    w.vault(json!({"field_limit": 64}))?;
    let dek = Dek::org("acme", 1, "a");
    let (key, pt) = (crate::bytes::hex(&dek.key), "61".repeat(65));
    let env = w.ok("seal", json!({"key": key, "identity": dek.identity(), "bind": at("h-17", "x"), "pt": pt}))?;
    w.no_open(&at("h-17", "x"), &env, "LIMIT")?;
    w.no("vault.reseal", json!({"bind": at("h-17", "x"), "env": env}), "LIMIT")?;
    same(&w.ok("vault.missing", json!({"envs": [env]}))?, &json!([]))?;
    w.vault(json!({"field_limit": 65}))?;
    w.no_open(&at("h-17", "x"), &env, "UNKNOWN_DEK")?;
    w.admit(&dek)?;
    same(&w.ok("vault.open", json!({"bind": at("h-17", "x"), "env": env}))?, &json!("61".repeat(65)))
}

fn a_field_of_17_mib_goes_through_where_the_option_allows_it(w: &mut World<'_>) -> Step {
    let pt = "61".repeat(17 << 20);
    w.vault(json!({"field_limit": 33_554_432}))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    let env = w.ok("vault.seal", json!({"bind": at("h-17", "x"), "pt": pt}))?;
    let opened = w.ok("vault.open", json!({"bind": at("h-17", "x"), "env": env}))?;
    expect(opened == json!(pt), "the field as it was")
}

fn padding_hides_lengths_up_to_64_bytes(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    for (length, sealed) in [(0, 132), (1, 132), (62, 132), (63, 132), (64, 196), (127, 196), (128, 260)] {
        let pt = "61".repeat(length);
        let env = w.ok("vault.seal", json!({"bind": at("h-17", "x"), "pt": pt, "options": {"padded": true}}))?;
        expect(env.as_str().map(str::len) == Some(2 * sealed), "the padded length")?;
        same(&w.ok("vault.open", json!({"bind": at("h-17", "x"), "env": env}))?, &json!(pt))?;
    }
    Ok(())
}

fn the_least_recently_used_dek_goes_when_the_4097th_comes(w: &mut World<'_>) -> Step {
    w.vault(json!({"seal_limit": 2}))?;
    let field = |number: u32| record(number).field("x");
    let mut envelopes = Vec::new();
    for number in 0..5 {
        envelopes.push(w.bare(&record(number), &field(number))?);
    }
    w.admit(&record(0))?;
    w.seal_with(&field(0), json!({"scope": "record"}))?;
    w.all("vault.admit", (1..=HELD).map(|number| admission(&record(number))))?;
    w.no_open(&field(0), &envelopes[0], "UNKNOWN_DEK")?;
    // Used, and in again: neither takes a second place, and both are the youngest now.
    w.opens(&field(1), &envelopes[1])?;
    w.admit(&record(2))?;
    w.admit(&record(0))?;
    w.no_open(&field(3), &envelopes[3], "UNKNOWN_DEK")?;
    for number in [0, 1, 2, 4] {
        w.opens(&field(number), &envelopes[number as usize])?;
    }
    // Eviction did not reset the count.
    w.seals(&record(0), 1)?;
    w.seal_with(&field(0), json!({"scope": "record"}))?;
    w.no_seal_record(&field(0), "BUDGET_EXHAUSTED")
}

fn a_dek_that_is_over_still_takes_its_place(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    w.all("vault.admit", (0..HELD).map(|number| admission(&record(number))))?;
    w.time(60)?;
    w.admit(&record(HELD))?;
    let (first, second) = (w.bare(&record(0), &record(0).field("x"))?, w.bare(&record(1), &record(1).field("x"))?);
    w.no_open(&record(0).field("x"), &first, "UNKNOWN_DEK")?;
    w.no_open(&record(1).field("x"), &second, "EXPIRED")
}

fn status_lists_what_is_held_by_dek_ref(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let deks = [
        Dek::org("acme", 7, "a"),
        Dek::org("globex", 1, "g"),
        Dek::record("acme", "h-17", 2, "r"),
        Dek::record("acme", "h-18", 1, "s").shared("globex"),
    ];
    let over = Dek::org("acme", 6, "over");
    w.admit(&over)?;
    w.time(10)?;
    for dek in &deks {
        w.admit(dek)?;
    }
    w.time(60)?;
    let mut expected: Vec<_> = deks
        .iter()
        .map(|dek| {
            json!({
                "dek_ref": dek.hex_ref(), "kind": dek.identity()["kind"], "org": dek.owner, "version": dek.version,
                "reader": dek.reader, "ends": (crate::world::WALL + 70).to_string(), "seals": 0,
            })
        })
        .collect();
    expected.sort_by_key(|entry| entry["dek_ref"].to_string());
    same(&w.ok("vault.status", json!({}))?, &json!(expected))
}
