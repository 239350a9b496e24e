//! How DEKs come into a vault, are wrapped and shared, and go.

use strongroom::{ActiveRow, Error, KmsReply, WrapRow};

use crate::functions::{
    STRONGROOM_ACTIVE_MAX, STRONGROOM_DEK_LEN, STRONGROOM_REQUEST_MAX, STRONGROOM_ROW_MAX, STRONGROOM_SIGN_OUT_MAX,
    put_text,
};
use crate::ptr::{
    Output, handle, optional_mut, present, put_dek_ref, reply, strongroom_bytes, strongroom_reply, strongroom_vault,
    vault,
};
use crate::status::{guard, strongroom_status};

/// Asks for a new org DEK under a CMK: send the request to the KMS, then call
/// `strongroom_vault_admit_minted`. `created` is in unix seconds.
/// `cap` must be `STRONGROOM_REQUEST_MAX` or more.
///
/// `ACTIVE_ROLLBACK` unless `version` exceeds the highest seen for the org.
///
/// # Safety
/// The texts can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_mint_request(
    vault: *const strongroom_vault,
    org: strongroom_bytes,
    cmk: strongroom_bytes,
    version: u32,
    created: u64,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, org, cmk, out) = unsafe {
            let out = Output::new(dst, cap, len, STRONGROOM_REQUEST_MAX)?;
            (self::vault(vault)?, org.text()?, cmk.text()?, out)
        };
        put_text(&out, &vault.mint_request(org, cmk, version, created)?.to_json())
    })
}

/// Takes the KMS's answer to a mint request and gives the rows to store: first the wrap row,
/// put-if-absent, then the active row, by compare-and-set. Nothing is sealed under the DEK before
/// `strongroom_vault_set_active`. The reply's plaintext is zeroed whatever comes of it.
///
/// # Safety
/// `reply` can be read and its plaintext written; so can all outputs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_admit_minted(
    vault: *const strongroom_vault,
    request: u64,
    reply: *const strongroom_reply,
    row: *mut u8,
    row_cap: usize,
    row_len: *mut usize,
    active: *mut u8,
    active_cap: usize,
    active_len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (reply, vault, row, active) = unsafe {
            // The reply comes first, so that its plaintext is wiped whatever else is at fault.
            let reply = self::reply(reply)?;
            let row = Output::new(row, row_cap, row_len, STRONGROOM_ROW_MAX)?;
            let active = Output::new(active, active_cap, active_len, STRONGROOM_ACTIVE_MAX)?;
            (reply.ok_or(Error::BadInput)?, self::vault(vault)?, row, active)
        };
        let minted = vault.admit_minted(request, reply)?;
        put_text(&row, &minted.row.to_json())?;
        put_text(&active, &minted.active.to_json())
    })
}

/// Says which active row is in the store: the vault's own after it won, another's after it lost.
///
/// # Safety
/// `active` can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_set_active(
    vault: *const strongroom_vault,
    active: strongroom_bytes,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, active) = unsafe { (self::vault(vault)?, active.slice()?) };
        vault.set_active(&ActiveRow::from_json(active)?)
    })
}

/// Asks for the DEK of a KMS wrap row. `org` is the one on whose behalf the host acts: take it
/// from the session, never from the row. `cap` must be `STRONGROOM_REQUEST_MAX` or more.
///
/// # Safety
/// `org` and `row` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_unwrap_request(
    vault: *const strongroom_vault,
    org: strongroom_bytes,
    row: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, org, row, out) = unsafe {
            let out = Output::new(dst, cap, len, STRONGROOM_REQUEST_MAX)?;
            (self::vault(vault)?, org.text()?, row.slice()?, out)
        };
        put_text(&out, &vault.unwrap_request(org, &WrapRow::from_json(row)?)?.to_json())
    })
}

/// Checks the KMS's answer against the row it was asked for and keeps the DEK. `reply` is null
/// for a local row; the org DEK that wraps it must be held. The reply's plaintext is zeroed
/// whatever comes of it. `dek_ref` gets `STRONGROOM_DEK_REF_LEN` bytes.
///
/// # Safety
/// The inputs can be read, the reply's plaintext and `dek_ref` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_admit(
    vault: *const strongroom_vault,
    org: strongroom_bytes,
    row: strongroom_bytes,
    reply: *const strongroom_reply,
    dek_ref: *mut u8,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (reply, vault, org, row) = unsafe {
            // The reply comes first, so that its plaintext is wiped whatever else is at fault.
            let reply: Option<KmsReply<'_>> = self::reply(reply)?;
            (reply, self::vault(vault)?, org.text()?, row.slice()?)
        };
        let dst = present(dek_ref)?;
        let dek_ref = vault.admit(org, &WrapRow::from_json(row)?, reply)?;
        // SAFETY: not null, and the caller vouches for the rest.
        unsafe { put_dek_ref(dst, &dek_ref) };
        Ok(())
    })
}

