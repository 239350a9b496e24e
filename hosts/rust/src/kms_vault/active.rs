//! Which DEK is active: read from the store, told to the vault, and read again after a while.

use std::time::Duration;

use strongroom::{ActiveRow, DekRef, Error};

use super::flights::Work;
use super::{KmsVault, Moment, Run, remember};
use crate::{Kms, WrapStore};

impl<K: Kms, S: WrapStore> KmsVault<K, S> {
    /// Gets the active DEK, reading the row again after a while or if `anew` is set.
    ///
    /// # Errors
    /// [`Error::NoActiveDek`] before the org's first rotation, [`Error::OrgTombstoned`].
    pub(super) async fn ready(&self, run: &Run, anew: bool) -> Result<DekRef, Error> {
        if !anew && let Some(dek_ref) = self.knows_active() {
            return Ok(dek_ref);
        }
        self.flights.run(Work::ReadActive(run.era), Box::pin(self.read_active(run))).await?;
        // Read and forgotten again, by a sign-out.
        self.known().active.as_ref().map(|(row, _)| *row.dek_ref()).ok_or(Error::UnknownDek)
    }

    async fn read_active(&self, run: &Run) -> Result<(), Error> {
        let _turn = self.activating.lock().await;
        let read = self.now();
        let row = self.store().active(self.org()).await?.ok_or(Error::NoActiveDek)?;
        self.adopt(run, row, read).await.map(drop)
    }

    fn knows_active(&self) -> Option<DekRef> {
        let known = self.known();
        let (row, read) = known.active.as_ref()?;
        self.is_fresh(*read).then(|| *row.dek_ref())
    }

    /// Tells the vault of a stored active row, or of a newer one, and gets the DEK of that; `read`
    /// is when it was read. Answers the row that was told.
    pub(super) async fn adopt(&self, run: &Run, row: ActiveRow, read: Moment) -> Result<ActiveRow, Error> {
        // Told first: a minted DEK is held only from then on.
        let row = self.tell(run, row).await?;
        if row.is_tombstoned() {
            return Err(Error::OrgTombstoned);
        }
        self.hold(run, *row.dek_ref()).await?;
        self.in_era(run, || {
            let mut known = self.known();
            known.active = Some((row.clone(), read));
            remember(&mut known.looked, self.org().to_owned(), read);
            Ok(row)
        })
    }

    /// Says to the vault which active row is stored. A row may have been read before a DEK of a newer
    /// version came in with an envelope: then the store has its row by now, and is read again. A row
    /// that the store still gives is a rollback.
    pub(super) async fn tell(&self, run: &Run, mut row: ActiveRow) -> Result<ActiveRow, Error> {
        for _ in 0..TELL_TRIES {
            if row.org() != self.org() {
                return Err(Error::RowInconsistent);
            }
            match self.in_era(run, || self.vault.set_active(&row)) {
                Ok(()) => return Ok(row),
                Err(Error::ActiveRollback) => {}
                Err(error) => return Err(error),
            }
            match self.store().active(self.org()).await? {
                Some(stored) if stored != row => row = stored,
                _ => return Err(Error::ActiveRollback),
            }
        }
        Err(Error::ActiveRollback)
    }

    /// Follows the active rows of the own org and of the owner whose record is opened, if they were
    /// read too long ago: a tombstone that another host wrote ends the work for that org here too. A
    /// store that can't be read, or doesn't answer, stops no opening, and is asked again soon.
    pub(super) async fn freshen(&self, run: &Run, owner: &str) {
        for org in [self.org(), owner] {
            if self.has_looked(org) {
                continue;
            }
            let look = self.flights.run(Work::LookAtActive(run.era, org.to_owned()), Box::pin(self.look_at(run, org)));
            let looked = tokio::time::timeout(LOOK_PATIENCE, look).await;
            if !matches!(looked, Ok(Ok(()))) {
                let mut soon = self.now();
                let back = self.config.active_max_age.saturating_sub(LOOK_AGAIN);
                soon.wall = soon.wall.saturating_sub(back);
                soon.mono = soon.mono.saturating_sub(back);
                self.looks(run, org, soon);
            }
        }
    }

    async fn look_at(&self, run: &Run, org: &str) -> Result<(), Error> {
        let is_own = org == self.org();
        let _turn = if is_own { Some(self.activating.lock().await) } else { None };
        let read = self.now();
        match self.store().active(org).await? {
            None => {}
            Some(row) if is_own => drop(self.tell(run, row).await?),
            // Of other orgs only a tombstone matters here.
            Some(row) if row.org() == org && row.is_tombstoned() => self.in_era(run, || self.vault.tombstone(org))?,
            Some(_) => {}
        }
        self.looks(run, org, read);
        Ok(())
    }

    fn has_looked(&self, org: &str) -> bool {
        self.known().looked.get(org).is_some_and(|read| self.is_fresh(*read))
    }

    fn looks(&self, run: &Run, org: &str, read: Moment) {
        // After a sign-out there is nothing to note.
        let _ = self.in_era(run, || {
            remember(&mut self.known().looked, org.to_owned(), read);
            Ok(())
        });
    }
}

/// Each try more needs a rotation more that was read and overtaken meanwhile; a store that never
/// gives the same row twice is lying.
const TELL_TRIES: u32 = 8;
/// Seconds after which a store that couldn't be read for an opening is asked again.
const LOOK_AGAIN: u64 = 5;
/// How long an opening waits for a store that doesn't answer.
const LOOK_PATIENCE: Duration = Duration::from_secs(2);
