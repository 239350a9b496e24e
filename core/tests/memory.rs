//! What is left in the process's memory: for release builds, which is where users keep secrets.
//!
//! The test itself never holds what it looks for: needles are kept XORed with a mask.

#![cfg(all(target_os = "linux", not(debug_assertions)))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use std::fs::{File, read_to_string};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{ACME_CMK, CREATED, ENDPOINT, vault};
use strongroom::{Binding, Error, KmsReply, SealOptions, Vault};

const MASK: u8 = 0xA5;

/// One test at a time: another's scan would copy the DEK looked for here into its own buffer.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn neither_a_dek_nor_half_of_one_is_left_after_the_vault_is_gone() {
    let _alone = alone();
    let masked = random();
    let (vault, envelope) = vault_with(&masked);
    work(&vault, &envelope);
    assert!(count(&masked[..16]) + count(&masked[16..]) > 0, "the scan must find what is there");
    drop(vault);
    assert_eq!((count(&masked[..16]), count(&masked[16..])), (0, 0));
}

#[test]
fn a_sign_out_leaves_no_dek_either() {
    let _alone = alone();
    let masked = random();
    let (vault, envelope) = vault_with(&masked);
    work(&vault, &envelope);
    assert!(count(&masked[..16]) > 0);
    vault.sign_out().unwrap();
    assert_eq!((count(&masked[..16]), count(&masked[16..])), (0, 0));
}

#[test]
fn a_failed_open_leaves_its_output_as_it_was_and_none_of_its_plaintext() {
    let _alone = alone();
    let (vault, _) = vault_with(&random());
    let masked = random();
    for padded in [false, true] {
        let mut envelope = seal_masked(&vault, &masked, padded);
        assert_eq!((count(&masked[..16]), count(&masked[16..])), (0, 0), "what was sealed is gone");
        let mut out = vec![0x5C; envelope.len()];
        *envelope.last_mut().unwrap() ^= 1;
        assert_eq!(vault.open_into(&place(), &envelope, &mut out), Err(Error::AuthFailed));
        assert!(out.iter().all(|byte| *byte == 0x5C));
        assert_eq!((count(&masked[..16]), count(&masked[16..])), (0, 0));
        *envelope.last_mut().unwrap() ^= 1;
        assert_eq!(vault.open_into(&place(), &envelope, &mut out), Ok(32));
        assert!(count(&masked[..16]) > 0, "the scan must find what is there");
        out.fill(0);
        black_box(&out);
        assert_eq!((count(&masked[..16]), count(&masked[16..])), (0, 0));
    }
}

fn place() -> Binding<'static> {
    Binding::new("acme", "hosts", "h-17", "password").unwrap()
}

/// A vault that holds an org DEK, and an envelope under it.
#[inline(never)]
fn vault_with(masked: &[u8; 32]) -> (Vault, Vec<u8>) {
    let vault = vault();
    let request = vault.mint_request("acme", ACME_CMK, 1, CREATED).unwrap();
    let mut plaintext = Box::new([0; 32]);
    unmask(masked, &mut *plaintext);
    let minted = vault
        .admit_minted(request.id, KmsReply::answer(ENDPOINT, ACME_CMK, Some(&mut *plaintext), Some(b"blob")))
        .unwrap();
    vault.set_active(&minted.active).unwrap();
    let envelope = vault.seal(&place(), b"secret", SealOptions::default()).unwrap();
    (vault, envelope)
}

fn work(vault: &Vault, envelope: &[u8]) {
    for _ in 0..100 {
        assert_eq!(&**vault.open(&place(), envelope).unwrap(), b"secret");
        vault.seal(&place(), &[7; 5_000], SealOptions { padded: true, ..SealOptions::default() }).unwrap();
    }
    vault.generate_record_dek("acme", "hosts", "h-17", 1, CREATED).unwrap();
}

#[inline(never)]
fn seal_masked(vault: &Vault, masked: &[u8; 32], padded: bool) -> Vec<u8> {
    let mut plaintext = Box::new([0; 32]);
    unmask(masked, &mut *plaintext);
    let envelope = vault.seal(&place(), &*plaintext, SealOptions { padded, ..SealOptions::default() }).unwrap();
    plaintext.fill(0);
    black_box(&plaintext);
    envelope
}

/// Byte by byte, so that no register wide enough for a half ever holds one.
#[inline(never)]
fn unmask(masked: &[u8; 32], out: &mut [u8]) {
    for (to, from) in out.iter_mut().zip(masked) {
        *to = black_box(*from ^ MASK);
    }
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    File::open("/dev/urandom").unwrap().read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// Compares byte by byte: a compiler that may look further takes the mask off the needle instead,
/// and then the test puts on the stack what it looks for.
fn is_needle(window: &[u8], masked: &[u8]) -> bool {
    window.iter().zip(masked).all(|(byte, masked)| black_box(*byte) ^ MASK == *masked)
}

/// How often the needle stands in this process's writable memory.
fn count(masked: &[u8]) -> usize {
    let memory = File::open("/proc/self/mem").unwrap();
    let mut chunk = vec![0; 1 << 20];
    let mut found = 0;
    for line in read_to_string("/proc/self/maps").unwrap().lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let (mut at, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        while at < to {
            let len = usize::try_from((to - at).min(chunk.len() as u64)).unwrap();
            // What was read before must not be found again in this very buffer.
            chunk.fill(0);
            black_box(&chunk);
            if memory.read_exact_at(&mut chunk[..len], at).is_err() {
                break;
            }
            let hits = chunk[..len].windows(masked.len()).filter(|window| is_needle(window, masked)).count();
            if std::env::var_os("SHOW_HITS").is_some() && hits > 0 {
                eprintln!("{hits} in {line}");
            }
            found += hits;
            if len < chunk.len() {
                break;
            }
            at += (len - 64) as u64;
        }
    }
    chunk.fill(0);
    black_box(&chunk);
    found
}
