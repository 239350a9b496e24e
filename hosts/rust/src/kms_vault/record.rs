//! Records' own DEKs, and for whom they are wrapped.

use strongroom::{Binding, DekRef, Error, KmsRequest, Scope, WrapRow};

use super::{KmsVault, Run, is_gone, remember};
use crate::{Kms, RecordPlace, WrapStore};

impl<K: Kms, S: WrapStore> KmsVault<K, S> {
    /// Makes the next version of a record's own DEK and stores its row. Values sealed with
    /// [`Scope::Record`] use it from then on.
    ///
    /// If the store fails, the DEK exists all the same; nothing sealed under it is answered before
    /// its row is stored.
    ///
    /// # Errors
    /// [`Error::NoActiveDek`], [`Error::BudgetExhausted`], [`Error::Limit`] after the last version.
    pub async fn generate_record_dek(&self, table: &str, record: &str) -> Result<WrapRow, Error> {
        let run = self.begin();
        let place = self.judged(self.org(), table, record)?;
        let _alone = self.making.lock().await;
        let rows = self.record_rows(self.org(), &place).await?;
        let newest = rows.iter().map(WrapRow::version).max().unwrap_or(0);
        let version = newest.checked_add(1).ok_or(Error::Limit)?;
        let row = self.with_active(&run, || self.generate(&place, version)).await?;
        self.store_unstored(&row).await?;
        Ok(row)
    }

    /// Makes a record DEK, whose row is unstored from the moment it exists.
    fn generate(&self, place: &RecordPlace, version: u32) -> Result<WrapRow, Error> {
        let mut known = self.known();
        let created = self.platform.wall();
        let row = self.vault.generate_record_dek(self.org(), &place.table, &place.record, version, created)?;
        known.unstored.insert(*row.dek_ref(), row.clone());
        remember(&mut known.places, place.clone(), (*row.dek_ref(), self.now()));
        remember(&mut known.kinds, *row.dek_ref(), Scope::Record);
        Ok(row)
    }

    /// Wraps a record's newest DEK for another org by that org's CMK, which must be among the
    /// config's `cmks`, and stores the row. No envelope changes. A row that is already there is
    /// answered without asking the KMS.
    ///
    /// # Errors
    /// [`Error::NoActiveDek`] for a record without a DEK of its own: reseal its fields with
    /// [`Scope::Record`] first.
    pub async fn share(&self, table: &str, record: &str, reader: &str, cmk: &str) -> Result<WrapRow, Error> {
        let run = self.begin();
        let place = self.judged(self.org(), table, record)?;
        let request = |dek_ref: DekRef| self.vault.share_request(dek_ref.as_bytes(), reader, cmk, self.platform.wall());
        self.wrap_for(&run, &place, reader, cmk, request).await
    }

    /// Wraps a record's newest DEK by the org's own CMK and stores the row, so that a preview can get
    /// this DEK from the KMS and no other.
    ///
    /// # Errors
    /// [`Error::NoActiveDek`] for a record without a DEK of its own.
    pub async fn wrap_for_preview(&self, table: &str, record: &str) -> Result<WrapRow, Error> {
        let run = self.begin();
        let place = self.judged(self.org(), table, record)?;
        let cmk = self.config.own_cmks().first().ok_or(Error::BadInput)?;
        let request = |dek_ref: DekRef| self.vault.wrap_request(dek_ref.as_bytes(), cmk, self.platform.wall());
        self.wrap_for(&run, &place, self.org(), cmk, request).await
    }

    async fn wrap_for(
        &self,
        run: &Run,
        place: &RecordPlace,
        reader: &str,
        cmk: &str,
        request: impl Fn(DekRef) -> Result<KmsRequest, Error> + Send + Sync,
    ) -> Result<WrapRow, Error> {
        // The vault judges reader and CMK before it looks for the DEK.
        match request(DekRef::from([0; DekRef::LEN])) {
            Err(error) if is_gone(error) => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(Error::Internal),
        }
        self.ready(run, false).await?;
        let dek_ref = self.ready_record(run, place, true).await?;
        if let Some(row) = self.wrapped_by(&dek_ref, reader, cmk).await? {
            return Ok(row);
        }
        let (asked, plaintext) = self.in_era(run, || {
            let asked = request(dek_ref)?;
            self.is_of(place, &asked)?;
            let plaintext = self.vault.take_request_plaintext(asked.id)?;
            Ok((asked, plaintext))
        })?;
        let row = self.ask(run, &asked, Some(&plaintext), |reply| self.vault.admit_shared(asked.id, reply)).await?;
        self.put_or_find(row).await
    }

    /// Stores a row, or finds the one that another process stored a moment ago: it serves as well.
    pub(super) async fn put_or_find(&self, row: WrapRow) -> Result<WrapRow, Error> {
        match self.store().put_if_absent(&row).await {
            Ok(()) => Ok(row),
            Err(Error::PreconditionFailed) => {
                let found = self.wrapped_by(row.dek_ref(), row.reader(), row.key_id()).await?;
                found.ok_or(Error::PreconditionFailed)
            }
            Err(error) => Err(error),
        }
    }

