//! What a vault remembers, and the rules that need nothing else.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::held::{DekStatus, Held, HeldDeks, InUse};
use super::records::Records;
use super::requests::Requests;
use super::seal::Scope;
use crate::clock::{Clock, End, Now};
use crate::map::Map;
use crate::secrets::DekKey;
use crate::wrap::{ActiveRow, WrapRow};
use crate::{Binding, DekKind, DekRef, Error, Identity, Platform};

pub(super) struct State {
    clock: Clock,
    pub(super) deks: HeldDeks,
    uses: Map<Uses>,
    pub(super) records: Records,
    pub(super) requests: Requests,
    orgs: Map<Org>,
}

/// What is remembered of a DEK for the vault's whole life.
#[derive(Default)]
struct Uses {
    /// IVs used.
    seals: u64,
    /// Whether this vault wrote or read a keychain entry of it.
    keychain: bool,
}

/// What is remembered of an org for the vault's whole life, and its minted DEK.
#[derive(Default)]
struct Org {
    highest: u32,
    active: Option<ActiveRow>,
    tombstoned: bool,
    /// Waits for its `active` row.
    minted: Option<(DekRef, Held)>,
}

impl State {
    pub(super) fn new(platform: &dyn Platform, min_versions: &[(String, u32)]) -> Result<Self, Error> {
        let mut state = Self {
            clock: Clock::new(platform),
            deks: HeldDeks::default(),
            uses: Map::default(),
            records: Records::default(),
            requests: Requests::default(),
            orgs: Map::default(),
        };
        for (org, version) in min_versions {
            state.see_version(org, *version)?;
        }
        Ok(state)
    }

    pub(super) fn tick(&mut self, platform: &dyn Platform) -> Now {
        let (now, went_back) = self.clock.read(platform);
        self.deks.tick(now, went_back);
        for (_, org) in self.orgs.iter_mut() {
            match &mut org.minted {
                Some(_) if went_back => org.minted = None,
                Some((_, held)) => held.expire(now),
                None => {}
            }
        }
        now
    }

    /// # Errors
    /// [`Error::OrgTombstoned`].
    pub(super) fn check_org(&self, org: &str) -> Result<(), Error> {
        if self.orgs.get(org.as_bytes()).is_some_and(|org| org.tombstoned) { Err(Error::OrgTombstoned) } else { Ok(()) }
    }

    /// # Errors
    /// [`Error::OrgTombstoned`] if the row's owner or reader is.
    pub(super) fn check_row(&self, row: &WrapRow) -> Result<(), Error> {
        self.check_org(row.owner())?;
        self.check_org(row.reader())
    }

    pub(super) fn tombstone(&mut self, org: &str) -> Result<(), Error> {
        let gone = self.org(org)?;
        gone.tombstoned = true;
        gone.minted = None;
        self.deks.forget_org(org);
        Ok(())
    }

    pub(super) fn sign_out(&mut self) -> Vec<DekRef> {
        self.deks.clear();
        self.requests.clear();
        for (_, org) in self.orgs.iter_mut() {
            org.minted = None;
        }
        let mut entries = Vec::new();
        for (dek_ref, uses) in self.uses.iter_mut() {
            if core::mem::take(&mut uses.keychain) {
                entries.extend(DekRef::from_slice(dek_ref));
            }
        }
        entries
    }

    /// Notes that this vault wrote or read a keychain entry of the DEK.
    pub(super) fn note_keychain(&mut self, dek_ref: &DekRef) -> Result<(), Error> {
        self.uses_of(dek_ref)?.keychain = true;
        Ok(())
    }

    pub(super) fn highest_version(&self, org: &str) -> u32 {
        self.orgs.get(org.as_bytes()).map_or(0, |org| org.highest)
    }

    /// Keeps a minted DEK until its `active` row is told; says which revision that row must have, as
    /// far as this vault saw.
    pub(super) fn keep_minted(&mut self, org: &str, dek_ref: DekRef, held: Held) -> Result<u64, Error> {
        let org = self.org(org)?;
        org.minted = Some((dek_ref, held));
        Ok(org.active.as_ref().map_or(1, |active| active.rev.saturating_add(1)))
    }

