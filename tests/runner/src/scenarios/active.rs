//! The `active` row is storage's word, and checked as such.

use super::{Scenario, scenarios};
use crate::world::{Dek, PT, Step, World, same};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    the_same_active_row_may_be_told_again,
    an_active_row_whose_dek_is_not_held_seals_once_it_comes_in,
    an_admitted_dek_alone_seals_nothing,
    an_older_version_is_a_rollback_and_changes_nothing,
    two_deks_of_one_version_are_a_fork,
    a_fork_and_a_rollback_are_known_after_sign_out,
    the_active_row_is_remembered_after_sign_out,
    orgs_do_not_roll_each_other_back,
    a_row_with_the_version_of_another_dek_is_found_out,
    a_row_that_names_another_orgs_dek_is_found_out,
    a_row_that_names_a_record_dek_is_found_out,
    a_dek_that_comes_in_under_a_wrong_row_is_found_out_at_the_seal,
    a_misspelt_row_is_inconsistent,
    the_org_of_an_active_row_is_a_string_like_every_other,
];

/// A row that names the wrong DEK is found here or at the seal.
fn found_out(w: &mut World<'_>, active: &Value, bind: &Value) -> Step {
    let answer = w.ask("vault.set_active", json!({"active": active}))?;
    if answer.result.is_ok() { w.no_seal(bind, "ROW_INCONSISTENT") } else { answer.is("ROW_INCONSISTENT") }
}

fn the_same_active_row_may_be_told_again(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    w.set_active(&dek.active(1))?;
    w.set_active(&dek.active(2))?;
    w.seal(&dek.field("password")).map(drop)
}

fn an_active_row_whose_dek_is_not_held_seals_once_it_comes_in(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.set_active(&dek.active(1))?;
    w.no_seal(&dek.field("password"), "UNKNOWN_DEK")?;
    w.admit(&dek)?;
    w.seal(&dek.field("password")).map(drop)
}

fn an_admitted_dek_alone_seals_nothing(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    w.no_seal(&dek.field("password"), "NO_ACTIVE_DEK")
}

fn an_older_version_is_a_rollback_and_changes_nothing(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (old, new) = (Dek::org("acme", 1, "old"), Dek::org("acme", 2, "new"));
    w.admit(&old)?;
    w.mint(&new)?;
    w.no("vault.set_active", json!({"active": old.active(9)}), "ACTIVE_ROLLBACK")?;
    let env = w.seal(&new.field("password"))?;
    same(&json!(crate::world::named_by(&env)?), &json!(new.hex_ref()))
}

fn two_deks_of_one_version_are_a_fork(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let (one, other) = (Dek::org("acme", 2, "one"), Dek::org("acme", 2, "other"));
    w.mint(&one)?;
    w.no("vault.set_active", json!({"active": other.active(2)}), "ACTIVE_ROLLBACK")?;
    w.admit(&other)?;
    let env = w.seal(&one.field("password"))?;
    same(&json!(crate::world::named_by(&env)?), &json!(one.hex_ref()))
}

fn a_fork_and_a_rollback_are_known_after_sign_out(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 2, "one");
    w.mint(&dek)?;
    w.ok("vault.sign_out", json!({}))?;
    w.no("vault.set_active", json!({"active": Dek::org("acme", 2, "other").active(2)}), "ACTIVE_ROLLBACK")?;
    w.no("vault.set_active", json!({"active": Dek::org("acme", 1, "old").active(2)}), "ACTIVE_ROLLBACK")?;
    w.set_active(&dek.active(1))
}

fn the_active_row_is_remembered_after_sign_out(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    w.ok("vault.sign_out", json!({}))?;
    w.no_seal(&dek.field("password"), "UNKNOWN_DEK")?;
    w.admit(&dek)?;
    w.seal(&dek.field("password")).map(drop)
}

fn orgs_do_not_roll_each_other_back(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    w.mint(&Dek::org("acme", 9, "a"))?;
    let globex = Dek::org("globex", 1, "g");
    w.mint(&globex)?;
    w.seal(&globex.field("password")).map(drop)
}

fn a_row_with_the_version_of_another_dek_is_found_out(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let mut active = dek.active(1);
    active["version"] = json!(2);
    found_out(w, &active, &dek.field("password"))
}

fn a_row_that_names_another_orgs_dek_is_found_out(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let globex = Dek::org("globex", 1, "g");
    w.admit(&globex)?;
    let mut active = globex.active(1);
    active["org"] = json!("acme");
    found_out(w, &active, &Dek::org("acme", 1, "a").field("password"))
}

fn a_row_that_names_a_record_dek_is_found_out(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let record = Dek::record("acme", "h-17", 1, "r");
    w.admit(&record)?;
    found_out(w, &record.active(1), &record.field("password"))
}

fn a_dek_that_comes_in_under_a_wrong_row_is_found_out_at_the_seal(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let globex = Dek::org("globex", 1, "g");
    let mut active = globex.active(1);
    active["org"] = json!("acme");
    w.set_active(&active)?;
    w.admit(&globex)?;
    w.no_seal(&Dek::org("acme", 1, "a").field("password"), "ROW_INCONSISTENT")
}

fn a_misspelt_row_is_inconsistent(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let dek = Dek::org("acme", 1, "a");
    let good = dek.active(1);
    for member in ["dekRef", "version", "state", "rev"] {
        let mut row = good.clone();
        if let Some(members) = row.as_object_mut() {
            members.remove(member);
        }
        w.no("vault.set_active", json!({"active": row}), "ROW_INCONSISTENT")?;
    }
    for (member, value) in [
        ("note", json!("x")),
        ("Org", json!("acme")),
        ("dekRef", json!(dek.hex_ref())),
        ("dekRef", json!(format!("{}=", dek.text_ref()))),
        ("version", json!(0)),
        ("version", json!("1")),
        ("version", json!(4_294_967_296_u64)),
        ("state", json!("Active")),
        ("state", json!("")),
        ("rev", json!(0)),
        ("rev", json!(-1)),
        ("rev", json!(1.5)),
        ("rev", json!(9_007_199_254_740_992_u64)),
    ] {
        // An empty string is judged as every string.
        let names: &[&str] = if value == "" { &["ROW_INCONSISTENT", "BAD_INPUT"] } else { &["ROW_INCONSISTENT"] };
        let mut row = good.clone();
        row[member] = value;
        w.no_of("vault.set_active", json!({"active": row}), names)?;
    }
    w.no("vault.seal", json!({"bind": dek.field("password"), "pt": PT}), "NO_ACTIVE_DEK")?;
    w.set_active(&good)
}

fn the_org_of_an_active_row_is_a_string_like_every_other(w: &mut World<'_>) -> Step {
    w.vault(json!({}))?;
    let mut row = Dek::org("acme", 1, "a").active(1);
    row["org"] = json!("");
    w.no("vault.set_active", json!({"active": row}), "BAD_INPUT")?;
    row["org"] = json!("o".repeat(1025));
    w.no("vault.set_active", json!({"active": row}), "LIMIT")
}
