//! DEK identity and `dek_ref` (DESIGN 3.2).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::base64::Base64;
use crate::text::{check, push_lp};
use crate::{Binding, Error};

/// What a DEK is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DekKind {
    /// One active version per org, wrapped by the org's CMK.
    Org,
    /// One record's own, so that the record can be shared.
    Record,
}

impl DekKind {
    /// `org` or `record`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Org => "org",
            Self::Record => "record",
        }
    }
}

/// The identity that a `dek_ref` commits to. Shared, because a DEK, its rows and its requests all
/// carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(Arc<Parts>);

#[derive(Debug, PartialEq, Eq)]
struct Parts {
    kind: DekKind,
    version: u32,
    org: String,
    table: String,
    record: String,
}

impl Identity {
    /// The identity of an org DEK.
    ///
    /// # Errors
    /// [`Error::BadInput`] if `org` is empty or `version` 0, [`Error::Limit`] if `org` is too long.
    pub fn org(org: &str, version: u32) -> Result<Self, Error> {
        check(org)?;
        Self::new(DekKind::Org, version, org, "", "")
    }

    /// The identity of a record DEK.
    ///
    /// # Errors
    /// [`Error::BadInput`] if a string is empty or `version` 0, [`Error::Limit`] if one is too long.
    pub fn record(org: &str, table: &str, record: &str, version: u32) -> Result<Self, Error> {
        for part in [org, table, record] {
            check(part)?;
        }
        Self::new(DekKind::Record, version, org, table, record)
    }

    fn new(kind: DekKind, version: u32, org: &str, table: &str, record: &str) -> Result<Self, Error> {
        if version == 0 {
            return Err(Error::BadInput);
        }
        let parts = Parts { kind, version, org: org.into(), table: table.into(), record: record.into() };
        Ok(Self(Arc::new(parts)))
    }

    pub(crate) fn kind(&self) -> DekKind {
        self.0.kind
    }

    pub(crate) fn version(&self) -> u32 {
        self.0.version
    }

    pub(crate) fn owner(&self) -> &str {
        &self.0.org
    }

    pub(crate) fn table(&self) -> &str {
        &self.0.table
    }

    pub(crate) fn record_id(&self) -> &str {
        &self.0.record
    }

    /// Whether values at this binding may stand under the DEK.
    pub(crate) fn serves(&self, binding: &Binding<'_>) -> bool {
        let record =
            self.kind() == DekKind::Org || (self.table() == binding.table() && self.record_id() == binding.record());
        self.owner() == binding.org() && record
    }

    pub(crate) fn push(&self, out: &mut Vec<u8>) {
        out.push(match self.kind() {
            DekKind::Org => 1,
            DekKind::Record => 2,
        });
        out.extend_from_slice(&self.version().to_be_bytes());
        for part in [self.owner(), self.table(), self.record_id()] {
            push_lp(out, part);
        }
    }
}

/// Names a DEK and commits to it: 32 bytes, public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DekRef([u8; Self::LEN]);

impl DekRef {
    /// Its length in bytes.
    pub const LEN: usize = 32;

    /// Takes a reference as a host hands it over.
    ///
    /// # Errors
    /// [`Error::BadInput`] if `bytes` is not [`Self::LEN`] long.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        bytes.try_into().map(Self).map_err(|_| Error::BadInput)
    }

    /// Reads base64url without padding, in its one spelling.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut dek_ref = Self([0; Self::LEN]);
        dek_ref.read(text)?;
        Some(dek_ref)
    }

    /// [`Self::from_text`] in place.
    pub(crate) fn read(&mut self, text: &str) -> Option<()> {
        self.0 = Base64::Url.decode(text)?.try_into().ok()?;
        Some(())
    }

    /// Base64url without padding, as rows spell it.
    #[must_use]
    pub fn to_text(&self) -> String {
        Base64::Url.encode(&self.0)
    }

    /// The bytes, as envelopes carry them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl From<[u8; Self::LEN]> for DekRef {
    fn from(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }
}
