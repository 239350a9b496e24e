//! Strings, numbers and keys that are not what they must be, in every call.

use super::{Scenario, scenarios};
use crate::world::{Dek, ENDPOINT, PT, Step, WALL, World, at, cmk, mint, same};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    every_part_of_a_binding_is_judged_in_every_call,
    the_strings_of_key_management_are_judged,
    a_cmk_is_a_key_arn_in_every_call,
    a_version_is_a_whole_number_from_1_to_its_type,
    created_is_at_most_2_to_53_less_one,
    a_cmk_waits_7_to_30_days,
    a_row_is_judged_before_it_is_asked_for,
    names_of_1024_bytes_and_of_any_script_serve,
    names_are_never_normalised,
    options_outside_their_range_make_no_vault,
    a_closed_vault_is_a_bad_input_and_closing_twice_is_none,
];

/// Strings that no host may take: empty, too long, and ill-formed where the host can say so.
fn bad_strings(w: &World<'_>, limit: usize) -> Vec<(Value, &'static str)> {
    let mut strings = vec![(json!(""), "BAD_INPUT"), (json!("n".repeat(limit + 1)), "LIMIT")];
    if w.hello.lists("strings", "utf8") {
        strings
            .extend(["ff", "80", "c080", "eda080", "f4908080", "61c3"].map(|hex| (json!({"utf8": hex}), "BAD_INPUT")));
    }
    if w.hello.lists("strings", "utf16") {
        strings.extend(["d800", "dc00", "0061dbff", "dfffd800"].map(|hex| (json!({"utf16": hex}), "BAD_INPUT")));
    }
    strings
}

/// Tries every bad string in one member of a call.
fn judged(w: &mut World<'_>, op: &str, members: &Value, pointer: &str, limit: usize) -> Step {
    for (string, name) in bad_strings(w, limit) {
        let mut changed = members.clone();
        *changed.pointer_mut(pointer).ok_or("no such member")? = string.clone();
        let answer = w.ask(op, changed)?;
        answer.is(name).map_err(|reason| {
            format!("{op} with {pointer} {}: {reason}", string.to_string().chars().take(20).collect::<String>())
        })?;
    }
    Ok(())
}

fn furnished(w: &mut World<'_>) -> Step<(Dek, Dek)> {
    w.vault(json!({}))?;
    let (org, record) = (Dek::org("acme", 1, "a"), Dek::record("acme", "h-17", 1, "r"));
    w.mint(&org)?;
    w.admit(&record)?;
    Ok((org, record))
}

fn every_part_of_a_binding_is_judged_in_every_call(w: &mut World<'_>) -> Step {
    furnished(w)?;
    let bind = at("h-17", "x");
    let env = w.seal(&bind)?;
    for part in ["org", "table", "record", "field"] {
        judged(w, "vault.seal", &json!({"bind": bind, "pt": PT}), &format!("/bind/{part}"), 1024)?;
        judged(w, "vault.open", &json!({"bind": bind, "env": env}), &format!("/bind/{part}"), 1024)?;
        judged(w, "vault.reseal", &json!({"bind": bind, "env": env}), &format!("/bind/{part}"), 1024)?;
        judged(w, "vault.rebind", &json!({"from": bind, "to": bind, "env": env}), &format!("/from/{part}"), 1024)?;
        judged(w, "vault.rebind", &json!({"from": bind, "to": bind, "env": env}), &format!("/to/{part}"), 1024)?;
    }
    Ok(())
}

