//! Scope `record`: the highest version of that record's DEK ever seen, and no other.

use super::{Scenario, scenarios};
use crate::world::{Dek, PT, Step, WALL, World, at, expect, named_by, same};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    without_a_record_dek_scope_record_seals_nothing,
    scope_org_is_the_default_whatever_is_held,
    a_record_dek_needs_no_org_dek_to_seal,
    the_highest_version_seals_in_whatever_order_they_came_in,
    an_older_version_is_never_taken_instead,
    of_one_version_the_last_that_came_in_seals,
    a_denied_version_is_remembered_as_the_highest,
    a_generated_dek_is_the_highest_at_once,
    two_generated_deks_are_never_the_same,
    a_record_dek_serves_its_record_only,
    an_org_dek_serves_its_org_only,
    a_share_seals_nothing,
    where_the_highest_version_is_a_share_an_own_older_one_is_not_taken,
    the_highest_version_is_remembered_when_its_dek_has_gone,
];

const RECORD: fn() -> Value = || json!({"scope": "record"});

fn without_a_record_dek_scope_record_seals_nothing(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    w.no_seal_record(&at("h-17", "x"), "NO_ACTIVE_DEK")?;
    w.admit(&Dek::record("acme", "h-18", 1, "r"))?;
    w.no_seal_record(&at("h-17", "x"), "NO_ACTIVE_DEK")
}

fn scope_org_is_the_default_whatever_is_held(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let org = Dek::org("acme", 1, "a");
    w.mint(&org)?;
    w.admit(&Dek::record("acme", "h-17", 1, "r"))?;
    let env = w.seal(&at("h-17", "x"))?;
    expect(named_by(&env)? == org.hex_ref(), "sealed under the org DEK")
}

fn a_record_dek_needs_no_org_dek_to_seal(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.admit(&record)?;
    let env = w.seal_with(&at("h-17", "x"), RECORD())?;
    w.opens(&at("h-17", "x"), &env)?;
    w.no_seal(&at("h-17", "x"), "NO_ACTIVE_DEK")
}

fn the_highest_version_seals_in_whatever_order_they_came_in(w: &mut World<'_>) -> Step {
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        w.vault(json!({}))?;
        for version in order {
            w.admit(&Dek::record("acme", "h-17", version, "r"))?;
        }
        let env = w.seal_with(&at("h-17", "x"), RECORD())?;
        expect(named_by(&env)? == Dek::record("acme", "h-17", 3, "r").hex_ref(), "version 3 seals")?;
    }
    Ok(())
}

fn an_older_version_is_never_taken_instead(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let (old, new) = (Dek::record("acme", "h-17", 1, "old"), Dek::record("acme", "h-17", 2, "new"));
    w.admit(&new)?;
    w.time(30)?;
    w.admit(&old)?;
    w.time(60)?;
    w.no_seal_record(&at("h-17", "x"), "EXPIRED")?;
    w.ok("vault.sign_out", json!({}))?;
    w.admit(&old)?;
    w.no_seal_record(&at("h-17", "x"), "UNKNOWN_DEK")?;
    let env = w.bare(&old, &at("h-17", "x"))?;
    w.opens(&at("h-17", "x"), &env)?;
    w.admit(&new)?;
    w.seal_with(&at("h-17", "x"), RECORD()).map(drop)
}

fn of_one_version_the_last_that_came_in_seals(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (one, other) = (Dek::record("acme", "h-17", 1, "one"), Dek::record("acme", "h-17", 1, "other"));
    for dek in [&one, &other, &one] {
        w.admit(dek)?;
        let env = w.seal_with(&at("h-17", "x"), RECORD())?;
        expect(named_by(&env)? == dek.hex_ref(), "the last that came in")?;
    }
    Ok(())
}

fn a_denied_version_is_remembered_as_the_highest(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (old, new) = (Dek::record("acme", "h-17", 1, "old"), Dek::record("acme", "h-17", 2, "new"));
    w.admit(&old)?;
    w.admit(&new)?;
    w.admit_error(&new, "AccessDeniedException", "KMS_DENIED")?;
    w.no_seal_record(&at("h-17", "x"), "UNKNOWN_DEK")
}

