//! Record DEKs: made, wrapped again, shared.

use super::Vault;
use super::held::InUse;
use super::requests::check_created;
use super::state::State;
use crate::clock::End;
use crate::kms::{KmsRequest, check_cmk};
use crate::secrets::{Dek, DekKey};
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
        let (mut state, now) = self.enter()?;
        state.check_org(org)?;
        let kek = state.active_dek(org)?;
        state.count_seal(kek.key.dek_ref(), self.settings.seal_limit)?;
        let made = Dek::generate(&*self.platform).and_then(|dek| {
            let key = DekKey::new(dek, identity);
            Ok((seal_local(&kek.key, &key, org, created, &draw_iv(&*self.platform)?)?, key))
        });
        let (row, key) = made.inspect_err(|_| state.uncount_seal(kek.key.dek_ref()))?;
        state.take_in(key, org, End::after(now, self.settings.ttl).sooner(kek.end))?;
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
        let dek_ref = DekRef::from_slice(dek_ref)?;
        check_created(created)?;
        let (mut state, _) = self.enter()?;
        state.check_org(org)?;
        let held = record_dek(&mut state, &dek_ref)?;
        if state.deks.get(&dek_ref).is_none_or(|held| held.reader != org) {
            return Err(Error::BadInput);
        }
        let kek = state.active_dek(org)?;
        state.count_seal(kek.key.dek_ref(), self.settings.seal_limit)?;
        draw_iv(&*self.platform)
            .and_then(|iv| seal_local(&kek.key, &held.key, org, created, &iv))
            .inspect_err(|_| state.uncount_seal(kek.key.dek_ref()))
    }

    /// Asks for a wrap of a record DEK by its owner's own CMK, so that a preview can hold one
    /// record's DEK and nothing else.
    ///
    /// # Errors
    /// [`Error::BadInput`] for an org DEK or one held as a share; [`Error::UnknownDek`] and what it is
    /// over by; [`Error::KeyIdUnexpected`] if the CMK isn't the owner's.
    pub fn wrap_request(&self, dek_ref: &[u8], cmk: &str, created: u64) -> Result<KmsRequest, Error> {
        let dek_ref = DekRef::from_slice(dek_ref)?;
        check_cmk(cmk)?;
        check_created(created)?;
        let (mut state, _) = self.enter()?;
        let held = own_record_dek(&mut state, &dek_ref)?;
        let owner = held.key.identity().owner();
        self.encrypt_request(&mut state, Purpose::RecordDek, &held.key, owner, cmk, created)
    }

    /// Asks for a wrap of a record DEK by another org's CMK. Not one envelope byte changes, and the
    /// org DEK is never involved.
    ///
    /// # Errors
    /// [`Error::BadInput`] for an org DEK, one held as a share, or the owner as `reader`;
    /// [`Error::UnknownDek`] and what it is over by; [`Error::OrgTombstoned`];
    /// [`Error::KeyIdUnexpected`] if the CMK isn't the reader's.
    pub fn share_request(&self, dek_ref: &[u8], reader: &str, cmk: &str, created: u64) -> Result<KmsRequest, Error> {
        let dek_ref = DekRef::from_slice(dek_ref)?;
        check(reader)?;
        check_cmk(cmk)?;
        check_created(created)?;
        let (mut state, _) = self.enter()?;
        state.check_org(reader)?;
        let held = own_record_dek(&mut state, &dek_ref)?;
        if held.key.identity().owner() == reader {
            return Err(Error::BadInput);
        }
        self.encrypt_request(&mut state, Purpose::Share, &held.key, reader, cmk, created)
    }
}

fn record_dek(state: &mut State, dek_ref: &DekRef) -> Result<InUse, Error> {
    let held = state.deks.take_up(dek_ref)?;
    if held.key.identity().kind() == DekKind::Record { Ok(held) } else { Err(Error::BadInput) }
}

fn own_record_dek(state: &mut State, dek_ref: &DekRef) -> Result<InUse, Error> {
    let held = record_dek(state, dek_ref)?;
    if held.share { Err(Error::BadInput) } else { Ok(held) }
}
