//! Minting: nothing is sealed before both rows are stored.

use super::{Scenario, scenarios};
use crate::bytes::hex;
use crate::world::{Dek, ENDPOINT, PT, Step, WALL, World, cmk, expect, kms_error, mint, same};
use serde_json::json;

pub(super) const ALL: &[Scenario] = scenarios![
    a_mint_request_asks_for_a_data_key_and_nothing_else,
    what_is_to_be_stored_is_exactly_the_two_rows,
    nothing_is_sealed_between_admit_minted_and_set_active,
    the_loser_of_a_race_discards_its_dek,
    a_second_minted_dek_replaces_the_first,
    the_first_of_two_minted_deks_is_not_there_to_become_active,
    minted_deks_of_two_orgs_wait_side_by_side,
    the_active_row_continues_the_one_that_is_stored,
    after_a_rotation_the_new_dek_seals_and_the_old_one_still_opens,
    until_the_new_dek_is_active_the_old_one_seals,
    a_request_id_is_good_for_one_successful_answer,
    an_id_that_was_never_given_is_a_bad_input,
    a_request_of_another_vault_is_unknown_here,
    sign_out_voids_open_requests_and_the_minted_dek,
    the_reply_to_a_mint_is_checked_and_its_dek_wiped,
    a_reply_without_its_blob_is_a_bad_input,
    the_version_must_be_above_every_one_seen,
    a_minted_dek_ends_ttl_after_its_reply,
    a_minted_dek_that_is_over_before_its_active_row_seals_nothing,
    a_clock_going_back_discards_a_minted_dek,
    region_and_danger_endpoint_stand_in_the_request,
    names_that_need_coding_are_coded_in_the_context,
];

fn a_mint_request_asks_for_a_data_key_and_nothing_else(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 7, "a");
    let request = w.ok("vault.mint_request", mint(&dek))?;
    expect(request["id"].is_u64(), "an id")?;
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
            "id": 0, "op": "GenerateDataKey", "region": "us-east-1", "fips": true, "endpoint": ENDPOINT,
            "params": {"KeyId": cmk("acme"), "KeySpec": "AES_256", "EncryptionContext": dek.context()},
        }),
    )
}

fn what_is_to_be_stored_is_exactly_the_two_rows(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    same(&w.minted(&dek)?, &json!({"row": dek.row(), "active": dek.active(1)}))
}

fn nothing_is_sealed_between_admit_minted_and_set_active(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    let bind = dek.field("password");
    w.no_seal(&bind, "NO_ACTIVE_DEK")?;
    let minted = w.minted(&dek)?;
    w.no_seal(&bind, "NO_ACTIVE_DEK")?;
    same(&w.ok("vault.status", json!({}))?, &json!([]))?;
    let env = w.bare(&dek, &bind)?;
    w.no_open(&bind, &env, "UNKNOWN_DEK")?;
    w.set_active(&minted["active"])?;
    w.opens(&bind, &env)?;
    let env = w.seal(&bind)?;
    w.opens(&bind, &env)
}

fn the_loser_of_a_race_discards_its_dek(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (mine, theirs) = (Dek::org("acme", 1, "mine"), Dek::org("acme", 1, "theirs"));
    let bind = mine.field("password");
    let minted = w.minted(&mine)?;
    w.set_active(&theirs.active(1))?;
    w.no_seal(&bind, "UNKNOWN_DEK")?;
    let env = w.bare(&mine, &bind)?;
    w.no_open(&bind, &env, "UNKNOWN_DEK")?;
    w.no("vault.set_active", json!({"active": minted["active"]}), "ACTIVE_ROLLBACK")?;
    w.no_open(&bind, &env, "UNKNOWN_DEK")?;
    w.admit(&theirs)?;
    let env = w.seal(&bind)?;
    w.opens(&bind, &env)
}

fn a_second_minted_dek_replaces_the_first(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (first, second) = (Dek::org("acme", 1, "first"), Dek::org("acme", 1, "second"));
    let bind = first.field("password");
    w.minted(&first)?;
    let minted = w.minted(&second)?;
    w.set_active(&minted["active"])?;
    let env = w.bare(&first, &bind)?;
    w.no_open(&bind, &env, "UNKNOWN_DEK")?;
    let env = w.bare(&second, &bind)?;
    w.opens(&bind, &env)
}

fn the_first_of_two_minted_deks_is_not_there_to_become_active(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (first, second) = (Dek::org("acme", 1, "first"), Dek::org("acme", 1, "second"));
    let minted = w.minted(&first)?;
    w.minted(&second)?;
    w.set_active(&minted["active"])?;
    w.no_seal(&first.field("password"), "UNKNOWN_DEK")
}