/// Makes a record's own DEK and its wrap row under the org's active DEK: store the row. `created`
/// is in unix seconds. `cap` must be `STRONGROOM_ROW_MAX` or more.
///
/// # Safety
/// The texts can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_generate_record_dek(
    vault: *const strongroom_vault,
    org: strongroom_bytes,
    table: strongroom_bytes,
    record: strongroom_bytes,
    version: u32,
    created: u64,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, [org, table, record], out) = unsafe {
            let out = Output::new(dst, cap, len, STRONGROOM_ROW_MAX)?;
            (self::vault(vault)?, [org.text()?, table.text()?, record.text()?], out)
        };
        put_text(&out, &vault.generate_record_dek(org, table, record, version, created)?.to_json())
    })
}

/// Another local row of a record DEK that is held, under the active DEK of `org`, for which the
/// host acts. `cap` must be `STRONGROOM_ROW_MAX` or more.
///
/// # Safety
/// `org` and `dek_ref` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_wrap_local(
    vault: *const strongroom_vault,
    org: strongroom_bytes,
    dek_ref: strongroom_bytes,
    created: u64,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, org, dek_ref, out) = unsafe {
            let out = Output::new(dst, cap, len, STRONGROOM_ROW_MAX)?;
            (self::vault(vault)?, org.text()?, dek_ref.slice()?, out)
        };
        put_text(&out, &vault.wrap_local(org, dek_ref, created)?.to_json())
    })
}

/// Asks for a wrap of a record DEK by the owner's own CMK, so that a preview can hold one
/// record's DEK and nothing else. Send it with what `strongroom_vault_take_request_plaintext`
/// gives, then call `strongroom_vault_admit_shared`. `cap` must be `STRONGROOM_REQUEST_MAX` or
/// more.
///
/// # Safety
/// `dek_ref` and `cmk` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_wrap_request(
    vault: *const strongroom_vault,
    dek_ref: strongroom_bytes,
    cmk: strongroom_bytes,
    created: u64,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, dek_ref, cmk, out) = unsafe {
            let out = Output::new(dst, cap, len, STRONGROOM_REQUEST_MAX)?;
            (self::vault(vault)?, dek_ref.slice()?, cmk.text()?, out)
        };
        put_text(&out, &vault.wrap_request(dek_ref, cmk, created)?.to_json())
    })
}

/// Asks for a wrap of a record DEK by the reader's CMK: that org can then open the record, and no
/// envelope changes. Send it with what `strongroom_vault_take_request_plaintext` gives, then call
/// `strongroom_vault_admit_shared`. `cap` must be `STRONGROOM_REQUEST_MAX` or more.
///
/// # Safety
/// The inputs can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_share_request(
    vault: *const strongroom_vault,
    dek_ref: strongroom_bytes,
    reader: strongroom_bytes,
    cmk: strongroom_bytes,
    created: u64,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, dek_ref, reader, cmk, out) = unsafe {
            let out = Output::new(dst, cap, len, STRONGROOM_REQUEST_MAX)?;
            (self::vault(vault)?, dek_ref.slice()?, reader.text()?, cmk.text()?, out)
        };
        put_text(&out, &vault.share_request(dek_ref, reader, cmk, created)?.to_json())
    })
}

/// Gives, once, the DEK that an `Encrypt` request sends to the KMS: `STRONGROOM_DEK_LEN` bytes.
/// Wipe them after the call to the KMS.
///
/// # Safety
/// `dek` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_take_request_plaintext(
    vault: *const strongroom_vault,
    request: u64,
    dek: *mut u8,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, dst) = unsafe { (self::vault(vault)?, optional_mut(dek, STRONGROOM_DEK_LEN)) };
        let dst = dst?.ok_or(Error::BadInput)?;
        dst.copy_from_slice(vault.take_request_plaintext(request)?.as_slice());
        Ok(())
    })
}

