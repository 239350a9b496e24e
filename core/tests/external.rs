//! Operations whose cipher is outside: what begins and doesn't end well.

#![cfg(feature = "external-aead")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use common::{ACME_CMK, CREATED, mint, vault};
use strongroom::{Binding, Error, ResealOptions, SealOptions, Vault};

fn place() -> Binding<'static> {
    Binding::new("acme", "hosts", "h-17", "password").unwrap()
}

fn seals(vault: &Vault) -> u64 {
    vault.status().unwrap()[0].seals
}

#[test]
fn a_seal_that_is_abandoned_stays_counted() {
    let vault = vault();
    mint(&vault, "acme", ACME_CMK, 1, 7);
    drop(vault.seal_begin(&place(), b"hunter2", SealOptions::default()).unwrap());
    assert_eq!(seals(&vault), 1, "its IV was handed out");
    drop(vault.generate_record_dek_begin("acme", "hosts", "h-17", 1, CREATED).unwrap());
    assert_eq!(seals(&vault), 2);
    assert_eq!(vault.status().unwrap().len(), 1, "and its record DEK isn't held");
}

#[test]
fn a_step_says_nothing_before_the_checks_have_passed() {
    let vault = vault();
    assert_eq!(vault.seal_begin(&place(), b"", SealOptions::default()).err(), Some(Error::NoActiveDek));
    mint(&vault, "acme", ACME_CMK, 1, 7);
    let elsewhere = Binding::new("globex", "hosts", "h-17", "password").unwrap();
    let envelope = vault.seal(&place(), b"hunter2", SealOptions::default()).unwrap();
    assert_eq!(vault.open_begin(&elsewhere, &envelope).err(), Some(Error::AuthFailed));
    assert_eq!(vault.open_begin(&place(), &envelope[..60]).err(), Some(Error::Truncated));
    vault.tombstone("acme").unwrap();
    assert_eq!(vault.open_begin(&place(), &envelope).err(), Some(Error::OrgTombstoned));
    assert_eq!(vault.open_frame_begin(b"x").err(), Some(Error::BadInput));
}

#[test]
fn a_failed_decryption_is_auth_failed_and_gives_no_result() {
    let vault = vault();
    mint(&vault, "acme", ACME_CMK, 1, 7);
    let envelope = vault.seal(&place(), b"hunter2", SealOptions::default()).unwrap();
    let open = vault.open_begin(&place(), &envelope).unwrap();
    assert_eq!(open.result(), Err(Error::Internal), "a step waits");
    assert_eq!(open.resume(false).err(), Some(Error::AuthFailed));
    let reseal = vault.reseal_begin(&place(), &envelope, ResealOptions::default()).unwrap();
    assert_eq!(reseal.resume(false).err(), Some(Error::AuthFailed));
    assert_eq!(seals(&vault), 1, "the reseal's seal was never begun");
}

#[test]
fn a_wrap_begun_before_the_tombstone_does_not_end_after_it() {
    let vault = vault();
    mint(&vault, "acme", ACME_CMK, 1, 7);
    let wrap = vault.generate_record_dek_begin("acme", "hosts", "h-17", 1, CREATED).unwrap();
    vault.tombstone("acme").unwrap();
    assert_eq!(wrap.resume(true).err(), Some(Error::OrgTombstoned));
    assert!(vault.status().unwrap().is_empty());
}
