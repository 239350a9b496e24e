//! What only the border decides: pointers, room, flags. The rest is the core's and is tested there.

use std::ptr::{null, null_mut};

use crate::*;

const CMK: &str = "arn:aws:kms:us-east-1:123456789012:key/0f8fad5b-d9cb-469f-a165-70867728950e";
const BAD_INPUT: u32 = STRONGROOM_BAD_INPUT;

struct Vault(*mut strongroom_vault);

impl Vault {
    fn new() -> Self {
        Self::with(b"{}")
    }

    fn with(options: &[u8]) -> Self {
        let mut made = null_mut();
        // SAFETY: both live for the call.
        assert_eq!(unsafe { strongroom_vault_new(lend(options), &raw mut made) }, 0);
        Self(made)
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        // SAFETY: made by `strongroom_vault_new`, freed once.
        unsafe { strongroom_vault_free(self.0) };
    }
}

const fn lend(bytes: &[u8]) -> strongroom_bytes {
    strongroom_bytes { data: bytes.as_ptr(), len: bytes.len() }
}

const NOTHING: strongroom_bytes = strongroom_bytes { data: null(), len: 0 };

fn place() -> strongroom_binding {
    let [org, table, record, field] = [lend(b"acme"), lend(b"hosts"), lend(b"h1"), lend(b"password")];
    strongroom_binding { org, table, record, field, revision: 0, has_revision: 0 }
}

fn open(vault: *const strongroom_vault, at: *const strongroom_binding, envelope: strongroom_bytes) -> u32 {
    let (mut out, mut len) = ([7_u8; 64], 99);
    // SAFETY: everything lives for the call.
    let status = unsafe { strongroom_vault_open(vault, at, envelope, out.as_mut_ptr(), out.len(), &raw mut len) };
    assert_eq!((out, len), ([7; 64], 99), "an output was written after an error");
    status
}

#[test]
fn null_handles_and_bindings_are_bad_input() {
    let vault = Vault::new();
    assert_eq!(open(null(), &raw const *Box::new(place()), lend(&[0xF7; 80])), BAD_INPUT);
    assert_eq!(open(vault.0, null(), lend(&[0xF7; 80])), BAD_INPUT);
    // SAFETY: null is allowed.
    unsafe { strongroom_vault_free(null_mut()) };
}

#[test]
fn a_null_pointer_with_a_length_is_bad_input() {
    let vault = Vault::new();
    assert_eq!(open(vault.0, &raw const *Box::new(place()), strongroom_bytes { data: null(), len: 80 }), BAD_INPUT);
    assert_eq!(open(vault.0, &raw const *Box::new(place()), NOTHING), STRONGROOM_NOT_AN_ENVELOPE);
}

#[test]
fn lengths_that_no_object_has_are_bad_input() {
    let vault = Vault::new();
    let endless = strongroom_bytes { data: b"x".as_ptr(), len: usize::MAX };
    assert_eq!(open(vault.0, &raw const *Box::new(place()), endless), BAD_INPUT);
    let at = strongroom_binding { org: endless, ..place() };
    assert_eq!(open(vault.0, &raw const at, lend(&[0xF7; 80])), BAD_INPUT);
}

#[test]
fn ill_formed_texts_and_flags_are_bad_input() {
    let vault = Vault::new();
    for at in [
        strongroom_binding { org: lend(b"\xff"), ..place() },
        strongroom_binding { field: lend(b"\xed\xa0\x80"), ..place() },
        strongroom_binding { table: NOTHING, ..place() },
        strongroom_binding { has_revision: 2, ..place() },
    ] {
        assert_eq!(open(vault.0, &raw const at, lend(&[0xF7; 80])), BAD_INPUT);
    }
}

