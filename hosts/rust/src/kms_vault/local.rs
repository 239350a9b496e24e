//! Rows of record DEKs under the org's own active DEK.

use std::collections::HashSet;

use strongroom::{DekRef, Error, Provider, WrapRow};

use super::{KmsVault, Run};
use crate::{Kms, WrapStore};

impl<K: Kms, S: WrapStore> KmsVault<K, S> {
    /// Makes a row of a record's newest DEK, of those that this org can read, under the org's own
    /// active DEK and stores it: after a rotation, or for a reader of a share, which can then open
    /// the record without asking the KMS for it. A row that is already there is answered.
    ///
    /// # Errors
    /// [`Error::NoActiveDek`] where the org has no active DEK, or no row of a DEK of that record.
    pub async fn wrap_local(&self, owner: &str, table: &str, record: &str) -> Result<WrapRow, Error> {
        let run = self.begin();
        let place = self.judged(owner, table, record)?;
        self.freshen(&run, owner).await;
        let mut rows = self.record_rows(owner, &place).await?;
        rows.retain(|row| row.reader() == self.org());
        let highest = rows.iter().map(WrapRow::version).max();
        let mut failure = Error::NoActiveDek;
        for row in rows.iter().filter(|row| Some(row.version()) == highest) {
            match self.hold(&run, *row.dek_ref()).await {
                Ok(()) => return self.wrap_dek_local(&run, row.dek_ref()).await,
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Makes the rows that are still lacking after a rotation: each DEK with a local row of this org
    /// under an older DEK of the org, and none under the active one, gets one. Answers how many it
    /// made.
    ///
    /// # Errors
    /// That of the first DEK that can't be had, after all others got their rows.
    pub async fn rewrap_local(&self) -> Result<u64, Error> {
        let run = self.begin();
        let active = self.ready(&run, true).await?.to_text();
        let mut rows = self.store().rows_by_reader(self.org()).await?;
        rows.retain(|row| row.reader() == self.org() && row.provider() == Provider::Local);
        let is_current = |row: &&WrapRow| row.key_id() == active;
        let mut done: HashSet<DekRef> = rows.iter().filter(is_current).map(|row| *row.dek_ref()).collect();
        let mut made = 0_u64;
        let mut outcome = Ok(());
        for row in &rows {
            if !done.insert(*row.dek_ref()) {
                continue;
            }
            let wrapped = match self.hold(&run, *row.dek_ref()).await {
                Ok(()) => self.wrap_dek_local(&run, row.dek_ref()).await,
                Err(error) => Err(error),
            };
            made = made.saturating_add(u64::from(wrapped.is_ok()));
            outcome = outcome.and(wrapped.map(drop));
        }
        outcome.map(|()| made)
    }

    /// Wraps a record DEK that is held under the active DEK and stores the row, unless there is one.
    async fn wrap_dek_local(&self, run: &Run, dek_ref: &DekRef) -> Result<WrapRow, Error> {
        let active = self.ready(run, false).await?;
        if let Some(row) = self.wrapped_by(dek_ref, self.org(), &active.to_text()).await? {
            return Ok(row);
        }
        let created = self.platform.wall();
        let wrap = || self.vault.wrap_local(self.org(), dek_ref.as_bytes(), created);
        let row = self.with_active(run, wrap).await?;
        self.put_or_find(row).await
    }
}