fn minted_deks_of_two_orgs_wait_side_by_side(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (acme, globex) = (Dek::org("acme", 1, "a"), Dek::org("globex", 1, "g"));
    let first = w.minted(&acme)?;
    let second = w.minted(&globex)?;
    w.set_active(&first["active"])?;
    w.no_seal(&globex.field("password"), "NO_ACTIVE_DEK")?;
    w.set_active(&second["active"])?;
    for dek in [&acme, &globex] {
        let env = w.seal(&dek.field("password"))?;
        w.opens(&dek.field("password"), &env)?;
    }
    Ok(())
}

fn the_active_row_continues_the_one_that_is_stored(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (old, new) = (Dek::org("acme", 3, "old"), Dek::org("acme", 4, "new"));
    w.set_active(&old.active(7))?;
    same(&w.minted(&new)?["active"], &new.active(8))
}

fn after_a_rotation_the_new_dek_seals_and_the_old_one_still_opens(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (old, new) = (Dek::org("acme", 1, "old"), Dek::org("acme", 2, "new"));
    let bind = old.field("password");
    w.mint(&old)?;
    let before = w.seal(&bind)?;
    w.mint(&new)?;
    let after = w.seal(&bind)?;
    expect(crate::world::named_by(&before)? == old.hex_ref(), "sealed under the old DEK")?;
    expect(crate::world::named_by(&after)? == new.hex_ref(), "sealed under the new DEK")?;
    w.opens(&bind, &before)?;
    w.opens(&bind, &after)
}

fn until_the_new_dek_is_active_the_old_one_seals(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (old, new) = (Dek::org("acme", 1, "old"), Dek::org("acme", 2, "new"));
    w.mint(&old)?;
    w.minted(&new)?;
    let env = w.seal(&old.field("password"))?;
    expect(crate::world::named_by(&env)? == old.hex_ref(), "sealed under the old DEK")
}

fn a_request_id_is_good_for_one_successful_answer(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    let request = w.ok("vault.mint_request", mint(&dek))?["id"].clone();
    for (reply, name) in [
        (kms_error("ThrottlingException"), "KMS_THROTTLED"),
        (kms_error("AccessDeniedException"), "KMS_DENIED"),
        (json!({"error": "TimeoutError", "endpoint": "https://example.com"}), "ENDPOINT_POLICY"),
    ] {
        w.no("vault.admit_minted", json!({"request": request, "reply": reply}), name)?;
    }
    w.ok("vault.admit_minted", json!({"request": request, "reply": dek.reply()}))?;
    w.no("vault.admit_minted", json!({"request": request, "reply": dek.reply()}), "BAD_INPUT")
}

fn an_id_that_was_never_given_is_a_bad_input(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    let request = w.ok("vault.mint_request", mint(&dek))?["id"].as_u64().unwrap_or_default();
    w.no("vault.admit_minted", json!({"request": request + 1, "reply": dek.reply()}), "BAD_INPUT")?;
    w.no("vault.admit_shared", json!({"request": request, "reply": dek.reply()}), "BAD_INPUT")
}

fn a_request_of_another_vault_is_unknown_here(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    let request = w.ok("vault.mint_request", mint(&dek))?["id"].clone();
    w.vault(json!({}))?;
    w.no("vault.admit_minted", json!({"request": request, "reply": dek.reply()}), "BAD_INPUT")
}

fn sign_out_voids_open_requests_and_the_minted_dek(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    let request = w.ok("vault.mint_request", mint(&dek))?["id"].clone();
    let other = Dek::org("globex", 1, "g");
    let minted = w.minted(&other)?;
    w.ok("vault.sign_out", json!({}))?;
    w.no("vault.admit_minted", json!({"request": request, "reply": dek.reply()}), "BAD_INPUT")?;
    w.set_active(&minted["active"])?;
    w.no_seal(&other.field("password"), "UNKNOWN_DEK")
}

fn the_reply_to_a_mint_is_checked_and_its_dek_wiped(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    let request = w.ok("vault.mint_request", mint(&dek))?["id"].clone();
    let with = |member: &str, value: serde_json::Value| {
        let mut reply = dek.reply();
        reply[member] = value;
        reply
    };
    for (reply, name) in [
        (with("endpoint", json!("https://kms.us-east-1.amazonaws.com")), "ENDPOINT_POLICY"),
        (with("KeyId", json!(cmk("globex"))), "KEY_ID_UNEXPECTED"),
        (with("CiphertextBlob", json!("")), "BAD_INPUT"),
        (with("CiphertextBlob", json!("00".repeat(6145))), "LIMIT"),
        (with("Plaintext", json!("01".repeat(31))), "KEY_MISMATCH"),
        (with("Plaintext", json!("01".repeat(33))), "KEY_MISMATCH"),
        (with("Plaintext", json!("00".repeat(32))), "KEY_MISMATCH"),
        (with("error", json!("KMSInvalidStateException")), "KMS_PENDING_DELETION"),
        (with("error", json!("KMSInternalException")), "KMS_UNAVAILABLE"),
    ] {
        let answer = w.ask("vault.admit_minted", json!({"request": request, "reply": reply}))?;
        answer.is(name)?;
        expect(answer.wiped, &format!("the DEK wiped after {name}"))?;
    }
    let answer = w.ask(
        "vault.admit_minted",
        json!({"request": request, "reply": with("CiphertextBlob", json!("00".repeat(6144)))}),
    )?;
    expect(answer.wiped && answer.result.is_ok(), "the DEK wiped after success")
}