fn the_strings_of_key_management_are_judged(w: &mut World<'_>) -> Step {
    let (_, record) = furnished(w)?;
    let dek_ref = record.hex_ref();
    judged(w, "vault.mint_request", &mint(&Dek::org("acme", 2, "b")), "/org", 1024)?;
    for part in ["org", "table", "record"] {
        judged(
            w,
            "vault.generate_record_dek",
            &json!({"org": "acme", "table": "t", "record": "r", "version": 1, "created": "0"}),
            &format!("/{part}"),
            1024,
        )?;
    }
    judged(w, "vault.wrap_local", &json!({"org": "acme", "dek_ref": dek_ref, "created": "0"}), "/org", 1024)?;
    judged(
        w,
        "vault.share_request",
        &json!({"dek_ref": dek_ref, "reader": "globex", "cmk": cmk("globex"), "created": "0"}),
        "/reader",
        1024,
    )?;
    judged(w, "vault.shred_request", &json!({"org": "acme", "cmk": cmk("acme"), "days": 7}), "/org", 1024)?;
    judged(w, "vault.tombstone", &json!({"org": "acme"}), "/org", 1024)?;
    judged(w, "vault.unwrap_request", &json!({"org": "acme", "row": record.row()}), "/org", 1024)?;
    judged(w, "vault.admit", &json!({"org": "acme", "row": record.row(), "reply": record.reply()}), "/org", 1024)
}

fn a_cmk_is_a_key_arn_in_every_call(w: &mut World<'_>) -> Step {
    let (_, record) = furnished(w)?;
    let calls = [
        ("vault.mint_request", mint(&Dek::org("acme", 2, "b"))),
        ("vault.wrap_request", json!({"dek_ref": record.hex_ref(), "cmk": cmk("acme"), "created": "0"})),
        (
            "vault.share_request",
            json!({"dek_ref": record.hex_ref(), "reader": "globex", "cmk": cmk("globex"), "created": "0"}),
        ),
        ("vault.shred_request", json!({"org": "acme", "cmk": cmk("acme"), "days": 7})),
    ];
    for (op, members) in calls {
        judged(w, op, &members, "/cmk", 2048)?;
        for wrong in [
            "alias/acme",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "arn:aws:kms:us-east-1:123456789012:alias/acme",
            "arn:aws:kms:us-east-1:12345678901:key/acme",
            "arn:aws:kms:us-east-1:1234567890123:key/acme",
            "arn:aws:kms:us-east-1:123456789012:key/",
            "arn:aws:kms:us-east-1:123456789012:key/acme/x",
            "arn:aws:kms:us-east-1:123456789012:key/acme ",
            "arn:aws:kms:us-east-1:123456789012:key/acme\n",
            " arn:aws:kms:us-east-1:123456789012:key/acme",
            "arn:aws:s3:us-east-1:123456789012:key/acme",
            "ARN:aws:kms:us-east-1:123456789012:key/acme",
            "arn:AWS:kms:us-east-1:123456789012:key/acme",
            "arn::kms:us-east-1:123456789012:key/acme",
            "arn:aws:kms::123456789012:key/acme",
            "arn:aws:kms:us-east-1:123456789012:key/ac_me",
        ] {
            let mut changed = members.clone();
            changed["cmk"] = json!(wrong);
            w.no(op, changed, "BAD_INPUT").map_err(|reason| format!("{wrong:?}: {reason}"))?;
        }
        let mut other_region = members.clone();
        other_region["cmk"] = json!("arn:aws-us-gov:kms:us-gov-west-1:000000000000:key/mrk-1234ABCD");
        w.ok(op, other_region)?;
    }
    Ok(())
}

fn a_version_is_a_whole_number_from_1_to_its_type(w: &mut World<'_>) -> Step {
    furnished(w)?;
    for version in [json!(0), json!(4_294_967_296_u64), json!(-1)] {
        let mut members = mint(&Dek::org("globex", 1, "g"));
        members["version"] = version.clone();
        w.no("vault.mint_request", members, "BAD_INPUT")?;
        w.no(
            "vault.generate_record_dek",
            json!({"org": "acme", "table": "t", "record": "r", "version": version, "created": "0"}),
            "BAD_INPUT",
        )?;
    }
    w.ok("vault.mint_request", mint(&Dek::org("globex", u32::MAX, "g")))?;
    w.ok(
        "vault.generate_record_dek",
        json!({"org": "acme", "table": "t", "record": "r", "version": u32::MAX, "created": "0"}),
    )
    .map(drop)
}

