//! A vault's life, and the DEKs that come in and go out.

use napi::Env;
use napi_derive::napi;
use strongroom::{ActiveRow, Error, KmsReply, Vault, VaultOptions, WrapRow};

use crate::handles::{self, Owner, find};
use crate::values::{Bytes, Copied, Flag, Output, Result, Secret, Text, Whole, guard};

/// Makes a vault; the options are JSON.
#[napi(catch_unwind)]
pub(crate) fn vault_new(env: &Env, options: Text) -> Result<u32> {
    guard(|| {
        let options = VaultOptions::from_json(options.as_str()?.as_bytes())?;
        handles::keep(Owner::of(env), Vault::new(&options)?)
    })
}

/// Closes a vault, wiping what it holds. Closing it again does nothing.
#[napi(catch_unwind)]
pub(crate) fn vault_close(vault: Whole) -> Result<()> {
    guard(|| {
        if let Some(handle) = vault.handle() {
            handles::close(handle);
        }
        Ok(())
    })
}

/// The request that mints an org DEK.
#[napi(catch_unwind)]
pub(crate) fn mint_request(vault: Whole, org: Text, cmk: Text, version: Whole, created: Whole) -> Result<String> {
    guard(|| {
        let vault = find(vault.handle())?;
        let request = vault.mint_request(org.as_str()?, cmk.as_str()?, version.get()?, created.get()?)?;
        Ok(request.to_json())
    })
}

/// Takes the reply to a mint request; says what to store, as JSON `{row, active}`.
#[napi(catch_unwind)]
pub(crate) fn admit_minted(
    vault: Whole,
    request: Whole,
    endpoint: Text,
    error: Option<Text>,
    key_id: Option<Text>,
    mut plaintext: Option<Secret>,
    blob: Option<Bytes>,
) -> Result<String> {
    let reply = Reply { endpoint: Some(endpoint), error, key_id, blob };
    guard(|| {
        let reply = reply.as_core(plaintext.as_mut())?;
        let minted = find(vault.handle())?.admit_minted(request.get()?, reply)?;
        Ok(format!("{{\"row\":{},\"active\":{}}}", minted.row.to_json(), minted.active.to_json()))
    })
}

/// Tells the vault which active row is in the store.
#[napi(catch_unwind)]
pub(crate) fn set_active(vault: Whole, active: Text) -> Result<()> {
    guard(|| {
        let vault = find(vault.handle())?;
        vault.set_active(&ActiveRow::from_json(active.as_str()?.as_bytes())?)
    })
}

/// The request that unwraps a row.
#[napi(catch_unwind)]
pub(crate) fn unwrap_request(vault: Whole, org: Text, row: Text) -> Result<String> {
    guard(|| {
        let vault = find(vault.handle())?;
        let row = WrapRow::from_json(row.as_str()?.as_bytes())?;
        Ok(vault.unwrap_request(org.as_str()?, &row)?.to_json())
    })
}

/// Takes in the DEK of a row, by the KMS's reply or, for a local row, without one.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments, reason = "the call crosses once, flat")]
pub(crate) fn admit(
    vault: Whole,
    org: Text,
    row: Text,
    has_reply: Flag,
    endpoint: Option<Text>,
    error: Option<Text>,
    key_id: Option<Text>,
    mut plaintext: Option<Secret>,
    blob: Option<Bytes>,
) -> Result<Copied> {
    let reply = Reply { endpoint, error, key_id, blob };
    guard(|| {
        let reply = has_reply.get()?.then(|| reply.as_core(plaintext.as_mut())).transpose()?;
        let vault = find(vault.handle())?;
        let row = WrapRow::from_json(row.as_str()?.as_bytes())?;
        Ok(Copied(vault.admit(org.as_str()?, &row, reply)?.as_bytes().to_vec()))
    })
}

/// Makes a record DEK; gives its local wrap row.
#[napi(catch_unwind)]
pub(crate) fn generate_record_dek(
    vault: Whole,
    org: Text,
    table: Text,
    record: Text,
    version: Whole,
    created: Whole,
) -> Result<String> {
    guard(|| {
        let vault = find(vault.handle())?;
        let (org, table, record) = (org.as_str()?, table.as_str()?, record.as_str()?);
        Ok(vault.generate_record_dek(org, table, record, version.get()?, created.get()?)?.to_json())
    })
}

/// Another local wrap row of a record DEK that is held.
#[napi(catch_unwind)]
pub(crate) fn wrap_local(vault: Whole, org: Text, dek_ref: Bytes, created: Whole) -> Result<String> {
    guard(|| {
        let vault = find(vault.handle())?;
        Ok(vault.wrap_local(org.as_str()?, dek_ref.read()?, created.get()?)?.to_json())
    })
}

/// The request that wraps a record DEK by its owner's own CMK.
#[napi(catch_unwind)]
pub(crate) fn wrap_request(vault: Whole, dek_ref: Bytes, cmk: Text, created: Whole) -> Result<String> {
    guard(|| {
        let vault = find(vault.handle())?;
        Ok(vault.wrap_request(dek_ref.read()?, cmk.as_str()?, created.get()?)?.to_json())
    })
}

