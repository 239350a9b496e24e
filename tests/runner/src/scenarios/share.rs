//! Sharing one record: not one envelope byte changes.

use super::{Scenario, scenarios};
use crate::bytes::hex;
use crate::world::{BLOB, Dek, ENDPOINT, PT, Step, WALL, World, at, cmk, expect, kms_error, same};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    a_share_request_asks_for_encrypt_under_the_readers_cmk,
    a_wrap_request_asks_for_encrypt_under_the_owners_cmk,
    a_share_row_lets_the_reader_open_the_same_envelope,
    a_wrap_row_lets_a_preview_hold_one_record_and_nothing_else,
    an_org_dek_is_never_shared_nor_wrapped_again,
    a_share_is_not_shared_on,
    nothing_is_shared_with_its_owner,
    what_is_not_held_is_not_shared,
    the_reply_to_a_share_is_checked,
    an_id_serves_its_own_kind_of_request_only,
    sign_out_voids_a_share_that_waits,
    two_shares_wait_side_by_side,
    a_dek_held_as_a_share_still_opens_after_all_refusals,
    an_unwrap_request_asks_for_decrypt_with_the_rows_own_context,
];

fn share(dek: &Dek) -> Value {
    json!({"dek_ref": dek.hex_ref(), "reader": "globex", "cmk": cmk("globex"), "created": WALL.to_string()})
}

fn wrap(dek: &Dek) -> Value {
    json!({"dek_ref": dek.hex_ref(), "cmk": cmk("acme"), "created": WALL.to_string()})
}

fn encrypted(org: &str) -> Value {
    json!({"KeyId": cmk(org), "CiphertextBlob": hex(BLOB), "endpoint": ENDPOINT})
}

fn furnished(w: &mut World<'_>) -> Step<Dek> {
    w.vault(json!({}))?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.mint(&Dek::org("acme", 1, "a"))?;
    w.admit(&record)?;
    Ok(record)
}

fn is_request(request: &Value, dek: &Dek) -> Step {
    let mut rest = request.clone();
    rest["id"] = json!(0);
    if let Some(params) = rest["params"].as_object_mut()
        && params.get("EncryptionAlgorithm") == Some(&json!("SYMMETRIC_DEFAULT"))
    {
        params.remove("EncryptionAlgorithm");
    }
    same(
        &rest,
        &json!({
            "id": 0, "op": "Encrypt", "region": "us-east-1", "fips": true, "endpoint": ENDPOINT,
            "params": {"KeyId": cmk(&dek.reader), "Plaintext": hex(&dek.key), "EncryptionContext": dek.context()},
        }),
    )
}

fn a_share_request_asks_for_encrypt_under_the_readers_cmk(w: &mut World<'_>) -> Step {
    let record = furnished(w)?;
    let request = w.ok("vault.share_request", share(&record))?;
    is_request(&request, &record.shared("globex"))
}

fn a_wrap_request_asks_for_encrypt_under_the_owners_cmk(w: &mut World<'_>) -> Step {
    let record = furnished(w)?;
    let request = w.ok("vault.wrap_request", wrap(&record))?;
    is_request(&request, &record)
}

fn a_share_row_lets_the_reader_open_the_same_envelope(w: &mut World<'_>) -> Step {
    let record = furnished(w)?;
    let env = w.seal_with(&at("h-17", "x"), json!({"scope": "record"}))?;
    let request = w.ok("vault.share_request", share(&record))?;
    let row = w.ok("vault.admit_shared", json!({"request": request["id"], "reply": encrypted("globex")}))?;
    same(&row, &record.shared("globex").row())?;
    w.vault(json!({}))?;
    w.admit(&record.shared("globex"))?;
    w.opens(&at("h-17", "x"), &env)?;
    let mut readers = at("h-17", "x");
    readers["org"] = json!("globex");
    w.no_open(&readers, &env, "AUTH_FAILED")
}

fn a_wrap_row_lets_a_preview_hold_one_record_and_nothing_else(w: &mut World<'_>) -> Step {
    let record = furnished(w)?;
    let (by_record, by_org) = (w.seal_with(&at("h-17", "x"), json!({"scope": "record"}))?, w.seal(&at("h-17", "x"))?);
    let request = w.ok("vault.wrap_request", wrap(&record))?;
    let row = w.ok("vault.admit_shared", json!({"request": request["id"], "reply": encrypted("acme")}))?;
    same(&row, &record.row())?;
    w.vault(json!({}))?;
    w.admit(&record)?;
    w.opens(&at("h-17", "x"), &by_record)?;
    w.no_open(&at("h-17", "x"), &by_org, "UNKNOWN_DEK")
}

fn an_org_dek_is_never_shared_nor_wrapped_again(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let org = Dek::org("acme", 1, "a");
    w.no("vault.share_request", share(&org), "BAD_INPUT")?;
    w.no("vault.wrap_request", wrap(&org), "BAD_INPUT")
}

fn a_share_is_not_shared_on(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::record("acme", "h-17", 1, "r").shared("globex");
    w.admit(&dek)?;
    let on = json!({"dek_ref": dek.hex_ref(), "reader": "initech", "cmk": cmk("initech"), "created": "0"});
    w.no("vault.share_request", on, "BAD_INPUT")?;
    w.no("vault.wrap_request", json!({"dek_ref": dek.hex_ref(), "cmk": cmk("globex"), "created": "0"}), "BAD_INPUT")
}

fn nothing_is_shared_with_its_owner(w: &mut World<'_>) -> Step {
    let record = furnished(w)?;
    w.no(
        "vault.share_request",
        json!({"dek_ref": record.hex_ref(), "reader": "acme", "cmk": cmk("acme"), "created": "0"}),
        "BAD_INPUT",
    )
}

