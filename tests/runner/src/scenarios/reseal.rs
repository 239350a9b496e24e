//! Reseal keeps the place, rebind changes it; plaintext leaves the core in neither.

use super::{Scenario, scenarios};
use crate::world::{Dek, Step, World, at, expect, iv, named_by, padded};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    a_reseal_has_a_new_iv_and_the_same_value,
    a_reseal_keeps_padding_and_kind_of_dek,
    options_of_a_reseal_change_just_what_they_say,
    after_a_rotation_a_reseal_goes_to_the_new_dek,
    a_record_envelope_goes_to_the_records_highest_version,
    the_revision_is_kept,
    a_wrong_place_is_not_resealed,
    a_reseal_to_a_record_dek_that_is_not_there_fails,
    what_cannot_be_read_is_not_resealed,
    a_rebound_value_opens_at_its_new_place_only,
    a_value_is_not_rebound_from_where_it_is_not,
    nothing_is_rebound_to_another_org,
    a_record_envelope_is_rebound_within_its_record_only,
    an_org_envelope_may_be_rebound_to_any_record,
];

fn furnished(w: &mut World<'_>) -> Step<(Dek, Dek)> {
    w.vault(json!({}))?;
    let (org, record) = (Dek::org("acme", 1, "a"), Dek::record("acme", "h-17", 1, "r"));
    w.mint(&org)?;
    w.admit(&record)?;
    Ok((org, record))
}

fn reseal(bind: &Value, env: &Value, options: Value) -> Value {
    json!({"bind": bind, "env": env, "options": options})
}

fn a_reseal_has_a_new_iv_and_the_same_value(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let bind = at("h-17", "x");
    let env = w.seal(&bind)?;
    let again = w.ok("vault.reseal", json!({"bind": bind, "env": env}))?;
    expect(iv(&env)? != iv(&again)? && env != again, "a new IV")?;
    w.opens(&bind, &again)?;
    w.opens(&bind, &env)
}

fn a_reseal_keeps_padding_and_kind_of_dek(w: &mut World<'_>) -> Step {
    let (org, record) = furnished(w)?;
    let bind = at("h-17", "x");
    for scope in ["org", "record"] {
        for pad in [false, true] {
            let env = w.seal_with(&bind, json!({"scope": scope, "padded": pad}))?;
            let again = w.ok("vault.reseal", json!({"bind": bind, "env": env}))?;
            expect(padded(&again)? == pad, "the padding flag kept")?;
            let dek = if scope == "org" { &org } else { &record };
            expect(named_by(&again)? == dek.hex_ref(), "the kind of DEK kept")?;
            w.opens(&bind, &again)?;
        }
    }
    Ok(())
}

fn options_of_a_reseal_change_just_what_they_say(w: &mut World<'_>) -> Step {
    let (org, record) = furnished(w)?;
    let bind = at("h-17", "x");
    let env = w.seal_with(&bind, json!({"padded": true}))?;
    let promoted = w.ok("vault.reseal", reseal(&bind, &env, json!({"scope": "record"})))?;
    expect(named_by(&promoted)? == record.hex_ref() && padded(&promoted)?, "promoted, still padded")?;
    let back = w.ok("vault.reseal", reseal(&bind, &promoted, json!({"scope": "org", "padded": false})))?;
    expect(named_by(&back)? == org.hex_ref() && !padded(&back)?, "back, and not padded")?;
    let again = w.ok("vault.reseal", reseal(&bind, &promoted, json!({"padded": false})))?;
    expect(named_by(&again)? == record.hex_ref() && !padded(&again)?, "the kind kept, not padded")?;
    for env in [&promoted, &back, &again] {
        w.opens(&bind, env)?;
    }
    Ok(())
}

fn after_a_rotation_a_reseal_goes_to_the_new_dek(w: &mut World<'_>) -> Step {
    let (old, _) = furnished(w)?;
    let bind = at("h-17", "x");
    let env = w.seal(&bind)?;
    let new = Dek::org("acme", 2, "b");
    w.mint(&new)?;
    let again = w.ok("vault.reseal", json!({"bind": bind, "env": env}))?;
    expect(named_by(&env)? == old.hex_ref() && named_by(&again)? == new.hex_ref(), "from the old DEK to the new")?;
    w.opens(&bind, &again)
}

fn a_record_envelope_goes_to_the_records_highest_version(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let bind = at("h-17", "x");
    let env = w.seal_with(&bind, json!({"scope": "record"}))?;
    let new = Dek::record("acme", "h-17", 2, "new");
    w.admit(&new)?;
    let again = w.ok("vault.reseal", json!({"bind": bind, "env": env}))?;
    expect(named_by(&again)? == new.hex_ref(), "the highest version")
}

