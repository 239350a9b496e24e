//! Keychain entries: what a host keeps in the keychain of the operating system.

use super::{Scenario, scenarios};
use crate::bytes::bytes_of;
use crate::world::{Dek, Step, WALL, World, at, expect, mint, same};
use serde_json::{Value, json};

pub(super) const ALL: &[Scenario] = scenarios![
    an_exported_dek_opens_in_a_new_vault_of_the_session,
    an_export_never_moves_the_end,
    an_entry_has_what_both_clocks_leave_and_no_more,
    an_imported_dek_is_over_by_either_clock,
    importing_what_is_held_changes_nothing,
    what_is_over_comes_in_again_by_import,
    an_import_lasts_at_most_43200_seconds,
    the_ttl_of_the_importing_vault_does_not_count,
    an_entry_of_another_session_is_refused,
    an_entry_for_another_reader_is_not_taken_in_while_the_dek_is_held,
    an_imported_share_is_a_share,
    an_imported_org_dek_counts_as_seen,
    an_imported_record_dek_is_the_records_highest,
    an_import_does_not_reset_the_count,
    an_export_uses_no_iv,
    a_minted_dek_is_not_exported_before_its_active_row,
    a_tombstone_stops_export_and_import,
    a_dek_ref_for_export_is_32_bytes,
    a_denial_drops_an_imported_dek_too,
    an_entry_at_its_last_second_and_after_it,
    every_bit_of_an_entry_counts,
];

fn session(ttl: u64) -> Value {
    json!({"session": "s", "ttl": ttl})
}

fn export(w: &mut World<'_>, dek: &Dek) -> Step<Value> {
    w.ok("vault.cache_export", json!({"dek_ref": dek.hex_ref()}))
}

fn import(w: &mut World<'_>, dek: &Dek, entry: &Value) -> Step {
    same(&w.ok("vault.cache_import", json!({"entry": entry}))?, &json!(dek.hex_ref()))
}

/// When the entry is over, in seconds after the beginning.
fn expires(entry: &Value) -> Step<u64> {
    let bytes = bytes_of(entry)?;
    let at = bytes.len().checked_sub(72).ok_or("too short for an entry")?;
    Ok(bytes[at..at + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte)) - WALL)
}

fn an_exported_dek_opens_in_a_new_vault_of_the_session(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    let env = w.seal(&dek.field("x"))?;
    let entry = export(w, &dek)?;
    w.vault(session(43_200))?;
    w.no_open(&dek.field("x"), &env, "UNKNOWN_DEK")?;
    import(w, &dek, &entry)?;
    w.opens(&dek.field("x"), &env)?;
    w.ends(&dek, 100)
}

fn an_export_never_moves_the_end(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    w.time(50)?;
    let entry = export(w, &dek)?;
    expect(expires(&entry)? == 100, "the end of the DEK")?;
    w.ends(&dek, 100)?;
    w.vault_at(session(43_200), WALL + 60, 5)?;
    import(w, &dek, &entry)?;
    w.ends(&dek, 100)?;
    let again = export(w, &dek)?;
    expect(expires(&again)? == 100, "the same end")
}

fn an_entry_has_what_both_clocks_leave_and_no_more(w: &mut World<'_>) -> Step {
    for (wall, mono, left) in [(0, 60, 40), (60, 0, 40), (30, 50, 50)] {
        w.vault(session(100))?;
        let dek = Dek::org("acme", 1, "a");
        w.admit(&dek)?;
        w.clock(wall, mono)?;
        let entry = export(w, &dek)?;
        expect(expires(&entry)? == wall.unsigned_abs() + left, "no second more than is left by the other clock")?;
    }
    Ok(())
}

fn an_imported_dek_is_over_by_either_clock(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let env = w.bare(&dek, &dek.field("x"))?;
    let entry = export(w, &dek)?;
    for (wall, mono) in [(40, 0), (0, 40)] {
        w.vault_at(session(43_200), WALL + 60, 1000)?;
        import(w, &dek, &entry)?;
        w.clock(60 + wall - wall.min(1), mono - mono.min(1))?;
        w.opens(&dek.field("x"), &env)?;
        w.clock(60 + wall, mono)?;
        w.no_open(&dek.field("x"), &env, "EXPIRED")?;
    }
    Ok(())
}

