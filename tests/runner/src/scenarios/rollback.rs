//! Never under a version lower than the highest seen.

use super::{Scenario, scenarios};
use crate::world::{Dek, Step, World, mint};
use serde_json::json;

pub(super) const ALL: &[Scenario] = scenarios![
    min_versions_are_seen_from_the_start,
    min_versions_of_one_org_say_nothing_of_another,
    an_older_dek_than_min_versions_still_opens,
    an_admitted_higher_version_stops_the_older_active_dek,
    a_higher_version_is_remembered_after_sign_out,
    a_higher_version_that_was_refused_was_not_seen,
    a_record_deks_version_is_none_of_the_orgs,
    a_local_wrap_is_not_made_under_a_rolled_back_dek,
    min_versions_are_whole_numbers_from_1,
];

fn min_versions_are_seen_from_the_start(w: &mut World<'_>) -> Step {
    w.vault(json!({"min_versions": {"acme": 5}}))?;
    let (old, good) = (Dek::org("acme", 4, "old"), Dek::org("acme", 5, "good"));
    w.no("vault.set_active", json!({"active": old.active(1)}), "ACTIVE_ROLLBACK")?;
    w.set_active(&good.active(1))?;
    w.admit(&good)?;
    w.seal(&good.field("x")).map(drop)
}

fn min_versions_of_one_org_say_nothing_of_another(w: &mut World<'_>) -> Step {
    w.vault(json!({"min_versions": {"globex": 5}}))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    w.seal(&dek.field("x")).map(drop)
}

fn an_older_dek_than_min_versions_still_opens(w: &mut World<'_>) -> Step {
    w.vault(json!({"min_versions": {"acme": 5}}))?;
    let old = Dek::org("acme", 1, "old");
    w.admit(&old)?;
    let env = w.bare(&old, &old.field("x"))?;
    w.opens(&old.field("x"), &env)
}

fn an_admitted_higher_version_stops_the_older_active_dek(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (old, new) = (Dek::org("acme", 2, "old"), Dek::org("acme", 3, "new"));
    w.mint(&old)?;
    let env = w.seal(&old.field("x"))?;
    w.admit(&new)?;
    w.no_seal(&old.field("x"), "ACTIVE_ROLLBACK")?;
    w.no("vault.reseal", json!({"bind": old.field("x"), "env": env}), "ACTIVE_ROLLBACK")?;
    w.no("vault.set_active", json!({"active": old.active(1)}), "ACTIVE_ROLLBACK")?;
    w.opens(&old.field("x"), &env)?;
    w.set_active(&new.active(2))?;
    w.seal(&old.field("x")).map(drop)
}

fn a_higher_version_is_remembered_after_sign_out(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (old, new) = (Dek::org("acme", 2, "old"), Dek::org("acme", 3, "new"));
    w.admit(&new)?;
    w.ok("vault.sign_out", json!({}))?;
    w.no("vault.set_active", json!({"active": old.active(1)}), "ACTIVE_ROLLBACK")?;
    w.no("vault.mint_request", mint(&new), "ACTIVE_ROLLBACK")
}

fn a_higher_version_that_was_refused_was_not_seen(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (dek, fake) = (Dek::org("acme", 2, "a"), Dek::org("acme", 9, "b"));
    w.mint(&dek)?;
    w.no("vault.admit", json!({"org": "acme", "row": fake.row(), "reply": dek.reply()}), "KEY_MISMATCH")?;
    w.admit_error(&fake, "AccessDeniedException", "KMS_DENIED")?;
    w.seal(&dek.field("x")).map(drop)
}

fn a_record_deks_version_is_none_of_the_orgs(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 2, "a");
    w.mint(&dek)?;
    w.admit(&Dek::record("acme", "h-17", 9, "r"))?;
    w.seal(&dek.field("x")).map(drop)
}

fn a_local_wrap_is_not_made_under_a_rolled_back_dek(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.mint(&Dek::org("acme", 2, "old"))?;
    w.admit(&record)?;
    w.admit(&Dek::org("acme", 3, "new"))?;
    let created = crate::world::WALL.to_string();
    w.no(
        "vault.wrap_local",
        json!({"org": "acme", "dek_ref": record.hex_ref(), "created": created}),
        "ACTIVE_ROLLBACK",
    )?;
    w.no(
        "vault.generate_record_dek",
        json!({"org": "acme", "table": "t", "record": "r", "version": 1, "created": created}),
        "ACTIVE_ROLLBACK",
    )
}

fn min_versions_are_whole_numbers_from_1(w: &mut World<'_>) -> Step {
    for value in [0_u64, 4_294_967_296] {
        w.no(
            "vault.new",
            json!({"options": {"min_versions": {"acme": value}}, "clock": {"wall": "1", "mono": "1"}}),
            "BAD_INPUT",
        )?;
    }
    w.no("vault.new", json!({"options": {"min_versions": {"": 1}}, "clock": {"wall": "1", "mono": "1"}}), "BAD_INPUT")?;
    w.vault(json!({"min_versions": {"acme": 4_294_967_295_u64}})).map(drop)
}
