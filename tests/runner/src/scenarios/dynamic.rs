//! Hosts without static types: wrong types, missing and unknown members reach the package.

use super::{Scenario, scenarios};
use crate::world::{Dek, PT, Step, World, at, cmk, mint};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    a_binding_has_its_members_and_no_others,
    bytes_are_bytes,
    options_of_a_seal_are_known_and_of_their_type,
    options_of_a_vault_are_known_and_of_their_type,
    strings_and_numbers_of_requests_are_of_their_type,
    members_of_a_reply_are_of_their_type,
    a_batch_is_a_list,
];

fn furnished(w: &mut World<'_>) -> Step<Value> {
    w.vault(json!({}))?;
    w.mint(&Dek::org("acme", 1, "a"))?;
    w.seal(&at("h-17", "x"))
}

fn wrong_types() -> [Value; 5] {
    [Value::Null, json!(7), json!(true), json!([]), json!({})]
}

fn a_binding_has_its_members_and_no_others(w: &mut World<'_>) -> Step {
    let env = furnished(w)?;
    let good = at("h-17", "x");
    let mut binds = vec![json!(null), json!("acme"), json!([]), json!({})];
    for (member, value) in [
        ("note", json!("x")),
        ("Revision", json!("1")),
        ("revision", Value::Null),
        ("revision", json!(7)),
        ("revision", json!("-1")),
        ("revision", json!("18446744073709551616")),
    ] {
        let mut bind = good.clone();
        bind[member] = value;
        binds.push(bind);
    }
    for part in ["org", "table", "record", "field"] {
        for wrong in wrong_types() {
            let mut bind = good.clone();
            bind[part] = wrong;
            binds.push(bind);
        }
        let mut bind = good.clone();
        if let Some(members) = bind.as_object_mut() {
            members.remove(part);
        }
        binds.push(bind);
    }
    for bind in binds {
        w.no("vault.seal", json!({"bind": bind, "pt": PT}), "BAD_INPUT")
            .map_err(|reason| format!("{bind}: {reason}"))?;
        w.no("vault.open", json!({"bind": bind, "env": env}), "BAD_INPUT")
            .map_err(|reason| format!("{bind}: {reason}"))?;
    }
    w.opens(&good, &env)
}

fn bytes_are_bytes(w: &mut World<'_>) -> Step {
    furnished(w)?;
    for wrong in wrong_types() {
        w.no("vault.seal", json!({"bind": at("h-17", "x"), "pt": wrong}), "BAD_INPUT")?;
        w.no("vault.open", json!({"bind": at("h-17", "x"), "env": wrong}), "BAD_INPUT")?;
        w.no("inspect", json!({"env": wrong}), "BAD_INPUT")?;
        w.no("to_text", json!({"env": wrong}), "BAD_INPUT")?;
    }
    Ok(())
}

fn options_of_a_seal_are_known_and_of_their_type(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let with = |options: Value| json!({"bind": at("h-17", "x"), "pt": PT, "options": options});
    w.no("vault.seal", with(json!({"note": 1})), "UNKNOWN_OPTION")?;
    w.no("vault.seal", with(json!({"Padded": true})), "UNKNOWN_OPTION")?;
    for options in [
        json!({"scope": "both"}),
        json!({"scope": null}),
        json!({"scope": 1}),
        json!({"padded": 1}),
        json!({"padded": null}),
        json!({"padded": "true"}),
        json!(null),
        json!("record"),
    ] {
        w.no("vault.seal", with(options), "BAD_INPUT")?;
    }
    w.ok("vault.seal", with(json!({}))).map(drop)
}

