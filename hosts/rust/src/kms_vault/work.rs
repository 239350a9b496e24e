//! Sealing and opening.

use strongroom::{
    Binding, DekRef, Error, OpenItem, Purpose, ResealOptions, Scope, SealItem, SealOptions, WrapRow, inspect,
};
use zeroize::Zeroizing;

use super::{KmsVault, Run, is_gone, is_worth_another, remember};
use crate::{Kms, RecordPlace, WrapStore};

impl<K: Kms, S: WrapStore> KmsVault<K, S> {
    /// Gets every DEK that the envelopes need, so that opening them waits for nothing. Envelopes that
    /// can't be read are passed over.
    ///
    /// # Errors
    /// [`Error::Limit`] for more than 10,000 envelopes; otherwise that of the first DEK that can't be
    /// had, after all others were fetched.
    pub async fn get_ready(&self, envelopes: &[&[u8]]) -> Result<(), Error> {
        let run = self.begin();
        let mut outcome = Ok(());
        for dek_ref in self.vault.missing(envelopes)? {
            outcome = outcome.and(self.hold(&run, dek_ref).await);
        }
        outcome
    }

    /// Encrypts one field.
    ///
    /// # Errors
    /// [`Error::NoActiveDek`] before the org's first rotation, and with [`Scope::Record`] before the
    /// record's first DEK; [`Error::BudgetExhausted`].
    pub async fn seal(&self, at: &Binding<'_>, plaintext: &[u8], options: SealOptions) -> Result<Vec<u8>, Error> {
        let run = self.begin();
        self.seal_in(&run, at, plaintext, options).await
    }

    async fn seal_in(
        &self,
        run: &Run,
        at: &Binding<'_>,
        plaintext: &[u8],
        options: SealOptions,
    ) -> Result<Vec<u8>, Error> {
        self.sealing(run, at, options.scope, None, || self.vault.seal(at, plaintext, options)).await
    }

