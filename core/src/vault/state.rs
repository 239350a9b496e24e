//! What a vault remembers, and the rules that need nothing else.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::held::{DekStatus, Held, HeldDeks};
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
    /// What the clocks said when this call began.
    pub(super) now: Now,
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
    active: Option<Active>,
    tombstoned: bool,
    /// Waits for its `active` row.
    minted: Option<Box<Held>>,
}

/// What an `active` row said.
struct Active {
    dek_ref: DekRef,
    version: u32,
    rev: u64,
}

impl State {
    /// A constant, because the machine code that sets it up is a copy then.
    pub(super) const NEW: Self = Self {
        clock: Clock::NEW,
        now: Now::NEW,
        deks: HeldDeks::NEW,
        uses: Map::NEW,
        records: Records::NEW,
        requests: Requests::NEW,
        orgs: Map::NEW,
    };

    pub(super) fn tick(&mut self, platform: &dyn Platform) {
        let (now, went_back) = self.clock.read(platform);
        self.now = now;
        self.deks.tick(now, went_back);
        for org in self.orgs.iter_mut() {
            if went_back {
                org.minted = None;
            } else if let Some(held) = &mut org.minted {
                held.expire(now);
            }
        }
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

    /// Tells `gone` of every DEK whose keychain entry this vault wrote or read.
    pub(super) fn sign_out(&mut self, mut gone: impl FnMut(&[u8])) {
        self.deks.clear();
        self.requests.clear();
        for org in self.orgs.iter_mut() {
            org.minted = None;
        }
        for (dek_ref, uses) in self.uses.pairs_mut() {
            if core::mem::take(&mut uses.keychain) {
                gone(dek_ref);
            }
        }
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
    pub(super) fn keep_minted(&mut self, org: &str, held: Box<Held>) -> Result<u64, Error> {
        let org = self.org(org)?;
        org.minted = Some(held);
        Ok(org.active.as_ref().map_or(1, |active| active.rev.saturating_add(1)))
    }

    pub(super) fn set_active(&mut self, active: &ActiveRow) -> Result<(), Error> {
        if let Some(held) = self.deks.get(active.dek_ref.as_bytes()) {
            check_active(&held.identity, &active.org, active.version)?;
        }
        let org = self.org(&active.org)?;
        let minted = org.minted.as_ref().filter(|held| held.dek_ref == active.dek_ref);
        if let Some(held) = minted {
            check_active(&held.identity, &active.org, active.version)?;
        }
        let forked = |last: &Active| last.version == active.version && last.dek_ref != active.dek_ref;
        if active.version < org.highest || org.active.as_ref().is_some_and(forked) {
            return Err(Error::ActiveRollback);
        }
        org.highest = active.version;
        org.active = Some(Active { dek_ref: active.dek_ref, version: active.version, rev: active.rev });
        // The loser of a race discards its DEK: nothing was sealed under it.
        if let Some(mut held) = org.minted.take()
            && held.dek_ref == active.dek_ref
            // Admitted meanwhile: it came in anew, and its end stays what it is.
            && !self.deks.is_alive(held.dek_ref.as_bytes())
        {
            held.expire(self.now);
            self.deks.insert(held);
        }
        if active.tombstoned {
            self.tombstone(&active.org)?;
        }
        Ok(())
    }

    /// Takes a DEK in for `reader` and so many seconds, but no longer than the DEK that it came under.
    ///
    /// # Errors
    /// [`Error::RowInconsistent`] if it is held for another reader.
    pub(super) fn take_in(
        &mut self,
        key: Arc<DekKey>,
        reader: &str,
        seconds: u64,
        under: Option<&[u8; DekRef::LEN]>,
    ) -> Result<(), Error> {
        let mut end = End::after(self.now, seconds);
        if let Some(kek_ref) = under {
            end = end.sooner(self.deks.get(kek_ref).ok_or(Error::UnknownDek)?.end);
        }
        self.deks.check_reader(key.dek_ref(), reader)?;
        let identity = key.identity();
        if identity.kind() == DekKind::Org {
            self.see_version(identity.owner(), identity.version());
        }
        self.records.note(identity, key.dek_ref());
        self.deks.insert(Held::new(key, reader, end));
        Ok(())
    }

    /// The DEK that a value at `binding` is sealed under now.
    pub(super) fn sealing_dek(&mut self, binding: &Binding<'_>, scope: Scope) -> Result<Arc<DekKey>, Error> {
        match scope {
            Scope::Org => self.active_dek(binding.org()),
            Scope::Record => {
                let highest = self.records.highest(binding.org(), binding.table(), binding.record());
                let key = self.deks.take_up(highest.ok_or(Error::NoActiveDek)?.as_bytes())?;
                // Whoever reads a share holds its DEK, but values of the record are the owner's to write.
                if self.is_share(key.dek_ref()) { Err(Error::NoActiveDek) } else { Ok(key) }
            }
        }
    }

    /// Whether the DEK is held for another org than its owner.
    pub(super) fn is_share(&self, dek_ref: &DekRef) -> bool {
        self.deks.get(dek_ref.as_bytes()).is_some_and(Held::is_share)
    }

    /// The org's active DEK: never one below the highest version seen.
    pub(super) fn active_dek(&mut self, org_name: &str) -> Result<Arc<DekKey>, Error> {
        let org = self.orgs.get(org_name.as_bytes()).ok_or(Error::NoActiveDek)?;
        let active = org.active.as_ref().ok_or(Error::NoActiveDek)?;
        let key = self.deks.take_up(active.dek_ref.as_bytes())?;
        check_active(key.identity(), org_name, active.version)?;
        if active.version < org.highest { Err(Error::ActiveRollback) } else { Ok(key) }
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
        let mut list = Vec::new();
        for held in self.deks.alive() {
            list.push(DekStatus {
                dek_ref: held.dek_ref,
                kind: held.identity.kind(),
                org: held.identity.owner().into(),
                version: held.identity.version(),
                reader: held.reader.clone(),
                ends: held.end.wall,
                seals: self.seals(&held.dek_ref),
            });
        }
        list
    }

    /// IVs used under a DEK.
    pub(super) fn seals(&self, dek_ref: &DekRef) -> u64 {
        self.uses.get(dek_ref.as_bytes()).map_or(0, |uses| uses.seals)
    }

    /// Notes the highest version of an org's DEK.
    pub(super) fn see_version(&mut self, org: &str, version: u32) {
        if let Some(org) = self.orgs.entry(org.as_bytes()) {
            org.highest = org.highest.max(version);
        }
    }

    fn org(&mut self, org: &str) -> Result<&mut Org, Error> {
        self.orgs.entry(org.as_bytes()).ok_or(Error::Internal)
    }

    fn uses_of(&mut self, dek_ref: &DekRef) -> Result<&mut Uses, Error> {
        self.uses.entry(dek_ref.as_bytes()).ok_or(Error::Internal)
    }
}

/// An `active` row is storage's word: its DEK must be this org's org DEK of this version.
fn check_active(identity: &Identity, org: &str, version: u32) -> Result<(), Error> {
    let fits = identity.kind() == DekKind::Org && identity.owner() == org && identity.version() == version;
    if fits { Ok(()) } else { Err(Error::RowInconsistent) }
}
