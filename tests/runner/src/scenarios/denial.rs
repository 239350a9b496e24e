//! Denied is final; throttled changes nothing. A DEK held for one reader is not taken in for another.

use super::{Scenario, scenarios};
use crate::world::{Dek, Step, World, admission, expect, same};
use serde_json::json;

pub(super) const ALL: &[Scenario] = scenarios![
    a_denial_drops_the_dek_at_once,
    a_cmk_pending_deletion_drops_the_dek_at_once,
    any_other_error_leaves_the_dek_until_its_end,
    a_denial_from_elsewhere_drops_nothing,
    a_wrong_answer_drops_nothing,
    a_denial_drops_the_dek_for_whichever_reader_it_is_held,
    a_denial_leaves_other_deks,
    a_denial_of_what_is_over_changes_no_reason,
    after_a_denial_the_dek_may_come_in_again,
    a_dek_held_for_the_owner_is_not_taken_in_for_a_reader,
    a_dek_held_for_a_reader_is_not_taken_in_for_another_or_the_owner,
    the_buffer_of_a_dek_that_is_not_taken_in_is_wiped,
    once_it_is_over_a_dek_may_come_in_for_another_reader,
    after_sign_out_a_dek_may_come_in_for_another_reader,
    a_row_for_another_reader_is_refused_before_its_reply_is_looked_at,
];

fn a_denial_drops_the_dek_at_once(w: &mut World<'_>) -> Step {
    for error in [
        "AccessDeniedException",
        "NotFoundException",
        "InvalidCiphertextException",
        "IncorrectKeyException",
        "DisabledException",
    ] {
        w.vault(json!({}))?;
        let dek = Dek::org("acme", 1, "a");
        w.admit(&dek)?;
        let env = w.bare(&dek, &dek.field("password"))?;
        w.opens(&dek.field("password"), &env)?;
        w.admit_error(&dek, error, "KMS_DENIED")?;
        w.no_open(&dek.field("password"), &env, "UNKNOWN_DEK")?;
    }
    Ok(())
}

fn a_cmk_pending_deletion_drops_the_dek_at_once(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.admit_error(&dek, "KMSInvalidStateException", "KMS_PENDING_DELETION")?;
    w.no_open(&dek.field("password"), &env, "UNKNOWN_DEK")
}

fn any_other_error_leaves_the_dek_until_its_end(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.time(30)?;
    for (error, name) in [
        ("ThrottlingException", "KMS_THROTTLED"),
        ("LimitExceededException", "KMS_THROTTLED"),
        ("KMSInternalException", "KMS_UNAVAILABLE"),
        ("ECONNREFUSED", "KMS_UNAVAILABLE"),
        ("accessdeniedexception", "KMS_UNAVAILABLE"),
    ] {
        w.admit_error(&dek, error, name)?;
        w.opens(&dek.field("password"), &env)?;
    }
    w.ends(&dek, 60)?;
    w.time(60)?;
    w.no_open(&dek.field("password"), &env, "EXPIRED")
}

fn a_denial_from_elsewhere_drops_nothing(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    let reply = json!({"error": "AccessDeniedException", "endpoint": "https://kms.us-east-1.amazonaws.com"});
    w.no("vault.admit", json!({"org": "acme", "row": dek.row(), "reply": reply}), "ENDPOINT_POLICY")?;
    w.opens(&dek.field("password"), &env)
}

fn a_wrong_answer_drops_nothing(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.no(
        "vault.admit",
        json!({"org": "acme", "row": dek.row(), "reply": Dek::org("acme", 1, "other").reply()}),
        "KEY_MISMATCH",
    )?;
    w.opens(&dek.field("password"), &env)
}

fn a_denial_drops_the_dek_for_whichever_reader_it_is_held(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::record("acme", "h-17", 1, "r");
    w.admit(&dek.shared("globex"))?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.opens(&dek.field("password"), &env)?;
    w.admit_error(&dek, "AccessDeniedException", "KMS_DENIED")?;
    w.no_open(&dek.field("password"), &env, "UNKNOWN_DEK")
}

fn a_denial_leaves_other_deks(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (dek, other) = (Dek::org("acme", 1, "a"), Dek::org("acme", 2, "b"));
    w.admit(&dek)?;
    w.admit(&other)?;
    w.admit_error(&dek, "AccessDeniedException", "KMS_DENIED")?;
    let env = w.bare(&other, &other.field("password"))?;
    w.opens(&other.field("password"), &env)
}

fn a_denial_of_what_is_over_changes_no_reason(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.time(60)?;
    w.admit_error(&dek, "AccessDeniedException", "KMS_DENIED")?;
    w.no_open(&dek.field("password"), &env, "EXPIRED")
}

fn after_a_denial_the_dek_may_come_in_again(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    w.admit_error(&dek, "AccessDeniedException", "KMS_DENIED")?;
    w.no_seal(&dek.field("password"), "UNKNOWN_DEK")?;
    w.admit(&dek)?;
    w.seal(&dek.field("password")).map(drop)
}

fn a_dek_held_for_the_owner_is_not_taken_in_for_a_reader(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::record("acme", "h-17", 1, "r");
    w.admit(&dek)?;
    w.no_admit(&dek.shared("globex"), "ROW_INCONSISTENT")?;
    same(&w.status(&dek)?.unwrap_or_default()["reader"], &json!("acme"))
}

fn a_dek_held_for_a_reader_is_not_taken_in_for_another_or_the_owner(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::record("acme", "h-17", 1, "r");
    w.admit(&dek.shared("globex"))?;
    w.no_admit(&dek.shared("initech"), "ROW_INCONSISTENT")?;
    w.no_admit(&dek, "ROW_INCONSISTENT")?;
    let env = w.bare(&dek, &dek.field("password"))?;
    w.opens(&dek.field("password"), &env)
}

fn the_buffer_of_a_dek_that_is_not_taken_in_is_wiped(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::record("acme", "h-17", 1, "r");
    w.admit(&dek)?;
    let answer = w.ask("vault.admit", admission(&dek.shared("globex")))?;
    expect(answer.wiped && answer.result.is_err(), "a refusal and a wiped buffer")
}

fn once_it_is_over_a_dek_may_come_in_for_another_reader(w: &mut World<'_>) -> Step {
    w.vault(json!({"ttl": 60}))?;
    let dek = Dek::record("acme", "h-17", 1, "r");
    w.admit(&dek)?;
    w.time(60)?;
    w.admit(&dek.shared("globex"))?;
    same(&w.status(&dek)?.unwrap_or_default()["reader"], &json!("globex"))
}

fn after_sign_out_a_dek_may_come_in_for_another_reader(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::record("acme", "h-17", 1, "r");
    w.admit(&dek)?;
    w.ok("vault.sign_out", json!({}))?;
    w.admit(&dek.shared("globex"))
}

fn a_row_for_another_reader_is_refused_before_its_reply_is_looked_at(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::record("acme", "h-17", 1, "r").shared("globex");
    for org in ["acme", "initech", "Globex"] {
        w.no("vault.unwrap_request", json!({"org": org, "row": dek.row()}), "ROW_INCONSISTENT")?;
        w.no(
            "vault.admit",
            json!({"org": org, "row": dek.row(), "reply": {"error": "X", "endpoint": "https://example.com"}}),
            "ROW_INCONSISTENT",
        )?;
    }
    w.ok("vault.unwrap_request", json!({"org": "globex", "row": dek.row()})).map(drop)
}