    /// Encrypts fields, each with an outcome of its own.
    ///
    /// # Errors
    /// [`Error::Limit`] for more items than [`strongroom::MAX_BATCH`].
    pub async fn seal_many(&self, items: &[SealItem<'_>]) -> Result<Vec<Result<Vec<u8>, Error>>, Error> {
        let run = self.begin();
        if items.len() > strongroom::MAX_BATCH {
            return Err(Error::Limit);
        }
        let mut sealed = Vec::with_capacity(items.len());
        for item in items {
            sealed.push(self.seal_in(&run, &item.binding, item.plaintext, item.options).await);
        }
        Ok(sealed)
    }

    /// Decrypts one field. A reader opens a shared record with the owner's binding.
    ///
    /// # Errors
    /// Those of the vault, of the store and of the KMS.
    pub async fn open(&self, at: &Binding<'_>, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let run = self.begin();
        self.open_in(&run, at, envelope).await
    }

    async fn open_in(&self, run: &Run, at: &Binding<'_>, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.freshen(run, at.org()).await;
        match self.in_era(run, || self.vault.open(at, envelope)) {
            Err(error) if is_gone(error) => {}
            outcome => return outcome,
        }
        self.hold(run, inspect(envelope)?.dek_ref).await?;
        self.in_era(run, || self.vault.open(at, envelope))
    }

    /// Decrypts fields, each with an outcome of its own.
    ///
    /// # Errors
    /// [`Error::Limit`] for more items than [`strongroom::MAX_BATCH`].
    pub async fn open_many(&self, items: &[OpenItem<'_>]) -> Result<Vec<Result<Zeroizing<Vec<u8>>, Error>>, Error> {
        let run = self.begin();
        if items.len() > strongroom::MAX_BATCH {
            return Err(Error::Limit);
        }
        let mut opened = Vec::with_capacity(items.len());
        for item in items {
            opened.push(self.open_in(&run, &item.binding, item.envelope).await);
        }
        Ok(opened)
    }

    /// Opens an envelope and seals it under the DEK that is active now, or with [`Scope::Record`]
    /// under the record's.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::seal`].
    pub async fn reseal(&self, at: &Binding<'_>, envelope: &[u8], options: ResealOptions) -> Result<Vec<u8>, Error> {
        let run = self.begin();
        let scope = match options.scope {
            Some(scope) => scope,
            None => self.scope_of(&run, envelope).await?,
        };
        self.freshen(&run, at.org()).await;
        self.sealing(&run, at, scope, Some(envelope), || self.vault.reseal(at, envelope, options)).await
    }

    /// Opens an envelope at one binding and seals it at another of the same org.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::seal`].
    pub async fn rebind(&self, from: &Binding<'_>, to: &Binding<'_>, envelope: &[u8]) -> Result<Vec<u8>, Error> {
        let run = self.begin();
        let scope = self.scope_of(&run, envelope).await?;
        self.freshen(&run, from.org()).await;
        self.sealing(&run, to, scope, Some(envelope), || self.vault.rebind(from, to, envelope)).await
    }

    /// Gets the DEK to seal under and reserves a seal, works, and again if a DEK was lost
    /// meanwhile, or that of the envelope which is opened for it isn't held.
    async fn sealing(
        &self,
        run: &Run,
        at: &Binding<'_>,
        scope: Scope,
        opened: Option<&[u8]>,
        seal: impl Fn() -> Result<Vec<u8>, Error> + Send + Sync,
    ) -> Result<Vec<u8>, Error> {
        if at.org() != self.org() {
            // The vault refuses, and says why.
            return self.in_era(run, seal);
        }
        let mut dek_ref = match self.ready_for(run, at, scope, false).await {
            // The vault may find a graver fault in the input; it never gets this to work.
            Err(Error::NoActiveDek) => return Err(self.in_era(run, seal).err().unwrap_or(Error::NoActiveDek)),
            ready => ready?,
        };
        let mut tries = 1;
        loop {
            match self.seated_work(run, dek_ref, &seal).await {
                Err(error) if is_worth_another(error, tries) => {}
                outcome => return outcome,
            }
            if let Some(opened) = opened {
                self.hold(run, inspect(opened)?.dek_ref).await?;
            }
            dek_ref = self.ready_for(run, at, scope, true).await?;
            tries = tries.saturating_add(1);
        }
    }

    /// Works with a seal reserved, and lets the envelope out once the row of its DEK is stored.
    async fn seated_work(
        &self,
        run: &Run,
        dek_ref: DekRef,
        seal: &(impl Fn() -> Result<Vec<u8>, Error> + Send + Sync),
    ) -> Result<Vec<u8>, Error> {
        self.reserve(dek_ref).await?;
        let envelope = self.in_era(run, seal).inspect_err(|_| self.give_back(&dek_ref))?;
        self.seated(dek_ref, &envelope).await?;
        self.settled(&envelope).await?;
        Ok(envelope)
    }

    async fn ready_for(&self, run: &Run, at: &Binding<'_>, scope: Scope, anew: bool) -> Result<DekRef, Error> {
        match scope {
            Scope::Org => self.ready(run, anew).await,
            Scope::Record => {
                let place = RecordPlace { table: at.table().to_owned(), record: at.record().to_owned() };
                // A tombstone that another host wrote ends the work under record DEKs too.
                self.ready(run, false).await?;
                self.ready_record(run, &place, anew).await
            }
        }
    }

    /// Makes a local wrap with the active DEK held and a seal under it reserved, and again if the
    /// DEK was lost meanwhile. If the wrap turns out to be under a newer DEK, a seal is reserved
    /// under that before the row gets out.
    pub(super) async fn with_active(
        &self,
        run: &Run,
        wrap: impl Fn() -> Result<WrapRow, Error> + Send + Sync,
    ) -> Result<WrapRow, Error> {
        let mut tries = 1;
        loop {
            let dek_ref = self.ready(run, tries > 1).await?;
            self.reserve(dek_ref).await?;
            match self.in_era(run, &wrap) {
                Ok(row) => {
                    let kek = DekRef::from_text(row.key_id()).ok_or(Error::Internal)?;
                    self.seated_under(dek_ref, kek).await?;
                    return Ok(row);
                }
                Err(error) => {
                    self.give_back(&dek_ref);
                    if !is_worth_another(error, tries) {
                        return Err(error);
                    }
                }
            }
            tries = tries.saturating_add(1);
        }
    }

    /// Which kind of DEK an envelope is under, of which a row of its DEK tells.
    async fn scope_of(&self, run: &Run, envelope: &[u8]) -> Result<Scope, Error> {
        let dek_ref = inspect(envelope)?.dek_ref;
        if let Some(kind) = self.known().kinds.get(&dek_ref) {
            return Ok(*kind);
        }
        let rows = self.store().rows(&dek_ref, self.org()).await?;
        let is_record = rows.iter().any(|row| row.purpose() != Purpose::OrgDek);
        let kind = if is_record { Scope::Record } else { Scope::Org };
        self.in_era(run, || {
            if !rows.is_empty() {
                remember(&mut self.known().kinds, dek_ref, kind);
            }
            Ok(kind)
        })
    }
}