    pub(super) fn set_active(&mut self, active: &ActiveRow, now: Now) -> Result<(), Error> {
        if let Some(held) = self.deks.get(&active.dek_ref) {
            check_active(&held.identity, active)?;
        }
        let org = self.org(&active.org)?;
        let minted = org.minted.as_ref().filter(|(dek_ref, _)| *dek_ref == active.dek_ref);
        if let Some((_, held)) = minted {
            check_active(&held.identity, active)?;
        }
        let forked = |last: &ActiveRow| last.version == active.version && last.dek_ref != active.dek_ref;
        if active.version < org.highest || org.active.as_ref().is_some_and(forked) {
            return Err(Error::ActiveRollback);
        }
        org.highest = active.version;
        org.active = Some(active.clone());
        // The loser of a race discards its DEK: nothing was sealed under it.
        if let Some((dek_ref, mut held)) = org.minted.take()
            && dek_ref == active.dek_ref
            // Admitted meanwhile: it came in anew, and its end stays what it is.
            && !self.deks.is_alive(&dek_ref)
        {
            held.expire(now);
            self.deks.insert(dek_ref, held);
        }
        if active.tombstoned {
            self.tombstone(&active.org)?;
        }
        Ok(())
    }

    /// Takes a DEK in for `reader` until `end`.
    ///
    /// # Errors
    /// [`Error::RowInconsistent`] if it is held for another reader.
    pub(super) fn take_in(&mut self, key: Arc<DekKey>, reader: &str, end: End) -> Result<DekRef, Error> {
        let dek_ref = *key.dek_ref();
        self.deks.check_reader(&dek_ref, reader)?;
        let identity = key.identity();
        if identity.kind() == DekKind::Org {
            self.see_version(identity.owner(), identity.version())?;
        }
        self.records.note(identity, &dek_ref);
        self.deks.insert(dek_ref, Held::new(key, reader, end));
        Ok(dek_ref)
    }

    /// The DEK that a value at `binding` is sealed under now.
    pub(super) fn sealing_dek(&mut self, binding: &Binding<'_>, scope: Scope) -> Result<InUse, Error> {
        match scope {
            Scope::Org => self.active_dek(binding.org()),
            Scope::Record => {
                let highest = self.records.highest(binding.org(), binding.table(), binding.record());
                let in_use = self.deks.take_up(&highest.ok_or(Error::NoActiveDek)?)?;
                // Whoever reads a share holds its DEK, but values of the record are the owner's to write.
                if in_use.share { Err(Error::NoActiveDek) } else { Ok(in_use) }
            }
        }
    }

    /// The org's active DEK: never one below the highest version seen.
    pub(super) fn active_dek(&mut self, org: &str) -> Result<InUse, Error> {
        let org = self.orgs.get(org.as_bytes()).ok_or(Error::NoActiveDek)?;
        let active = org.active.as_ref().ok_or(Error::NoActiveDek)?;
        let in_use = self.deks.take_up(&active.dek_ref)?;
        check_active(in_use.key.identity(), active)?;
        if active.version < org.highest { Err(Error::ActiveRollback) } else { Ok(in_use) }
    }

    /// Counts IVs before they are drawn, so that no race uses one too many.
    ///
    /// # Errors
    /// [`Error::BudgetExhausted`], and nothing is counted.
    pub(super) fn count_seal(&mut self, dek_ref: &DekRef, limit: u64) -> Result<(), Error> {
        let uses = self.uses_of(dek_ref)?;
        if uses.seals >= limit {
            return Err(Error::BudgetExhausted);
        }
        uses.seals = uses.seals.saturating_add(1);
        Ok(())
    }

    /// Takes a count back: no IV was drawn.
    pub(super) fn uncount_seal(&mut self, dek_ref: &DekRef) {
        if let Some(uses) = self.uses.get_mut(dek_ref.as_bytes()) {
            uses.seals = uses.seals.saturating_sub(1);
        }
    }

    /// The DEKs held and not over, by `dek_ref`.
    pub(super) fn status(&self) -> Vec<DekStatus> {
        self.deks.status(|dek_ref| self.uses.get(dek_ref.as_bytes()).map_or(0, |uses| uses.seals))
    }

    fn see_version(&mut self, org: &str, version: u32) -> Result<(), Error> {
        let org = self.org(org)?;
        org.highest = org.highest.max(version);
        Ok(())
    }

    fn org(&mut self, org: &str) -> Result<&mut Org, Error> {
        self.orgs.entry(org.as_bytes()).ok_or(Error::Internal)
    }

    fn uses_of(&mut self, dek_ref: &DekRef) -> Result<&mut Uses, Error> {
        self.uses.entry(dek_ref.as_bytes()).ok_or(Error::Internal)
    }
}

/// An `active` row is storage's word: its DEK must be this org's org DEK of this version.
fn check_active(identity: &Identity, active: &ActiveRow) -> Result<(), Error> {
    let fits =
        identity.kind() == DekKind::Org && identity.owner() == active.org && identity.version() == active.version;
    if fits { Ok(()) } else { Err(Error::RowInconsistent) }
}