    /// Has the vault judge the names of a record: the store knows nothing of a record whose name is
    /// none, and can't say why.
    pub(super) fn judged(&self, owner: &str, table: &str, record: &str) -> Result<RecordPlace, Error> {
        Binding::new(owner, table, record, "*")?;
        Ok(RecordPlace { table: table.to_owned(), record: record.to_owned() })
    }

    /// Compares the record that a request wraps the DEK of, which is the core's word, with the one
    /// that was asked for: a store that gives another record's `dek_ref` would have that record shared.
    fn is_of(&self, place: &RecordPlace, asked: &KmsRequest) -> Result<(), Error> {
        let resource = asked.params.encryption_context.iter().find(|(name, _)| *name == RESOURCE);
        let wanted = resource_of(self.org(), place)?;
        if resource.is_some_and(|(_, of)| *of == wanted) { Ok(()) } else { Err(Error::RowInconsistent) }
    }

    /// The stored row that wraps a DEK for a reader by a key.
    pub(super) async fn wrapped_by(
        &self,
        dek_ref: &DekRef,
        reader: &str,
        key_id: &str,
    ) -> Result<Option<WrapRow>, Error> {
        let rows = self.store().rows(dek_ref, reader).await?;
        Ok(rows.into_iter().find(|row| row.dek_ref() == dek_ref && row.reader() == reader && row.key_id() == key_id))
    }

    /// Gets a record's newest DEK, looking for it again after a while or if `anew` is set.
    ///
    /// # Errors
    /// [`Error::NoActiveDek`] if there is none.
    pub(super) async fn ready_record(&self, run: &Run, place: &RecordPlace, anew: bool) -> Result<DekRef, Error> {
        if !anew && let Some(dek_ref) = self.knows_record(place) {
            self.hold(run, dek_ref).await?;
            return Ok(dek_ref);
        }
        let read = self.now();
        let rows = self.record_rows(self.org(), place).await?;
        let own = rows.iter().filter(|row| row.reader() == self.org());
        // Of several rows of one version the first counts.
        let newest = own.reduce(|newest, row| if row.version() > newest.version() { row } else { newest });
        let dek_ref = *newest.ok_or(Error::NoActiveDek)?.dek_ref();
        self.hold(run, dek_ref).await?;
        self.in_era(run, || {
            let mut known = self.known();
            remember(&mut known.places, place.clone(), (dek_ref, read));
            remember(&mut known.kinds, dek_ref, Scope::Record);
            Ok(dek_ref)
        })
    }

    fn knows_record(&self, place: &RecordPlace) -> Option<DekRef> {
        let (dek_ref, read) = *self.known().places.get(place)?;
        self.is_fresh(read).then_some(dek_ref)
    }

    /// Reads the rows of a record for all readers, after the store has taken those that it lacked.
    /// What storage says of another record is passed over.
    pub(super) async fn record_rows(&self, owner: &str, place: &RecordPlace) -> Result<Vec<WrapRow>, Error> {
        let at = (place.table.as_str(), place.record.as_str());
        let is_of = |row: &WrapRow| row.owner() == owner && row.place() == Some(at);
        let unstored: Vec<_> = self.known().unstored.values().filter(|row| is_of(row)).cloned().collect();
        for row in &unstored {
            self.store_unstored(row).await?;
        }
        let mut rows = self.store().rows_by_owner(owner, Some(place)).await?;
        rows.retain(is_of);
        Ok(rows)
    }

    async fn store_unstored(&self, row: &WrapRow) -> Result<(), Error> {
        self.store().put_if_absent(row).await?;
        self.known().unstored.remove(row.dek_ref());
        Ok(())
    }

    /// Lets an envelope out only once the row of its DEK is stored.
    pub(super) async fn settled(&self, envelope: &[u8]) -> Result<(), Error> {
        let dek_ref = strongroom::inspect(envelope)?.dek_ref;
        let row = self.known().unstored.get(&dek_ref).cloned();
        match row {
            Some(row) => self.store_unstored(&row).await,
            None => Ok(()),
        }
    }
}

/// The member of an encryption context that names a record, as the core writes it for a row of that
/// record.
fn resource_of(org: &str, place: &RecordPlace) -> Result<String, Error> {
    let (org, table, record) = (quoted(org), quoted(&place.table), quoted(&place.record));
    let dek_ref = DekRef::from([0; DekRef::LEN]).to_text();
    let json = format!(
        r#"{{"v":1,"purpose":"record-dek","owner":{org},"reader":{org},"table":{table},"record":{record},"version":1,"created":0,"dekRef":"{dek_ref}","provider":"aws-kms","keyId":"-","blob":"AA=="}}"#
    );
    let context = WrapRow::from_json(json.as_bytes())?.encryption_context()?;
    context.into_iter().find(|(name, _)| *name == RESOURCE).map(|(_, of)| of).ok_or(Error::Internal)
}

/// A string as JSON.
fn quoted(text: &str) -> String {
    let mut json = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => json.extend(['\\', char]),
            '\0'..='\x1F' => json.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => json.push(char),
        }
    }
    json.push('"');
    json
}

const RESOURCE: &str = "strongroom-resource";