fn a_generated_dek_is_the_highest_at_once(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    w.admit(&Dek::record("acme", "h-17", 1, "r"))?;
    let row = w.ok(
        "vault.generate_record_dek",
        json!({"org": "acme", "table": "hosts", "record": "h-17", "version": 2, "created": WALL.to_string()}),
    )?;
    let env = w.seal_with(&at("h-17", "x"), RECORD())?;
    let status = w.ok("vault.status", json!({}))?;
    let held = status
        .as_array()
        .into_iter()
        .flatten()
        .find(|dek| dek["dek_ref"] == json!(named_by(&env).unwrap_or_default()))
        .cloned()
        .unwrap_or_default();
    same(&held["version"], &json!(2))?;
    same(&row["version"], &json!(2))
}

fn two_generated_deks_are_never_the_same(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    let members = json!({"org": "acme", "table": "hosts", "record": "h-17", "version": 1, "created": WALL.to_string()});
    let first = w.ok("vault.generate_record_dek", members.clone())?;
    let second = w.ok("vault.generate_record_dek", members)?;
    expect(first["dekRef"] != second["dekRef"] && first["blob"] != second["blob"], "two DEKs")
}

fn a_record_dek_serves_its_record_only(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.admit(&record)?;
    let env = w.seal_with(&at("h-17", "x"), RECORD())?;
    for (part, value) in [("org", "globex"), ("table", "users"), ("record", "h-18"), ("field", "y")] {
        let mut bind = at("h-17", "x");
        bind[part] = json!(value);
        w.no_open(&bind, &env, "AUTH_FAILED")?;
    }
    w.no_seal_record(&json!({"org": "acme", "table": "users", "record": "h-17", "field": "x"}), "NO_ACTIVE_DEK")?;
    w.opens(&at("h-17", "x"), &env)
}

fn an_org_dek_serves_its_org_only(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    w.mint(&Dek::org("globex", 1, "g"))?;
    let bind = at("h-17", "x");
    let env = w.seal(&bind)?;
    let mut elsewhere = bind.clone();
    elsewhere["org"] = json!("globex");
    w.no_open(&elsewhere, &env, "AUTH_FAILED")
}

fn a_share_seals_nothing(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.mint(&Dek::org("globex", 1, "g"))?;
    let share = Dek::record("acme", "h-17", 1, "r").shared("globex");
    w.admit(&share)?;
    w.no_seal_record(&at("h-17", "x"), "NO_ACTIVE_DEK")?;
    w.no_seal(&at("h-17", "x"), "NO_ACTIVE_DEK")?;
    let answers =
        w.batch("vault.seal_many", &json!([{"bind": at("h-17", "x"), "pt": PT, "options": {"scope": "record"}}]))?;
    answers[0].is("NO_ACTIVE_DEK")?;
    w.seals(&share, 0)
}

fn where_the_highest_version_is_a_share_an_own_older_one_is_not_taken(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.admit(&Dek::record("acme", "h-17", 1, "old"))?;
    w.admit(&Dek::record("acme", "h-17", 2, "new").shared("globex"))?;
    w.no_seal_record(&at("h-17", "x"), "NO_ACTIVE_DEK")
}

fn the_highest_version_is_remembered_when_its_dek_has_gone(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    let newest = Dek::record("acme", "h-17", 2, "new");
    w.admit(&newest)?;
    // The DEK itself has long gone: only 4,096 are held. That as many as 65,536 records are
    // remembered is shown where a line is cheapest; a host has no part in it.
    let others = if w.shim.name == "rust" { 65_535 } else { 4_500 };
    let generate =
        |record: String| json!({"org": "acme", "table": "hosts", "record": record, "version": 1, "created": "0"});
    w.all("vault.generate_record_dek", (0..others).map(|number| generate(format!("r-{number}"))))?;
    w.admit(&Dek::record("acme", "h-17", 1, "old"))?;
    w.no_seal_record(&at("h-17", "x"), "UNKNOWN_DEK")
}
