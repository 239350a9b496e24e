//! The highest version of each record's DEK that the vault has ever seen.

use crate::map::Map;
use crate::wrap::record_digest;
use crate::{DekKind, DekRef, Identity};

/// Records that are remembered; beyond them the one not seen for the longest goes.
const REMEMBERED: usize = 65_536;

#[derive(Clone, Copy)]
struct Seen {
    version: u32,
    dek_ref: DekRef,
    at: u64,
}

/// Keyed by a digest of the place, so that a record costs the same whatever its names' length.
pub(super) struct Records {
    seen: Map<Seen>,
    by_age: Map<[u8; 32]>,
    clock: u64,
}

impl Records {
    pub(super) const NEW: Self = Self { seen: Map::NEW, by_age: Map::NEW, clock: 0 };

    /// Notes a record DEK that came in. Of one version the last one counts.
    pub(super) fn note(&mut self, identity: &Identity, dek_ref: &DekRef) {
        if identity.kind() != DekKind::Record {
            return;
        }
        let place = digest(identity.owner(), identity.table(), identity.record_id());
        self.clock = self.clock.saturating_add(1);
        let next = Seen { version: identity.version(), dek_ref: *dek_ref, at: self.clock };
        match self.seen.get_mut(&place) {
            None => {
                self.seen.insert(&place, next);
            }
            Some(known) => {
                self.by_age.remove(&known.at.to_be_bytes());
                if known.version <= next.version {
                    *known = next;
                }
                known.at = self.clock;
            }
        }
        self.by_age.insert(&self.clock.to_be_bytes(), place);
        if self.seen.len() > REMEMBERED
            && let Some(oldest) = self.by_age.pop_first()
        {
            self.seen.remove(&*oldest);
        }
    }

    /// The DEK that a seal with scope `record` must use.
    pub(super) fn highest(&self, owner: &str, table: &str, record: &str) -> Option<&DekRef> {
        self.seen.get(&digest(owner, table, record)).map(|seen| &seen.dek_ref)
    }
}

fn digest(owner: &str, table: &str, record: &str) -> [u8; 32] {
    record_digest(b"strongroom/v1/record\0", owner, table, record)
}
