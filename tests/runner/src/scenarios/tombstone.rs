//! A tombstone lasts as long as the vault, for owner and reader, in every call.

use super::{Scenario, scenarios};
use crate::answer::Answer;
use crate::world::{Dek, PT, Step, WALL, World, admission, cmk, mint, same};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    a_tombstoned_org_is_refused_everywhere,
    an_active_row_in_state_tombstoned_is_a_tombstone,
    a_tombstone_outlives_sign_out,
    a_tombstone_does_not_reach_another_vault,
    status_and_sign_out_go_on_after_a_tombstone,
    another_org_goes_on_in_the_same_vault,
    an_org_that_was_never_heard_of_may_be_tombstoned,
    names_are_compared_byte_for_byte,
    a_minted_dek_of_a_tombstoned_org_is_discarded,
    the_owner_of_a_share_is_tombstoned_for_its_reader_too,
    a_tombstoned_reader_loses_its_shares,
    nothing_is_shared_with_a_tombstoned_reader,
    in_a_batch_a_tombstoned_org_spoils_its_own_items_only,
];

/// Every call for the org, as its owner.
fn refused_everywhere(w: &mut World<'_>, org: &Dek, record: &Dek, env: &Value, row: &Value) -> Step {
    let (bind, created) = (org.field("password"), WALL.to_string());
    let name = "ORG_TOMBSTONED";
    w.no_open(&bind, env, name)?;
    w.no_seal(&bind, name)?;
    w.no_seal_record(&bind, name)?;
    w.no("vault.reseal", json!({"bind": bind, "env": env}), name)?;
    w.no("vault.rebind", json!({"from": bind, "to": org.field("other"), "env": env}), name)?;
    w.no("vault.mint_request", mint(&Dek::org("acme", 9, "new")), name)?;
    w.no("vault.set_active", json!({"active": Dek::org("acme", 9, "new").active(9)}), name)?;
    w.no("vault.unwrap_request", json!({"org": "acme", "row": org.row()}), name)?;
    w.no("vault.admit", admission(org), name)?;
    w.no("vault.admit", admission(record), name)?;
    w.no("vault.admit", json!({"org": "acme", "row": row}), name)?;
    w.no(
        "vault.generate_record_dek",
        json!({"org": "acme", "table": "hosts", "record": "h-18", "version": 1, "created": created}),
        name,
    )?;
    w.no("vault.wrap_local", json!({"org": "acme", "dek_ref": record.hex_ref(), "created": created}), name)?;
    // These name a forgotten DEK by its dek_ref alone.
    w.no(
        "vault.wrap_request",
        json!({"dek_ref": record.hex_ref(), "cmk": cmk("acme"), "created": created}),
        "UNKNOWN_DEK",
    )?;
    w.no(
        "vault.share_request",
        json!({"dek_ref": record.hex_ref(), "reader": "globex", "cmk": cmk("globex"), "created": created}),
        "UNKNOWN_DEK",
    )?;
    let missing = w.ok("vault.missing", json!({"envs": [env]}))?;
    same(&json!(missing.as_array().map(Vec::len)), &json!(1))?;
    w.ok("vault.shred_request", json!({"org": "acme", "cmk": cmk("acme"), "days": 7}))?;
    w.ok("vault.tombstone", json!({"org": "acme"})).map(drop)
}

/// A vault that holds an org DEK, a record DEK and an envelope of acme, and a local row.
fn furnished(w: &mut World<'_>) -> Step<(Dek, Dek, Value, Value)> {
    w.vault(json!({}))?;
    let (org, record) = (Dek::org("acme", 1, "a"), Dek::record("acme", "h-17", 1, "r"));
    w.mint(&org)?;
    w.admit(&record)?;
    let row =
        w.ok("vault.wrap_local", json!({"org": "acme", "dek_ref": record.hex_ref(), "created": WALL.to_string()}))?;
    let env = w.seal(&org.field("password"))?;
    Ok((org, record, env, row))
}

fn a_tombstoned_org_is_refused_everywhere(w: &mut World<'_>) -> Step {
    let (org, record, env, row) = furnished(w)?;
    w.ok("vault.tombstone", json!({"org": "acme"}))?;
    refused_everywhere(w, &org, &record, &env, &row)
}

fn an_active_row_in_state_tombstoned_is_a_tombstone(w: &mut World<'_>) -> Step {
    let (org, record, env, row) = furnished(w)?;
    let mut active = org.active(2);
    active["state"] = json!("tombstoned");
    w.set_active(&active)?;
    refused_everywhere(w, &org, &record, &env, &row)
}

fn a_tombstone_outlives_sign_out(w: &mut World<'_>) -> Step {
    let (org, record, env, row) = furnished(w)?;
    w.ok("vault.tombstone", json!({"org": "acme"}))?;
    w.ok("vault.sign_out", json!({}))?;
    refused_everywhere(w, &org, &record, &env, &row)
}

fn a_tombstone_does_not_reach_another_vault(w: &mut World<'_>) -> Step {
    let (org, ..) = furnished(w)?;
    w.ok("vault.tombstone", json!({"org": "acme"}))?;
    w.vault(json!({}))?;
    w.mint(&org)?;
    w.seal(&org.field("password")).map(drop)
}

