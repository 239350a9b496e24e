//! The `active` row: which DEK version an org seals under now.

use alloc::string::String;

use super::row::{MAX_CREATED, string, token, whole};
use crate::dek::check_version;
use crate::json::{Writer, read_object};
use crate::{DekRef, Error};

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
        let mut members = read_object(json).ok_or(Error::RowInconsistent)?;
        let org = string(&mut members, "org")?;
        let dek_ref = token(&mut members, "dekRef")?;
        let version = whole(&mut members, "version")?;
        let tombstoned = match token(&mut members, "state")?.as_str() {
            "active" => false,
            "tombstoned" => true,
            _ => return Err(Error::RowInconsistent),
        };
        let rev = whole(&mut members, "rev")?;
        if !members.is_empty() || rev == 0 || rev > MAX_CREATED {
            return Err(Error::RowInconsistent);
        }
        Ok(Self {
            org,
            dek_ref: DekRef::from_text(&dek_ref).ok_or(Error::RowInconsistent)?,
            version: u32::try_from(version)
                .ok()
                .and_then(|version| check_version(version).ok())
                .ok_or(Error::RowInconsistent)?,
            tombstoned,
            rev,
        })
    }

    /// The row as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = Writer::object();
        object.text("org", &self.org);
        object.text("dekRef", &self.dek_ref.to_text());
        object.number("version", self.version.into());
        object.text("state", if self.tombstoned { "tombstoned" } else { "active" });
        object.number("rev", self.rev);
        object.end()
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