fn options_of_a_vault_are_known_and_of_their_type(w: &mut World<'_>) -> Step {
    let new = |options: Value| json!({"options": options, "clock": {"wall": "1", "mono": "1"}});
    for options in [json!({"note": 1}), json!({"__proto__x": 1}), json!({"danger": true})] {
        w.no("vault.new", new(options), "UNKNOWN_OPTION")?;
    }
    for options in [
        json!({"ttl": "60"}),
        json!({"ttl": 1.5}),
        json!({"ttl": -1}),
        json!({"ttl": null}),
        json!({"ttl": true}),
        json!({"session": 7}),
        json!({"session": null}),
        json!({"region": null}),
        json!({"seal_limit": 1.5}),
        json!({"field_limit": "1"}),
        json!({"cmks": []}),
        json!({"cmks": null}),
        json!({"cmks": {"acme": cmk("acme")}}),
        json!({"cmks": {"acme": [7]}}),
        json!({"min_versions": {"acme": "1"}}),
        json!({"min_versions": {"acme": 1.5}}),
        json!({"min_versions": {"acme": -1}}),
        json!({"min_versions": null}),
        json!({"danger_endpoint": 7}),
        json!({"danger_endpoint": null}),
    ] {
        w.no("vault.new", new(options.clone()), "BAD_INPUT").map_err(|reason| format!("{options}: {reason}"))?;
    }
    Ok(())
}

fn strings_and_numbers_of_requests_are_of_their_type(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let good = mint(&Dek::org("acme", 2, "b"));
    for member in ["org", "cmk"] {
        for wrong in wrong_types() {
            let mut members = good.clone();
            members[member] = wrong;
            w.no("vault.mint_request", members, "BAD_INPUT")?;
        }
    }
    for version in [json!("2"), json!(1.5), json!(null), json!(true)] {
        let mut members = good.clone();
        members["version"] = version;
        w.no("vault.mint_request", members, "BAD_INPUT")?;
    }
    for days in [json!("7"), json!(7.5), json!(null), json!([7])] {
        w.no("vault.shred_request", json!({"org": "acme", "cmk": cmk("acme"), "days": days}), "BAD_INPUT")?;
    }
    w.ok("vault.mint_request", good).map(drop)
}

fn members_of_a_reply_are_of_their_type(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let dek = Dek::org("acme", 2, "b");
    let request = w.ok("vault.mint_request", mint(&dek))?["id"].clone();
    for (member, wrong) in [
        ("endpoint", json!(7)),
        ("endpoint", json!(null)),
        ("KeyId", json!(7)),
        ("Plaintext", json!(7)),
        ("CiphertextBlob", json!(true)),
        ("error", json!(7)),
    ] {
        let mut reply = dek.reply();
        reply[member] = wrong;
        w.no("vault.admit_minted", json!({"request": request, "reply": reply}), "BAD_INPUT")
            .map_err(|reason| format!("{member}: {reason}"))?;
    }
    w.no("vault.admit_minted", json!({"request": request, "reply": null}), "BAD_INPUT")?;
    w.no("vault.admit_minted", json!({"request": "1", "reply": dek.reply()}), "BAD_INPUT")?;
    let mut reply = dek.reply();
    reply["EncryptionAlgorithm"] = json!("SYMMETRIC_DEFAULT");
    w.ok("vault.admit_minted", json!({"request": request, "reply": reply})).map(drop)
}

fn a_batch_is_a_list(w: &mut World<'_>) -> Step {
    furnished(w)?;
    for wrong in [json!(null), json!(7), json!("x"), json!({})] {
        w.no("vault.seal_many", json!({"items": wrong}), "BAD_INPUT")?;
        w.no("vault.open_many", json!({"items": wrong}), "BAD_INPUT")?;
        w.no("vault.missing", json!({"envs": wrong}), "BAD_INPUT")?;
    }
    let bind = at("h-17", "x");
    let items = json!([{"bind": {"org": 7}, "pt": PT}, {"bind": bind, "pt": PT}, {"bind": bind, "pt": 7}]);
    let answers = w.batch("vault.seal_many", &items)?;
    answers[0].is("BAD_INPUT")?;
    answers[2].is("BAD_INPUT")?;
    let env = answers[1].clone().out()?;
    w.opens(&at("h-17", "x"), &env)
}