fn importing_what_is_held_changes_nothing(w: &mut World<'_>) -> Step {
    w.vault(session(1000))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let long = export(w, &dek)?;
    w.vault(session(100))?;
    w.admit(&dek)?;
    import(w, &dek, &long)?;
    w.ends(&dek, 100)?;
    let short = export(w, &dek)?;
    w.time(50)?;
    w.admit(&dek)?;
    import(w, &dek, &short)?;
    w.ends(&dek, 150)
}

fn what_is_over_comes_in_again_by_import(w: &mut World<'_>) -> Step {
    w.vault(session(1000))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let (entry, env) = (export(w, &dek)?, w.bare(&dek, &dek.field("x"))?);
    w.vault(session(100))?;
    w.admit(&dek)?;
    w.time(100)?;
    w.no_open(&dek.field("x"), &env, "EXPIRED")?;
    import(w, &dek, &entry)?;
    w.ends(&dek, 1000)?;
    w.opens(&dek.field("x"), &env)?;
    w.clock(50, 100)?;
    w.no_open(&dek.field("x"), &env, "CLOCK_ROLLBACK")?;
    import(w, &dek, &entry)?;
    w.opens(&dek.field("x"), &env)
}

fn an_import_lasts_at_most_43200_seconds(w: &mut World<'_>) -> Step {
    w.vault_at(session(43_200), WALL + 300, 1000)?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let entry = export(w, &dek)?;
    w.vault(session(43_200))?;
    import(w, &dek, &entry)?;
    w.ends(&dek, 43_200)
}

fn the_ttl_of_the_importing_vault_does_not_count(w: &mut World<'_>) -> Step {
    w.vault(session(1000))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let entry = export(w, &dek)?;
    w.vault(session(10))?;
    import(w, &dek, &entry)?;
    w.ends(&dek, 1000)
}

fn an_entry_of_another_session_is_refused(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let entry = export(w, &dek)?;
    w.vault(json!({"session": "t"}))?;
    w.no("vault.cache_import", json!({"entry": entry}), "ROW_INCONSISTENT")?;
    w.vault(json!({}))?;
    w.no("vault.cache_import", json!({"entry": entry}), "BAD_INPUT")?;
    w.admit(&dek)?;
    w.no("vault.cache_export", json!({"dek_ref": dek.hex_ref()}), "BAD_INPUT")
}

fn an_entry_for_another_reader_is_not_taken_in_while_the_dek_is_held(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let dek = Dek::record("acme", "h-17", 1, "r");
    w.admit(&dek.shared("globex"))?;
    let entry = export(w, &dek)?;
    w.vault(session(50))?;
    w.admit(&dek)?;
    w.no("vault.cache_import", json!({"entry": entry}), "ROW_INCONSISTENT")?;
    w.time(50)?;
    import(w, &dek, &entry)?;
    same(&w.status(&dek)?.unwrap_or_default()["reader"], &json!("globex"))
}

fn an_imported_share_is_a_share(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let share = Dek::record("acme", "h-17", 1, "r").shared("globex");
    w.admit(&share)?;
    let (entry, env) = (export(w, &share)?, w.bare(&share, &at("h-17", "x"))?);
    w.vault(session(100))?;
    import(w, &share, &entry)?;
    w.opens(&at("h-17", "x"), &env)?;
    w.no_seal_record(&at("h-17", "x"), "NO_ACTIVE_DEK")?;
    w.no(
        "vault.wrap_request",
        json!({"dek_ref": share.hex_ref(), "cmk": crate::world::cmk("globex"), "created": "0"}),
        "BAD_INPUT",
    )
}

fn an_imported_org_dek_counts_as_seen(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let (old, new) = (Dek::org("acme", 2, "old"), Dek::org("acme", 3, "new"));
    w.admit(&new)?;
    let entry = export(w, &new)?;
    w.vault(session(100))?;
    w.mint(&old)?;
    import(w, &new, &entry)?;
    w.no_seal(&old.field("x"), "ACTIVE_ROLLBACK")?;
    w.no("vault.mint_request", mint(&new), "ACTIVE_ROLLBACK")
}

