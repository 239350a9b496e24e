//! A made-up KMS: it wraps nothing, it only answers as one would.

#![allow(dead_code, missing_docs, reason = "each test file uses a part")]

use strongroom::{Error, KmsReply, KmsRequest, Minted, Vault, VaultOptions, WrapRow};

pub(crate) const ENDPOINT: &str = "https://kms-fips.us-east-1.amazonaws.com";
pub(crate) const ACME_CMK: &str = "arn:aws:kms:us-east-1:123456789012:key/acme";
pub(crate) const GLOBEX_CMK: &str = "arn:aws:kms:us-east-1:123456789012:key/globex";
pub(crate) const CREATED: u64 = 1_761_955_200;

pub(crate) fn vault() -> Vault {
    Vault::new(&VaultOptions::default()).unwrap()
}

/// Mints and activates an org DEK made of one byte; gives its row.
pub(crate) fn mint(vault: &Vault, org: &str, cmk: &str, version: u32, byte: u8) -> WrapRow {
    let minted = try_mint(vault, org, cmk, version, byte).unwrap();
    vault.set_active(&minted.active).unwrap();
    minted.row
}

pub(crate) fn try_mint(vault: &Vault, org: &str, cmk: &str, version: u32, byte: u8) -> Result<Minted, Error> {
    let request = vault.mint_request(org, cmk, version, CREATED)?;
    let mut plaintext = [byte; 32];
    let reply = KmsReply::answer(ENDPOINT, cmk, Some(&mut plaintext), Some(b"blob"));
    vault.admit_minted(request.id, reply)
}

pub(crate) fn admit(vault: &Vault, org: &str, row: &WrapRow, byte: u8) -> Result<strongroom::DekRef, Error> {
    let mut plaintext = [byte; 32];
    let reply = KmsReply::answer(ENDPOINT, row.key_id(), Some(&mut plaintext), None);
    let admitted = vault.admit(org, row, Some(reply));
    assert_eq!(plaintext, [0; 32], "the reply's DEK is wiped whatever the outcome");
    admitted
}

/// Answers an `Encrypt` request.
pub(crate) fn encrypted(vault: &Vault, request: &KmsRequest) -> Result<WrapRow, Error> {
    vault.admit_shared(request.id, KmsReply::answer(ENDPOINT, &request.params.key_id, None, Some(b"wrapped")))
}
