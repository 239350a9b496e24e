//! The vault: the plaintext DEKs that a process holds now, and the rules for them.
//!
//! One lock guards the state; a call reads the clocks once, inside it, takes what it needs and
//! does its AES outside it, so opens run side by side.

mod batch;
#[cfg(feature = "external-aead")]
mod external;
mod frame;
mod held;
mod keychain;
mod options;
mod records;
mod requests;
mod seal;
mod share;
mod state;
mod unwrap;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

pub use batch::{MAX_BATCH, OpenItem, SealItem};
pub use held::DekStatus;
pub use options::VaultOptions;
pub use requests::Minted;
pub use seal::{ResealOptions, Scope, SealOptions};

use crate::base64::Base64;
use crate::json::Writer;
use crate::map::Map;
use crate::sync::{Guard, Lock};
use crate::text::check;
use crate::wrap::ActiveRow;
use crate::{DekRef, Error, Platform};
use options::Settings;
use state::State;

/// A vault. Safe to share between threads.
///
/// Whoever holds a vault may use every DEK in it, so one vault serves one session: one KMS
/// principal. A server keeps one per session. A vault made without the option `cmks` trusts what
/// its rows say about CMKs.
pub struct Vault {
    settings: Settings,
    platform: Box<dyn Platform>,
    state: Lock<State>,
}

impl Vault {
    /// A vault on the operating system's clocks and generator.
    ///
    /// # Errors
    /// [`Error::BadInput`] or [`Error::Limit`] for an option outside its range.
    #[cfg(feature = "os")]
    pub fn new(options: &VaultOptions) -> Result<Self, Error> {
        Self::with_platform(options, Box::new(crate::OsPlatform::new()))
    }

    /// [`Self::new`] of the options in a JSON object.
    ///
    /// # Errors
    /// As [`VaultOptions::from_json`] and [`Self::new`].
    #[cfg(feature = "os")]
    pub fn from_json(options: &[u8]) -> Result<Self, Error> {
        Self::new(&VaultOptions::from_json(options)?)
    }

