//! Requests that wait for the KMS's answer: minting, and wraps of record DEKs.

use alloc::string::{String, ToString};

use zeroize::Zeroizing;

use super::Vault;
use super::held::Held;
use super::state::State;
use crate::clock::End;
use crate::kms::{KmsOp, KmsParams, KmsReply, KmsRequest, check_cmk, wrap_params};
use crate::map::Map;
use crate::secrets::{Dek, DekKey};
use crate::text::check;
use crate::wrap::{ActiveRow, MAX_CREATED, Provider, Purpose, WrapRow};
use crate::{DekRef, Error, Identity};

/// Requests that may be open at once; the oldest goes, as if it had never been made.
const MAX_OPEN: usize = 4_096;

/// What [`Vault::admit_minted`] gives: store `row` put-if-absent first, then write `active` by
/// compare-and-set, then tell the vault with [`Vault::set_active`]. Nothing is sealed before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minted {
    /// The wrap row of the new DEK.
    pub row: WrapRow,
    /// The `active` row that makes it the one to seal under.
    pub active: ActiveRow,
}

/// A request that has an answer to come.
#[derive(Clone)]
pub(super) enum Open {
    Mint {
        identity: Identity,
        cmk: String,
        created: u64,
    },
    Wrap {
        purpose: Purpose,
        identity: Identity,
        reader: String,
        dek_ref: DekRef,
        cmk: String,
        created: u64,
        taken: bool,
    },
}

#[derive(Default)]
pub(super) struct Requests {
    open: Map<Open>,
    last_id: u64,
}

impl Requests {
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }

    pub(super) fn add(&mut self, open: Open) -> u64 {
        let id = self.next_id();
        if self.open.len() >= MAX_OPEN {
            self.open.pop_first();
        }
        self.open.insert(&id.to_be_bytes(), open);
        id
    }

    pub(super) fn clear(&mut self) {
        self.open = Map::default();
    }
}

impl Vault {
    /// Asks for a new org DEK: `GenerateDataKey` under the org's CMK. `created` is in unix seconds.
    ///
    /// # Errors
    /// [`Error::BadInput`] or [`Error::Limit`] for an argument; [`Error::OrgTombstoned`];
    /// [`Error::KeyIdUnexpected`] if the CMK isn't the org's; [`Error::ActiveRollback`] if `version`
    /// isn't above the highest seen for the org.
    pub fn mint_request(&self, org: &str, cmk: &str, version: u32, created: u64) -> Result<KmsRequest, Error> {
        let identity = Identity::org(org, version)?;
        check_cmk(cmk)?;
        check_created(created)?;
        let (mut state, _) = self.enter()?;
        state.check_org(org)?;
        self.settings.check_cmk(org, cmk)?;
        if version <= state.highest_version(org) {
            return Err(Error::ActiveRollback);
        }
        let mut params = wrap_params(Purpose::OrgDek, &identity, org, created, None, cmk);
        params.key_spec = Some("AES_256");
        let id = state.requests.add(Open::Mint { identity, cmk: cmk.to_string(), created });
        Ok(self.settings.endpoints.request(id, KmsOp::GenerateDataKey, params))
    }

    /// Takes the answer to [`Self::mint_request`]. The DEK waits for its `active` row; a second one
    /// of the same org replaces it.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a request that isn't open; the errors of a reply; [`Error::KeyMismatch`]
    /// if what came isn't a DEK. The request stays open after an error.
    pub fn admit_minted(&self, request: u64, mut reply: KmsReply<'_>) -> Result<Minted, Error> {
        let (mut state, now) = self.enter()?;
        let Some(Open::Mint { identity, cmk, created }) = state.requests.open.get(&request.to_be_bytes()).cloned()
        else {
            return Err(Error::BadInput);
        };
        let org = identity.owner().to_string();
        state.check_org(&org)?;
        self.settings.check_cmk(&org, &cmk)?;
        reply.check(&self.settings.endpoints, &cmk)?;
        let blob = reply.blob()?;
        let key = DekKey::new(reply.take_dek()?, identity.clone());
        let dek_ref = *key.dek_ref();
        let held = Held::new(key, &org, End::after(now, self.settings.ttl));
        state.requests.open.remove(&request.to_be_bytes());
        let minted = Minted {
            active: ActiveRow {
                org: org.clone(),
                dek_ref,
                version: identity.version(),
                tombstoned: false,
                rev: state.keep_minted(&org, dek_ref, held)?,
            },
            row: WrapRow {
                purpose: Purpose::OrgDek,
                identity,
                reader: org.clone(),
                created,
                dek_ref,
                provider: Provider::AwsKms,
                key_id: cmk,
                blob,
            },
        };
        Ok(minted)
    }

