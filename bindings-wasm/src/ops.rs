//! The operations, by the numbers that `ts/raw.ts` gives them.

use alloc::string::String;
use alloc::vec::Vec;

use strongroom::{ActiveRow, Error, KmsRequest, OVERHEAD, ResealOptions, Scope, SealOptions, Vault, WrapRow};

use crate::args::{Args, binding, reply};
use crate::secret::Secret;
use crate::slab;

/// Bytes of a DEK.
const DEK_LEN: usize = 32;

/// Does operation `op`. Everything but the first few works on a vault, whose number comes first.
pub(crate) fn run(op: u32, args: &Args<'_>) -> Result<Vec<u8>, Error> {
    match op {
        0 => done(strongroom::version()),
        1 => nothing(strongroom::assert_fips_endpoint(args[0].text, args[1].text)),
        2 => done(strongroom::inspect(args[0].bytes)?.to_json()),
        3 => json(strongroom::to_text(args[0].bytes)),
        4 => strongroom::from_text(args[0].text),
        5 => json(WrapRow::from_json(args[0].bytes)?.encryption_context_json()),
        6 => {
            let handle = slab::keep(Vault::from_json(args[0].bytes)?)?;
            done(handle.to_le_bytes().as_slice())
        }
        7 => {
            slab::close(args[0].small());
            nothing(Ok(()))
        }
        // Above what the module could hold anyway, it has no answer.
        30 => {
            let len = u32::try_from(args[0].number).map_err(|_| Error::Limit)?;
            let sealed = strongroom::sealed_len(len as usize, args[1].flag());
            done(u32::try_from(sealed).map_err(|_| Error::Limit)?.to_le_bytes().as_slice())
        }
        #[cfg(feature = "hazmat")]
        crate::hazmat::FIRST.. => crate::hazmat::run(op, args),
        _ => on_vault(&*slab::vault(args[0].small())?, op, args),
    }
}

fn on_vault(vault: &Vault, op: u32, args: &Args<'_>) -> Result<Vec<u8>, Error> {
    let mut dek = Vec::new();
    match op {
        8 => request(vault.mint_request(args[1].text, args[2].text, args[3].small(), args[4].number)),
        9 => done(vault.admit_minted(args[1].number, reply(&args[2..], &mut dek))?.to_json()),
        10 => nothing(vault.set_active(&ActiveRow::from_json(args[1].bytes)?)),
        11 => request(vault.unwrap_request(args[1].text, &WrapRow::from_json(args[2].bytes)?)),
        12 => {
            let row = WrapRow::from_json(args[2].bytes)?;
            let answer = if args[3].flag() { Some(reply(&args[4..], &mut dek)) } else { None };
            done(vault.admit(args[1].text, &row, answer)?.as_bytes().as_slice())
        }
        13 => vault.missing_in(args[1].bytes, args[2].bytes),
        14 | 15 | 18 | 19 => {
            let at = binding(&args[1..])?;
            let value = args[6].bytes;
            match op {
                14 => {
                    let options = SealOptions { scope: scope(args[7].number), padded: args[8].flag() };
                    vault.seal(&at, value, options)
                }
                15 => fill(value.len().saturating_sub(OVERHEAD), &mut |out| vault.open_into(&at, value, out)),
                18 => {
                    let options = ResealOptions {
                        scope: kept(args[7].number).map(scope),
                        padded: kept(args[8].number).map(|padded| padded == 1),
                    };
                    vault.reseal(&at, value, options)
                }
                _ => vault.rebind(&at, &binding(&args[6..])?, args[11].bytes),
            }
        }
        // A batch. The number behind the frame says how long the answer may get.
        16 => fill(args[2].small() as usize, &mut |out| vault.seal_frame(args[1].bytes, out)),
        17 => fill(args[2].small() as usize, &mut |out| vault.open_frame(args[1].bytes, out)),
        20 => row(vault.generate_record_dek(args[1].text, args[2].text, args[3].text, args[4].small(), args[5].number)),
        21 => row(vault.wrap_local(args[1].text, args[2].bytes, args[3].number)),
        22 => request(vault.wrap_request(args[1].bytes, args[2].text, args[3].number)),
        23 => request(vault.share_request(args[1].bytes, args[2].text, args[3].text, args[4].number)),
        24 => fill(DEK_LEN, &mut |out| vault.take_request_plaintext_into(args[1].number, out)),
        25 => row(vault.admit_shared(args[1].number, reply(&args[2..], &mut dek))),
        26 => request(vault.shred_request(args[1].text, args[2].text, args[3].small())),
        27 => nothing(vault.tombstone(args[1].text)),
        28 => json(vault.sign_out_json()),
        29 => json(vault.status_json()),
        _ => Err(Error::BadInput),
    }
}

/// What `write` makes of `len` zeros: it says how many of them count.
fn fill(len: usize, write: &mut dyn FnMut(&mut [u8]) -> Result<usize, Error>) -> Result<Vec<u8>, Error> {
    let mut out = Secret::zeros(len);
    let used = write(out.as_mut_slice())?;
    Ok(out.cut(used))
}

#[inline(never)]
fn request(request: Result<KmsRequest, Error>) -> Result<Vec<u8>, Error> {
    done(request?.to_json())
}

#[inline(never)]
fn json(text: Result<String, Error>) -> Result<Vec<u8>, Error> {
    done(text?)
}

#[inline(never)]
fn row(row: Result<WrapRow, Error>) -> Result<Vec<u8>, Error> {
    done(row?.to_json())
}

fn nothing(outcome: Result<(), Error>) -> Result<Vec<u8>, Error> {
    outcome.map(|()| Vec::new())
}

pub(crate) fn done(answer: impl Into<Vec<u8>>) -> Result<Vec<u8>, Error> {
    Ok(answer.into())
}

const fn scope(number: u64) -> Scope {
    if number == 1 { Scope::Record } else { Scope::Org }
}

/// -1 stands for what is to be kept as it was.
fn kept(number: u64) -> Option<u64> {
    (number != u64::MAX).then_some(number)
}
