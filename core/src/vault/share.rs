//! Record DEKs: made, wrapped again, shared.

use alloc::sync::Arc;

use super::Vault;
use super::requests::{check_created, pending};
use super::state::State;
use crate::kms::{KmsOp, KmsRequest, check_cmk};
use crate::secrets::{Dek, DekKey, IV_LEN};
use crate::text::check;
use crate::wrap::{Purpose, WrapRow, draw_iv, seal_local};
use crate::{DekKind, DekRef, Error, Identity};

impl Vault {
    /// Makes a record DEK and its local wrap row under the org's active DEK. The DEK is held at
    /// once; store the row before anything is sealed with scope `record`.
    ///
    /// # Errors
    /// [`Error::BadInput`] or [`Error::Limit`] for an argument; [`Error::OrgTombstoned`]; the errors
    /// of a seal, since the wrap uses an IV of the org's DEK.
    pub fn generate_record_dek(
        &self,
        org: &str,
        table: &str,
        record: &str,
        version: u32,
        created: u64,
    ) -> Result<WrapRow, Error> {
        let identity = Identity::record(org, table, record, version)?;
        check_created(created)?;
        let mut state = self.enter()?;
        let (kek, key) = self.new_record_dek(&mut state, org, identity)?;
        let row = self.local_row(&mut state, &kek, &key, org, created)?;
        state.take_in(key, org, self.settings.ttl, Some(kek.dek_ref().as_bytes()))?;
        Ok(row)
    }

    /// Makes another local row of a record DEK that is held for `org`, under its active DEK: after a
    /// rotation, or for a reader of a share.
    ///
    /// # Errors
    /// [`Error::BadInput`] for an org DEK or one that is held for another org; [`Error::UnknownDek`]
    /// and what it is over by; [`Error::OrgTombstoned`]; the errors of a seal.
    pub fn wrap_local(&self, org: &str, dek_ref: &[u8], created: u64) -> Result<WrapRow, Error> {
        check(org)?;
        check_ref(dek_ref)?;
        check_created(created)?;
        let mut state = self.enter()?;
        let (kek, key) = held_record_dek(&mut state, org, dek_ref)?;
        self.local_row(&mut state, &kek, &key, org, created)
    }

    /// A DEK for a record, not held yet, and the one to wrap it under.
    pub(super) fn new_record_dek(
        &self,
        state: &mut State,
        org: &str,
        identity: Identity,
    ) -> Result<(Arc<DekKey>, Arc<DekKey>), Error> {
        state.check_org(org)?;
        let kek = state.active_dek(org)?;
        let key = DekKey::new(Dek::generate(&*self.platform)?, identity);
        Ok((kek, key))
    }

    fn local_row(
        &self,
        state: &mut State,
        kek: &DekKey,
        key: &DekKey,
        reader: &str,
        created: u64,
    ) -> Result<WrapRow, Error> {
        state.count_seal(kek.dek_ref(), self.settings.seal_limit)?;
        let mut iv = [0; IV_LEN];
        draw_iv(&*self.platform, &mut iv)
            .and_then(|()| seal_local(kek, key, reader, created, &iv))
            .inspect_err(|_| state.uncount_seal(kek.dek_ref()))
    }

    /// Asks for a wrap of a record DEK by its owner's own CMK, so that a preview can hold one
    /// record's DEK and nothing else.
    ///
    /// # Errors
    /// [`Error::BadInput`] for an org DEK or one held as a share; [`Error::UnknownDek`] and what it is
    /// over by; [`Error::KeyIdUnexpected`] if the CMK isn't the owner's.
    pub fn wrap_request(&self, dek_ref: &[u8], cmk: &str, created: u64) -> Result<KmsRequest, Error> {
        let mut state = self.enter()?;
        let row = self.wrapping(&mut state, dek_ref, None, cmk, created)?;
        Ok(self.ask(&mut state, KmsOp::Encrypt, &row))
    }

    /// Asks for a wrap of a record DEK by another org's CMK. Not one envelope byte changes, and the
    /// org DEK is never involved.
    ///
    /// # Errors
    /// [`Error::BadInput`] for an org DEK, one held as a share, or the owner as `reader`;
    /// [`Error::UnknownDek`] and what it is over by; [`Error::OrgTombstoned`];
    /// [`Error::KeyIdUnexpected`] if the CMK isn't the reader's.
    pub fn share_request(&self, dek_ref: &[u8], reader: &str, cmk: &str, created: u64) -> Result<KmsRequest, Error> {
        let mut state = self.enter()?;
        let row = self.wrapping(&mut state, dek_ref, Some(reader), cmk, created)?;
        Ok(self.ask(&mut state, KmsOp::Encrypt, &row))
    }

    /// The row of a wrap for the owner itself, or for another reader.
    fn wrapping(
        &self,
        state: &mut State,
        dek_ref: &[u8],
        reader: Option<&str>,
        cmk: &str,
        created: u64,
    ) -> Result<WrapRow, Error> {
        check_ref(dek_ref)?;
        if let Some(reader) = reader {
            check(reader)?;
        }
        check_cmk(cmk)?;
        check_created(created)?;
        if let Some(reader) = reader {
            state.check_org(reader)?;
        }
        let key = record_dek(state, dek_ref)?;
        let identity = key.identity();
        // Nobody shares what is shared with it, and nobody shares with itself.
        if state.is_share(key.dek_ref()) || reader == Some(identity.owner()) {
            return Err(Error::BadInput);
        }
        let purpose = if reader.is_some() { Purpose::Share } else { Purpose::RecordDek };
        let reader = reader.unwrap_or_else(|| identity.owner());
        self.settings.check_cmk(reader, cmk)?;
        Ok(pending(purpose, identity, reader, key.dek_ref(), cmk, created))
    }
}

pub(super) fn check_ref(dek_ref: &[u8]) -> Result<(), Error> {
    if dek_ref.len() == DekRef::LEN { Ok(()) } else { Err(Error::BadInput) }
}

/// A record DEK that is held for `org`, and the one to wrap it under.
pub(super) fn held_record_dek(
    state: &mut State,
    org: &str,
    dek_ref: &[u8],
) -> Result<(Arc<DekKey>, Arc<DekKey>), Error> {
    state.check_org(org)?;
    let key = record_dek(state, dek_ref)?;
    if state.deks.get(dek_ref).is_none_or(|held| held.reader != org) {
        return Err(Error::BadInput);
    }
    Ok((state.active_dek(org)?, key))
}

fn record_dek(state: &mut State, dek_ref: &[u8]) -> Result<Arc<DekKey>, Error> {
    let key = state.deks.take_up(dek_ref)?;
    if key.identity().kind() == DekKind::Record { Ok(key) } else { Err(Error::BadInput) }
}