fn the_revision_is_kept(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let plain = at("h-17", "x");
    let mut bind = plain.clone();
    bind["revision"] = json!("18446744073709551615");
    let env = w.seal(&bind)?;
    let again = w.ok("vault.reseal", json!({"bind": bind, "env": env}))?;
    w.opens(&bind, &again)?;
    w.no_open(&plain, &again, "AUTH_FAILED")?;
    w.no("vault.reseal", json!({"bind": plain, "env": env}), "AUTH_FAILED")
}

fn a_wrong_place_is_not_resealed(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let env = w.seal(&at("h-17", "x"))?;
    for bind in [at("h-18", "x"), at("h-17", "y")] {
        w.no("vault.reseal", json!({"bind": bind, "env": env}), "AUTH_FAILED")?;
    }
    Ok(())
}

fn a_reseal_to_a_record_dek_that_is_not_there_fails(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    let env = w.seal(&at("h-17", "x"))?;
    w.no("vault.reseal", reseal(&at("h-17", "x"), &env, json!({"scope": "record"})), "NO_ACTIVE_DEK")
}

fn what_cannot_be_read_is_not_resealed(w: &mut World<'_>) -> Step {
    furnished(w)?;
    w.no("vault.reseal", json!({"bind": at("h-17", "x"), "env": ""}), "NOT_AN_ENVELOPE")?;
    w.no("vault.reseal", json!({"bind": at("h-17", "x"), "env": "f70101"}), "TRUNCATED")?;
    let strange = Dek::org("acme", 9, "strange");
    let env = w.bare(&strange, &at("h-17", "x"))?;
    w.no("vault.reseal", json!({"bind": at("h-17", "x"), "env": env}), "UNKNOWN_DEK")?;
    w.no("vault.rebind", json!({"from": at("h-17", "x"), "to": at("h-17", "y"), "env": env}), "UNKNOWN_DEK")
}

fn a_rebound_value_opens_at_its_new_place_only(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let (from, to) =
        (at("h-17", "x"), json!({"org": "acme", "table": "users", "record": "u", "field": "y", "revision": "4"}));
    let env = w.seal_with(&from, json!({"padded": true}))?;
    let moved = w.ok("vault.rebind", json!({"from": from, "to": to, "env": env}))?;
    expect(padded(&moved)? && iv(&moved)? != iv(&env)?, "padded still, under a new IV")?;
    w.opens(&to, &moved)?;
    w.no_open(&from, &moved, "AUTH_FAILED")?;
    w.opens(&from, &env)
}

fn a_value_is_not_rebound_from_where_it_is_not(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let env = w.seal(&at("h-17", "x"))?;
    w.no("vault.rebind", json!({"from": at("h-17", "y"), "to": at("h-17", "x"), "env": env}), "AUTH_FAILED")
}

fn nothing_is_rebound_to_another_org(w: &mut World<'_>) -> Step {
    furnished(w)?;
    w.mint(&Dek::org("globex", 1, "g"))?;
    let env = w.seal(&at("h-17", "x"))?;
    let mut to = at("h-17", "x");
    to["org"] = json!("globex");
    w.no("vault.rebind", json!({"from": at("h-17", "x"), "to": to, "env": env}), "BAD_INPUT")
}

fn a_record_envelope_is_rebound_within_its_record_only(w: &mut World<'_>) -> Step {
    let (_, record) = furnished(w)?;
    w.admit(&Dek::record("acme", "h-18", 1, "s"))?;
    let env = w.seal_with(&at("h-17", "x"), json!({"scope": "record"}))?;
    w.no("vault.rebind", json!({"from": at("h-17", "x"), "to": at("h-18", "x"), "env": env}), "BAD_INPUT")?;
    let mut to = at("h-17", "x");
    to["table"] = json!("users");
    w.no("vault.rebind", json!({"from": at("h-17", "x"), "to": to, "env": env}), "BAD_INPUT")?;
    let moved = w.ok("vault.rebind", json!({"from": at("h-17", "x"), "to": at("h-17", "y"), "env": env}))?;
    expect(named_by(&moved)? == record.hex_ref(), "under the record's DEK")?;
    w.opens(&at("h-17", "y"), &moved)
}

fn an_org_envelope_may_be_rebound_to_any_record(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let env = w.seal(&at("h-17", "x"))?;
    let moved = w.ok("vault.rebind", json!({"from": at("h-17", "x"), "to": at("h-99", "x"), "env": env}))?;
    w.opens(&at("h-99", "x"), &moved)
}
