//! An operation's arguments as `ts/pack.ts` packs them, in the order of the raw interface:
//! a number as 8 bytes; text, bytes and a `bigint` as a length of 4 bytes and so many
//! bytes; what is absent as the length 2^32-1. All little-endian, as the machine underneath.
//!
//! Nothing here fails. What the packing never makes (too few bytes, ill-formed text) reads as
//! what the core refuses wherever it matters: an empty text, no bytes, zero.

use strongroom::{Binding, Error, KmsReply};

/// Stands where a length would, for an argument that is absent.
const ABSENT: u32 = u32::MAX;

/// Reads arguments front to back. Borrows them mutably, because a reply's DEK is wiped where it lies.
pub(crate) struct Args<'a>(&'a mut [u8]);

impl<'a> Args<'a> {
    pub(crate) const fn new(packed: &'a mut [u8]) -> Self {
        Self(packed)
    }

    /// A number.
    pub(crate) fn number(&mut self) -> u64 {
        u64_of(self.take(8))
    }

    /// A number of the type u32. A greater one reads as 0: versions and days have no 0.
    pub(crate) fn small(&mut self) -> u32 {
        u32::try_from(self.number()).unwrap_or(0)
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.number() == 1
    }

    /// Bytes that may be absent.
    pub(crate) fn optional(&mut self) -> Option<&'a mut [u8]> {
        let len = (&*self.take(4)).try_into().map_or(ABSENT, |len: &[u8; 4]| u32::from_le_bytes(*len));
        (len != ABSENT).then(|| self.take(len as usize))
    }

    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        self.optional().unwrap_or_default()
    }

    pub(crate) fn text(&mut self) -> &'a str {
        text_of(self.bytes())
    }

    /// A `bigint` that may be absent.
    pub(crate) fn big(&mut self) -> Option<u64> {
        self.optional().map(u64_of)
    }

    /// The five arguments that stand for a binding.
    pub(crate) fn binding(&mut self) -> Result<Binding<'a>, Error> {
        let binding = Binding::new(self.text(), self.text(), self.text(), self.text())?;
        Ok(match self.big() {
            Some(revision) => binding.with_revision(revision),
            None => binding,
        })
    }

    /// The five arguments that stand for a KMS's reply.
    pub(crate) fn reply(&mut self) -> KmsReply<'a> {
        KmsReply {
            endpoint: self.text(),
            error: self.optional().map(|text| text_of(text)),
            key_id: self.optional().map(|text| text_of(text)),
            plaintext: self.optional(),
            ciphertext_blob: self.optional().map(|bytes| &*bytes),
        }
    }

    fn take(&mut self, len: usize) -> &'a mut [u8] {
        let (bytes, rest) = core::mem::take(&mut self.0).split_at_mut_checked(len).unwrap_or_default();
        self.0 = rest;
        bytes
    }
}

fn text_of(bytes: &[u8]) -> &str {
    strongroom::text(bytes).unwrap_or_default()
}

fn u64_of(bytes: &mut [u8]) -> u64 {
    (&*bytes).try_into().map_or(0, |bytes: &[u8; 8]| u64::from_le_bytes(*bytes))
}