/// Takes the KMS's answer to a wrap or share request and gives the wrap row to store. `cap` must
/// be `STRONGROOM_ROW_MAX` or more.
///
/// # Safety
/// `reply` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_admit_shared(
    vault: *const strongroom_vault,
    request: u64,
    reply: *const strongroom_reply,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (reply, vault, out) = unsafe {
            let reply = self::reply(reply)?;
            let out = Output::new(dst, cap, len, STRONGROOM_ROW_MAX)?;
            (reply.ok_or(Error::BadInput)?, self::vault(vault)?, out)
        };
        put_text(&out, &vault.admit_shared(request, reply)?.to_json())
    })
}

/// Asks for the destruction of a CMK in 7 to 30 days. `cap` must be `STRONGROOM_REQUEST_MAX` or
/// more.
///
/// # Safety
/// The texts can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_shred_request(
    vault: *const strongroom_vault,
    org: strongroom_bytes,
    cmk: strongroom_bytes,
    days: u32,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, org, cmk, out) = unsafe {
            let out = Output::new(dst, cap, len, STRONGROOM_REQUEST_MAX)?;
            (self::vault(vault)?, org.text()?, cmk.text()?, out)
        };
        put_text(&out, &vault.shred_request(org, cmk, days)?.to_json())
    })
}

/// Forgets the org's DEKs and refuses everything for it from now on, but the shred request,
/// sign-out and status.
///
/// # Safety
/// `org` can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_tombstone(
    vault: *const strongroom_vault,
    org: strongroom_bytes,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, org) = unsafe { (self::vault(vault)?, org.text()?) };
        vault.tombstone(org)
    })
}

/// Wipes every DEK and gives the references of those whose keychain entries the host must delete,
/// 32 bytes each. `cap` must be `STRONGROOM_SIGN_OUT_MAX` or more.
///
/// `LIMIT` if that is too little for a long list: the DEKs are wiped, `len` says how much room it
/// needs, and the next call with that much gives it.
///
/// # Safety
/// `dst` and `len` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_sign_out(
    vault: *const strongroom_vault,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (handle, out) = unsafe { (handle(vault)?, Output::new(dst, cap, len, STRONGROOM_SIGN_OUT_MAX)?) };
        // Held over the core's sign-out, so that of two at once one gets the whole list.
        let mut gone = handle.gone.lock().map_err(|_| Error::Internal)?;
        gone.extend(handle.vault.sign_out()?);
        let list: Vec<u8> = gone.iter().flat_map(|dek_ref| *dek_ref.as_bytes()).collect();
        if list.len() > out.cap() {
            out.set_len(list.len());
            return Err(Error::Limit);
        }
        out.put(&list)?;
        gone.clear();
        Ok(())
    })
}

/// The keychain entry of a DEK. It holds the DEK: wipe it once it is stored. `cap` of
/// `STRONGROOM_CACHE_ENTRY_MAX` is always enough. `BAD_INPUT` for a vault without `session`.
///
/// # Safety
/// `dek_ref` can be read, `dst` and `len` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_cache_export(
    vault: *const strongroom_vault,
    dek_ref: strongroom_bytes,
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let (vault, dek_ref, out) = unsafe { (self::vault(vault)?, dek_ref.slice()?, Output::new(dst, cap, len, 0)?) };
        out.put(&vault.cache_export(dek_ref)?)
    })
}

/// Takes a keychain entry in; its buffer is zeroed whatever comes of it. Read the active rows of
/// owner and reader first: a new vault knows no tombstones. `dek_ref` gets
/// `STRONGROOM_DEK_REF_LEN` bytes.
///
/// # Safety
/// `entry` can be read and written, `dek_ref` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strongroom_vault_cache_import(
    vault: *const strongroom_vault,
    entry: *mut u8,
    entry_len: usize,
    dek_ref: *mut u8,
) -> strongroom_status {
    guard(|| {
        // SAFETY: the caller keeps the header's promise.
        let entry = unsafe { optional_mut(entry, entry_len) }?.unwrap_or_default();
        let dst = present(dek_ref).inspect_err(|_| entry.fill(0));
        // SAFETY: as above; `dst` is not null.
        unsafe {
            let vault = self::vault(vault).inspect_err(|_| entry.fill(0))?;
            put_dek_ref(dst?, &vault.cache_import(entry)?);
        }
        Ok(())
    })
}
