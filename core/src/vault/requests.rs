//! Requests that wait for the KMS's answer: minting, and wraps of record DEKs.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::Vault;
use super::held::Held;
use super::state::State;
use crate::clock::End;
use crate::json::Writer;
use crate::kms::{KmsOp, KmsParams, KmsReply, KmsRequest, check_cmk};
use crate::map::Map;
use crate::secrets::{Dek, DekKey};
use crate::text::check;
use crate::wrap::{ActiveRow, MAX_CREATED, Provider, Purpose, RowParts, WrapRow};
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

impl Minted {
    /// `{row, active}`
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = Writer::object();
        object.open("row");
        self.row.write(&mut object);
        object.close();
        object.open("active");
        self.active.write(&mut object);
        object.close();
        object.end()
    }
}

/// A request that has an answer to come: the row that it will make, still without its blob and, of
/// a DEK that is being minted, without its `dek_ref`.
struct Open {
    row: WrapRow,
    /// Whether the DEK was handed out.
    taken: bool,
}

pub(super) struct Requests {
    open: Map<Open>,
    last_id: u64,
}

impl Requests {
    pub(super) const NEW: Self = Self { open: Map::NEW, last_id: 0 };

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }

    pub(super) fn clear(&mut self) {
        self.open = Map::NEW;
    }

    fn add(&mut self, row: WrapRow) -> u64 {
        let id = self.next_id();
        if self.open.len() >= MAX_OPEN {
            self.open.pop_first();
        }
        self.open.insert(&id.to_be_bytes(), Open { row, taken: false });
        id
    }

    /// # Errors
    /// [`Error::BadInput`] for a request that isn't open or is of the other kind.
    fn find(&mut self, id: u64, minting: bool) -> Result<&mut Open, Error> {
        let open = self.open.get_mut(&id.to_be_bytes()).ok_or(Error::BadInput)?;
        if minting == (open.row.purpose() == Purpose::OrgDek) { Ok(open) } else { Err(Error::BadInput) }
    }

    fn close(&mut self, id: u64) {
        self.open.remove(&id.to_be_bytes());
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
        let mut state = self.enter()?;
        let row = self.minting(&state, org, cmk, version, created)?;
        Ok(self.ask(&mut state, KmsOp::GenerateDataKey, &row))
    }

    fn minting(&self, state: &State, org: &str, cmk: &str, version: u32, created: u64) -> Result<WrapRow, Error> {
        let identity = Identity::org(org, version)?;
        check_cmk(cmk)?;
        check_created(created)?;
        state.check_org(org)?;
        self.settings.check_cmk(org, cmk)?;
        if version <= state.highest_version(org) {
            return Err(Error::ActiveRollback);
        }
        Ok(pending(Purpose::OrgDek, &identity, org, &DekRef::from([0; DekRef::LEN]), cmk, created))
    }

    /// The request to make of a row that was checked. All but `Decrypt` wait for their answer.
    pub(super) fn ask(&self, state: &mut State, op: KmsOp, row: &WrapRow) -> KmsRequest {
        let mut params = KmsParams::of(row);
        let id = if op == KmsOp::Decrypt {
            params.ciphertext_blob = Some(row.blob().to_vec());
            state.requests.next_id()
        } else {
            state.requests.add(row.clone())
        };
        if op == KmsOp::GenerateDataKey {
            params.key_spec = Some("AES_256");
        }
        self.settings.endpoints.request(id, op, params)
    }

    /// Takes the answer to [`Self::mint_request`]. The DEK waits for its `active` row; a second one
    /// of the same org replaces it.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a request that isn't open; the errors of a reply; [`Error::KeyMismatch`]
    /// if what came isn't a DEK. The request stays open after an error.
    pub fn admit_minted(&self, request: u64, mut reply: KmsReply<'_>) -> Result<Minted, Error> {
        let mut rev = 0;
        let row = self.minted(request, &mut reply, &mut rev)?;
        let (dek_ref, version) = (*row.dek_ref(), row.version());
        let active = ActiveRow { org: row.reader().into(), dek_ref, version, tombstoned: false, rev };
        Ok(Minted { row, active })
    }

    fn minted(&self, request: u64, reply: &mut KmsReply<'_>, rev: &mut u64) -> Result<WrapRow, Error> {
        let mut state = self.enter()?;
        let mut row = self.answered(&mut state, request, true, reply)?;
        let key = DekKey::new(reply.take_dek()?, row.parts().identity.clone());
        state.requests.close(request);
        let parts = row.parts_mut()?;
        parts.blob = reply.blob()?.to_vec();
        parts.dek_ref = *key.dek_ref();
        let held = Held::new(key, &parts.reader, End::after(state.now, self.settings.ttl));
        *rev = state.keep_minted(&parts.reader, held)?;
        Ok(row)
    }

    /// The DEK of an `Encrypt` request, once: put it into the call's `Plaintext` and wipe it.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a request that isn't open or whose DEK was taken;
    /// [`Error::OrgTombstoned`], [`Error::UnknownDek`], [`Error::Expired`], [`Error::ClockRollback`].
    pub fn take_request_plaintext(&self, request: u64) -> Result<Zeroizing<Vec<u8>>, Error> {
        // On the heap: an array by value would leave copies wherever it is moved.
        let mut dek = Zeroizing::new(alloc::vec![0; Dek::LEN]);
        self.take_request_plaintext_into(request, &mut dek)?;
        Ok(dek)
    }

    /// [`Self::take_request_plaintext`] into the front of a buffer of the caller's; says how many
    /// bytes.
    ///
    /// # Errors
    /// As there; [`Error::BadInput`] if `out` is shorter than 32 bytes, and the DEK isn't taken.
    pub fn take_request_plaintext_into(&self, request: u64, out: &mut [u8]) -> Result<usize, Error> {
        let out = out.first_chunk_mut().ok_or(Error::BadInput)?;
        let mut state = self.enter()?;
        let open = state.requests.find(request, false)?;
        if open.taken {
            return Err(Error::BadInput);
        }
        let row = open.row.clone();
        state.check_row(&row)?;
        let key = state.deks.take_up(row.dek_ref().as_bytes())?;
        state.requests.find(request, false)?.taken = true;
        *out = *key.dek().expose();
        Ok(out.len())
    }

    /// Takes the answer to [`Self::share_request`] or [`Self::wrap_request`]; gives the row to store.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a request that isn't open; [`Error::OrgTombstoned`]; the errors of a
    /// reply. The request stays open after an error.
    pub fn admit_shared(&self, request: u64, reply: KmsReply<'_>) -> Result<WrapRow, Error> {
        let mut state = self.enter()?;
        let mut row = self.answered(&mut state, request, false, &reply)?;
        state.requests.close(request);
        row.parts_mut()?.blob = reply.blob()?.to_vec();
        Ok(row)
    }

    /// The row of an open request, if the reply is what was asked for.
    fn answered(&self, state: &mut State, request: u64, minting: bool, reply: &KmsReply<'_>) -> Result<WrapRow, Error> {
        let row = state.requests.find(request, minting)?.row.clone();
        state.check_row(&row)?;
        self.settings.check_cmk(row.reader(), row.key_id())?;
        reply.check(&self.settings.endpoints, row.key_id())?;
        reply.blob()?;
        Ok(row)
    }

    /// Asks for the destruction of an org's CMK in 7 to 30 days: `ScheduleKeyDeletion`. Serves
    /// tombstoned orgs too.
    ///
    /// # Errors
    /// [`Error::BadInput`] or [`Error::Limit`] for an argument; [`Error::KeyIdUnexpected`] if the CMK
    /// isn't the org's.
    pub fn shred_request(&self, org: &str, cmk: &str, days: u32) -> Result<KmsRequest, Error> {
        let mut state = self.enter()?;
        check(org)?;
        check_cmk(cmk)?;
        if !(7..=30).contains(&days) {
            return Err(Error::BadInput);
        }
        self.settings.check_cmk(org, cmk)?;
        let params = KmsParams { key_id: cmk.to_string(), pending_window_in_days: Some(days), ..KmsParams::default() };
        let id = state.requests.next_id();
        Ok(self.settings.endpoints.request(id, KmsOp::ScheduleKeyDeletion, params))
    }
}

/// A row that waits for its blob.
pub(super) fn pending(
    purpose: Purpose,
    identity: &Identity,
    reader: &str,
    dek_ref: &DekRef,
    cmk: &str,
    created: u64,
) -> WrapRow {
    let (identity, reader, key_id) = (identity.clone(), reader.to_string(), cmk.to_string());
    let (dek_ref, provider, blob) = (*dek_ref, Provider::AwsKms, Vec::new());
    RowParts { purpose, identity, reader, created, dek_ref, provider, key_id, blob }.into()
}

pub(super) fn check_created(created: u64) -> Result<(), Error> {
    if created > MAX_CREATED { Err(Error::BadInput) } else { Ok(()) }
}
