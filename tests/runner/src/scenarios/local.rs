//! Local wraps: a record DEK under the reader's org DEK.

use super::{Scenario, scenarios};
use crate::bytes::hex;
use crate::world::{Dek, Step, WALL, World, at, expect, same};
use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    a_local_row_says_what_it_wraps_and_under_what,
    two_wraps_of_one_dek_differ,
    a_local_row_is_taken_in_where_its_kek_is_held,
    a_generated_dek_is_wrapped_by_the_active_dek,
    after_a_rotation_the_new_dek_wraps,
    a_reader_keeps_a_local_wrap_of_its_share,
    a_wrap_is_made_only_for_the_org_it_is_held_for,
    an_org_dek_is_never_wrapped_locally,
    a_wrap_needs_a_dek_that_is_held_and_an_active_one,
    a_dek_ref_is_32_bytes,
    a_local_row_that_was_relabelled_is_refused,
    a_local_row_whose_key_id_is_not_its_blobs_kek_is_inconsistent,
    a_kek_that_is_no_org_dek_of_the_reader_is_inconsistent,
    a_local_row_is_not_asked_of_the_kms_and_takes_no_reply,
];

fn wrap(org: &str, dek: &Dek) -> Value {
    json!({"org": org, "dek_ref": dek.hex_ref(), "created": WALL.to_string()})
}