    /// A vault on clocks and a generator of the caller's.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_platform(options: &VaultOptions, platform: Box<dyn Platform>) -> Result<Self, Error> {
        let mut settings = Settings::NEW;
        settings.read(options)?;
        let mut state = State::NEW;
        state.tick(&*platform);
        for (org, version) in &options.min_versions {
            state.see_version(org, *version);
        }
        Ok(Self { settings, platform, state: Lock::new(state) })
    }

    /// Tells the vault which `active` row is in the store: the host's own after it won the write,
    /// another's after it lost. A row with state `tombstoned` is [`Self::tombstone`].
    ///
    /// # Errors
    /// [`Error::OrgTombstoned`]; [`Error::ActiveRollback`] for a version below the highest seen, or of
    /// the same version as the last row but with another DEK (a fork); [`Error::RowInconsistent`] if
    /// the DEK is here and isn't this org's of this version.
    pub fn set_active(&self, active: &ActiveRow) -> Result<(), Error> {
        let mut state = self.enter()?;
        state.check_org(&active.org)?;
        state.set_active(active)
    }

    /// Forgets the org's DEKs, as owner and as reader, and refuses everything for it from now on
    /// but [`Self::shred_request`], [`Self::sign_out`] and [`Self::status`].
    ///
    /// # Errors
    /// [`Error::BadInput`] or [`Error::Limit`] for the string.
    pub fn tombstone(&self, org: &str) -> Result<(), Error> {
        check(org)?;
        let mut state = self.enter()?;
        state.tombstone(org)
    }

    /// Wipes all DEKs and voids open requests. What was seen of versions, tombstones and seals stays.
    /// Answers the DEKs whose keychain entries this vault wrote or read; the host deletes every
    /// entry under its one service name.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn sign_out(&self) -> Result<Vec<DekRef>, Error> {
        let mut entries = Vec::new();
        self.enter()?.sign_out(|dek_ref| entries.extend(DekRef::from_slice(dek_ref)));
        Ok(entries)
    }

    /// [`Self::sign_out`] as JSON: a list of the `dek_ref`s.
    ///
    /// # Errors
    /// As there.
    pub fn sign_out_json(&self) -> Result<String, Error> {
        let mut list = Writer::list();
        self.enter()?.sign_out(|dek_ref| list.item_text(&Base64::Url.encode(dek_ref)));
        Ok(list.end())
    }

    /// The DEKs held and not over, by `dek_ref`.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn status(&self) -> Result<Vec<DekStatus>, Error> {
        let state = self.enter()?;
        Ok(state.status())
    }

    /// [`Self::status`] as JSON: a list of `{dekRef, kind, org, version, reader, ends, seals}`.
    ///
    /// # Errors
    /// As there.
    pub fn status_json(&self) -> Result<String, Error> {
        let state = self.enter()?;
        let mut list = Writer::list();
        for held in state.deks.alive() {
            list.open_item();
            list.dek_ref(&held.dek_ref);
            list.text("kind", held.identity.kind().name());
            list.text("org", held.identity.owner());
            list.number("version", held.identity.version().into());
            list.text("reader", &held.reader);
            list.number("ends", held.end.wall);
            list.number("seals", state.seals(&held.dek_ref));
            list.close();
        }
        Ok(list.end())
    }

    /// The DEKs that these envelopes need and that are not here, each once. Envelopes that could
    /// not be read are passed over. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Limit`] for more than 10,000 envelopes.
    pub fn missing(&self, envelopes: &[&[u8]]) -> Result<Vec<DekRef>, Error> {
        if envelopes.len() > MAX_BATCH {
            return Err(Error::Limit);
        }
        let state = self.enter()?;
        let mut found = Found(Map::NEW);
        let mut list = Vec::new();
        for envelope in envelopes {
            list.extend(found.missing(&state, envelope, self.settings.field_limit).map(DekRef::from));
        }
        Ok(list)
    }

    /// [`Self::missing`] of envelopes that lie one behind another, with their lengths in `lengths`
    /// as little-endian u32: the DEKs, 32 bytes each.
    ///
    /// # Errors
    /// As there; [`Error::BadInput`] if there are fewer bytes than that.
    pub fn missing_in(&self, mut envelopes: &[u8], lengths: &[u8]) -> Result<Vec<u8>, Error> {
        let lengths = lengths.as_chunks().0;
        if lengths.len() > MAX_BATCH {
            return Err(Error::Limit);
        }
        let state = self.enter()?;
        let mut found = Found(Map::NEW);
        let mut list = Vec::new();
        for len in lengths {
            let len = usize::try_from(u32::from_le_bytes(*len)).map_err(|_| Error::BadInput)?;
            let (envelope, rest) = envelopes.split_at_checked(len).ok_or(Error::BadInput)?;
            if let Some(dek_ref) = found.missing(&state, envelope, self.settings.field_limit) {
                list.extend_from_slice(&dek_ref);
            }
            envelopes = rest;
        }
        Ok(list)
    }

    /// Takes the lock and reads the clocks: every call begins here, so every call sees a step back.
    fn enter(&self) -> Result<Guard<'_, State>, Error> {
        let mut state = self.state.lock()?;
        state.tick(&*self.platform);
        Ok(state)
    }
}

/// The missing DEKs that were found.
struct Found(Map<()>);

impl Found {
    /// The DEK that an envelope needs, if it isn't here and wasn't found yet.
    fn missing(&mut self, state: &State, envelope: &[u8], field_limit: usize) -> Option<[u8; DekRef::LEN]> {
        let frame = crate::envelope::Frame::read(envelope, field_limit).ok()?;
        let new = !state.deks.is_alive(frame.dek_ref) && self.0.insert(frame.dek_ref, ()).is_none();
        new.then_some(*frame.dek_ref)
    }
}

impl core::fmt::Debug for Vault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Vault(..)")
    }
}
