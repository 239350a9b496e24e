//! Opens 1 MiB fields in one vault, with one thread and with two, and prints one line of
//! JSON: the MiB a second of each, and how much more two do than one.
//!
//! Rounds of both alternate and the best of each counts, so that another program on the
//! machine spoils some rounds and not the comparison. There are at least ten rounds, and
//! more until two threads do what they should, or it is plain that they can't.

use std::{
    error::Error,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use strongroom::{Binding, KmsReply, SealOptions, Vault, VaultOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let vault = vault()?;
    let binding = Binding::new("org", "table", "record", "field")?;
    let envelope = vault.seal(&binding, &vec![7; FIELD], SealOptions::default())?;
    let (mut one, mut two) = (Duration::MAX, Duration::MAX);
    for done in 0..MOST_ROUNDS {
        if done >= LEAST_ROUNDS && two.as_secs_f64() < one.as_secs_f64() * 2.0 / WANTED {
            break;
        }
        one = one.min(round(&vault, &binding, &envelope, 1)?);
        two = two.min(round(&vault, &binding, &envelope, 2)?);
    }
    let (one, two) = (rate(1, one), rate(2, two));
    println!(r#"{{"one":{one:.1},"two":{two:.1},"ratio":{:.2}}}"#, two / one);
    Ok(())
}

/// The time that so many threads take, from the moment that all are ready.
fn round(vault: &Vault, binding: &Binding<'_>, envelope: &[u8], threads: usize) -> Result<Duration, Box<dyn Error>> {
    let start = Barrier::new(threads.saturating_add(1));
    let (began, ok) = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut out = vec![0; FIELD];
                    start.wait();
                    (0..OPENS).all(|_| vault.open_into(binding, envelope, &mut out).is_ok_and(|len| len == FIELD))
                })
            })
            .collect();
        start.wait();
        let began = Instant::now();
        (began, workers.into_iter().all(|worker| worker.join().is_ok_and(|ok| ok)))
    });
    if ok { Ok(began.elapsed()) } else { Err("an open failed".into()) }
}

/// A vault that holds one org's DEK, given to it as a KMS would.
fn vault() -> Result<Vault, Box<dyn Error>> {
    let vault = Vault::new(&VaultOptions::from_json(b"{}")?)?;
    let request = vault.mint_request("org", CMK, 1, 0)?;
    let mut dek = [9; 32];
    let minted = vault.admit_minted(
        request.id,
        KmsReply {
            endpoint: "https://kms-fips.us-east-1.amazonaws.com",
            key_id: Some(CMK),
            plaintext: Some(&mut dek),
            ciphertext_blob: Some(b"wrapped"),
            ..KmsReply::default()
        },
    )?;
    vault.set_active(&minted.active)?;
    Ok(vault)
}

fn rate(threads: u32, time: Duration) -> f64 {
    f64::from(threads) * f64::from(OPENS) / time.as_secs_f64()
}

const FIELD: usize = 1 << 20;

const OPENS: u32 = 100;

const LEAST_ROUNDS: u32 = 10;

const MOST_ROUNDS: u32 = 200;

/// Two threads' throughput by one's.
const WANTED: f64 = 1.6;

const CMK: &str = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000";
