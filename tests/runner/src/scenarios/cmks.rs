//! Which CMKs wrap for an org is the host's own knowledge: option `cmks`, in every call.

use super::{Scenario, scenarios};
use crate::bytes::hex;
use crate::world::{BLOB, Dek, ENDPOINT, Step, World, admission, cmk, mint, same};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    a_dek_is_minted_under_a_listed_cmk_only,
    a_row_under_another_cmk_is_neither_asked_for_nor_admitted,
    every_listed_cmk_of_an_org_serves,
    an_org_that_is_not_listed_has_no_cmk,
    where_nothing_is_listed_nothing_serves,
    a_share_needs_a_cmk_of_its_reader,
    a_wrap_needs_a_cmk_of_its_owner,
    an_orgs_own_cmk_is_shredded_and_no_other,
    a_local_row_needs_no_cmk,
    without_the_option_a_vault_trusts_its_rows,
];

fn listed(w: &mut World<'_>) -> Step {
    w.vault(json!({"cmks": {"acme": [cmk("acme"), cmk("acme-2")], "globex": [cmk("globex")]}})).map(drop)
}

/// The DEK's row with another CMK in it, and the answer of that CMK.
fn under(dek: &Dek, key_id: &str) -> (Value, Value) {
    let (mut row, mut reply) = (dek.row(), dek.reply());
    row["keyId"] = json!(key_id);
    reply["KeyId"] = json!(key_id);
    (row, reply)
}

fn a_dek_is_minted_under_a_listed_cmk_only(w: &mut World<'_>) -> Step {
    listed(w)?;
    let dek = Dek::org("acme", 1, "a");
    for key in [cmk("acme-3"), cmk("globex"), cmk("ACME")] {
        let mut members = mint(&dek);
        members["cmk"] = json!(key);
        w.no("vault.mint_request", members, "KEY_ID_UNEXPECTED")?;
    }
    w.no("vault.mint_request", mint(&Dek::org("initech", 1, "i")), "KEY_ID_UNEXPECTED")?;
    let mut members = mint(&dek);
    members["cmk"] = json!(cmk("acme-2"));
    w.ok("vault.mint_request", members)?;
    w.mint(&dek)
}

fn a_row_under_another_cmk_is_neither_asked_for_nor_admitted(w: &mut World<'_>) -> Step {
    listed(w)?;
    let record = Dek::record("acme", "h-17", 1, "r");
    for dek in [Dek::org("acme", 1, "a"), record.clone(), record.shared("globex")] {
        for key in [cmk("attacker"), cmk(if dek.reader == "acme" { "globex" } else { "acme" })] {
            let (row, reply) = under(&dek, &key);
            w.no("vault.unwrap_request", json!({"org": dek.reader, "row": row}), "KEY_ID_UNEXPECTED")?;
            let answer = w.ask("vault.admit", json!({"org": dek.reader, "row": row, "reply": reply}))?;
            answer.is("KEY_ID_UNEXPECTED")?;
            same(&json!(answer.wiped), &json!(true))?;
        }
    }
    w.ok("vault.unwrap_request", json!({"org": "acme", "row": record.row()}))?;
    w.admit(&record)
}

fn every_listed_cmk_of_an_org_serves(w: &mut World<'_>) -> Step {
    listed(w)?;
    let dek = Dek::org("acme", 1, "a");
    let (row, reply) = under(&dek, &cmk("acme-2"));
    w.ok("vault.unwrap_request", json!({"org": "acme", "row": row}))?;
    w.ok("vault.admit", json!({"org": "acme", "row": row, "reply": reply})).map(drop)
}

fn an_org_that_is_not_listed_has_no_cmk(w: &mut World<'_>) -> Step {
    listed(w)?;
    let dek = Dek::org("initech", 1, "i");
    w.no("vault.unwrap_request", json!({"org": "initech", "row": dek.row()}), "KEY_ID_UNEXPECTED")?;
    w.no("vault.admit", admission(&dek), "KEY_ID_UNEXPECTED")?;
    w.no("vault.shred_request", json!({"org": "initech", "cmk": cmk("initech"), "days": 7}), "KEY_ID_UNEXPECTED")
}

fn where_nothing_is_listed_nothing_serves(w: &mut World<'_>) -> Step {
    w.vault(json!({"cmks": {}}))?;
    w.no("vault.mint_request", mint(&Dek::org("acme", 1, "a")), "KEY_ID_UNEXPECTED")?;
    w.vault(json!({"cmks": {"acme": []}}))?;
    w.no("vault.mint_request", mint(&Dek::org("acme", 1, "a")), "KEY_ID_UNEXPECTED")
}

fn a_share_needs_a_cmk_of_its_reader(w: &mut World<'_>) -> Step {
    listed(w)?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.admit(&record)?;
    let share =
        |reader: &str, key: String| json!({"dek_ref": record.hex_ref(), "reader": reader, "cmk": key, "created": "0"});
    w.no("vault.share_request", share("globex", cmk("acme")), "KEY_ID_UNEXPECTED")?;
    w.no("vault.share_request", share("globex", cmk("attacker")), "KEY_ID_UNEXPECTED")?;
    w.no("vault.share_request", share("initech", cmk("initech")), "KEY_ID_UNEXPECTED")?;
    let request = w.ok("vault.share_request", share("globex", cmk("globex")))?;
    let reply = json!({"KeyId": cmk("globex"), "CiphertextBlob": hex(BLOB), "endpoint": ENDPOINT});
    w.ok("vault.admit_shared", json!({"request": request["id"], "reply": reply})).map(drop)
}

fn a_wrap_needs_a_cmk_of_its_owner(w: &mut World<'_>) -> Step {
    listed(w)?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.admit(&record)?;
    let wrap = |key: String| json!({"dek_ref": record.hex_ref(), "cmk": key, "created": "0"});
    w.no("vault.wrap_request", wrap(cmk("globex")), "KEY_ID_UNEXPECTED")?;
    w.no("vault.wrap_request", wrap(cmk("attacker")), "KEY_ID_UNEXPECTED")?;
    w.ok("vault.wrap_request", wrap(cmk("acme-2"))).map(drop)
}

fn an_orgs_own_cmk_is_shredded_and_no_other(w: &mut World<'_>) -> Step {
    listed(w)?;
    w.no("vault.shred_request", json!({"org": "acme", "cmk": cmk("globex"), "days": 7}), "KEY_ID_UNEXPECTED")?;
    w.no("vault.shred_request", json!({"org": "globex", "cmk": cmk("acme"), "days": 7}), "KEY_ID_UNEXPECTED")?;
    w.ok("vault.shred_request", json!({"org": "acme", "cmk": cmk("acme-2"), "days": 7})).map(drop)
}

fn a_local_row_needs_no_cmk(w: &mut World<'_>) -> Step {
    w.vault(json!({"cmks": {"acme": [cmk("acme")]}}))?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.mint(&Dek::org("acme", 1, "a"))?;
    w.admit(&record)?;
    let row = w.ok("vault.wrap_local", json!({"org": "acme", "dek_ref": record.hex_ref(), "created": "0"}))?;
    w.admit_local("acme", &row)
}

fn without_the_option_a_vault_trusts_its_rows(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (row, reply) = under(&Dek::org("acme", 1, "a"), &cmk("anybody"));
    w.ok("vault.unwrap_request", json!({"org": "acme", "row": row}))?;
    w.ok("vault.admit", json!({"org": "acme", "row": row, "reply": reply})).map(drop)
}