    /// The DEK of an `Encrypt` request, once: put it into the call's `Plaintext` and wipe it.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a request that isn't open or whose DEK was taken;
    /// [`Error::OrgTombstoned`], [`Error::UnknownDek`], [`Error::Expired`], [`Error::ClockRollback`].
    pub fn take_request_plaintext(&self, request: u64) -> Result<Zeroizing<[u8; Dek::LEN]>, Error> {
        let (mut state, _) = self.enter()?;
        let Some(Open::Wrap { identity, reader, dek_ref, taken: false, .. }) =
            state.requests.open.get(&request.to_be_bytes()).cloned()
        else {
            return Err(Error::BadInput);
        };
        state.check_org(&reader)?;
        state.check_org(identity.owner())?;
        let in_use = state.deks.take_up(&dek_ref)?;
        if let Some(Open::Wrap { taken, .. }) = state.requests.open.get_mut(&request.to_be_bytes()) {
            *taken = true;
        }
        Ok(Zeroizing::new(*in_use.key.dek().expose()))
    }

    /// Takes the answer to [`Self::share_request`] or [`Self::wrap_request`]; gives the row to store.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a request that isn't open; [`Error::OrgTombstoned`]; the errors of a
    /// reply. The request stays open after an error.
    pub fn admit_shared(&self, request: u64, reply: KmsReply<'_>) -> Result<WrapRow, Error> {
        let (mut state, _) = self.enter()?;
        let Some(Open::Wrap { purpose, identity, reader, dek_ref, cmk, created, .. }) =
            state.requests.open.get(&request.to_be_bytes()).cloned()
        else {
            return Err(Error::BadInput);
        };
        state.check_org(&reader)?;
        state.check_org(identity.owner())?;
        self.settings.check_cmk(&reader, &cmk)?;
        reply.check(&self.settings.endpoints, &cmk)?;
        let blob = reply.blob()?;
        state.requests.open.remove(&request.to_be_bytes());
        Ok(WrapRow { purpose, identity, reader, created, dek_ref, provider: Provider::AwsKms, key_id: cmk, blob })
    }

    /// Asks for the destruction of an org's CMK in 7 to 30 days: `ScheduleKeyDeletion`. Serves
    /// tombstoned orgs too.
    ///
    /// # Errors
    /// [`Error::BadInput`] or [`Error::Limit`] for an argument; [`Error::KeyIdUnexpected`] if the CMK
    /// isn't the org's.
    pub fn shred_request(&self, org: &str, cmk: &str, days: u32) -> Result<KmsRequest, Error> {
        check(org)?;
        check_cmk(cmk)?;
        if !(7..=30).contains(&days) {
            return Err(Error::BadInput);
        }
        let (mut state, _) = self.enter()?;
        self.settings.check_cmk(org, cmk)?;
        let params = KmsParams { key_id: cmk.to_string(), pending_window_in_days: Some(days), ..KmsParams::default() };
        let id = state.requests.next_id();
        Ok(self.settings.endpoints.request(id, KmsOp::ScheduleKeyDeletion, params))
    }

    /// Asks for a wrap of a record DEK under a CMK.
    pub(super) fn encrypt_request(
        &self,
        state: &mut State,
        purpose: Purpose,
        key: &DekKey,
        reader: &str,
        cmk: &str,
        created: u64,
    ) -> Result<KmsRequest, Error> {
        self.settings.check_cmk(reader, cmk)?;
        let (identity, dek_ref) = (key.identity(), key.dek_ref());
        let params = wrap_params(purpose, identity, reader, created, Some(dek_ref), cmk);
        let id = state.requests.add(Open::Wrap {
            purpose,
            identity: identity.clone(),
            reader: reader.to_string(),
            dek_ref: *dek_ref,
            cmk: cmk.to_string(),
            created,
            taken: false,
        });
        Ok(self.settings.endpoints.request(id, KmsOp::Encrypt, params))
    }
}

pub(super) fn check_created(created: u64) -> Result<(), Error> {
    if created > MAX_CREATED { Err(Error::BadInput) } else { Ok(()) }
}
