//! Where a value lives. A binding becomes the AAD of its envelope.

use alloc::vec::Vec;

use crate::Error;
use crate::envelope::AAD_HEADER;
use crate::text::{check, push_lp};

/// The place of one value: org, table, record, field and, if the host counts them, the revision.
///
/// `table` and `field` are the product's logical names, so that renaming a column breaks nothing.
/// `org` is always the owner, also when another org reads. There is no call without a binding,
/// and none that takes it from the row or the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// Org, table, record, field.
    parts: [&'a str; 4],
    revision: Option<u64>,
}

impl<'a> Binding<'a> {
    /// A binding without a revision. Strings are compared byte for byte and never normalised.
    ///
    /// # Errors
    /// [`Error::BadInput`] if a part is empty, [`Error::Limit`] if it has more than 1,024 bytes.
    pub fn new(org: &'a str, table: &'a str, record: &'a str, field: &'a str) -> Result<Self, Error> {
        let parts = [org, table, record, field];
        parts.into_iter().try_for_each(check)?;
        Ok(Self { parts, revision: None })
    }

    /// The same place at one revision. An envelope sealed with a revision opens only with it;
    /// this is what finds an old value put back in the place of a newer one.
    #[must_use]
    pub const fn with_revision(mut self, revision: u64) -> Self {
        self.revision = Some(revision);
        self
    }

    /// The owner.
    #[must_use]
    pub const fn org(&self) -> &'a str {
        self.parts[0]
    }

    /// The logical table.
    #[must_use]
    pub const fn table(&self) -> &'a str {
        self.parts[1]
    }

    /// The record.
    #[must_use]
    pub const fn record(&self) -> &'a str {
        self.parts[2]
    }

    /// The logical field.
    #[must_use]
    pub const fn field(&self) -> &'a str {
        self.parts[3]
    }

    /// The revision, if the host counts them.
    #[must_use]
    pub const fn revision(&self) -> Option<u64> {
        self.revision
    }

    /// The AAD (DESIGN 3.4): the envelope's first 40 bytes, then every part behind its own length.
    pub(crate) fn aad(&self, header: &[u8; AAD_HEADER]) -> Vec<u8> {
        let mut aad = Vec::with_capacity(USUAL_AAD);
        aad.extend_from_slice(header);
        for part in self.parts {
            push_lp(&mut aad, part);
        }
        match self.revision {
            None => aad.push(0),
            Some(revision) => {
                aad.push(1);
                aad.extend_from_slice(&revision.to_be_bytes());
            }
        }
        aad
    }
}

/// Bytes that the AAD of most bindings fits into, so that one allocation is enough.
const USUAL_AAD: usize = 256;
