//! What a vault remembers, and the rules that need nothing else.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::held::{Held, HeldDeks, InUse};
use super::records::Records;
use super::requests::Requests;
use super::seal::Scope;
use crate::clock::{Clock, End, Now};
use crate::secrets::DekKey;
use crate::wrap::ActiveRow;
use crate::{Binding, DekKind, DekRef, Error, Identity, Platform};

pub(super) struct State {
    clock: Clock,
    pub(super) deks: HeldDeks,
    /// IVs used, for the vault's whole life.
    pub(super) seals: BTreeMap<DekRef, u64>,
    pub(super) records: Records,
    pub(super) requests: Requests,
    /// Minted DEKs that wait for their `active` row, one an org.
    pub(super) minted: BTreeMap<String, (DekRef, Held)>,
    /// Keychain entries that this vault wrote or read.
    pub(super) keychain: BTreeSet<DekRef>,
    active: BTreeMap<String, ActiveRow>,
    highest: BTreeMap<String, u32>,
    tombstones: BTreeSet<String>,
}

impl State {
    pub(super) fn new(platform: &dyn Platform, min_versions: &BTreeMap<String, u32>) -> Self {
        Self {
            clock: Clock::new(platform),
            deks: HeldDeks::default(),
            seals: BTreeMap::new(),
            records: Records::default(),
            requests: Requests::default(),
            minted: BTreeMap::new(),
            keychain: BTreeSet::new(),
            active: BTreeMap::new(),
            highest: min_versions.clone(),
            tombstones: BTreeSet::new(),
        }
    }

    pub(super) fn tick(&mut self, platform: &dyn Platform) -> Now {
        let (now, went_back) = self.clock.read(platform);
        self.deks.tick(now, went_back);
        if went_back {
            self.minted.clear();
        }
        for (_, held) in self.minted.values_mut() {
            held.expire(now);
        }
        now
    }

    /// # Errors
    /// [`Error::OrgTombstoned`].
    pub(super) fn check_org(&self, org: &str) -> Result<(), Error> {
        if self.tombstones.contains(org) { Err(Error::OrgTombstoned) } else { Ok(()) }
    }

    pub(super) fn tombstone(&mut self, org: &str) {
        self.tombstones.insert(org.to_string());
        self.deks.forget_org(org);
        self.minted.remove(org);
    }

    pub(super) fn sign_out(&mut self) -> Vec<DekRef> {
        self.deks.clear();
        self.minted.clear();
        self.requests.clear();
        core::mem::take(&mut self.keychain).into_iter().collect()
    }

    pub(super) fn highest_version(&self, org: &str) -> u32 {
        self.highest.get(org).copied().unwrap_or(0)
    }

    /// The revision that the next `active` row of an org must have, as far as this vault saw.
    pub(super) fn next_rev(&self, org: &str) -> u64 {
        self.active.get(org).map_or(1, |active| active.rev.saturating_add(1))
    }

    pub(super) fn set_active(&mut self, active: &ActiveRow, now: Now) -> Result<(), Error> {
        if let Some(held) = self.deks.get(&active.dek_ref) {
            check_active(&held.identity, active)?;
        }
        if let Some((dek_ref, held)) = self.minted.get(&active.org)
            && *dek_ref == active.dek_ref
        {
            check_active(&held.identity, active)?;
        }
        let forked = self
            .active
            .get(&active.org)
            .is_some_and(|last| last.version == active.version && last.dek_ref != active.dek_ref);
        if active.version < self.highest_version(&active.org) || forked {
            return Err(Error::ActiveRollback);
        }
        self.see_version(&active.org, active.version);
        self.active.insert(active.org.clone(), active.clone());
        // The loser of a race discards its DEK: nothing was sealed under it.
        if let Some((dek_ref, held)) = self.minted.remove(&active.org)
            && dek_ref == active.dek_ref
            // Admitted meanwhile: it came in anew, and its end stays what it is.
            && !self.deks.is_alive(&dek_ref)
        {
            let mut held = held;
            held.expire(now);
            self.deks.insert(dek_ref, held);
        }
        if active.tombstoned {
            self.tombstone(&active.org);
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
            self.see_version(identity.owner(), identity.version());
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
        let active = self.active.get(org).ok_or(Error::NoActiveDek)?;
        let in_use = self.deks.take_up(&active.dek_ref)?;
        check_active(in_use.key.identity(), active)?;
        if active.version < self.highest_version(org) {
            return Err(Error::ActiveRollback);
        }
        Ok(in_use)
    }

    /// Counts IVs before they are drawn, so that no race uses one too many.
    ///
    /// # Errors
    /// [`Error::BudgetExhausted`], and nothing is counted.
    pub(super) fn count_seal(&mut self, dek_ref: &DekRef, limit: u64) -> Result<(), Error> {
        let count = self.seals.entry(*dek_ref).or_insert(0);
        let next = count.saturating_add(1);
        if next > limit {
            return Err(Error::BudgetExhausted);
        }
        *count = next;
        Ok(())
    }

    /// Takes a count back: no IV was drawn.
    pub(super) fn uncount_seal(&mut self, dek_ref: &DekRef) {
        if let Some(count) = self.seals.get_mut(dek_ref) {
            *count = count.saturating_sub(1);
        }
    }

    fn see_version(&mut self, org: &str, version: u32) {
        if version > self.highest_version(org) {
            self.highest.insert(org.to_string(), version);
        }
    }
}

/// An `active` row is storage's word: its DEK must be this org's org DEK of this version.
fn check_active(identity: &Identity, active: &ActiveRow) -> Result<(), Error> {
    let fits =
        identity.kind() == DekKind::Org && identity.owner() == active.org && identity.version() == active.version;
    if fits { Ok(()) } else { Err(Error::RowInconsistent) }
}
