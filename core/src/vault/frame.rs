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
pub(super) fn read_items(frame: &[u8], seal: bool) -> Result<Vec<Item<'_>>, Error> {
    let mut reader = Reader { rest: frame, sound: true };
    let mut items = Vec::new();
    while reader.sound && !reader.rest.is_empty() {
        let parts = [reader.bytes(), reader.bytes(), reader.bytes(), reader.bytes()];
        let has_revision = reader.flag();
        let revision = reader.number(8);
        let scope = if reader.flag() { Scope::Record } else { Scope::Org };
        let padded = reader.flag();
        let work = if seal { Work::Seal(SealOptions { scope, padded }) } else { Work::Open };
        let binding = binding(parts, has_revision.then_some(revision));
        items.push(Item { binding, value: reader.bytes(), work });
    }
    if reader.sound { Ok(items) } else { Err(Error::BadInput) }
}

fn binding(parts: [&[u8]; 4], revision: Option<u64>) -> Result<Binding<'_>, Error> {
    let mut texts = [""; 4];
    for (to, from) in texts.iter_mut().zip(parts) {
        *to = text(from)?;
    }
    let [org, table, record, field] = texts;
    let binding = Binding::new(org, table, record, field)?;
    Ok(revision.map_or(binding, |revision| binding.with_revision(revision)))
}

/// Reads on after a fault, and notes it: one look at the end of an item is enough.
struct Reader<'a> {
    rest: &'a [u8],
    sound: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
            self.sound = false;
            return &[];
        };
        self.rest = rest;
        bytes
    }

    fn number(&mut self, len: usize) -> u64 {
        self.take(len).iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }

    fn flag(&mut self) -> bool {
        let number = self.number(1);
        self.sound &= number <= 1;
        number == 1
    }

    fn bytes(&mut self) -> &'a [u8] {
        // No slice is as long as what doesn't fit into a usize.
        let len = usize::try_from(self.number(4)).unwrap_or(usize::MAX);
        self.take(len)
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
        let (first, rest) = rest.split_first_chunk_mut().ok_or(Error::BadInput)?;
        let (second, rest) = rest.split_first_chunk_mut().ok_or(Error::BadInput)?;
        *first = number.to_be_bytes();
        *second = u32::try_from(len).map_err(|_| Error::Limit)?.to_be_bytes();
        self.rest = rest.get_mut(len..).ok_or(Error::BadInput)?;
        self.written = self.written.saturating_add(HEAD).saturating_add(len);
        Ok(())
    }
}
