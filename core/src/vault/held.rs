//! The DEKs that a vault holds: their ends, their readers, and who goes when there are too many.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::clock::{End, Now};
use crate::map::Map;
use crate::secrets::DekKey;
use crate::{DekKind, DekRef, Error, Identity};

/// DEKs held at once; the least recently used goes (DESIGN 7).
const MAX_HELD: usize = 4_096;

/// A DEK in the vault, or the memory of one that is over.
pub(super) struct Held {
    pub(super) identity: Identity,
    /// The org for which it came in.
    pub(super) reader: String,
    state: State,
    used: u64,
}

enum State {
    Alive(Arc<DekKey>, End),
    /// The key is gone; the reason stays until the DEK comes in again.
    Over(Error),
}

impl Held {
    pub(super) fn new(key: Arc<DekKey>, reader: &str, end: End) -> Self {
        Self { identity: key.identity().clone(), reader: reader.into(), state: State::Alive(key, end), used: 0 }
    }

    /// Whether it came in for another org than the one that owns the record.
    pub(super) fn is_share(&self) -> bool {
        self.reader != self.identity.owner()
    }

    pub(super) fn alive(&self) -> Result<(&Arc<DekKey>, End), Error> {
        match &self.state {
            State::Alive(key, end) => Ok((key, *end)),
            State::Over(reason) => Err(*reason),
        }
    }

    /// Ends it if its time is over. Dropping the key wipes it as soon as no call works with it.
    pub(super) fn expire(&mut self, now: Now) {
        if let State::Alive(_, end) = &self.state
            && end.is_over(now)
        {
            self.state = State::Over(Error::Expired);
        }
    }

    fn end(&mut self, reason: Error) {
        if matches!(self.state, State::Alive(..)) {
            self.state = State::Over(reason);
        }
    }
}

/// A DEK that a call works with. Holding it keeps the key alive until the call is over.
#[derive(Clone)]
pub(super) struct InUse {
    pub(super) key: Arc<DekKey>,
    pub(super) end: End,
    /// Held for another org than its owner: it opens and re-wraps, but never seals or shares.
    pub(super) share: bool,
}

#[derive(Default)]
pub(super) struct HeldDeks {
    deks: Map<Held>,
    uses: u64,
    /// No DEK is over before this; sweeping waits for it.
    soonest: Option<End>,
}

impl HeldDeks {
    /// Ends what is over by now; where a clock went back, everything else too.
    pub(super) fn tick(&mut self, now: Now, went_back: bool) {
        if went_back || self.soonest.is_some_and(|end| end.is_over(now)) {
            let mut soonest = None;
            for (_, held) in self.deks.iter_mut() {
                held.expire(now);
                if went_back {
                    held.end(Error::ClockRollback);
                }
                if let Ok((_, end)) = held.alive() {
                    soonest = Some(end.sooner(soonest.unwrap_or(End::NEVER)));
                }
            }
            self.soonest = soonest;
        }
    }

    /// The DEK, for use now.
    ///
    /// # Errors
    /// [`Error::UnknownDek`]; the reason for which it is over.
    pub(super) fn take_up(&mut self, dek_ref: &DekRef) -> Result<InUse, Error> {
        let held = self.deks.get_mut(dek_ref.as_bytes()).ok_or(Error::UnknownDek)?;
        self.uses = self.uses.saturating_add(1);
        held.used = self.uses;
        let (key, end) = held.alive()?;
        Ok(InUse { key: Arc::clone(key), end, share: held.is_share() })
    }

    pub(super) fn get(&self, dek_ref: &DekRef) -> Option<&Held> {
        self.deks.get(dek_ref.as_bytes())
    }

    pub(super) fn is_alive(&self, dek_ref: &DekRef) -> bool {
        self.deks.get(dek_ref.as_bytes()).is_some_and(|held| held.alive().is_ok())
    }

    /// Whether it could come in for that org.
    ///
    /// # Errors
    /// [`Error::RowInconsistent`] if it is held for another reader and not over.
    pub(super) fn check_reader(&self, dek_ref: &DekRef, reader: &str) -> Result<(), Error> {
        match self.deks.get(dek_ref.as_bytes()) {
            Some(held) if held.alive().is_ok() && held.reader != reader => Err(Error::RowInconsistent),
            _ => Ok(()),
        }
    }

    /// Takes a DEK in, anew if it is held. The least recently used goes if there are too many.
    pub(super) fn insert(&mut self, dek_ref: DekRef, mut held: Held) {
        self.uses = self.uses.saturating_add(1);
        held.used = self.uses;
        if let Ok((_, end)) = held.alive() {
            self.soonest = Some(end.sooner(self.soonest.unwrap_or(End::NEVER)));
        }
        if self.deks.get(dek_ref.as_bytes()).is_none() && self.deks.len() >= MAX_HELD {
            let oldest =
                self.deks.iter().min_by_key(|(_, held)| held.used).map(|(dek_ref, _)| Box::<[u8]>::from(dek_ref));
            if let Some(oldest) = oldest {
                self.deks.remove(&oldest);
            }
        }
        self.deks.insert(dek_ref.as_bytes(), held);
    }

    /// Forgets it, if it is held and not over.
    pub(super) fn drop_alive(&mut self, dek_ref: &DekRef) {
        if self.is_alive(dek_ref) {
            self.deks.remove(dek_ref.as_bytes());
        }
    }

    /// Forgets every DEK of an org, as owner or reader.
    pub(super) fn forget_org(&mut self, org: &str) {
        self.deks.retain(|held| held.identity.owner() != org && held.reader != org);
    }

    pub(super) fn clear(&mut self) {
        self.deks = Map::default();
        self.soonest = None;
    }

    /// Those held and not over, by `dek_ref`.
    pub(super) fn status(&self, seals: impl Fn(&DekRef) -> u64) -> Vec<DekStatus> {
        let mut list = Vec::new();
        for (dek_ref, held) in self.deks.iter() {
            if let (Ok((_, end)), Ok(dek_ref)) = (held.alive(), DekRef::from_slice(dek_ref)) {
                list.push(DekStatus {
                    dek_ref,
                    kind: held.identity.kind(),
                    org: held.identity.owner().into(),
                    version: held.identity.version(),
                    reader: held.reader.clone(),
                    ends: end.wall,
                    seals: seals(&dek_ref),
                });
            }
        }
        list
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