fn a_reply_without_its_blob_is_a_bad_input(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    let request = w.ok("vault.mint_request", mint(&dek))?["id"].clone();
    let reply = json!({"KeyId": cmk("acme"), "Plaintext": hex(&dek.key), "endpoint": ENDPOINT});
    w.no("vault.admit_minted", json!({"request": request, "reply": reply}), "BAD_INPUT")
}

fn the_version_must_be_above_every_one_seen(w: &mut World<'_>) -> Step {
    w.vault(json!({"min_versions": {"globex": 3}}))?;
    w.mint(&Dek::org("acme", 5, "a"))?;
    for version in [1, 4, 5] {
        w.no("vault.mint_request", mint(&Dek::org("acme", version, "a")), "ACTIVE_ROLLBACK")?;
    }
    w.ok("vault.mint_request", mint(&Dek::org("acme", 6, "a")))?;
    w.admit(&Dek::org("acme", 9, "later"))?;
    w.no("vault.mint_request", mint(&Dek::org("acme", 9, "a")), "ACTIVE_ROLLBACK")?;
    w.ok("vault.mint_request", mint(&Dek::org("acme", 10, "a")))?;
    w.no("vault.mint_request", mint(&Dek::org("globex", 3, "a")), "ACTIVE_ROLLBACK")?;
    w.ok("vault.mint_request", mint(&Dek::org("globex", 4, "a"))).map(drop)
}

fn a_minted_dek_ends_ttl_after_its_reply(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 100}))?;
    let dek = Dek::org("acme", 1, "a");
    let minted = w.minted(&dek)?;
    w.time(99)?;
    w.set_active(&minted["active"])?;
    let env = w.seal(&dek.field("password"))?;
    w.ends(&dek, 100)?;
    w.time(100)?;
    w.no_seal(&dek.field("password"), "EXPIRED")?;
    w.no_open(&dek.field("password"), &env, "EXPIRED")
}

fn a_minted_dek_that_is_over_before_its_active_row_seals_nothing(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 100}))?;
    let dek = Dek::org("acme", 1, "a");
    let minted = w.minted(&dek)?;
    w.time(100)?;
    w.set_active(&minted["active"])?;
    w.no_seal(&dek.field("password"), "EXPIRED")?;
    same(&w.ok("vault.status", json!({}))?, &json!([]))
}

fn a_clock_going_back_discards_a_minted_dek(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    let minted = w.minted(&dek)?;
    w.clock(-2, 0)?;
    w.set_active(&minted["active"])?;
    w.no_of("vault.seal", json!({"bind": dek.field("password"), "pt": PT}), &["UNKNOWN_DEK", "CLOCK_ROLLBACK"])?;
    w.admit(&dek)?;
    w.seal(&dek.field("password")).map(drop)
}

fn region_and_danger_endpoint_stand_in_the_request(w: &mut World<'_>) -> Step {
    let dek = Dek::org("acme", 1, "a");
    w.vault(json!({"region": "eu-west-3"}))?;
    let request = w.ok("vault.mint_request", mint(&dek))?;
    same(&request["region"], &json!("eu-west-3"))?;
    same(&request["endpoint"], &json!("https://kms-fips.eu-west-3.amazonaws.com"))?;
    same(&request["fips"], &json!(true))?;
    w.vault(json!({"danger_endpoint": "http://127.0.0.1:4566/"}))?;
    let request = w.ok("vault.mint_request", mint(&dek))?;
    same(&request["endpoint"], &json!("http://127.0.0.1:4566/"))?;
    same(&request["fips"], &json!(false))?;
    w.no("vault.admit_minted", json!({"request": request["id"], "reply": dek.reply()}), "ENDPOINT_POLICY")?;
    let mut reply = dek.reply();
    reply["endpoint"] = json!("http://127.0.0.1:4566/");
    w.ok("vault.admit_minted", json!({"request": request["id"], "reply": reply})).map(drop)
}

fn names_that_need_coding_are_coded_in_the_context(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let request = w.ok(
        "vault.mint_request",
        json!({"org": "caf\u{e9}", "cmk": cmk("x"), "version": 1, "created": WALL.to_string()}),
    )?;
    same(&request["params"]["EncryptionContext"]["strongroom-org"], &json!("b64.Y2Fmw6k"))
}
