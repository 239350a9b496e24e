//! An operation's arguments as `ts/raw.ts` packs them, in the order of the raw interface:
//! a number as 8 bytes; text, bytes and a `bigint` as a length of 4 bytes and so many
//! bytes; what is absent as the length 2^32-1. All little-endian, as the machine underneath.

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
    pub(crate) fn number(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A number of the type u32.
    pub(crate) fn small(&mut self) -> Result<u32, Error> {
        u32::try_from(self.number()?).map_err(|_| Error::BadInput)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Error> {
        Ok(self.number()? == 1)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Error> {
        self.optional()?.map(|bytes| &*bytes).ok_or(Error::BadInput)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Error> {
        strongroom::text(self.bytes()?)
    }

    /// The five arguments that stand for a binding.
    pub(crate) fn binding(&mut self) -> Result<Binding<'a>, Error> {
        let binding = Binding::new(self.text()?, self.text()?, self.text()?, self.text()?)?;
        Ok(match self.big()? {
            Some(revision) => binding.with_revision(revision),
            None => binding,
        })
    }

    /// A `bigint`, if it is there.
    pub(crate) fn big(&mut self) -> Result<Option<u64>, Error> {
        let Some(bytes) = self.optional()? else {
            return Ok(None);
        };
        let bytes: &[u8] = bytes;
        bytes.try_into().map(|bytes| Some(u64::from_le_bytes(bytes))).map_err(|_| Error::BadInput)
    }

    /// The five arguments that stand for a KMS's reply.
    pub(crate) fn reply(&mut self) -> Result<KmsReply<'a>, Error> {
        Ok(KmsReply {
            endpoint: self.text()?,
            error: self.optional_text()?,
            key_id: self.optional_text()?,
            plaintext: self.optional()?,
            ciphertext_blob: self.optional()?.map(|bytes| &*bytes),
        })
    }

    fn optional_text(&mut self) -> Result<Option<&'a str>, Error> {
        self.optional()?.map(|bytes| strongroom::text(bytes)).transpose()
    }

    /// Bytes, if they are there.
    pub(crate) fn optional(&mut self) -> Result<Option<&'a mut [u8]>, Error> {
        let len = u32::from_le_bytes(self.array()?);
        if len == ABSENT {
            return Ok(None);
        }
        self.take(len as usize).map(Some)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        (&*self.take(N)?).try_into().map_err(|_| Error::BadInput)
    }

    fn take(&mut self, len: usize) -> Result<&'a mut [u8], Error> {
        let (bytes, rest) = core::mem::take(&mut self.0).split_at_mut_checked(len).ok_or(Error::BadInput)?;
        self.0 = rest;
        Ok(bytes)
    }
}
