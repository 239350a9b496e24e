//! How DEKs come in: from a KMS's answer or from a local wrap.

use super::Vault;
use super::state::State;
use crate::kms::{KmsOp, KmsReply, KmsRequest};
use crate::secrets::DekKey;
use crate::text::check;
use crate::wrap::{LocalWrap, Provider, WrapRow};
use crate::{DekRef, Error};

impl Vault {
    /// Asks for the DEK of a row: `Decrypt` with exactly the row's encryption context. `org` is the
    /// one on whose behalf the host acts, from its own session and never from the row.
    ///
    /// # Errors
    /// [`Error::OrgTombstoned`]; [`Error::RowInconsistent`] if the row is for another reader;
    /// [`Error::BadInput`] for a local row; [`Error::KeyIdUnexpected`] if its CMK isn't the org's.
    pub fn unwrap_request(&self, org: &str, row: &WrapRow) -> Result<KmsRequest, Error> {
        let mut state = self.enter()?;
        self.check_unwrap(&state, org, row)?;
        Ok(self.ask(&mut state, KmsOp::Decrypt, row))
    }

    fn check_unwrap(&self, state: &State, org: &str, row: &WrapRow) -> Result<(), Error> {
        check(org)?;
        check_reader(state, org, row)?;
        match row.provider() {
            Provider::AwsKms => self.settings.check_cmk(org, row.key_id()),
            Provider::Local => Err(Error::BadInput),
        }
    }

    /// Takes a DEK in: from the KMS's `reply` for the row, or without one from a local row whose
    /// KEK is held. The DEK must be the one that the row names, whatever the reply says.
    ///
    /// # Errors
    /// As [`Self::unwrap_request`], then the errors of a reply or of a local wrap, then
    /// [`Error::KeyMismatch`], and [`Error::RowInconsistent`] if the DEK is held for another reader.
    /// A reply that denies drops the DEK if it is held.
    pub fn admit(&self, org: &str, row: &WrapRow, reply: Option<KmsReply<'_>>) -> Result<DekRef, Error> {
        check(org)?;
        let mut state = self.enter()?;
        check_reader(&state, org, row)?;
        match (row.provider(), reply) {
            (Provider::AwsKms, Some(reply)) => self.admit_reply(&mut state, org, row, reply)?,
            (Provider::Local, None) => self.admit_local(&mut state, org, row)?,
            _ => return Err(Error::BadInput),
        }
        Ok(*row.dek_ref())
    }

    fn admit_reply(&self, state: &mut State, org: &str, row: &WrapRow, mut reply: KmsReply<'_>) -> Result<(), Error> {
        self.settings.check_cmk(org, row.key_id())?;
        if let Err(error) = reply.check(&self.settings.endpoints, row.key_id()) {
            if matches!(error, Error::KmsDenied | Error::KmsPendingDeletion) {
                state.deks.drop_alive(row.dek_ref());
            }
            return Err(error);
        }
        let key = DekKey::admit(reply.take_dek()?, row.parts().identity.clone(), row.dek_ref())?;
        state.take_in(key, org, self.settings.ttl, None)
    }

    fn admit_local(&self, state: &mut State, org: &str, row: &WrapRow) -> Result<(), Error> {
        let wrap = LocalWrap::read(row)?;
        let key = wrap.unwrap(&*state.deks.take_up(wrap.kek_ref)?)?;
        // No DEK outlives the one that unwrapped it.
        state.take_in(key, org, self.settings.ttl, Some(wrap.kek_ref))
    }
}

pub(super) fn check_reader(state: &State, org: &str, row: &WrapRow) -> Result<(), Error> {
    state.check_org(org)?;
    state.check_row(row)?;
    if row.reader() == org { Ok(()) } else { Err(Error::RowInconsistent) }
}