#[test]
fn scope_and_padding_take_nothing_but_their_values() {
    let vault = Vault::new();
    let (at, mut out, mut len) = (place(), [0_u8; 256], 0);
    for (scope, padded) in [(2, 0), (255, 0), (0, 2), (1, 255)] {
        // SAFETY: everything lives for the call.
        let status = unsafe {
            let (dst, len) = (out.as_mut_ptr(), &raw mut len);
            strongroom_vault_seal(vault.0, &raw const at, lend(b"x"), scope, padded, dst, 256, len)
        };
        assert_eq!(status, BAD_INPUT);
    }
    for (scope, padded) in [(2, 0), (-2, 0), (0, 2), (0, -128)] {
        // SAFETY: everything lives for the call.
        let status = unsafe {
            let (dst, len) = (out.as_mut_ptr(), &raw mut len);
            strongroom_vault_reseal(vault.0, &raw const at, lend(&[0xF7; 80]), scope, padded, dst, 256, len)
        };
        assert_eq!(status, BAD_INPUT);
    }
}

#[test]
fn an_output_over_its_input_is_bad_input() {
    let (vault, at) = (Vault::new(), place());
    let (mut buffer, mut len) = ([0xF7_u8; 256], 0);
    let dst = buffer.as_mut_ptr();
    for (from, to) in [(0, 0), (10, 0), (0, 10)] {
        // SAFETY: the pointers stay within `buffer`; that they overlap is the point.
        let status = unsafe {
            let envelope = strongroom_bytes { data: dst.add(from), len: 80 };
            strongroom_vault_open(vault.0, &raw const at, envelope, dst.add(to), 80, &raw mut len)
        };
        assert_eq!(status, BAD_INPUT);
    }
    // SAFETY: as above, side by side.
    let status = unsafe {
        let envelope = strongroom_bytes { data: dst, len: 80 };
        strongroom_vault_open(vault.0, &raw const at, envelope, dst.add(80), 80, &raw mut len)
    };
    assert_eq!(status, STRONGROOM_UNSUPPORTED_VERSION);
}

#[test]
fn too_little_room_for_a_request_makes_no_request() {
    let vault = Vault::new();
    let (mut out, mut len) = (vec![0_u8; STRONGROOM_REQUEST_MAX], 0);
    let mut mint = |cap: usize, len: *mut usize| {
        // SAFETY: everything lives for the call.
        unsafe {
            let (org, cmk) = (lend(b"acme"), lend(CMK.as_bytes()));
            strongroom_vault_mint_request(vault.0, org, cmk, 1, 1, out.as_mut_ptr(), cap, len)
        }
    };
    assert_eq!(mint(STRONGROOM_REQUEST_MAX - 1, &raw mut len), BAD_INPUT);
    assert_eq!(mint(STRONGROOM_REQUEST_MAX, null_mut()), BAD_INPUT);
    assert_eq!(len, 0);
    assert_eq!(mint(STRONGROOM_REQUEST_MAX, &raw mut len), 0);
    assert!(out.get(..len).is_some_and(|json| json.starts_with(b"{\"id\":")));
}

#[test]
fn a_reply_is_wiped_whatever_else_is_at_fault() {
    let vault = Vault::new();
    let mut dek_ref = [0; 32];
    let endpoint = lend(b"https://kms-fips.us-east-1.amazonaws.com");
    let absent = strongroom_reply {
        endpoint,
        error: NOTHING,
        key_id: NOTHING,
        plaintext: null_mut(),
        plaintext_len: 0,
        ciphertext_blob: NOTHING,
    };
    let faults = [
        absent,
        strongroom_reply { endpoint: NOTHING, ..absent },
        strongroom_reply { endpoint: lend(b"\xff"), ..absent },
        strongroom_reply { error: lend(b"\xff"), ..absent },
        strongroom_reply { key_id: lend(b"\xff"), ..absent },
        strongroom_reply { ciphertext_blob: strongroom_bytes { data: null(), len: 1 }, ..absent },
    ];
    for (fault, handle) in faults.into_iter().flat_map(|fault| [(fault, vault.0.cast_const()), (fault, null())]) {
        let mut plaintext = [5_u8; 32];
        let reply = strongroom_reply { plaintext: plaintext.as_mut_ptr(), plaintext_len: 32, ..fault };
        // SAFETY: everything lives for the call.
        let status = unsafe {
            strongroom_vault_admit(handle, lend(b"acme"), lend(b"{}"), &raw const reply, dek_ref.as_mut_ptr())
        };
        assert_ne!(status, 0);
        assert_eq!(plaintext, [0; 32]);
        assert_eq!(dek_ref, [0; 32]);
    }
}