fn what_is_not_held_is_not_shared(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let other = Dek::record("acme", "h-18", 1, "x");
    w.no("vault.share_request", share(&other), "UNKNOWN_DEK")?;
    w.no("vault.wrap_request", wrap(&other), "UNKNOWN_DEK")
}

fn the_reply_to_a_share_is_checked(w: &mut World<'_>) -> Step {
    let record = furnished(w)?;
    let request = w.ok("vault.share_request", share(&record))?["id"].clone();
    for (reply, name) in [
        (
            json!({"KeyId": cmk("globex"), "CiphertextBlob": hex(BLOB), "endpoint": "https://example.com"}),
            "ENDPOINT_POLICY",
        ),
        (encrypted("acme"), "KEY_ID_UNEXPECTED"),
        (json!({"KeyId": cmk("globex"), "endpoint": ENDPOINT}), "BAD_INPUT"),
        (json!({"KeyId": cmk("globex"), "CiphertextBlob": "", "endpoint": ENDPOINT}), "BAD_INPUT"),
        (json!({"KeyId": cmk("globex"), "CiphertextBlob": "00".repeat(6145), "endpoint": ENDPOINT}), "LIMIT"),
        (kms_error("AccessDeniedException"), "KMS_DENIED"),
        (kms_error("KMSInvalidStateException"), "KMS_PENDING_DELETION"),
        (kms_error("ThrottlingException"), "KMS_THROTTLED"),
        (kms_error("x"), "KMS_UNAVAILABLE"),
    ] {
        w.no("vault.admit_shared", json!({"request": request, "reply": reply}), name)?;
    }
    w.ok("vault.admit_shared", json!({"request": request, "reply": encrypted("globex")}))?;
    w.no("vault.admit_shared", json!({"request": request, "reply": encrypted("globex")}), "BAD_INPUT")
}

fn an_id_serves_its_own_kind_of_request_only(w: &mut World<'_>) -> Step {
    let record = furnished(w)?;
    let shared = w.ok("vault.share_request", share(&record))?["id"].clone();
    let mint = w.ok("vault.mint_request", crate::world::mint(&Dek::org("acme", 2, "b")))?["id"].clone();
    let unwrap = w.ok("vault.unwrap_request", json!({"org": "acme", "row": record.row()}))?["id"].clone();
    let shred = w.ok("vault.shred_request", json!({"org": "acme", "cmk": cmk("acme"), "days": 7}))?["id"].clone();
    for id in [&mint, &unwrap, &shred] {
        w.no("vault.admit_shared", json!({"request": id, "reply": encrypted("globex")}), "BAD_INPUT")?;
    }
    for id in [&shared, &unwrap, &shred] {
        w.no("vault.admit_minted", json!({"request": id, "reply": Dek::org("acme", 2, "b").reply()}), "BAD_INPUT")?;
    }
    w.ok("vault.admit_shared", json!({"request": shared, "reply": encrypted("globex")})).map(drop)
}

fn sign_out_voids_a_share_that_waits(w: &mut World<'_>) -> Step {
    let record = furnished(w)?;
    let request = w.ok("vault.share_request", share(&record))?["id"].clone();
    w.ok("vault.sign_out", json!({}))?;
    w.no("vault.admit_shared", json!({"request": request, "reply": encrypted("globex")}), "BAD_INPUT")
}

fn two_shares_wait_side_by_side(w: &mut World<'_>) -> Step {
    let record = furnished(w)?;
    let first = w.ok("vault.share_request", share(&record))?["id"].clone();
    let second = w.ok("vault.wrap_request", wrap(&record))?["id"].clone();
    expect(first != second, "two ids")?;
    let row = w.ok("vault.admit_shared", json!({"request": second, "reply": encrypted("acme")}))?;
    same(&row["purpose"], &json!("record-dek"))?;
    let row = w.ok("vault.admit_shared", json!({"request": first, "reply": encrypted("globex")}))?;
    same(&row["purpose"], &json!("share"))
}

fn a_dek_held_as_a_share_still_opens_after_all_refusals(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::record("acme", "h-17", 1, "r").shared("globex");
    w.admit(&dek)?;
    let env = w.bare(&dek, &at("h-17", "x"))?;
    w.no_seal_record(&at("h-17", "x"), "NO_ACTIVE_DEK")?;
    w.no("vault.reseal", json!({"bind": at("h-17", "x"), "env": env}), "NO_ACTIVE_DEK")?;
    w.no("vault.rebind", json!({"from": at("h-17", "x"), "to": at("h-17", "y"), "env": env}), "NO_ACTIVE_DEK")?;
    same(&w.ok("vault.open", json!({"bind": at("h-17", "x"), "env": env}))?, &json!(PT))
}

fn an_unwrap_request_asks_for_decrypt_with_the_rows_own_context(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let record = Dek::record("acme", "h-17", 3, "r");
    for dek in [Dek::org("acme", 2, "a"), record.clone(), record.shared("globex")] {
        let mut request = w.ok("vault.unwrap_request", json!({"org": dek.reader, "row": dek.row()}))?;
        request["id"] = json!(0);
        if let Some(params) = request["params"].as_object_mut()
            && params.get("EncryptionAlgorithm") == Some(&json!("SYMMETRIC_DEFAULT"))
        {
            params.remove("EncryptionAlgorithm");
        }
        same(
            &request,
            &json!({
                "id": 0, "op": "Decrypt", "region": "us-east-1", "fips": true, "endpoint": ENDPOINT,
                "params": {"KeyId": cmk(&dek.reader), "CiphertextBlob": hex(BLOB), "EncryptionContext": dek.context()},
            }),
        )?;
        same(&w.ok("kms_context", json!({"row": dek.row()}))?, &dek.context())?;
    }
    Ok(())
}