fn created_is_at_most_2_to_53_less_one(w: &mut World<'_>) -> Step {
    let (_, record) = furnished(w)?;
    let calls = [
        ("vault.mint_request", mint(&Dek::org("globex", 1, "g"))),
        (
            "vault.generate_record_dek",
            json!({"org": "acme", "table": "t", "record": "r", "version": 1, "created": "0"}),
        ),
        ("vault.wrap_local", json!({"org": "acme", "dek_ref": record.hex_ref(), "created": "0"})),
        ("vault.wrap_request", json!({"dek_ref": record.hex_ref(), "cmk": cmk("acme"), "created": "0"})),
        (
            "vault.share_request",
            json!({"dek_ref": record.hex_ref(), "reader": "globex", "cmk": cmk("globex"), "created": "0"}),
        ),
    ];
    for (op, members) in calls {
        for created in ["9007199254740992", "18446744073709551615", "18446744073709551616", "-1"] {
            let mut changed = members.clone();
            changed["created"] = json!(created);
            w.no(op, changed, "BAD_INPUT").map_err(|reason| format!("{created}: {reason}"))?;
        }
        for created in ["9007199254740991", "0"] {
            let mut changed = members.clone();
            changed["created"] = json!(created);
            w.ok(op, changed)?;
        }
    }
    Ok(())
}

fn a_cmk_waits_7_to_30_days(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    for days in [json!(6), json!(31), json!(0), json!(4_294_967_303_u64), json!(-7)] {
        w.no("vault.shred_request", json!({"org": "acme", "cmk": cmk("acme"), "days": days}), "BAD_INPUT")?;
    }
    for days in [7, 30] {
        let mut request = w.ok("vault.shred_request", json!({"org": "acme", "cmk": cmk("acme"), "days": days}))?;
        request["id"] = json!(0);
        same(
            &request,
            &json!({
                "id": 0, "op": "ScheduleKeyDeletion", "region": "us-east-1", "fips": true, "endpoint": ENDPOINT,
                "params": {"KeyId": cmk("acme"), "PendingWindowInDays": days},
            }),
        )?;
    }
    Ok(())
}

fn a_row_is_judged_before_it_is_asked_for(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let good = Dek::record("acme", "h-17", 1, "r").row();
    for (member, value, name) in [
        ("v", json!(2), "UNSUPPORTED_VERSION"),
        ("v", json!("1"), "ROW_INCONSISTENT"),
        ("note", json!("x"), "ROW_INCONSISTENT"),
        ("purpose", json!("share"), "ROW_INCONSISTENT"),
        ("purpose", json!("org-dek"), "ROW_INCONSISTENT"),
        ("version", json!(0), "ROW_INCONSISTENT"),
        ("created", json!(1.5), "ROW_INCONSISTENT"),
        ("blob", json!(""), "ROW_INCONSISTENT"),
        ("provider", json!("gcp-kms"), "ROW_INCONSISTENT"),
        ("record", json!(""), "BAD_INPUT"),
        ("table", json!("t".repeat(1025)), "LIMIT"),
        ("keyId", json!("k".repeat(2049)), "LIMIT"),
    ] {
        let mut row = good.clone();
        row[member] = value;
        w.no("vault.unwrap_request", json!({"org": "acme", "row": row}), name)
            .map_err(|reason| format!("{member}: {reason}"))?;
        let reply = Dek::record("acme", "h-17", 1, "r").reply();
        w.no("vault.admit", json!({"org": "acme", "row": row, "reply": reply}), name)
            .map_err(|reason| format!("{member}: {reason}"))?;
    }
    w.ok("vault.unwrap_request", json!({"org": "acme", "row": good})).map(drop)
}