#[test]
fn a_reply_without_an_endpoint_is_bad_input_and_one_from_nowhere_is_not_allowed() {
    for (endpoint, want) in [(NOTHING, BAD_INPUT), (lend(b""), STRONGROOM_ENDPOINT_POLICY)] {
        let vault = Vault::new();
        assert_eq!(minted(&vault, endpoint).err(), Some(want));
    }
}

/// Mints a DEK of acme's, which is active if the answer is taken.
fn minted(vault: &Vault, endpoint: strongroom_bytes) -> Result<(), u32> {
    let done = |status| if status == 0 { Ok(()) } else { Err(status) };
    let (mut request, mut row) = (vec![0_u8; STRONGROOM_REQUEST_MAX], vec![0_u8; STRONGROOM_ROW_MAX]);
    let (mut active, mut plaintext) = (vec![0_u8; STRONGROOM_ACTIVE_MAX], [5_u8; 32]);
    let (mut len, mut row_len, mut active_len) = (0, 0, 0);
    let reply = strongroom_reply {
        endpoint,
        error: NOTHING,
        key_id: lend(CMK.as_bytes()),
        plaintext: plaintext.as_mut_ptr(),
        plaintext_len: 32,
        ciphertext_blob: lend(b"blob"),
    };
    // SAFETY: everything lives for the calls.
    unsafe {
        let (org, cmk, dst) = (lend(b"acme"), lend(CMK.as_bytes()), request.as_mut_ptr());
        done(strongroom_vault_mint_request(vault.0, org, cmk, 1, 1, dst, request.len(), &raw mut len))?;
        let (dst, to) = (row.as_mut_ptr(), active.as_mut_ptr());
        done(strongroom_vault_admit_minted(
            vault.0,
            1,
            &raw const reply,
            dst,
            row.len(),
            &raw mut row_len,
            to,
            active.len(),
            &raw mut active_len,
        ))?;
        done(strongroom_vault_set_active(vault.0, strongroom_bytes { data: to, len: active_len }))
    }
}

/// Makes DEKs of records and puts them into the keychain. Gives their references in order.
fn exported(vault: &Vault, count: usize) -> Vec<u8> {
    let (mut row, mut entry, mut len) = (vec![0_u8; STRONGROOM_ROW_MAX], [0_u8; STRONGROOM_CACHE_ENTRY_MAX], 0);
    let mut refs = Vec::new();
    for record in 0..count {
        let record = record.to_string();
        // SAFETY: everything lives for the calls.
        unsafe {
            let (org, table, record) = (lend(b"acme"), lend(b"hosts"), lend(record.as_bytes()));
            let dst = row.as_mut_ptr();
            let made =
                strongroom_vault_generate_record_dek(vault.0, org, table, record, 1, 1, dst, row.len(), &raw mut len);
            assert_eq!(made, 0);
            let text = row.get(..len).unwrap_or_default();
            let dek_ref = strongroom::WrapRow::from_json(text).map(|row| *row.dek_ref().as_bytes()).unwrap_or_default();
            let dst = entry.as_mut_ptr();
            assert_eq!(strongroom_vault_cache_export(vault.0, lend(&dek_ref), dst, entry.len(), &raw mut len), 0);
            refs.push(dek_ref);
        }
    }
    refs.sort_unstable();
    refs.concat()
}

