//! The DEKs that a vault holds: their ends, their readers, and who goes when there are too many.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use crate::clock::{End, Now};
use crate::map::Map;
use crate::secrets::DekKey;
use crate::{DekKind, DekRef, Error, Identity};

/// DEKs held at once; the least recently used goes (DESIGN 7).
const MAX_HELD: usize = 4_096;

/// A DEK in the vault, or the memory of one that is over.
pub(super) struct Held {
    pub(super) dek_ref: DekRef,
    pub(super) identity: Identity,
    /// The org for which it came in.
    pub(super) reader: String,
    /// Gone when it is over.
    key: Option<Arc<DekKey>>,
    /// Why it is over; the reason stays until the DEK comes in again.
    over: Error,
    pub(super) end: End,
    used: u64,
}

impl Held {
    pub(super) fn new(key: Arc<DekKey>, reader: &str, end: End) -> Box<Self> {
        Box::new(Self {
            dek_ref: *key.dek_ref(),
            identity: key.identity().clone(),
            reader: reader.into(),
            key: Some(key),
            over: Error::Expired,
            end,
            used: 0,
        })
    }

    /// Whether it came in for another org than the one that owns the record: it opens and
    /// re-wraps, but never seals or shares.
    pub(super) fn is_share(&self) -> bool {
        self.reader != self.identity.owner()
    }

    pub(super) const fn is_alive(&self) -> bool {
        self.key.is_some()
    }

    /// Ends it if its time is over. Dropping the key wipes it as soon as no call works with it.
    pub(super) fn expire(&mut self, now: Now) {
        if self.end.is_over(now) {
            self.key = None;
        }
    }

    fn end(&mut self, reason: Error) {
        if self.key.take().is_some() {
            self.over = reason;
        }
    }
}

pub(super) struct HeldDeks {
    deks: Map<Held>,
    uses: u64,
    /// No DEK is over before this; sweeping waits for it.
    soonest: End,
}

impl HeldDeks {
    pub(super) const NEW: Self = Self { deks: Map::NEW, uses: 0, soonest: End::NEVER };

    /// Ends what is over by now; where a clock went back, everything else too.
    pub(super) fn tick(&mut self, now: Now, went_back: bool) {
        if went_back || self.soonest.is_over(now) {
            self.soonest = End::NEVER;
            for held in self.deks.iter_mut() {
                held.expire(now);
                if went_back {
                    held.end(Error::ClockRollback);
                }
                if held.is_alive() {
                    self.soonest = self.soonest.sooner(held.end);
                }
            }
        }
    }

    /// The DEK, for use now. Holding it keeps the key alive until the call is over.
    ///
    /// # Errors
    /// [`Error::UnknownDek`]; the reason for which it is over.
    pub(super) fn take_up(&mut self, dek_ref: &[u8]) -> Result<Arc<DekKey>, Error> {
        let held = self.deks.get_mut(dek_ref).ok_or(Error::UnknownDek)?;
        self.uses = self.uses.saturating_add(1);
        held.used = self.uses;
        held.key.clone().ok_or(held.over)
    }

    pub(super) fn get(&self, dek_ref: &[u8]) -> Option<&Held> {
        self.deks.get(dek_ref)
    }

    pub(super) fn is_alive(&self, dek_ref: &[u8]) -> bool {
        self.get(dek_ref).is_some_and(Held::is_alive)
    }

    /// Whether it could come in for that org.
    ///
    /// # Errors
    /// [`Error::RowInconsistent`] if it is held for another reader and not over.
    pub(super) fn check_reader(&self, dek_ref: &DekRef, reader: &str) -> Result<(), Error> {
        match self.get(dek_ref.as_bytes()) {
            Some(held) if held.is_alive() && held.reader != reader => Err(Error::RowInconsistent),
            _ => Ok(()),
        }
    }

    /// Takes a DEK in, anew if it is held. The least recently used goes if there are too many.
    pub(super) fn insert(&mut self, mut held: Box<Held>) {
        self.uses = self.uses.saturating_add(1);
        held.used = self.uses;
        if held.is_alive() {
            self.soonest = self.soonest.sooner(held.end);
        }
        let dek_ref = held.dek_ref;
        self.deks.put(dek_ref.as_bytes(), held);
        if self.deks.len() > MAX_HELD {
            let oldest = self.deks.iter().min_by_key(|held| held.used).map(|held| held.dek_ref);
            if let Some(oldest) = oldest {
                self.deks.remove(oldest.as_bytes());
            }
        }
    }

    /// Forgets it, if it is held and not over.
    pub(super) fn drop_alive(&mut self, dek_ref: &DekRef) {
        if self.is_alive(dek_ref.as_bytes()) {
            self.deks.remove(dek_ref.as_bytes());
        }
    }

    /// Forgets every DEK of an org, as owner or reader.
    pub(super) fn forget_org(&mut self, org: &str) {
        while let Some(dek_ref) = self.one_of(org) {
            self.deks.remove(dek_ref.as_bytes());
        }
    }

    fn one_of(&self, org: &str) -> Option<DekRef> {
        let mut held = self.deks.iter();
        held.find(|held| held.identity.owner() == org || held.reader == org).map(|held| held.dek_ref)
    }

    pub(super) fn clear(&mut self) {
        self.deks = Map::NEW;
        self.soonest = End::NEVER;
    }

    /// Those held and not over, by `dek_ref`.
    pub(super) fn alive(&self) -> impl Iterator<Item = &Held> {
        self.deks.iter().filter(|held| held.is_alive())
    }
}

/// A DEK that a vault holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DekStatus {
    /// Its name.
    pub dek_ref: DekRef,
    /// What it is for.
    pub kind: DekKind,
    /// Its owner.
    pub org: String,
    /// Its version.
    pub version: u32,
    /// The org for which it is held.
    pub reader: String,
    /// The unix second at which it is over.
    pub ends: u64,
    /// IVs used under it in this vault, local wraps included. Rotation is due by use when it
    /// reaches a sixteenth of `seal_limit`.
    pub seals: u64,
}