fn an_imported_record_dek_is_the_records_highest(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let (old, new) = (Dek::record("acme", "h-17", 1, "old"), Dek::record("acme", "h-17", 2, "new"));
    w.admit(&new)?;
    let entry = export(w, &new)?;
    w.vault(session(100))?;
    w.admit(&old)?;
    import(w, &new, &entry)?;
    let env = w.seal_with(&at("h-17", "x"), json!({"scope": "record"}))?;
    expect(crate::world::named_by(&env)? == new.hex_ref(), "the imported version")
}

fn an_import_does_not_reset_the_count(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let dek = Dek::org("acme", 1, "a");
    w.mint(&dek)?;
    w.seal(&dek.field("x"))?;
    let entry = export(w, &dek)?;
    w.ok("vault.sign_out", json!({}))?;
    import(w, &dek, &entry)?;
    w.seals(&dek, 1)
}

fn an_export_uses_no_iv(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    export(w, &dek)?;
    w.seals(&dek, 0)
}

fn a_minted_dek_is_not_exported_before_its_active_row(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let dek = Dek::org("acme", 1, "a");
    let minted = w.minted(&dek)?;
    w.no("vault.cache_export", json!({"dek_ref": dek.hex_ref()}), "UNKNOWN_DEK")?;
    w.set_active(&minted["active"])?;
    export(w, &dek).map(drop)
}

fn a_tombstone_stops_export_and_import(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let (dek, share) = (Dek::org("acme", 1, "a"), Dek::record("globex", "h-17", 1, "r").shared("acme"));
    w.admit(&dek)?;
    w.admit(&share)?;
    let (own, shared) = (export(w, &dek)?, export(w, &share)?);
    w.ok("vault.tombstone", json!({"org": "acme"}))?;
    w.no("vault.cache_export", json!({"dek_ref": dek.hex_ref()}), "UNKNOWN_DEK")?;
    w.no("vault.cache_export", json!({"dek_ref": share.hex_ref()}), "UNKNOWN_DEK")?;
    w.no("vault.cache_import", json!({"entry": own}), "ORG_TOMBSTONED")?;
    w.no("vault.cache_import", json!({"entry": shared}), "ORG_TOMBSTONED")
}

fn a_dek_ref_for_export_is_32_bytes(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    for length in [0, 31, 33] {
        w.no("vault.cache_export", json!({"dek_ref": "01".repeat(length)}), "BAD_INPUT")?;
    }
    w.no("vault.cache_export", json!({"dek_ref": "01".repeat(32)}), "UNKNOWN_DEK")
}

fn a_denial_drops_an_imported_dek_too(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let (entry, env) = (export(w, &dek)?, w.bare(&dek, &dek.field("x"))?);
    w.vault(session(100))?;
    import(w, &dek, &entry)?;
    w.admit_error(&dek, "AccessDeniedException", "KMS_DENIED")?;
    w.no_open(&dek.field("x"), &env, "UNKNOWN_DEK")
}

fn an_entry_at_its_last_second_and_after_it(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let dek = Dek::org("acme", 1, "a");
    w.admit(&dek)?;
    let entry = export(w, &dek)?;
    w.vault_at(session(100), WALL + 99, 0)?;
    import(w, &dek, &entry)?;
    w.ends(&dek, 100)?;
    w.vault_at(session(100), WALL + 100, 0)?;
    w.no("vault.cache_import", json!({"entry": entry}), "EXPIRED")
}

fn every_bit_of_an_entry_counts(w: &mut World<'_>) -> Step {
    w.vault(session(100))?;
    let dek = Dek::record("acme", "h-17", 1, "r");
    w.admit(&dek)?;
    let bytes = bytes_of(&export(w, &dek)?)?;
    w.vault(session(100))?;
    let lines = (0..8 * bytes.len()).map(|bit| {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        w.line("vault.cache_import", json!({"entry": crate::bytes::hex(&changed)}))
    });
    let lines = lines.collect();
    for (bit, answer) in w.shim.ask_all(lines).into_iter().enumerate() {
        let answer = answer?;
        expect(answer.result.is_err(), &format!("bit {bit} refused"))?;
    }
    same(&w.ok("vault.status", json!({}))?, &json!([]))
}