fn status_and_sign_out_go_on_after_a_tombstone(w: &mut World<'_>) -> Step {
    let (..) = furnished(w)?;
    let globex = Dek::org("globex", 1, "g");
    w.admit(&globex)?;
    w.ok("vault.tombstone", json!({"org": "acme"}))?;
    let status = w.ok("vault.status", json!({}))?;
    same(&json!(status.as_array().map(Vec::len)), &json!(1))?;
    w.ok("vault.sign_out", json!({})).map(drop)
}

fn another_org_goes_on_in_the_same_vault(w: &mut World<'_>) -> Step {
    let (..) = furnished(w)?;
    let globex = Dek::org("globex", 1, "g");
    w.mint(&globex)?;
    let env = w.seal(&globex.field("password"))?;
    w.ok("vault.tombstone", json!({"org": "acme"}))?;
    w.opens(&globex.field("password"), &env)?;
    w.seal(&globex.field("password")).map(drop)
}

fn an_org_that_was_never_heard_of_may_be_tombstoned(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.ok("vault.tombstone", json!({"org": "acme"}))?;
    w.no("vault.mint_request", mint(&Dek::org("acme", 1, "a")), "ORG_TOMBSTONED")
}

fn names_are_compared_byte_for_byte(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    for org in ["Acme", "acme ", "acm", "acme\0"] {
        w.ok("vault.tombstone", json!({"org": org}))?;
    }
    w.mint(&Dek::org("acme", 1, "a"))
}

fn a_minted_dek_of_a_tombstoned_org_is_discarded(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    let request = w.ok("vault.mint_request", mint(&Dek::org("acme", 2, "b")))?["id"].clone();
    let minted = w.minted(&dek)?;
    w.ok("vault.tombstone", json!({"org": "acme"}))?;
    w.no("vault.set_active", json!({"active": minted["active"]}), "ORG_TOMBSTONED")?;
    let answer = w.ask("vault.admit_minted", json!({"request": request, "reply": dek.reply()}))?;
    same(&json!(answer.wiped), &json!(true))?;
    // The org stands before the request id in the order; a void id is as good.
    match &answer.result {
        Err(name) if name == "ORG_TOMBSTONED" || name == "BAD_INPUT" => Ok(()),
        other => Err(format!("a refusal expected, not {other:?}")),
    }
}

fn the_owner_of_a_share_is_tombstoned_for_its_reader_too(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let share = Dek::record("acme", "h-17", 1, "r").shared("globex");
    w.admit(&share)?;
    let env = w.bare(&share, &share.field("password"))?;
    w.ok("vault.tombstone", json!({"org": "acme"}))?;
    w.no_open(&share.field("password"), &env, "ORG_TOMBSTONED")?;
    w.no_admit(&share, "ORG_TOMBSTONED")?;
    w.no("vault.unwrap_request", json!({"org": "globex", "row": share.row()}), "ORG_TOMBSTONED")?;
    same(&w.ok("vault.status", json!({}))?, &json!([]))
}

fn a_tombstoned_reader_loses_its_shares(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let share = Dek::record("acme", "h-17", 1, "r").shared("globex");
    w.admit(&share)?;
    let env = w.bare(&share, &share.field("password"))?;
    w.ok("vault.tombstone", json!({"org": "globex"}))?;
    w.no_open(&share.field("password"), &env, "UNKNOWN_DEK")?;
    w.no_admit(&share, "ORG_TOMBSTONED")?;
    w.no("vault.unwrap_request", json!({"org": "globex", "row": share.row()}), "ORG_TOMBSTONED")?;
    w.no(
        "vault.wrap_local",
        json!({"org": "globex", "dek_ref": share.hex_ref(), "created": WALL.to_string()}),
        "ORG_TOMBSTONED",
    )
}

fn nothing_is_shared_with_a_tombstoned_reader(w: &mut World<'_>) -> Step {
    let (_, record, ..) = furnished(w)?;
    let share =
        json!({"dek_ref": record.hex_ref(), "reader": "globex", "cmk": cmk("globex"), "created": WALL.to_string()});
    let request = w.ok("vault.share_request", share.clone())?["id"].clone();
    w.ok("vault.tombstone", json!({"org": "globex"}))?;
    w.no("vault.share_request", share, "ORG_TOMBSTONED")?;
    let reply = json!({"KeyId": cmk("globex"), "CiphertextBlob": "00", "endpoint": crate::world::ENDPOINT});
    w.no_of("vault.admit_shared", json!({"request": request, "reply": reply}), &["ORG_TOMBSTONED", "BAD_INPUT"])?;
    w.seal_with(&record.field("password"), json!({"scope": "record"})).map(drop)
}

fn in_a_batch_a_tombstoned_org_spoils_its_own_items_only(w: &mut World<'_>) -> Step {
    let (org, _, env, _) = furnished(w)?;
    let globex = Dek::org("globex", 1, "g");
    w.mint(&globex)?;
    w.ok("vault.tombstone", json!({"org": "acme"}))?;
    let places = [org.field("x"), globex.field("x"), org.field("y")];
    let items: Value = places.iter().map(|bind| json!({"bind": bind, "pt": PT})).collect();
    let answers = w.batch("vault.seal_many", &items)?;
    answers[0].is("ORG_TOMBSTONED")?;
    answers[2].is("ORG_TOMBSTONED")?;
    let sealed = answers[1].clone().out()?;
    let answers: Vec<Answer> = w.batch(
        "vault.open_many",
        &json!([{"bind": org.field("password"), "env": env}, {"bind": globex.field("x"), "env": sealed}]),
    )?;
    answers[0].is("ORG_TOMBSTONED")?;
    same(&answers[1].clone().out()?, &json!(PT))
}
