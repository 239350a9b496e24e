//! What a vault's loop works with.

use std::collections::HashMap;
use std::sync::Arc;

use strongroom::{Error, VaultOptions};

/// What a [`crate::KmsVault`] works with. [`Self::new`] fills in the defaults.
pub struct KmsVaultConfig<K, S> {
    /// The org for which the process acts: take it from your own session.
    pub org: String,
    /// By org, the CMKs (key ARNs) that may wrap for it: the own org's, the first of which wraps new
    /// DEKs, and those of the readers with whom it shares. A row's word for its CMK is storage's word.
    pub cmks: HashMap<String, Vec<String>>,
    /// Makes the calls.
    pub kms: Arc<K>,
    /// Keeps the rows.
    pub store: Arc<S>,
    /// More options of the vault; its `cmks` are replaced.
    pub options: VaultOptions,
    /// How often a throttled or unreachable KMS is asked: 5.
    pub tries: u32,
    /// Seconds that an `active` row may be old by which something is sealed or opened: 300, 1 to 3,600.
    pub active_max_age: u64,
    /// Seconds after which a DEK is due for rotation: 90 days.
    pub rotate_after: u64,
    /// Reserved seals at which it is: 2^28.
    pub rotate_after_seals: u64,
    /// Seals that all processes together may make under one DEK: 2^32, which is also the most.
    pub fleet_seal_limit: u64,
    /// Seconds for which a DEK that the KMS denied isn't asked for again: 30, at most 300.
    pub denial_ttl: u64,
}

impl<K, S> KmsVaultConfig<K, S> {
    /// A config with the default numbers.
    #[must_use]
    pub fn new(org: impl Into<String>, cmks: HashMap<String, Vec<String>>, kms: Arc<K>, store: Arc<S>) -> Self {
        Self {
            org: org.into(),
            cmks,
            kms,
            store,
            options: VaultOptions::default(),
            tries: 5,
            active_max_age: 300,
            rotate_after: 90 * 24 * 60 * 60,
            rotate_after_seals: 1 << 28,
            fleet_seal_limit: SEALS_MOST,
            denial_ttl: 30,
        }
    }

    pub(super) fn judge(&self) -> Result<(), Error> {
        let too_small = self.tries == 0 || self.active_max_age == 0 || self.rotate_after == 0;
        if too_small || self.rotate_after_seals == 0 || self.fleet_seal_limit == 0 {
            return Err(Error::BadInput);
        }
        if self.own_cmks().is_empty() {
            return Err(Error::BadInput);
        }
        if self.active_max_age > 3_600 || self.fleet_seal_limit > SEALS_MOST || self.denial_ttl > 300 {
            return Err(Error::Limit);
        }
        Ok(())
    }

    pub(super) fn own_cmks(&self) -> &[String] {
        self.cmks.get(&self.org).map_or(&[], Vec::as_slice)
    }
}

/// NIST SP 800-38D: seals with random IVs under one key.
const SEALS_MOST: u64 = 1 << 32;
