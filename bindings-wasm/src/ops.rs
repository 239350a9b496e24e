//! The operations, by the numbers that `ts/raw.ts` gives them.

use alloc::string::String;
use alloc::vec::Vec;

use strongroom::{
    ActiveRow, Binding, DekRef, Error, OVERHEAD, ResealOptions, Scope, SealOptions, Vault, VaultOptions, WrapRow,
};

use crate::args::Args;
use crate::secret::Secret;
use crate::slab;

/// Does operation `op`. Everything but the first few works on a vault, whose number comes first.
pub(crate) fn run(op: u32, mut args: Args<'_>) -> Result<Secret, Error> {
    let args = &mut args;
    match op {
        0 => done(strongroom::version()),
        1 => {
            strongroom::assert_fips_endpoint(args.text(), args.text())?;
            nothing()
        }
        2 => done(strongroom::inspect(args.bytes())?.to_json()),
        3 => done(strongroom::to_text(args.bytes())?),
        4 => done(strongroom::from_text(args.text())?),
        5 => done(row(args)?.encryption_context_json()?),
        6 => {
            let vault = Vault::new(&VaultOptions::from_json(args.bytes())?)?;
            done(slab::keep(vault)?.to_le_bytes().to_vec())
        }
        7 => {
            slab::close(args.small());
            nothing()
        }
        #[cfg(feature = "hazmat")]
        crate::hazmat::FIRST.. => crate::hazmat::run(op, args),
        _ => on_vault(&*slab::vault(args.small())?, op, args),
    }
}

fn on_vault(vault: &Vault, op: u32, args: &mut Args<'_>) -> Result<Secret, Error> {
    match op {
        8 => done(vault.mint_request(args.text(), args.text(), args.small(), args.number())?.to_json()),
        9 => {
            let minted = vault.admit_minted(args.number(), args.reply())?;
            let mut json = String::from("{\"row\":");
            json.push_str(&minted.row.to_json());
            json.push_str(",\"active\":");
            json.push_str(&minted.active.to_json());
            json.push('}');
            done(json)
        }
        10 => {
            vault.set_active(&ActiveRow::from_json(args.bytes())?)?;
            nothing()
        }
        11 => done(vault.unwrap_request(args.text(), &row(args)?)?.to_json()),
        12 => {
            let (org, row) = (args.text(), args.bytes());
            let reply = if args.flag() { Some(args.reply()) } else { None };
            done(vault.admit(org, &WrapRow::from_json(row)?, reply)?.as_bytes().to_vec())
        }
        13 => missing(vault, args),
        14 => {
            let (at, plaintext) = (args.binding()?, args.bytes());
            let options = SealOptions { scope: scope(args.number()), padded: args.flag() };
            done(vault.seal(&at, plaintext, options)?)
        }
        15 => open(vault, &args.binding()?, args.bytes()),
        16 => frame(args, |frame, out| vault.seal_frame(frame, out)),
        17 => frame(args, |frame, out| vault.open_frame(frame, out)),
        18 => {
            let (at, envelope) = (args.binding()?, args.bytes());
            let (kind, padded) = (args.number(), args.number());
            let options =
                ResealOptions { scope: kept(kind).map(scope), padded: kept(padded).map(|padded| padded == 1) };
            done(vault.reseal(&at, envelope, options)?)
        }
        19 => done(vault.rebind(&args.binding()?, &args.binding()?, args.bytes())?),
        20 => {
            let (org, table, record) = (args.text(), args.text(), args.text());
            done(vault.generate_record_dek(org, table, record, args.small(), args.number())?.to_json())
        }
        21 => done(vault.wrap_local(args.text(), args.bytes(), args.number())?.to_json()),
        22 => done(vault.wrap_request(args.bytes(), args.text(), args.number())?.to_json()),
        23 => done(vault.share_request(args.bytes(), args.text(), args.text(), args.number())?.to_json()),
        24 => done(vault.take_request_plaintext(args.number())?.to_vec()),
        25 => done(vault.admit_shared(args.number(), args.reply())?.to_json()),
        26 => done(vault.shred_request(args.text(), args.text(), args.small())?.to_json()),
        27 => {
            vault.tombstone(args.text())?;
            nothing()
        }
        28 => done(sign_out(&vault.sign_out()?)),
        29 => done(vault.status_json()?),
        _ => Err(Error::BadInput),
    }
}

/// The DEKs that envelopes need, 32 bytes each. Their lengths come as 4 bytes each.
fn missing(vault: &Vault, args: &mut Args<'_>) -> Result<Secret, Error> {
    let mut rest = args.bytes();
    let mut envelopes = Vec::new();
    for len in args.bytes().as_chunks().0 {
        let (envelope, tail) = rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or(Error::BadInput)?;
        envelopes.push(envelope);
        rest = tail;
    }
    let mut refs = Vec::new();
    for dek_ref in vault.missing(&envelopes)? {
        refs.extend_from_slice(dek_ref.as_bytes());
    }
    done(refs)
}

fn open(vault: &Vault, at: &Binding<'_>, envelope: &[u8]) -> Result<Secret, Error> {
    let len = envelope.len().saturating_sub(OVERHEAD);
    Secret::filled(len, |out| vault.open_into(at, envelope, out))
}

/// A batch. The number behind the frame says how long the answer may get.
fn frame(args: &mut Args<'_>, work: impl FnOnce(&[u8], &mut [u8]) -> Result<usize, Error>) -> Result<Secret, Error> {
    let (frame, capacity) = (args.bytes(), args.small());
    Secret::filled(capacity as usize, |out| work(frame, out))
}

/// A JSON list.
fn sign_out(gone: &[DekRef]) -> String {
    let mut json = String::from("[");
    for dek_ref in gone {
        if json.len() > 1 {
            json.push(',');
        }
        json.push('"');
        json.push_str(&dek_ref.to_text());
        json.push('"');
    }
    json.push(']');
    json
}

pub(crate) fn row(args: &mut Args<'_>) -> Result<WrapRow, Error> {
    WrapRow::from_json(args.bytes())
}

pub(crate) fn done(answer: impl Into<Secret>) -> Result<Secret, Error> {
    Ok(answer.into())
}

pub(crate) fn nothing() -> Result<Secret, Error> {
    done(Vec::new())
}

const fn scope(number: u64) -> Scope {
    if number == 1 { Scope::Record } else { Scope::Org }
}

/// -1 stands for what is to be kept as it was.
fn kept(number: u64) -> Option<u64> {
    (number != u64::MAX).then_some(number)
}