/// The request that wraps a record DEK by a reader's CMK.
#[napi(catch_unwind)]
pub(crate) fn share_request(vault: Whole, dek_ref: Bytes, reader: Text, cmk: Text, created: Whole) -> Result<String> {
    guard(|| {
        let vault = find(vault.handle())?;
        let (reader, cmk) = (reader.as_str()?, cmk.as_str()?);
        Ok(vault.share_request(dek_ref.read()?, reader, cmk, created.get()?)?.to_json())
    })
}

/// Moves the DEK of an `Encrypt` request into `out`, once.
#[napi(catch_unwind)]
pub(crate) fn take_request_plaintext(vault: Whole, request: Whole, mut out: Output) -> Result<()> {
    guard(|| {
        // Looked at first: a DEK that is taken can't be taken again.
        let out: &mut [u8; 32] = out.beside(&[])?.try_into().map_err(|_| Error::BadInput)?;
        let dek = find(vault.handle())?.take_request_plaintext(request.get()?)?;
        out.copy_from_slice(dek.as_slice());
        Ok(())
    })
}

/// Takes the reply to a wrap or share request; gives the wrap row.
#[napi(catch_unwind)]
pub(crate) fn admit_shared(
    vault: Whole,
    request: Whole,
    endpoint: Text,
    error: Option<Text>,
    key_id: Option<Text>,
    mut plaintext: Option<Secret>,
    blob: Option<Bytes>,
) -> Result<String> {
    let reply = Reply { endpoint: Some(endpoint), error, key_id, blob };
    guard(|| {
        let reply = reply.as_core(plaintext.as_mut())?;
        Ok(find(vault.handle())?.admit_shared(request.get()?, reply)?.to_json())
    })
}

/// The request that schedules a CMK's deletion.
#[napi(catch_unwind)]
pub(crate) fn shred_request(vault: Whole, org: Text, cmk: Text, days: Whole) -> Result<String> {
    guard(|| {
        let vault = find(vault.handle())?;
        Ok(vault.shred_request(org.as_str()?, cmk.as_str()?, days.get()?)?.to_json())
    })
}

/// Forgets an org's DEKs and refuses everything for it from now on.
#[napi(catch_unwind)]
pub(crate) fn tombstone(vault: Whole, org: Text) -> Result<()> {
    guard(|| find(vault.handle())?.tombstone(org.as_str()?))
}

/// Wipes every DEK; gives the keychain entries to delete, a JSON list of dek_refs.
#[napi(catch_unwind)]
pub(crate) fn sign_out(vault: Whole) -> Result<String> {
    guard(|| {
        let entries: Vec<String> =
            find(vault.handle())?.sign_out()?.iter().map(|dek_ref| format!("\"{}\"", dek_ref.to_text())).collect();
        Ok(format!("[{}]", entries.join(",")))
    })
}

/// The DEKs held and not over, as JSON.
#[napi(catch_unwind)]
pub(crate) fn status(vault: Whole) -> Result<String> {
    guard(|| find(vault.handle())?.status_json())
}

/// Writes the keychain entry of a DEK into `out`; gives its length.
#[napi(catch_unwind)]
pub(crate) fn cache_export(vault: Whole, dek_ref: Bytes, mut out: Output) -> Result<u32> {
    guard(|| {
        let entry = find(vault.handle())?.cache_export(dek_ref.read()?)?;
        let out = out.beside(&[&dek_ref])?.get_mut(..entry.len()).ok_or(Error::BadInput)?;
        out.copy_from_slice(&entry);
        u32::try_from(entry.len()).map_err(|_| Error::Internal)
    })
}

/// Takes in a keychain entry, and wipes the buffer it came in.
#[napi(catch_unwind)]
pub(crate) fn cache_import(vault: Whole, mut entry: Secret) -> Result<Copied> {
    guard(|| {
        let entry = entry.beside(&[])?;
        Ok(Copied(find(vault.handle())?.cache_import(entry)?.as_bytes().to_vec()))
    })
}

/// A KMS's reply as it comes from JavaScript, but for the plaintext.
struct Reply {
    endpoint: Option<Text>,
    error: Option<Text>,
    key_id: Option<Text>,
    blob: Option<Bytes>,
}

impl Reply {
    fn as_core<'a>(&'a self, plaintext: Option<&'a mut Secret>) -> Result<KmsReply<'a>, Error> {
        let inputs: Vec<&Bytes> = self.blob.iter().collect();
        let plaintext = plaintext.map(|plaintext| plaintext.beside(&inputs)).transpose()?;
        let endpoint = self.endpoint.as_ref().ok_or(Error::BadInput)?.as_str()?;
        let blob = self.blob.as_ref().map(Bytes::read).transpose()?;
        let (error, key_id) = (Text::optional(self.error.as_ref())?, Text::optional(self.key_id.as_ref())?);
        Ok(KmsReply { endpoint, error, key_id, plaintext, ciphertext_blob: blob })
    }
}