fn names_of_1024_bytes_and_of_any_script_serve(w: &mut World<'_>) -> Step {
    let org = "\u{1f511}".repeat(256);
    w.vault(json!({}))?;
    let dek = Dek { owner: org.clone(), reader: org, ..Dek::org("x", 1, "a") };
    let mut members = mint(&dek);
    members["cmk"] = json!(cmk("k"));
    let request = w.ok("vault.mint_request", members)?;
    let mut reply = dek.reply();
    reply["KeyId"] = json!(cmk("k"));
    let minted = w.ok("vault.admit_minted", json!({"request": request["id"], "reply": reply}))?;
    w.set_active(&minted["active"])?;
    for name in
        ["n".repeat(1024), "\0".into(), "\u{10ffff}".into(), "e\u{301}".into(), "\u{202e}x".into(), "__proto__".into()]
    {
        let bind =
            json!({"org": dek.owner, "table": name, "record": name, "field": name, "revision": "18446744073709551615"});
        let env = w.seal(&bind)?;
        w.opens(&bind, &env)?;
    }
    Ok(())
}

fn names_are_never_normalised(w: &mut World<'_>) -> Step {
    furnished(w)?;
    for (one, other) in [
        ("caf\u{e9}", "cafe\u{301}"),
        ("x", "X"),
        ("x", "x "),
        ("x", "\u{ff58}"),
        ("\u{212b}", "\u{c5}"),
        ("x", "x\0"),
        ("x", "\u{feff}x"),
    ] {
        let env = w.seal(&at("h-17", one))?;
        w.no_open(&at("h-17", other), &env, "AUTH_FAILED")?;
        w.opens(&at("h-17", one), &env)?;
    }
    Ok(())
}

fn options_outside_their_range_make_no_vault(w: &mut World<'_>) -> Step {
    for (options, name) in [
        (json!({"ttl": 0}), "BAD_INPUT"),
        (json!({"ttl": 43_201}), "LIMIT"),
        (json!({"seal_limit": 0}), "BAD_INPUT"),
        (json!({"seal_limit": 4_294_967_297_u64}), "LIMIT"),
        (json!({"field_limit": 0}), "BAD_INPUT"),
        (json!({"field_limit": 67_108_865}), "LIMIT"),
        (json!({"region": "us_east_1"}), "BAD_INPUT"),
        (json!({"region": "r".repeat(33)}), "BAD_INPUT"),
        (json!({"session": ""}), "BAD_INPUT"),
        (json!({"session": "s".repeat(1025)}), "LIMIT"),
        (json!({"danger_endpoint": ""}), "BAD_INPUT"),
        (json!({"cmks": {"acme": ["alias/acme"]}}), "BAD_INPUT"),
        (json!({"cmks": {"": [cmk("acme")]}}), "BAD_INPUT"),
        (json!({"cmks": {"acme": [cmk("acme")], "globex": [cmk("acme")]}}), "BAD_INPUT"),
    ] {
        w.no("vault.new", json!({"options": options, "clock": {"wall": WALL.to_string(), "mono": "0"}}), name)
            .map_err(|reason| format!("{options}: {reason}"))?;
    }
    w.vault(json!({
        "ttl": 43_200, "seal_limit": 4_294_967_296_u64, "field_limit": 67_108_864, "region": "r".repeat(32),
        "session": "s".repeat(1024),
        "danger_endpoint": "http://127.0.0.1:1/", "cmks": {"acme": [cmk("acme")]}, "min_versions": {"acme": 1},
    }))
    .map(drop)
}

fn a_closed_vault_is_a_bad_input_and_closing_twice_is_none(w: &mut World<'_>) -> Step {
    furnished(w)?;
    w.ok("vault.close", json!({}))?;
    w.ok("vault.close", json!({}))?;
    for (op, members) in [
        ("vault.status", json!({})),
        ("vault.sign_out", json!({})),
        ("vault.missing", json!({"envs": []})),
        ("vault.seal", json!({"bind": at("h-17", "x"), "pt": PT})),
        ("vault.open", json!({"bind": at("h-17", "x"), "env": "f7"})),
        ("vault.seal_many", json!({"items": []})),
        ("vault.open_many", json!({"items": []})),
        ("vault.mint_request", mint(&Dek::org("acme", 2, "b"))),
        ("vault.tombstone", json!({"org": "acme"})),
        ("vault.shred_request", json!({"org": "acme", "cmk": cmk("acme"), "days": 7})),
    ] {
        w.no(op, members, "BAD_INPUT")?;
    }
    Ok(())
}
