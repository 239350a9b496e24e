//! The life of a DEK in one vault, as a host meets it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{ACME_CMK, CREATED, ENDPOINT, GLOBEX_CMK, admit, encrypted, mint, try_mint, vault};
use strongroom::{
    Binding, Error, KmsReply, OpenItem, ResealOptions, Scope, SealItem, SealOptions, Vault, VaultOptions, inspect,
};

fn place() -> Binding<'static> {
    Binding::new("acme", "hosts", "h-17", "password").unwrap()
}

const RECORD: SealOptions = SealOptions { scope: Scope::Record, padded: false };

#[test]
fn a_field_opens_where_it_was_sealed_and_nowhere_else() {
    let vault = vault();
    mint(&vault, "acme", ACME_CMK, 1, 7);
    mint(&vault, "globex", GLOBEX_CMK, 1, 8);
    let envelope = vault.seal(&place(), b"secret", SealOptions::default()).unwrap();
    assert_eq!(&**vault.open(&place(), &envelope).unwrap(), b"secret");
    for elsewhere in [
        Binding::new("globex", "hosts", "h-17", "password").unwrap(),
        Binding::new("acme", "host", "h-17", "password").unwrap(),
        Binding::new("acme", "hosts", "h-18", "password").unwrap(),
        Binding::new("acme", "hosts", "h-17", "passwort").unwrap(),
        Binding::new("acme", "hostsh", "-17", "password").unwrap(),
        place().with_revision(0),
    ] {
        assert_eq!(vault.open(&elsewhere, &envelope).err(), Some(Error::AuthFailed));
    }
}

#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let vault = vault();
    mint(&vault, "acme", ACME_CMK, 1, 7);
    for padded in [false, true] {
        let options = SealOptions { padded, ..SealOptions::default() };
        let mut envelope = vault.seal(&place(), b"secret", options).unwrap();
        for bit in 0..envelope.len() * 8 {
            envelope[bit / 8] ^= 1 << (bit % 8);
            assert!(vault.open(&place(), &envelope).is_err(), "bit {bit}");
            envelope[bit / 8] ^= 1 << (bit % 8);
        }
        for len in 0..envelope.len() {
            assert!(vault.open(&place(), &envelope[..len]).is_err(), "cut to {len}");
        }
        envelope.push(0);
        assert_eq!(vault.open(&place(), &envelope).err(), Some(Error::Malformed));
    }
}

#[test]
fn nothing_is_sealed_before_the_active_row_is_stored() {
    let vault = vault();
    let seal = || vault.seal(&place(), b"x", SealOptions::default());
    assert_eq!(seal().err(), Some(Error::NoActiveDek));
    let minted = try_mint(&vault, "acme", ACME_CMK, 1, 7).unwrap();
    assert_eq!(seal().err(), Some(Error::NoActiveDek));
    assert!(vault.status().unwrap().is_empty());
    vault.set_active(&minted.active).unwrap();
    assert!(seal().is_ok());
    assert_eq!(vault.status().unwrap()[0].seals, 1);
}

#[test]
fn the_loser_of_a_race_discards_its_dek() {
    let (winner, loser) = (vault(), vault());
    let won = try_mint(&winner, "acme", ACME_CMK, 1, 7).unwrap();
    let lost = try_mint(&loser, "acme", ACME_CMK, 1, 8).unwrap();
    loser.set_active(&won.active).unwrap();
    assert_eq!(loser.seal(&place(), b"x", SealOptions::default()).err(), Some(Error::UnknownDek));
    assert_eq!(loser.set_active(&lost.active), Err(Error::ActiveRollback));
    admit(&loser, "acme", &won.row, 7).unwrap();
    assert!(loser.seal(&place(), b"x", SealOptions::default()).is_ok());
}

#[test]
fn old_envelopes_open_after_rotation_and_new_ones_are_under_the_new_dek() {
    let vault = vault();
    let first = mint(&vault, "acme", ACME_CMK, 1, 7);
    let old = vault.seal(&place(), b"old", SealOptions::default()).unwrap();
    assert_eq!(vault.mint_request("acme", ACME_CMK, 1, CREATED).err(), Some(Error::ActiveRollback));
    let second = mint(&vault, "acme", ACME_CMK, 2, 8);
    let new = vault.reseal(&place(), &old, ResealOptions::default()).unwrap();
    assert_eq!(&**vault.open(&place(), &old).unwrap(), b"old");
    assert_eq!(&**vault.open(&place(), &new).unwrap(), b"old");
    assert_eq!(inspect(&old).unwrap().dek_ref, *first.dek_ref());
    assert_eq!(inspect(&new).unwrap().dek_ref, *second.dek_ref());
}

