//! Ends and limits that meet: on clocks of the test's own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use std::sync::{Arc, Mutex};

use common::{ACME_CMK, admit, try_mint};
use strongroom::{Binding, Error, Platform, ResealOptions, SealOptions, Vault, VaultOptions};

#[derive(Clone, Default)]
struct Clocks(Arc<Mutex<u64>>);

impl Clocks {
    fn set(&self, seconds: u64) {
        *self.0.lock().unwrap() = seconds;
    }
}

impl Platform for Clocks {
    fn wall(&self) -> u64 {
        1_761_955_200 + *self.0.lock().unwrap()
    }

    fn mono(&self) -> u64 {
        *self.0.lock().unwrap()
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        strongroom::OsPlatform::new().fill(bytes)
    }
}

fn place() -> Binding<'static> {
    Binding::new("acme", "hosts", "h-17", "password").unwrap()
}

#[test]
fn a_minted_dek_that_came_in_anew_keeps_its_later_end() {
    let clocks = Clocks::default();
    let options = VaultOptions { ttl: Some(100), ..VaultOptions::default() };
    let vault = Vault::with_platform(&options, Box::new(clocks.clone())).unwrap();
    let minted = try_mint(&vault, "acme", ACME_CMK, 1, 7).unwrap();
    clocks.set(50);
    admit(&vault, "acme", &minted.row, 7).unwrap();
    clocks.set(60);
    vault.set_active(&minted.active).unwrap();
    clocks.set(149);
    assert!(vault.seal(&place(), b"x", SealOptions::default()).is_ok());
    clocks.set(150);
    assert_eq!(vault.seal(&place(), b"x", SealOptions::default()).err(), Some(Error::Expired));
}

#[test]
fn a_minted_dek_ends_by_its_reply_even_before_its_active_row() {
    let clocks = Clocks::default();
    let options = VaultOptions { ttl: Some(100), ..VaultOptions::default() };
    let vault = Vault::with_platform(&options, Box::new(clocks.clone())).unwrap();
    let minted = try_mint(&vault, "acme", ACME_CMK, 1, 7).unwrap();
    clocks.set(100);
    vault.set_active(&minted.active).unwrap();
    assert_eq!(vault.seal(&place(), b"x", SealOptions::default()).err(), Some(Error::Expired));
}

#[test]
fn calls_that_fail_on_their_arguments_see_a_step_back_too() {
    let elsewhere = Binding::new("globex", "hosts", "h-17", "password").unwrap();
    let calls: [fn(&Vault, &Binding<'_>) -> Option<Error>; 3] = [
        |vault, _| vault.seal(&place(), &[0; 101], SealOptions::default()).err(),
        |vault, _| vault.seal_into(&place(), &[0; 101], SealOptions::default(), &mut [0; 200]).err(),
        |vault, elsewhere| vault.rebind(&place(), elsewhere, b"").err(),
    ];
    for call in calls {
        let clocks = Clocks::default();
        clocks.set(5);
        let options = VaultOptions { field_limit: Some(100), ..VaultOptions::default() };
        let vault = Vault::with_platform(&options, Box::new(clocks.clone())).unwrap();
        common::mint(&vault, "acme", ACME_CMK, 1, 7);
        clocks.set(4);
        assert!(call(&vault, &elsewhere).is_some());
        clocks.set(6);
        assert_eq!(vault.seal(&place(), b"x", SealOptions::default()).err(), Some(Error::ClockRollback));
    }
}

#[test]
fn no_reseal_makes_what_its_vault_would_not_read_again() {
    let limit = |field_limit| VaultOptions { field_limit: Some(field_limit), ..VaultOptions::default() };
    let roomy = Vault::new(&limit(200)).unwrap();
    let row = common::mint(&roomy, "acme", ACME_CMK, 1, 7);
    let padded = SealOptions { padded: true, ..SealOptions::default() };
    let envelope = roomy.seal(&place(), &[1; 120], padded).unwrap();

    let narrow = Vault::new(&limit(100)).unwrap();
    admit(&narrow, "acme", &row, 7).unwrap();
    let active =
        format!(r#"{{"org":"acme","dekRef":"{}","version":1,"state":"active","rev":1}}"#, row.dek_ref().to_text());
    narrow.set_active(&strongroom::ActiveRow::from_json(active.as_bytes()).unwrap()).unwrap();
    let bare = ResealOptions { padded: Some(false), ..ResealOptions::default() };
    assert_eq!(narrow.reseal(&place(), &envelope, bare).err(), Some(Error::Limit));
    assert_eq!(narrow.status().unwrap()[0].seals, 0, "no seal is counted for it");
    assert!(roomy.reseal(&place(), &envelope, bare).is_ok());
}

#[test]
fn every_option_that_is_a_string_is_judged_as_one() {
    let long = "x".repeat(1_025);
    for (options, error) in [
        (VaultOptions { session: Some(String::new()), ..Default::default() }, Error::BadInput),
        (VaultOptions { region: Some(String::new()), ..Default::default() }, Error::BadInput),
        (VaultOptions { danger_endpoint: Some(String::new()), ..Default::default() }, Error::BadInput),
        (VaultOptions { region: Some("eu west".into()), ..Default::default() }, Error::BadInput),
        (VaultOptions { session: Some(long.clone()), ..Default::default() }, Error::Limit),
        (VaultOptions { region: Some(long.clone()), ..Default::default() }, Error::Limit),
        (VaultOptions { danger_endpoint: Some(long), ..Default::default() }, Error::Limit),
    ] {
        assert_eq!(Vault::new(&options).err(), Some(error));
    }
}
