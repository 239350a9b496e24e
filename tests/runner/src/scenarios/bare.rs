//! The ops on bare DEKs that have no vectors: they draw IVs.

use super::{Scenario, scenarios};
use crate::bytes::hex;
use crate::world::{Dek, PT, Step, World, at, expect, iv, named_by, padded, same};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    two_seals_of_one_value_differ,
    many_seals_have_as_many_ivs,
    many_is_at_most_10000_and_may_be_none,
    a_bare_reseal_goes_from_one_dek_to_the_other,
    a_bare_reseal_is_refused_where_opening_or_sealing_is,
    without_random_bytes_no_bare_envelope_is_made,
    a_bare_wrap_is_unwrapped_by_its_kek,
    a_bare_iv_is_12_bytes,
];

fn bare(dek: &Dek) -> Value {
    json!({"key": hex(&dek.key), "identity": dek.identity()})
}

/// The DEK under the KEK, for the KEK's org.
fn wrapping(kek: &Dek, dek: &Dek, purpose: &str) -> Value {
    json!({
        "kek": hex(&kek.key), "kek_identity": kek.identity(), "key": hex(&dek.key), "identity": dek.identity(),
        "purpose": purpose, "reader": kek.owner, "created": "7",
    })
}

fn sealing(dek: &Dek, more: &Value) -> Value {
    let mut members = json!({"key": hex(&dek.key), "identity": dek.identity(), "bind": dek.field("x"), "pt": PT});
    for (name, value) in more.as_object().into_iter().flatten() {
        members[name] = value.clone();
    }
    members
}

fn two_seals_of_one_value_differ(w: &mut World<'_>) -> Step {
    let dek = Dek::org("acme", 1, "a");
    let (first, second) = (w.ok("seal", sealing(&dek, &json!({})))?, w.ok("seal", sealing(&dek, &json!({})))?);
    expect(iv(&first)? != iv(&second)?, "two IVs")?;
    for env in [first, second] {
        same(&w.ok("open", sealing(&dek, &json!({"env": env})))?, &json!(PT))?;
    }
    Ok(())
}

fn many_seals_have_as_many_ivs(w: &mut World<'_>) -> Step {
    let dek = Dek::org("acme", 1, "a");
    let list = w.ok("seal_many", sealing(&dek, &json!({"n": 10_000})))?;
    let mut ivs = Vec::new();
    for env in list.as_array().into_iter().flatten() {
        ivs.push(iv(env)?);
    }
    expect(ivs.len() == 10_000, "10,000 envelopes")?;
    ivs.sort_unstable();
    ivs.dedup();
    expect(ivs.len() == 10_000, "10,000 IVs")?;
    same(&w.ok("open", sealing(&dek, &json!({"env": list[9_999]})))?, &json!(""))
}

fn many_is_at_most_10000_and_may_be_none(w: &mut World<'_>) -> Step {
    let dek = Dek::org("acme", 1, "a");
    same(&w.ok("seal_many", sealing(&dek, &json!({"n": 0})))?, &json!([]))?;
    w.no("seal_many", sealing(&dek, &json!({"n": 10_001})), "LIMIT")
}

fn a_bare_reseal_goes_from_one_dek_to_the_other(w: &mut World<'_>) -> Step {
    let (from, to) = (Dek::org("acme", 1, "a"), Dek::record("acme", "h-17", 1, "r"));
    for pad in [false, true] {
        let env = w.ok("seal", sealing(&from, &json!({"padded": pad})))?;
        let again =
            w.ok("reseal", json!({"from": bare(&from), "to": bare(&to), "bind": at("h-17", "x"), "env": env}))?;
        expect(named_by(&again)? == to.hex_ref() && padded(&again)? == pad, "under the other DEK, padded as before")?;
        same(&w.ok("open", sealing(&to, &json!({"env": again})))?, &json!(PT))?;
    }
    Ok(())
}

fn a_bare_reseal_is_refused_where_opening_or_sealing_is(w: &mut World<'_>) -> Step {
    let (from, to) = (Dek::org("acme", 1, "a"), Dek::record("acme", "h-18", 1, "r"));
    let env = w.ok("seal", sealing(&from, &json!({})))?;
    w.no("reseal", json!({"from": bare(&to), "to": bare(&from), "bind": at("h-17", "x"), "env": env}), "UNKNOWN_DEK")?;
    w.no(
        "reseal",
        json!({"from": bare(&from), "to": bare(&from), "bind": at("h-18", "x"), "env": env}),
        "AUTH_FAILED",
    )?;
    w.no("reseal", json!({"from": bare(&from), "to": bare(&to), "bind": at("h-17", "x"), "env": env}), "BAD_INPUT")
}

fn without_random_bytes_no_bare_envelope_is_made(w: &mut World<'_>) -> Step {
    let (kek, dek) = (Dek::org("acme", 1, "a"), Dek::record("acme", "h-17", 1, "r"));
    let env = w.ok("seal", sealing(&kek, &json!({})))?;
    let wrap = wrapping(&kek, &dek, "record-dek");
    w.ok("vault.rng", json!({"ok": false}))?;
    w.no("seal", sealing(&kek, &json!({})), "RNG_FAILURE")?;
    w.no("seal_many", sealing(&kek, &json!({"n": 3})), "RNG_FAILURE")?;
    w.no("reseal", json!({"from": bare(&kek), "to": bare(&dek), "bind": at("h-17", "x"), "env": env}), "RNG_FAILURE")?;
    w.no("wrap_local", wrap.clone(), "RNG_FAILURE")?;
    same(&w.ok("open", sealing(&kek, &json!({"env": env})))?, &json!(PT))?;
    w.ok("seal", sealing(&kek, &json!({"iv": "00".repeat(12)})))?;
    w.ok("vault.rng", json!({"ok": true}))?;
    w.ok("wrap_local", wrap).map(drop)
}

fn a_bare_wrap_is_unwrapped_by_its_kek(w: &mut World<'_>) -> Step {
    let (kek, dek) = (Dek::org("globex", 1, "g"), Dek::record("acme", "h-17", 1, "r"));
    let wrap = wrapping(&kek, &dek, "share");
    let (first, second) = (w.ok("wrap_local", wrap.clone())?, w.ok("wrap_local", wrap)?);
    expect(first["blob"] != second["blob"], "two IVs")?;
    let env = w.ok("seal", sealing(&dek, &json!({})))?;
    let probe = json!({"bind": dek.field("x"), "env": env});
    let unwrap = |by: &Dek, row: &Value| {
        let mut members = json!({"row": row, "probe": probe});
        members["kek"] = json!(hex(&by.key));
        members["kek_identity"] = by.identity();
        members
    };
    same(&w.ok("unwrap_local", unwrap(&kek, &first))?, &json!(PT))?;
    w.no("unwrap_local", unwrap(&Dek::org("globex", 2, "other"), &first), "UNKNOWN_DEK")
}

fn a_bare_iv_is_12_bytes(w: &mut World<'_>) -> Step {
    let dek = Dek::org("acme", 1, "a");
    for length in [0, 11, 13, 16] {
        w.no("seal", sealing(&dek, &json!({"iv": "00".repeat(length)})), "BAD_INPUT")?;
    }
    Ok(())
}