#[test]
fn a_shared_record_opens_for_its_reader_with_no_byte_changed() {
    let (owner, reader) = (vault(), vault());
    mint(&owner, "acme", ACME_CMK, 1, 7);
    mint(&reader, "globex", GLOBEX_CMK, 1, 9);
    let row = owner.generate_record_dek("acme", "hosts", "h-17", 1, CREATED).unwrap();
    let envelope = owner.seal(&place(), b"secret", RECORD).unwrap();
    let request = owner.share_request(row.dek_ref().as_bytes(), "globex", GLOBEX_CMK, CREATED).unwrap();
    let mut dek = owner.take_request_plaintext(request.id).unwrap();
    assert_eq!(owner.take_request_plaintext(request.id).err(), Some(Error::BadInput));
    let shared = encrypted(&owner, &request).unwrap();
    assert_eq!(encrypted(&owner, &request).err(), Some(Error::BadInput));

    assert_eq!(reader.open(&place(), &envelope).err(), Some(Error::UnknownDek));
    let reply = KmsReply::answer(ENDPOINT, GLOBEX_CMK, Some(&mut dek[..]), None);
    reader.admit("globex", &shared, Some(reply)).unwrap();
    assert_eq!(&**reader.open(&place(), &envelope).unwrap(), b"secret");
    let local = reader.wrap_local("globex", shared.dek_ref().as_bytes(), CREATED).unwrap();
    assert_eq!(local.purpose().name(), "share");
    assert_eq!(reader.seal(&place(), b"x", RECORD).err(), Some(Error::NoActiveDek));
    let again = reader.share_request(shared.dek_ref().as_bytes(), "initech", ACME_CMK, CREATED);
    assert_eq!(again.err(), Some(Error::BadInput));
}

#[test]
fn a_tombstoned_org_is_refused_and_the_others_are_not() {
    let vault = vault();
    mint(&vault, "acme", ACME_CMK, 1, 7);
    mint(&vault, "globex", GLOBEX_CMK, 1, 8);
    let envelope = vault.seal(&place(), b"secret", SealOptions::default()).unwrap();
    vault.tombstone("acme").unwrap();
    assert_eq!(vault.open(&place(), &envelope).err(), Some(Error::OrgTombstoned));
    assert_eq!(vault.seal(&place(), b"x", SealOptions::default()).err(), Some(Error::OrgTombstoned));
    assert_eq!(vault.mint_request("acme", ACME_CMK, 2, CREATED).err(), Some(Error::OrgTombstoned));
    assert!(vault.shred_request("acme", ACME_CMK, 7).is_ok());
    let record = vault.generate_record_dek("globex", "hosts", "h-17", 1, CREATED).unwrap();
    let share = vault.share_request(record.dek_ref().as_bytes(), "acme", ACME_CMK, CREATED);
    assert_eq!(share.err(), Some(Error::OrgTombstoned));
    let other = Binding::new("globex", "hosts", "h-17", "password").unwrap();
    assert!(vault.seal(&other, b"x", SealOptions::default()).is_ok());
}

#[test]
fn one_bad_item_spoils_no_other_and_batches_have_a_limit() {
    let vault = vault();
    mint(&vault, "acme", ACME_CMK, 1, 7);
    let options = SealOptions::default();
    let stranger = Binding::new("initech", "hosts", "h-17", "password").unwrap();
    let items = [
        SealItem { binding: place(), plaintext: b"one", options },
        SealItem { binding: stranger, plaintext: b"two", options },
        SealItem { binding: place(), plaintext: b"three", options },
    ];
    let sealed = vault.seal_many(&items).unwrap();
    assert_eq!(sealed[1], Err(Error::NoActiveDek));
    let (one, three) = (sealed[0].clone().unwrap(), sealed[2].clone().unwrap());
    assert_ne!(one[40..52], three[40..52], "every envelope has an IV of its own");
    let opened = vault
        .open_many(&[
            OpenItem { binding: place(), envelope: &three },
            OpenItem { binding: stranger, envelope: &one },
            OpenItem { binding: place(), envelope: &one[1..] },
            OpenItem { binding: place(), envelope: &one },
        ])
        .unwrap();
    assert_eq!(opened[0].as_deref().map(|text| &text[..]), Ok(&b"three"[..]));
    assert_eq!(opened[1].as_ref().err(), Some(&Error::AuthFailed));
    assert_eq!(opened[2].as_ref().err(), Some(&Error::NotAnEnvelope));
    assert_eq!(opened[3].as_deref().map(|text| &text[..]), Ok(&b"one"[..]));
    let many = vec![OpenItem { binding: place(), envelope: &one }; 10_001];
    assert_eq!(vault.open_many(&many).err(), Some(Error::Limit));
}

#[test]
fn the_seal_budget_outlives_sign_out() {
    let options = VaultOptions { seal_limit: Some(2), ..VaultOptions::default() };
    let vault = Vault::new(&options).unwrap();
    let row = mint(&vault, "acme", ACME_CMK, 1, 7);
    let seal = || vault.seal(&place(), b"x", SealOptions::default());
    assert!(seal().is_ok());
    vault.sign_out().unwrap();
    assert_eq!(seal().err(), Some(Error::UnknownDek));
    admit(&vault, "acme", &row, 7).unwrap();
    assert!(seal().is_ok());
    assert_eq!(seal().err(), Some(Error::BudgetExhausted));
}

