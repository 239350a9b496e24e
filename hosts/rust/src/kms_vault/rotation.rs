//! The next version of the org's DEK.

use strongroom::{ActiveRow, DekRef, Error, Minted};

use super::{KmsVault, Run};
use crate::{Kms, WrapStore};

/// Why a rotation is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationCause {
    /// The active DEK is older than `rotate_after`.
    Age,
    /// All processes together have reserved `rotate_after_seals` seals or more.
    Use,
}

impl<K: Kms, S: WrapStore> KmsVault<K, S> {
    /// Mints a DEK of the next version, which is active from then on, and answers the active row. Old
    /// envelopes stay readable. The org's first DEK is made in the same way.
    ///
    /// Its row is stored before it becomes active. Where another process was quicker, that one's
    /// DEK is the active one and its row is answered. After a crash anywhere, a second call finishes.
    ///
    /// # Errors
    /// [`Error::Limit`] after the last version, [`Error::OrgTombstoned`].
    pub async fn rotate(&self) -> Result<ActiveRow, Error> {
        let run = self.begin();
        let rotated = self.rotate_from(&run, None).await?;
        rotated.ok_or(Error::Internal)
    }

    /// Says whether the active DEK should be replaced, and why. Its age is counted from what its row
    /// says, its use from its usage row.
    ///
    /// # Errors
    /// [`Error::NoActiveDek`] before the org's first [`Self::rotate`].
    pub async fn rotation_due(&self) -> Result<Option<RotationCause>, Error> {
        let run = self.begin();
        let dek_ref = self.ready(&run, true).await?;
        self.due_of(&dek_ref).await
    }

    /// Rotates if that is due and says why it was. Many hosts may ask at once: for those who come
    /// late it isn't due any more.
    ///
    /// # Errors
    /// As [`Self::rotation_due`] and [`Self::rotate`].
    pub async fn rotate_if_due(&self) -> Result<Option<RotationCause>, Error> {
        let run = self.begin();
        let dek_ref = self.ready(&run, true).await?;
        let Some(cause) = self.due_of(&dek_ref).await? else { return Ok(None) };
        if self.rotate_from(&run, Some(dek_ref)).await?.is_some() {
            return Ok(Some(cause));
        }
        // Sealing goes on under what the other process made active.
        self.ready(&run, true).await?;
        Ok(None)
    }

    async fn due_of(&self, dek_ref: &DekRef) -> Result<Option<RotationCause>, Error> {
        // Of several rows the oldest counts: a later wrap makes no DEK younger.
        let rows = self.org_rows(dek_ref).await?;
        let created = rows.iter().map(|row| row.created()).min().ok_or(Error::UnknownDek)?;
        let age = self.platform.wall().checked_sub(created);
        if age.is_some_and(|age| age >= self.config.rotate_after) {
            return Ok(Some(RotationCause::Age));
        }
        let reserved = self.store().usage(dek_ref).await?.map_or(0, |row| row.reserved());
        Ok((reserved >= self.config.rotate_after_seals).then_some(RotationCause::Use))
    }

    /// Rotates, but with `from` only if that is still the active DEK; answers `None` if it isn't.
    async fn rotate_from(&self, run: &Run, from: Option<DekRef>) -> Result<Option<ActiveRow>, Error> {
        let _turn = self.activating.lock().await;
        let before = self.before_next(run).await?;
        if from.is_some_and(|from| before.as_ref().is_none_or(|row| *row.dek_ref() != from)) {
            return Ok(None);
        }
        let version = before.as_ref().map_or(0, ActiveRow::version);
        let minted = self.mint(run, version.checked_add(1).ok_or(Error::Limit)?).await?;
        let came = self.now();
        self.store().put_if_absent(&minted.row).await?;
        let active = self.activate(&minted.active).await?;
        if let Some(before) = before
            && active == minted.active
        {
            // Where this is lost, retiring notes a later time and waits longer.
            drop(self.store().mark_inactive(before.dek_ref(), self.platform.wall()).await);
        }
        self.adopt(run, active, came).await.map(Some)
    }

    /// The active row that the next one follows. The vault is told of it, but its DEK isn't needed.
    async fn before_next(&self, run: &Run) -> Result<Option<ActiveRow>, Error> {
        let Some(row) = self.store().active(self.org()).await? else { return Ok(None) };
        let row = self.tell(run, row).await?;
        if row.is_tombstoned() { Err(Error::OrgTombstoned) } else { Ok(Some(row)) }
    }

    async fn mint(&self, run: &Run, version: u32) -> Result<Minted, Error> {
        let cmk = self.config.own_cmks().first().ok_or(Error::BadInput)?;
        let created = self.platform.wall();
        let request = self.in_era(run, || self.vault.mint_request(self.org(), cmk, version, created))?;
        self.ask(run, &request, None, |reply| self.vault.admit_minted(request.id, reply)).await
    }

    /// Writes the active row and answers the one that stands there afterwards.
    async fn activate(&self, active: &ActiveRow) -> Result<ActiveRow, Error> {
        let Err(failure) = self.store().compare_and_set_active(active).await else { return Ok(active.clone()) };
        // Either another process won, or it can't be told whether this one did.
        match self.store().active(self.org()).await {
            Ok(Some(stored)) if failure == Error::PreconditionFailed || stored == *active => Ok(stored),
            _ => Err(failure),
        }
    }
}
