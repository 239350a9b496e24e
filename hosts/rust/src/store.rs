//! The interface of stores.

use std::future::Future;

use strongroom::{ActiveRow, DekRef, Error, RowKey, UsageRow, WrapRow};

/// One record of an owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordPlace {
    /// The logical table.
    pub table: String,
    /// The record.
    pub record: String,
}

/// Keeps wrap rows, `active` rows and `usage` rows.
///
/// Every store must pass `contract::run` (feature `contract`). Lists stand in the order in
/// which the rows were stored. Where a store can't be read or written, its calls answer
/// [`Error::StoreUnavailable`].
pub trait WrapStore: Send + Sync {
    /// The rows that wrap one DEK for one reader.
    fn rows(&self, dek_ref: &DekRef, reader: &str) -> impl Future<Output = Result<Vec<WrapRow>, Error>> + Send;

    /// The rows of an owner for all readers; with `at`, only those of that record's DEKs.
    fn rows_by_owner(
        &self,
        owner: &str,
        at: Option<&RecordPlace>,
    ) -> impl Future<Output = Result<Vec<WrapRow>, Error>> + Send;

    /// The rows for a reader: its own and those shared with it.
    fn rows_by_reader(&self, reader: &str) -> impl Future<Output = Result<Vec<WrapRow>, Error>> + Send;

    /// Stores a row under its key. Succeeds if the same row is there already;
    /// [`Error::PreconditionFailed`] if another one is.
    fn put_if_absent(&self, row: &WrapRow) -> impl Future<Output = Result<(), Error>> + Send;

    /// An org's `active` row, if there is one.
    fn active(&self, org: &str) -> impl Future<Output = Result<Option<ActiveRow>, Error>> + Send;

    /// Stores an `active` row whose `rev` is one more than the stored one's, or 1 where none is;
    /// otherwise [`Error::PreconditionFailed`], and nothing changes.
    fn compare_and_set_active(&self, row: &ActiveRow) -> impl Future<Output = Result<(), Error>> + Send;

    /// Deletes the row under a key. Succeeds if there is none.
    fn delete(&self, key: &RowKey) -> impl Future<Output = Result<(), Error>> + Send;

    /// A DEK's `usage` row, if there is one.
    fn usage(&self, dek_ref: &DekRef) -> impl Future<Output = Result<Option<UsageRow>, Error>> + Send;

    /// Adds seals to those reserved under a DEK, making the row where none is, and gives the sum. Of
    /// calls at once, in whatever process, none may be lost.
    ///
    /// Answers [`Error::PreconditionFailed`], and changes nothing, if that would pass the limit;
    /// [`Error::BadInput`] for no seals or a limit above 2^53-1.
    fn reserve(&self, dek_ref: &DekRef, count: u64, limit: u64) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Notes since when (unix seconds, from 1) a DEK isn't the active one, unless that is noted, and
    /// gives the row that stands there afterwards.
    fn mark_inactive(&self, dek_ref: &DekRef, at: u64) -> impl Future<Output = Result<UsageRow, Error>> + Send;

    /// Removes a DEK's `usage` row. Succeeds if there is none.
    fn delete_usage(&self, dek_ref: &DekRef) -> impl Future<Output = Result<(), Error>> + Send;
}
