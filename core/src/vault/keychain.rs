//! Cached DEKs on their way to and from the host's keychain.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::Vault;
use crate::cache::{self, Entry, MAX_AHEAD, MAX_LIFE, WipeOnDrop};
use crate::secrets::DekKey;
use crate::{DekKind, DekRef, Error};

impl Vault {
    /// Writes a DEK that is held as a keychain entry of this vault's session. It ends when the DEK does.
    ///
    /// # Errors
    /// [`Error::BadInput`] in a vault without a session; [`Error::UnknownDek`] and what it is over by.
    pub fn cache_export(&self, dek_ref: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let dek_ref = DekRef::from_slice(dek_ref)?;
        let mut state = self.enter()?;
        let session = self.settings.session.as_deref().ok_or(Error::BadInput)?;
        let key = state.deks.take_up(dek_ref.as_bytes())?;
        state.note_keychain(&dek_ref)?;
        let held = state.deks.get(dek_ref.as_bytes()).ok_or(Error::UnknownDek)?;
        let issued = state.now.wall;
        let expires = issued.saturating_add(held.end.remaining(state.now));
        Ok(cache::write(&key, &held.reader, session, issued, expires))
    }

    /// Takes a DEK in from a keychain entry, for what is left of its time. The buffer is wiped,
    /// whatever the outcome. Read the `active` rows of owner and reader before: a new vault knows no
    /// tombstones.
    ///
    /// # Errors
    /// [`Error::BadInput`] in a vault without a session; the format errors; [`Error::AuthFailed`] for a
    /// damaged entry; [`Error::KeyMismatch`]; [`Error::RowInconsistent`] for another session or a reader
    /// at odds; [`Error::OrgTombstoned`]; [`Error::Limit`] for a life over 12 hours;
    /// [`Error::ClockRollback`] if it was issued more than 300 s ahead; [`Error::Expired`].
    pub fn cache_import(&self, entry: &mut [u8]) -> Result<DekRef, Error> {
        let entry = WipeOnDrop(entry);
        let mut state = self.enter()?;
        let now = state.now;
        let session = self.settings.session.as_deref().ok_or(Error::BadInput)?;
        let entry = Entry::read(entry.0)?;
        if entry.identity.kind() == DekKind::Org && entry.reader != entry.identity.owner() {
            return Err(Error::RowInconsistent);
        }
        state.check_org(entry.identity.owner())?;
        state.check_org(&entry.reader)?;
        if entry.session != session {
            return Err(Error::RowInconsistent);
        }
        let life = entry.expires.checked_sub(entry.issued).filter(|life| *life > 0).ok_or(Error::Malformed)?;
        if life > MAX_LIFE {
            return Err(Error::Limit);
        }
        if entry.issued > now.wall.saturating_add(MAX_AHEAD) {
            return Err(Error::ClockRollback);
        }
        if now.wall >= entry.expires {
            return Err(Error::Expired);
        }
        state.deks.check_reader(&entry.dek_ref, &entry.reader)?;
        state.note_keychain(&entry.dek_ref)?;
        if state.deks.is_alive(entry.dek_ref.as_bytes()) {
            return Ok(entry.dek_ref);
        }
        let left = entry.expires.saturating_sub(now.wall).min(MAX_LIFE);
        let key = DekKey::new(entry.dek, entry.identity);
        state.take_in(key, &entry.reader, left, None)?;
        Ok(entry.dek_ref)
    }
}