/// What a local row must be, blob aside; and the blob.
fn row_of(dek: &Dek, kek: &Dek, row: &Value) -> Step<Vec<u8>> {
    let mut expected = dek.row();
    expected["provider"] = json!("local");
    expected["keyId"] = json!(kek.text_ref());
    expected["blob"] = row["blob"].clone();
    same(row, &expected)?;
    let blob = Base64::decode_vec(row["blob"].as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
    expect(
        blob.len() == 96 && blob[..4] == [0xf7, 0x57, 1, 1] && hex(&blob[4..36]) == kek.hex_ref(),
        "a wrap of 96 bytes that names its KEK",
    )?;
    Ok(blob)
}

fn furnished(w: &mut World<'_>) -> Step<(Dek, Dek)> {
    w.vault(json!({}))?;
    let (kek, record) = (Dek::org("acme", 1, "kek"), Dek::record("acme", "h-17", 1, "r"));
    w.mint(&kek)?;
    w.admit(&record)?;
    Ok((kek, record))
}

fn a_local_row_says_what_it_wraps_and_under_what(w: &mut World<'_>) -> Step {
    let (kek, record) = furnished(w)?;
    let row = w.ok("vault.wrap_local", wrap("acme", &record))?;
    row_of(&record, &kek, &row).map(drop)
}

fn two_wraps_of_one_dek_differ(w: &mut World<'_>) -> Step {
    let (kek, record) = furnished(w)?;
    let (first, second) =
        (w.ok("vault.wrap_local", wrap("acme", &record))?, w.ok("vault.wrap_local", wrap("acme", &record))?);
    let (first, second) = (row_of(&record, &kek, &first)?, row_of(&record, &kek, &second)?);
    expect(first[36..48] != second[36..48] && first[48..] != second[48..], "two IVs and two ciphertexts")
}

fn a_local_row_is_taken_in_where_its_kek_is_held(w: &mut World<'_>) -> Step {
    let (kek, record) = furnished(w)?;
    let row = w.ok("vault.wrap_local", wrap("acme", &record))?;
    let env = w.seal_with(&at("h-17", "x"), json!({"scope": "record"}))?;
    w.vault(json!({}))?;
    w.no("vault.admit", json!({"org": "acme", "row": row}), "UNKNOWN_DEK")?;
    w.admit(&kek)?;
    w.admit_local("acme", &row)?;
    w.opens(&at("h-17", "x"), &env)
}

fn a_generated_dek_is_wrapped_by_the_active_dek(w: &mut World<'_>) -> Step {
    let (kek, _) = furnished(w)?;
    let row = w.ok(
        "vault.generate_record_dek",
        json!({"org": "acme", "table": "users", "record": "u", "version": 3, "created": "5"}),
    )?;
    for (member, value) in [
        ("purpose", json!("record-dek")),
        ("owner", json!("acme")),
        ("reader", json!("acme")),
        ("table", json!("users")),
        ("record", json!("u")),
        ("version", json!(3)),
        ("created", json!(5)),
        ("provider", json!("local")),
        ("keyId", json!(kek.text_ref())),
        ("v", json!(1)),
    ] {
        same(&row[member], &value)?;
    }
    let bind = json!({"org": "acme", "table": "users", "record": "u", "field": "x"});
    let env = w.seal_with(&bind, json!({"scope": "record"}))?;
    w.ok("vault.sign_out", json!({}))?;
    w.admit(&kek)?;
    w.admit_local("acme", &row)?;
    w.opens(&bind, &env)
}

fn after_a_rotation_the_new_dek_wraps(w: &mut World<'_>) -> Step {
    let (_, record) = furnished(w)?;
    let new = Dek::org("acme", 2, "new");
    w.mint(&new)?;
    let row = w.ok("vault.wrap_local", wrap("acme", &record))?;
    row_of(&record, &new, &row).map(drop)
}

fn a_reader_keeps_a_local_wrap_of_its_share(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (kek, share) = (Dek::org("globex", 1, "g"), Dek::record("acme", "h-17", 1, "r").shared("globex"));
    w.mint(&kek)?;
    w.admit(&share)?;
    let row = w.ok("vault.wrap_local", wrap("globex", &share))?;
    row_of(&share, &kek, &row)?;
    let env = w.bare(&share, &at("h-17", "x"))?;
    w.vault(json!({}))?;
    w.admit(&kek)?;
    w.admit_local("globex", &row)?;
    w.opens(&at("h-17", "x"), &env)
}

fn a_wrap_is_made_only_for_the_org_it_is_held_for(w: &mut World<'_>) -> Step {
    let (_, record) = furnished(w)?;
    w.mint(&Dek::org("globex", 1, "g"))?;
    w.no("vault.wrap_local", wrap("globex", &record), "BAD_INPUT")?;
    let share = Dek::record("acme", "h-18", 1, "s").shared("globex");
    w.admit(&share)?;
    w.no("vault.wrap_local", wrap("acme", &share), "BAD_INPUT")
}

fn an_org_dek_is_never_wrapped_locally(w: &mut World<'_>) -> Step {
    let (kek, _) = furnished(w)?;
    w.no("vault.wrap_local", wrap("acme", &kek), "BAD_INPUT")
}

fn a_wrap_needs_a_dek_that_is_held_and_an_active_one(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.no("vault.wrap_local", wrap("acme", &record), "UNKNOWN_DEK")?;
    w.admit(&record)?;
    w.no("vault.wrap_local", wrap("acme", &record), "NO_ACTIVE_DEK")?;
    w.no(
        "vault.generate_record_dek",
        json!({"org": "acme", "table": "t", "record": "r", "version": 1, "created": "0"}),
        "NO_ACTIVE_DEK",
    )
}

fn a_dek_ref_is_32_bytes(w: &mut World<'_>) -> Step {
    furnished(w)?;
    for length in [0, 31, 33] {
        let short = "01".repeat(length);
        w.no("vault.wrap_local", json!({"org": "acme", "dek_ref": short, "created": "0"}), "BAD_INPUT")?;
        w.no(
            "vault.wrap_request",
            json!({"dek_ref": short, "cmk": crate::world::cmk("acme"), "created": "0"}),
            "BAD_INPUT",
        )?;
        w.no(
            "vault.share_request",
            json!({"dek_ref": short, "reader": "globex", "cmk": crate::world::cmk("globex"), "created": "0"}),
            "BAD_INPUT",
        )?;
    }
    Ok(())
}

fn a_local_row_that_was_relabelled_is_refused(w: &mut World<'_>) -> Step {
    let (_, record) = furnished(w)?;
    let row = w.ok("vault.wrap_local", wrap("acme", &record))?;
    for (member, value) in [
        ("created", json!(WALL + 1)),
        ("version", json!(2)),
        ("record", json!("h-18")),
        ("table", json!("users")),
        ("dekRef", json!(Dek::record("acme", "h-17", 1, "x").text_ref())),
    ] {
        let mut changed = row.clone();
        changed[member] = value;
        w.no("vault.admit", json!({"org": "acme", "row": changed}), "AUTH_FAILED")?;
    }
    w.admit_local("acme", &row)
}

fn a_local_row_whose_key_id_is_not_its_blobs_kek_is_inconsistent(w: &mut World<'_>) -> Step {
    let (_, record) = furnished(w)?;
    let other = Dek::org("acme", 2, "other");
    w.admit(&other)?;
    w.set_active(&other.active(2))?;
    let mut row = w.ok("vault.wrap_local", wrap("acme", &record))?;
    row["keyId"] = json!(Dek::org("acme", 1, "kek").text_ref());
    w.no("vault.admit", json!({"org": "acme", "row": row}), "ROW_INCONSISTENT")
}

fn a_kek_that_is_no_org_dek_of_the_reader_is_inconsistent(w: &mut World<'_>) -> Step {
    let (_, record) = furnished(w)?;
    let globex = Dek::org("globex", 1, "g");
    w.admit(&globex)?;
    // Wrapped by somebody who holds a DEK that must not be a KEK here.
    for kek in [&globex, &record] {
        let mut row = record.row();
        row["provider"] = json!("local");
        row["keyId"] = json!(kek.text_ref());
        row["blob"] = json!(Base64::encode_string(&[&[0xf7, 0x57, 1, 1][..], &kek.dek_ref(), &[7; 60]].concat()));
        w.no("vault.admit", json!({"org": "acme", "row": row}), "ROW_INCONSISTENT")?;
    }
    Ok(())
}

fn a_local_row_is_not_asked_of_the_kms_and_takes_no_reply(w: &mut World<'_>) -> Step {
    let (_, record) = furnished(w)?;
    let row = w.ok("vault.wrap_local", wrap("acme", &record))?;
    w.no("vault.unwrap_request", json!({"org": "acme", "row": row}), "BAD_INPUT")?;
    w.no("vault.admit", json!({"org": "acme", "row": row, "reply": record.reply()}), "BAD_INPUT")?;
    w.no("kms_context", json!({"row": row}), "BAD_INPUT")?;
    w.no("vault.admit", json!({"org": "acme", "row": record.row()}), "BAD_INPUT")
}
