//! An operation's arguments as `ts/pack.ts` packs them, in the order of the raw interface: each
//! a length of 4 bytes and so many bytes, a number's being 8 bytes; what is absent is the length
//! 2^32-1. All little-endian, as the machine underneath.
//!
//! Nothing here fails. What the packing never makes (too few bytes, ill-formed text) reads as
//! what the core refuses wherever it matters: an empty text, no bytes, zero.

use alloc::vec::Vec;

use strongroom::{Binding, Error, KmsReply};

/// Stands where a length would, for an argument that is absent.
const ABSENT: u32 = u32::MAX;

/// An argument in every way in which it can be read. All of it at once, because then an operation
/// finds its arguments where it wants them, without a call for each.
#[derive(Clone, Copy, Default)]
pub(crate) struct Arg<'a> {
    pub(crate) text: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) number: u64,
    pub(crate) given: bool,
}

/// As many as an operation has at most; what isn't there is absent.
pub(crate) type Args<'a> = [Arg<'a>; 12];

pub(crate) fn unpack(mut packed: &[u8]) -> Args<'_> {
    core::array::from_fn(|_| next(&mut packed))
}

fn next<'a>(packed: &mut &'a [u8]) -> Arg<'a> {
    let mut arg = Arg::default();
    if let Some((len, rest)) = packed.split_first_chunk() {
        *packed = rest;
        let len = u32::from_le_bytes(*len);
        arg.given = len != ABSENT;
        if arg.given {
            (arg.bytes, *packed) = rest.split_at_checked(len as usize).unwrap_or_default();
            arg.text = strongroom::text(arg.bytes).unwrap_or_default();
            arg.number = arg.bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        }
    }
    arg
}

impl<'a> Arg<'a> {
    /// A number of the type u32. A greater one reads as 0: versions and days have no 0.
    pub(crate) fn small(&self) -> u32 {
        u32::try_from(self.number).unwrap_or(0)
    }

    pub(crate) const fn flag(&self) -> bool {
        self.number == 1
    }
}

/// The five arguments that stand for a binding, and what comes after them.
pub(crate) fn binding<'a>(args: &[Arg<'a>]) -> Result<Binding<'a>, Error> {
    let [org, table, record, field, revision, ..] = args else { return Err(Error::BadInput) };
    let binding = Binding::new(org.text, table.text, record.text, field.text)?;
    Ok(if revision.given { binding.with_revision(revision.number) } else { binding })
}

/// The five arguments that stand for a KMS's reply, and what comes after them. The DEK in it is
/// copied into `dek`, which the reply wipes.
pub(crate) fn reply<'b>(args: &'b [Arg<'_>], dek: &'b mut Vec<u8>) -> KmsReply<'b> {
    let [endpoint, error, key_id, plaintext, blob, ..] = args else { return KmsReply::default() };
    dek.extend_from_slice(plaintext.bytes);
    KmsReply {
        endpoint: endpoint.text,
        error: error.given.then_some(error.text),
        key_id: key_id.given.then_some(key_id.text),
        plaintext: plaintext.given.then_some(dek),
        ciphertext_blob: blob.given.then_some(blob.bytes),
    }
}
