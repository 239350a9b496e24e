//! The `active` row: which DEK version an org seals under now.

use alloc::string::String;

use super::row::{MAX_CREATED, string, token, whole};
use crate::json::{Members, Writer, read_object};
use crate::{DekRef, Error};

const ACTIVE: &str = "active";
const TOMBSTONED: &str = "tombstoned";

/// Mutable, one per org, written by compare-and-set on `rev`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveRow {
    pub(crate) org: String,
    pub(crate) dek_ref: DekRef,
    pub(crate) version: u32,
    pub(crate) tombstoned: bool,
    pub(crate) rev: u64,
}

impl ActiveRow {
    /// Reads a stored row: `{org, dekRef, version, state, rev}`, exactly.
    ///
    /// # Errors
    /// [`Error::RowInconsistent`] if members are missing, unknown or misspelt; [`Error::BadInput`] or
    /// [`Error::Limit`] for the string `org`.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let mut row =
            Self { org: String::new(), dek_ref: DekRef::from([0; DekRef::LEN]), version: 0, tombstoned: false, rev: 0 };
        row.read(&mut read_object(json).ok_or(Error::RowInconsistent)?)?;
        Ok(row)
    }

    fn read(&mut self, members: &mut Members<'_>) -> Result<(), Error> {
        let (mut dek_ref, mut state, mut version) = (String::new(), String::new(), 0);
        string(members, "org", &mut self.org)?;
        token(members, "dekRef", &mut dek_ref)?;
        whole(members, "version", &mut version)?;
        token(members, "state", &mut state)?;
        whole(members, "rev", &mut self.rev)?;
        self.dek_ref.read(&dek_ref).ok_or(Error::RowInconsistent)?;
        self.version = u32::try_from(version).unwrap_or(0);
        self.tombstoned = state == TOMBSTONED;
        let fits = members.is_empty()
            && (self.tombstoned || state == ACTIVE)
            && (1..=MAX_CREATED).contains(&self.rev)
            && self.version != 0;
        if fits { Ok(()) } else { Err(Error::RowInconsistent) }
    }

    /// The row as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = Writer::object();
        self.write(&mut object);
        object.end()
    }

    /// The row's members.
    pub(crate) fn write(&self, object: &mut Writer) {
        object.text("org", &self.org);
        object.dek_ref(&self.dek_ref);
        object.number("version", self.version.into());
        object.text("state", if self.tombstoned { TOMBSTONED } else { ACTIVE });
        object.number("rev", self.rev);
    }

    /// The org.
    #[must_use]
    pub fn org(&self) -> &str {
        &self.org
    }

    /// The DEK to seal under.
    #[must_use]
    pub const fn dek_ref(&self) -> &DekRef {
        &self.dek_ref
    }

    /// Its version.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Whether the org was shredded.
    #[must_use]
    pub const fn is_tombstoned(&self) -> bool {
        self.tombstoned
    }

    /// The revision of the row: 1 where none was, one more with every write.
    #[must_use]
    pub const fn rev(&self) -> u64 {
        self.rev
    }
}
