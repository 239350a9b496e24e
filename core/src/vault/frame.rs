//! Batches in one buffer each way, for hosts whose every crossing costs (in-process only: no byte
//! of this is stored or sent).
//!
//! A request is, for each item: four strings (org, table, record, field), each a u32 length and
//! its UTF-8; a byte 0 or 1 that says whether there is a revision, and the revision as u64; a byte
//! for the scope (0 org, 1 record) and one for the padding (0, 1), both 0 when opening; the value
//! behind its u32 length. A reply is, for each item in order: the error number as u32, 0 for
//! success; the result behind its u32 length, empty after an error. Integers are big-endian.

use alloc::vec::Vec;

use super::Vault;
use super::batch::{Item, Plan, Work};
use super::seal::{Scope, SealOptions};
use crate::text::text;
use crate::{Binding, Error};

impl Vault {
    /// [`Self::seal_many`] on frames; says how many bytes of `out` the reply takes. The request's
    /// length and 136 bytes an item are always room enough.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a malformed frame or an `out` that is too short; [`Error::Limit`] for
    /// more than 10,000 items; an item's own stand in the reply.
    pub fn seal_frame(&self, frame: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.frame(frame, out, true)
    }

    /// [`Self::open_many`] on frames; says how many bytes of `out` the reply takes. The request's
    /// length is always room enough.
    ///
    /// # Errors
    /// As [`Self::seal_frame`].
    pub fn open_frame(&self, frame: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.frame(frame, out, false)
    }

    fn frame(&self, frame: &[u8], out: &mut [u8], seal: bool) -> Result<usize, Error> {
        let items = read_items(frame, seal)?;
        let plans = self.plan(&items)?;
        let mut reply = Reply { rest: out, written: 0 };
        for (item, plan) in items.iter().zip(plans) {
            reply.push(item, plan)?;
        }
        Ok(reply.written)
    }
}

/// # Errors
/// [`Error::BadInput`] if the frame itself is at fault; a string at fault is its item's own error.
fn read_items(frame: &[u8], seal: bool) -> Result<Vec<Item<'_>>, Error> {
    let mut reader = Reader { rest: frame };
    let mut items = Vec::new();
    while !reader.rest.is_empty() {
        let parts = [reader.bytes()?, reader.bytes()?, reader.bytes()?, reader.bytes()?];
        let has_revision = reader.flag()?;
        let revision = u64::from_be_bytes(reader.array()?);
        let scope = if reader.flag()? { Scope::Record } else { Scope::Org };
        let padded = reader.flag()?;
        let work = if seal { Work::Seal(SealOptions { scope, padded }) } else { Work::Open };
        let binding = binding(parts, has_revision.then_some(revision));
        items.push(Item { binding, value: reader.bytes()?, work });
    }
    Ok(items)
}

fn binding(parts: [&[u8]; 4], revision: Option<u64>) -> Result<Binding<'_>, Error> {
    let [org, table, record, field] = parts;
    let binding = Binding::new(text(org)?, text(table)?, text(record)?, text(field)?)?;
    Ok(revision.map_or(binding, |revision| binding.with_revision(revision)))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(Error::BadInput)?;
        self.rest = rest;
        Ok(*array)
    }

    fn flag(&mut self) -> Result<bool, Error> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Error::BadInput),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let len = usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| Error::BadInput)?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Error::BadInput)?;
        self.rest = rest;
        Ok(bytes)
    }
}

struct Reply<'a> {
    rest: &'a mut [u8],
    written: usize,
}

/// Error number and length.
const HEAD: usize = 8;

impl Reply<'_> {
    fn push(&mut self, item: &Item<'_>, plan: Result<Plan, Error>) -> Result<(), Error> {
        let done = match plan {
            Ok(plan) => {
                let end = item.room().checked_add(HEAD).ok_or(Error::BadInput)?;
                item.run(&plan, self.rest.get_mut(HEAD..end).ok_or(Error::BadInput)?)
            }
            Err(error) => Err(error),
        };
        match done {
            Ok(len) => self.head(0, len),
            Err(error) => self.head(error.number(), 0),
        }
    }

    fn head(&mut self, number: u32, len: usize) -> Result<(), Error> {
        let rest = core::mem::take(&mut self.rest);
        let (head, rest) = rest.split_at_mut_checked(HEAD).ok_or(Error::BadInput)?;
        let short = u32::try_from(len).map_err(|_| Error::Limit)?;
        for (to, from) in head.iter_mut().zip(number.to_be_bytes().into_iter().chain(short.to_be_bytes())) {
            *to = from;
        }
        self.rest = rest.get_mut(len..).ok_or(Error::BadInput)?;
        self.written = self.written.saturating_add(HEAD).saturating_add(len);
        Ok(())
    }
}
