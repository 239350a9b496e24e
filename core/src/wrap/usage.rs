//! The `usage` row: how many seals processes have reserved under a DEK, and since when it rests.

use alloc::string::String;

use super::row::{MAX_CREATED, token, whole};
use crate::json::{Members, Writer, read_object};
use crate::{DekRef, Error};

/// Counts, over all processes, the seals that were reserved under a DEK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    dek_ref: DekRef,
    reserved: u64,
    inactive_since: Option<u64>,
}

impl UsageRow {
    /// The row of a DEK under which nothing has been reserved.
    #[must_use]
    pub const fn new(dek_ref: DekRef) -> Self {
        Self { dek_ref, reserved: 0, inactive_since: None }
    }

    /// A row of these members.
    ///
    /// # Errors
    /// [`Error::RowInconsistent`] for a count above 2^53-1, or a second that is not 1 to 2^53-1.
    pub fn from_parts(dek_ref: DekRef, reserved: u64, inactive_since: Option<u64>) -> Result<Self, Error> {
        if reserved > MAX_CREATED || inactive_since.is_some_and(|at| at == 0 || at > MAX_CREATED) {
            return Err(Error::RowInconsistent);
        }
        Ok(Self { dek_ref, reserved, inactive_since })
    }

    /// Reads a stored row: `{dekRef, reserved, inactiveSince?}`, exactly.
    ///
    /// # Errors
    /// [`Error::RowInconsistent`] if members are missing, unknown or misspelt.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let mut members = read_object(json).ok_or(Error::RowInconsistent)?;
        let dek_ref = dek_ref(&mut members)?;
        let (mut reserved, mut inactive_since) = (0, None);
        whole(&mut members, "reserved", &mut reserved)?;
        if !members.is_empty() {
            whole(&mut members, "inactiveSince", inactive_since.insert(0))?;
        }
        if members.is_empty() {
            Self::from_parts(dek_ref, reserved, inactive_since)
        } else {
            Err(Error::RowInconsistent)
        }
    }

    /// Reads `{dekRef}`, exactly: what a deleted row is named by.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn key_from_json(json: &[u8]) -> Result<DekRef, Error> {
        let mut members = read_object(json).ok_or(Error::RowInconsistent)?;
        let dek_ref = dek_ref(&mut members)?;
        if members.is_empty() { Ok(dek_ref) } else { Err(Error::RowInconsistent) }
    }

    /// The row as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = Writer::object();
        object.dek_ref(&self.dek_ref);
        object.number("reserved", self.reserved);
        if let Some(at) = self.inactive_since {
            object.number("inactiveSince", at);
        }
        object.end()
    }

    /// Adds seals.
    ///
    /// # Errors
    /// [`Error::BadInput`] for no seals or a limit above 2^53-1; [`Error::PreconditionFailed`] if the
    /// sum would pass the limit, and then nothing changes.
    pub fn reserve(&mut self, count: u64, limit: u64) -> Result<u64, Error> {
        if count == 0 || limit > MAX_CREATED {
            return Err(Error::BadInput);
        }
        let sum = self.reserved.checked_add(count).filter(|sum| *sum <= limit).ok_or(Error::PreconditionFailed)?;
        self.reserved = sum;
        Ok(sum)
    }

    /// Notes since when the DEK is not the active one, unless that is noted.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a second that is not 1 to 2^53-1.
    pub fn mark_inactive(&mut self, at: u64) -> Result<(), Error> {
        if at == 0 || at > MAX_CREATED {
            return Err(Error::BadInput);
        }
        self.inactive_since.get_or_insert(at);
        Ok(())
    }

    /// The DEK.
    #[must_use]
    pub const fn dek_ref(&self) -> &DekRef {
        &self.dek_ref
    }

    /// Seals that processes have taken, used or not.
    #[must_use]
    pub const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// The unix second in which another DEK became the active one.
    #[must_use]
    pub const fn inactive_since(&self) -> Option<u64> {
        self.inactive_since
    }
}

fn dek_ref(members: &mut Members<'_>) -> Result<DekRef, Error> {
    let mut text = String::new();
    token(members, "dekRef", &mut text)?;
    DekRef::from_text(&text).ok_or(Error::RowInconsistent)
}
