//! A store in memory, for tests and for processes that keep their rows elsewhere.

use std::sync::{Mutex, MutexGuard};

use strongroom::{ActiveRow, DekRef, Error, RowKey, UsageRow, WrapRow};

use crate::index::RowIndex;
use crate::{RecordPlace, WrapStore};

/// Rows that are gone with the process.
#[derive(Default)]
pub struct MemoryStore {
    index: Mutex<RowIndex>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn index(&self) -> Result<MutexGuard<'_, RowIndex>, Error> {
        self.index.lock().map_err(|_| Error::StoreUnavailable)
    }
}

impl WrapStore for MemoryStore {
    async fn rows(&self, dek_ref: &DekRef, reader: &str) -> Result<Vec<WrapRow>, Error> {
        Ok(self.index()?.of_dek(dek_ref, reader))
    }

    async fn rows_by_owner(&self, owner: &str, at: Option<&RecordPlace>) -> Result<Vec<WrapRow>, Error> {
        Ok(self.index()?.of_owner(owner, at))
    }

    async fn rows_by_reader(&self, reader: &str) -> Result<Vec<WrapRow>, Error> {
        Ok(self.index()?.of_reader(reader))
    }

    async fn put_if_absent(&self, row: &WrapRow) -> Result<(), Error> {
        let mut index = self.index()?;
        if index.is_vacant(row)? {
            index.add(row.clone());
        }
        Ok(())
    }

    async fn active(&self, org: &str) -> Result<Option<ActiveRow>, Error> {
        Ok(self.index()?.active_of(org))
    }

    async fn compare_and_set_active(&self, row: &ActiveRow) -> Result<(), Error> {
        let mut index = self.index()?;
        index.check_next(row)?;
        index.activate(row.clone());
        Ok(())
    }

    async fn delete(&self, key: &RowKey) -> Result<(), Error> {
        self.index()?.remove(key);
        Ok(())
    }

    async fn usage(&self, dek_ref: &DekRef) -> Result<Option<UsageRow>, Error> {
        Ok(self.index()?.usage_of(dek_ref).cloned())
    }

    async fn reserve(&self, dek_ref: &DekRef, count: u64, limit: u64) -> Result<u64, Error> {
        let mut index = self.index()?;
        let mut row = index.usage_or_new(dek_ref);
        let sum = row.reserve(count, limit)?;
        index.set_usage(row);
        Ok(sum)
    }

    async fn mark_inactive(&self, dek_ref: &DekRef, at: u64) -> Result<UsageRow, Error> {
        let mut index = self.index()?;
        let mut row = index.usage_or_new(dek_ref);
        row.mark_inactive(at)?;
        index.set_usage(row.clone());
        Ok(row)
    }

    async fn delete_usage(&self, dek_ref: &DekRef) -> Result<(), Error> {
        self.index()?.remove_usage(dek_ref);
        Ok(())
    }
}