#[test]
fn a_sign_out_whose_list_is_too_long_wipes_and_keeps_the_list_until_there_is_room() {
    const SURPLUS: usize = 3;
    let vault = Vault::with(b"{\"session\":\"s1\"}");
    let sign_out = |room: &mut [u8]| {
        let mut len = 99;
        // SAFETY: everything lives for the call.
        let status = unsafe { strongroom_vault_sign_out(vault.0, room.as_mut_ptr(), room.len(), &raw mut len) };
        (status, len)
    };
    assert_eq!(minted(&vault, lend(b"https://kms-fips.us-east-1.amazonaws.com")), Ok(()));
    let refs = exported(&vault, STRONGROOM_SIGN_OUT_MAX / 32 + SURPLUS);

    let mut little = vec![7; STRONGROOM_SIGN_OUT_MAX - 1];
    assert_eq!(sign_out(&mut little), (BAD_INPUT, 99));
    little.push(7);
    for _ in 0..2 {
        assert_eq!(sign_out(&mut little), (STRONGROOM_LIMIT, refs.len()));
        assert!(little.iter().all(|&byte| byte == 7), "something was written");
    }
    let mut len = 0;
    // SAFETY: everything lives for the call.
    assert_eq!(unsafe { strongroom_vault_status(vault.0, null_mut(), 0, &raw mut len) }, 0);
    assert_eq!(len, 2, "DEKs are still held");

    let mut room = vec![0; refs.len()];
    assert_eq!(sign_out(&mut room), (0, refs.len()));
    assert!(room == refs, "not the list that it should be");
    assert_eq!(sign_out(&mut room), (0, 0));
}

#[test]
fn a_keychain_entry_is_wiped_whatever_else_is_at_fault() {
    let vault = Vault::new();
    let mut dek_ref = [0; 32];
    for (handle, dst) in [(vault.0, dek_ref.as_mut_ptr()), (vault.0, null_mut()), (null_mut(), dek_ref.as_mut_ptr())] {
        let mut entry = [5_u8; 200];
        // SAFETY: everything lives for the call.
        let status = unsafe { strongroom_vault_cache_import(handle, entry.as_mut_ptr(), entry.len(), dst) };
        assert_ne!(status, 0);
        assert_eq!(entry, [0; 200]);
    }
}

#[test]
fn missing_refuses_lengths_that_dont_add_up() {
    let vault = Vault::new();
    let envelopes = [0_u8; 100];
    for lengths in [&[50_u32, 51][..], &[50, 49], &[u32::MAX], &[]] {
        let (mut out, mut len) = ([0_u8; 64], 99);
        // SAFETY: everything lives for the call.
        let status = unsafe {
            let (dst, len) = (out.as_mut_ptr(), &raw mut len);
            strongroom_vault_missing(vault.0, lend(&envelopes), lengths.as_ptr(), lengths.len(), dst, 64, len)
        };
        assert_eq!((status, len), (BAD_INPUT, 99));
    }
}

#[test]
fn status_says_how_much_room_it_needs() {
    let vault = Vault::new();
    let mut len = 0;
    // SAFETY: everything lives for the call.
    assert_eq!(unsafe { strongroom_vault_status(vault.0, null_mut(), 0, &raw mut len) }, 0);
    assert_eq!(len, 2);
    let mut out = [0_u8; 2];
    // SAFETY: everything lives for the call.
    assert_eq!(unsafe { strongroom_vault_status(vault.0, out.as_mut_ptr(), 2, &raw mut len) }, 0);
    assert_eq!(&out, b"[]");
}

#[test]
fn the_printable_length_is_exact() {
    for (bytes, characters) in [(68, 95), (69, 96), (70, 98), (71, 99)] {
        assert_eq!(strongroom_text_len(bytes), characters);
    }
}
