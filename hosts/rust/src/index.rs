//! Rows in memory, found in the ways of a store.

use std::collections::{BTreeMap, HashMap};

use strongroom::{ActiveRow, DekRef, Error, RowKey, UsageRow, WrapRow};

use crate::RecordPlace;

#[derive(Default)]
pub(crate) struct RowIndex {
    rows: BTreeMap<RowKey, (u64, WrapRow)>,
    active: HashMap<String, ActiveRow>,
    usage: HashMap<[u8; 32], UsageRow>,
    stored: u64,
}

impl RowIndex {
    /// The rows of one DEK and reader stand together, because keys begin with both.
    pub(crate) fn of_dek(&self, dek_ref: &DekRef, reader: &str) -> Vec<WrapRow> {
        let from = RowKey { dek_ref: *dek_ref, reader: reader.to_owned(), key_id: String::new() };
        let together = self.rows.range(from..).take_while(|(key, _)| key.dek_ref == *dek_ref && key.reader == reader);
        in_order(together.map(|(_, stored)| stored))
    }

    pub(crate) fn of_owner(&self, owner: &str, at: Option<&RecordPlace>) -> Vec<WrapRow> {
        let place = at.map(|at| (at.table.as_str(), at.record.as_str()));
        in_order(
            self.rows.values().filter(|(_, row)| row.owner() == owner && (place.is_none() || row.place() == place)),
        )
    }

    pub(crate) fn of_reader(&self, reader: &str) -> Vec<WrapRow> {
        in_order(self.rows.values().filter(|(_, row)| row.reader() == reader))
    }

    pub(crate) fn active_of(&self, org: &str) -> Option<ActiveRow> {
        self.active.get(org).cloned()
    }

    /// Whether the row's place is free; `false` if the same row has it.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] if another row has it.
    pub(crate) fn is_vacant(&self, row: &WrapRow) -> Result<bool, Error> {
        match self.rows.get(&row.key()) {
            None => Ok(true),
            Some((_, stored)) if stored == row => Ok(false),
            Some(_) => Err(Error::PreconditionFailed),
        }
    }

    pub(crate) fn add(&mut self, row: WrapRow) {
        self.stored = self.stored.saturating_add(1);
        self.rows.insert(row.key(), (self.stored, row));
    }

    pub(crate) fn holds(&self, key: &RowKey) -> bool {
        self.rows.contains_key(key)
    }

    pub(crate) fn remove(&mut self, key: &RowKey) {
        self.rows.remove(key);
    }

    /// # Errors
    /// [`Error::PreconditionFailed`] if the row doesn't follow the stored one.
    pub(crate) fn check_next(&self, row: &ActiveRow) -> Result<(), Error> {
        let stored = self.active.get(row.org()).map_or(0, ActiveRow::rev);
        if stored.checked_add(1) == Some(row.rev()) { Ok(()) } else { Err(Error::PreconditionFailed) }
    }

    pub(crate) fn usage_of(&self, dek_ref: &DekRef) -> Option<&UsageRow> {
        self.usage.get(dek_ref.as_bytes())
    }

    /// A DEK's `usage` row, or what it begins as.
    pub(crate) fn usage_or_new(&self, dek_ref: &DekRef) -> UsageRow {
        self.usage_of(dek_ref).cloned().unwrap_or_else(|| UsageRow::new(*dek_ref))
    }

    pub(crate) fn set_usage(&mut self, row: UsageRow) {
        self.usage.insert(*row.dek_ref().as_bytes(), row);
    }

    pub(crate) fn remove_usage(&mut self, dek_ref: &DekRef) {
        self.usage.remove(dek_ref.as_bytes());
    }

    pub(crate) fn activate(&mut self, row: ActiveRow) {
        self.active.insert(row.org().to_owned(), row);
    }
}

fn in_order<'a>(rows: impl Iterator<Item = &'a (u64, WrapRow)>) -> Vec<WrapRow> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(stored, _)| *stored);
    rows.into_iter().map(|(_, row)| row.clone()).collect()
}
