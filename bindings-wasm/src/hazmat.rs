//! Test builds only: bare DEKs, fixed IVs, set clocks, a generator that fails, a trap.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use spin::Mutex;
use strongroom::hazmat::{self, TestPlatform};
use strongroom::{Binding, Error, Identity, Vault, VaultOptions, WrapRow};

use crate::args::{self, Arg, Args};
use crate::ops::done;
use crate::slab;

/// The first number of a test build's operations.
pub(crate) const FIRST: u32 = 100;

static CLOCKS: Mutex<Vec<(u32, TestPlatform)>> = Mutex::new(Vec::new());

/// Arguments that are read one after another.
struct InOrder<'a, 'b>(&'b [Arg<'a>]);

impl<'a> InOrder<'a, '_> {
    fn next(&mut self) -> Arg<'a> {
        let (arg, rest) = self.0.split_first().map_or_else(Default::default, |(arg, rest)| (*arg, rest));
        self.0 = rest;
        arg
    }

    fn bytes(&mut self) -> &'a [u8] {
        self.next().bytes
    }

    fn optional(&mut self) -> Option<&'a [u8]> {
        let arg = self.next();
        arg.given.then_some(arg.bytes)
    }

    fn text(&mut self) -> &'a str {
        self.next().text
    }

    fn number(&mut self) -> u64 {
        self.next().number
    }

    fn small(&mut self) -> u32 {
        self.next().small()
    }

    fn flag(&mut self) -> bool {
        self.next().flag()
    }

    fn binding(&mut self) -> Result<Binding<'a>, Error> {
        let binding = args::binding(self.0);
        self.0 = self.0.get(5..).unwrap_or_default();
        binding
    }
}

/// Does operation `op`, in the order of `ts/hazmat.ts`.
pub(crate) fn run(op: u32, args: &Args<'_>) -> Result<Vec<u8>, Error> {
    let args = &mut InOrder(args);
    match op.wrapping_sub(FIRST) {
        0 => done(error_table()),
        1 => done(hazmat::dek_ref(args.bytes(), &identity(args)?)?.as_bytes().to_vec()),
        2 => done(hazmat::binding_aad(args.bytes(), &args.binding()?)?),
        3 => {
            let (key, identity, at) = (args.bytes(), identity(args)?, args.binding()?);
            let (plaintext, padded, iv) = (args.bytes(), args.flag(), args.optional());
            done(hazmat::seal(key, &identity, &at, plaintext, padded, iv)?)
        }
        4 => done(hazmat::open(args.bytes(), &identity(args)?, &args.binding()?, args.bytes())?.to_vec()),
        5 => {
            let (key, identity, at) = (args.bytes(), identity(args)?, args.binding()?);
            done(hazmat::seal_many(key, &identity, &at, args.small() as usize)?.concat())
        }
        6 => {
            let (from, from_identity, to, to_identity) = (args.bytes(), identity(args)?, args.bytes(), identity(args)?);
            done(hazmat::reseal((from, &from_identity), (to, &to_identity), &args.binding()?, args.bytes())?)
        }
        7 => {
            let (kek, kek_identity, key, identity) = (args.bytes(), identity(args)?, args.bytes(), identity(args)?);
            let (purpose, reader, created, iv) = (args.text(), args.text(), args.number(), args.optional());
            let (kek, key) = ((kek, &kek_identity), (key, &identity));
            done(hazmat::wrap_local(kek, key, purpose, reader, created, iv)?.to_json())
        }
        8 => {
            let (kek, identity, row) = (args.bytes(), identity(args)?, WrapRow::from_json(args.bytes())?);
            done(hazmat::unwrap_local((kek, &identity), &row, &args.binding()?, args.bytes())?.to_vec())
        }
        9 => vault_new(args),
        10 => set_clock(args),
        11 => {
            hazmat::set_rng_ok(args.flag());
            Ok(Vec::new())
        }
        12 => done(hazmat::gcm_seal(args.bytes(), args.bytes(), args.bytes(), args.bytes())?),
        13 => done(hazmat::gcm_open(args.bytes(), args.bytes(), args.bytes(), args.bytes())?),
        14 => trap(),
        _ => Err(Error::BadInput),
    }
}

fn vault_new(args: &mut InOrder<'_, '_>) -> Result<Vec<u8>, Error> {
    let options = VaultOptions::from_json(args.bytes())?;
    let platform = TestPlatform::new(args.number(), args.number());
    let handle = slab::keep(Vault::with_platform(&options, Box::new(platform.clone()))?)?;
    CLOCKS.lock().push((handle, platform));
    done(handle.to_le_bytes().to_vec())
}

fn set_clock(args: &mut InOrder<'_, '_>) -> Result<Vec<u8>, Error> {
    let handle = args.small();
    let clocks = CLOCKS.lock();
    let (_, platform) = clocks.iter().find(|(number, _)| *number == handle).ok_or(Error::BadInput)?;
    platform.set_clock(args.number(), args.number());
    Ok(Vec::new())
}

fn identity(args: &mut InOrder<'_, '_>) -> Result<Identity, Error> {
    Identity::from_json(args.bytes())
}

/// The core's table as JSON, for the test of the JavaScript's copy.
fn error_table() -> String {
    let mut json = String::from("[");
    for error in Error::ALL {
        if json.len() > 1 {
            json.push(',');
        }
        // Names and texts hold nothing that JSON would escape.
        json.push('[');
        json.push_str(&error.number().to_string());
        for part in [error.name(), error.text()] {
            json.push_str(",\"");
            json.push_str(part);
            json.push('"');
        }
        json.push(']');
    }
    json.push(']');
    json
}

#[expect(clippy::panic, reason = "to see what becomes of a panic")]
fn trap() -> ! {
    panic!("trap")
}