#[test]
fn the_least_recently_used_of_too_many_deks_goes() {
    let vault = vault();
    mint(&vault, "acme", ACME_CMK, 1, 7);
    let row = vault.generate_record_dek("acme", "hosts", "h-17", 1, CREATED).unwrap();
    let envelope = vault.seal(&place(), b"secret", RECORD).unwrap();
    for number in 0..4_095 {
        vault.generate_record_dek("acme", "hosts", &format!("other-{number}"), 1, CREATED).unwrap();
        if number == 2_000 {
            assert!(vault.open(&place(), &envelope).is_ok());
        }
    }
    assert_eq!(vault.status().unwrap().len(), 4_096);
    assert!(vault.open(&place(), &envelope).is_ok());
    for number in 0..4_095 {
        vault.generate_record_dek("acme", "more", &format!("{number}"), 1, CREATED).unwrap();
    }
    assert_eq!(vault.open(&place(), &envelope).err(), Some(Error::UnknownDek));
    vault.admit("acme", &row, None).unwrap();
    assert!(vault.open(&place(), &envelope).is_ok());
}

#[test]
fn debug_forms_say_nothing() {
    assert_eq!(format!("{:?} {:?}", vault(), KmsReply::failure("", "")), "Vault(..) KmsReply(..)");
    let item = SealItem { binding: place(), plaintext: b"secret", options: SealOptions::default() };
    assert_eq!(format!("{item:?}"), "SealItem(..)");
}

#[test]
fn missing_deks_are_the_same_from_one_buffer() {
    let vault = vault();
    mint(&vault, "acme", ACME_CMK, 1, 1);
    let envelope = vault.seal(&place(), b"x", SealOptions::default()).unwrap();
    let other = self::vault();
    let parts = [envelope.as_slice(), b"no envelope", &envelope];
    let lengths: Vec<u8> = parts.iter().flat_map(|part| u32::try_from(part.len()).unwrap().to_le_bytes()).collect();
    let all = parts.concat();
    let missing = other.missing(&parts).unwrap();
    assert_eq!(missing.len(), 1, "each once");
    assert_eq!(other.missing_in(&all, &lengths).unwrap(), missing[0].as_bytes());
    assert_eq!(vault.missing_in(&all, &lengths).unwrap(), b"");
    assert_eq!(other.missing_in(&all[1..], &lengths), Err(Error::BadInput), "a byte is missing");
    assert_eq!(other.missing_in(&[], &[0; 4 * 10_001]), Err(Error::Limit));
}

#[test]
fn the_dek_of_a_request_goes_out_once_and_only_where_it_fits() {
    let vault = vault();
    mint(&vault, "acme", ACME_CMK, 1, 1);
    let row = vault.generate_record_dek("acme", "t", "r", 1, CREATED).unwrap();
    let request = vault.wrap_request(row.dek_ref().as_bytes(), ACME_CMK, CREATED).unwrap().id;
    let mut out = [9; 40];
    assert_eq!(vault.take_request_plaintext_into(request, &mut out[..31]), Err(Error::BadInput));
    assert_eq!(out, [9; 40], "nothing was written");
    assert_eq!(vault.take_request_plaintext_into(request, &mut out), Ok(32));
    assert_ne!(out[..32], [9; 32]);
    assert_eq!(out[32..], [9; 8]);
    assert_eq!(vault.take_request_plaintext_into(request, &mut out), Err(Error::BadInput), "a second time");
    assert_eq!(vault.take_request_plaintext(request).err(), Some(Error::BadInput));
}

#[test]
fn json_says_what_the_rust_forms_say() {
    assert_eq!(Vault::from_json(b"{\"ttl\":0}").err(), Some(Error::BadInput));
    assert_eq!(Vault::from_json(b"{\"other\":1}").err(), Some(Error::UnknownOption));
    let vault = Vault::from_json(b"{\"session\":\"s\"}").unwrap();
    let minted = try_mint(&vault, "acme", ACME_CMK, 1, 1).unwrap();
    let (row, active) = (minted.row.to_json(), minted.active.to_json());
    assert_eq!(minted.to_json(), format!("{{\"row\":{row},\"active\":{active}}}"));
    vault.set_active(&minted.active).unwrap();
    assert_eq!(vault.sign_out_json().unwrap(), "[]", "no keychain entry was written");
    let row = mint(&vault, "globex", GLOBEX_CMK, 1, 2);
    vault.cache_export(row.dek_ref().as_bytes()).unwrap();
    assert_eq!(vault.sign_out_json().unwrap(), format!("[\"{}\"]", row.dek_ref().to_text()));
    assert_eq!(vault.sign_out_json().unwrap(), "[]", "told once");
}
