//! One vault, many threads. The thread sanitiser runs this too.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::thread;

use common::{ACME_CMK, CREATED, admit, mint, vault};
use strongroom::{Binding, Error, Scope, SealOptions};

#[test]
fn sixteen_threads_open_seal_admit_and_drop_at_once() {
    let vault = Arc::new(vault());
    let row = mint(&vault, "acme", ACME_CMK, 1, 7);
    let threads: Vec<_> = (0..16)
        .map(|number| {
            let (vault, row) = (Arc::clone(&vault), row.clone());
            thread::spawn(move || {
                let record = format!("h-{number}");
                let place = Binding::new("acme", "hosts", &record, "password").unwrap();
                let elsewhere = Binding::new("acme", "hosts", "elsewhere", "password").unwrap();
                for round in 0..50_u64 {
                    let text = format!("{number} {round}");
                    let envelope = vault.seal(&place, text.as_bytes(), SealOptions::default()).unwrap();
                    assert_eq!(&**vault.open(&place, &envelope).unwrap(), text.as_bytes());
                    assert_eq!(vault.open(&elsewhere, &envelope).err(), Some(Error::AuthFailed));
                    admit(&vault, "acme", &row, 7).unwrap();
                    if round % 10 == 0 {
                        let version = u32::try_from(round).unwrap() + 1;
                        vault.generate_record_dek("acme", "hosts", &record, version, CREATED).unwrap();
                        let own = SealOptions { scope: Scope::Record, padded: true };
                        assert!(vault.seal(&place, b"x", own).is_ok());
                    }
                    assert!(!vault.status().unwrap().is_empty());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let org = vault.status().unwrap().into_iter().find(|dek| dek.dek_ref == *row.dek_ref()).unwrap();
    assert_eq!(org.seals, 16 * 50 + 16 * 5, "no seal was lost or counted twice");
}

#[test]
fn a_budget_is_never_exceeded_by_a_race() {
    let options = strongroom::VaultOptions { seal_limit: Some(100), ..Default::default() };
    let vault = Arc::new(strongroom::Vault::new(&options).unwrap());
    mint(&vault, "acme", ACME_CMK, 1, 7);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let vault = Arc::clone(&vault);
            thread::spawn(move || {
                let place = Binding::new("acme", "hosts", "h", "password").unwrap();
                (0..50).filter(|_| vault.seal(&place, b"x", SealOptions::default()).is_ok()).count()
            })
        })
        .collect();
    let sealed: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sealed, 100);
}
