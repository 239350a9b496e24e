//! The ready-made loop around a vault for one org.

mod active;
mod budget;
mod config;
mod flights;
mod local;
mod record;
mod rotation;
mod unwrap;
mod work;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use strongroom::{ActiveRow, DekRef, Error, OsPlatform, Platform, Scope, Vault, WrapRow};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use crate::{Kms, RecordPlace, WrapStore};
use budget::Seats;
pub use config::KmsVaultConfig;
use flights::Flights;
pub use rotation::RotationCause;

/// Finds which DEKs are missing, reads their rows, asks the KMS, admits the answers and works.
///
/// However many tasks wait for a DEK, it is fetched once, and no more than one KMS call is answered
/// for it. A denial is final. A throttled or unreachable KMS is asked again, with exponential
/// back-off and full jitter; the pauses need a tokio runtime with its timer.
///
/// Besides the errors that they name, its methods answer those of [`Vault`], of the store and of the
/// KMS: [`Error::KmsDenied`], [`Error::KmsPendingDeletion`], [`Error::KmsThrottled`],
/// [`Error::KmsUnavailable`], [`Error::KeyIdUnexpected`], [`Error::EndpointPolicy`].
pub struct KmsVault<K, S> {
    vault: Vault,
    config: KmsVaultConfig<K, S>,
    platform: Arc<dyn Platform>,
    /// Counts sign-outs. Held by what works in the vault, and alone by what ends the era, so that
    /// nothing that began before a sign-out works after it.
    era: RwLock<u64>,
    flights: Flights,
    known: Mutex<Known>,
    /// For who reads the `active` row and tells the vault of it, or rotates: an older row that is
    /// told between would discard a minted DEK.
    activating: AsyncMutex<()>,
    /// For who reserves: two who both lack a seal need one block.
    reserving: AsyncMutex<()>,
    /// For who makes a record DEK: two calls for a record make two versions.
    making: AsyncMutex<()>,
    calls: Semaphore,
}

/// What was read from the store, and what the store still lacks.
#[derive(Default)]
struct Known {
    active: Option<(ActiveRow, Moment)>,
    /// When an org's `active` row was last looked at for opening.
    looked: HashMap<String, Moment>,
    denials: HashMap<DekRef, (Error, Moment)>,
    /// Each record's newest DEK.
    places: HashMap<RecordPlace, (DekRef, Moment)>,
    kinds: HashMap<DekRef, Scope>,
    seats: HashMap<DekRef, Seats>,
    /// The rows of record DEKs that the vault made and the store has not yet taken.
    unstored: HashMap<DekRef, WrapRow>,
}

/// Both clocks: the wall clock can be set, and the other one may rest while a laptop sleeps.
#[derive(Clone, Copy)]
struct Moment {
    wall: u64,
    mono: u64,
}

/// One call of a method. It knows the era in which it began, and which DEKs the KMS did not give: a
/// hundred records whose KEK is denied must not ask for it a hundred times.
struct Run {
    era: u64,
    failed: Mutex<HashMap<DekRef, Error>>,
}

impl<K: Kms, S: WrapStore> KmsVault<K, S> {
    /// Makes the loop around a new, empty vault. It makes no call.
    ///
    /// # Errors
    /// [`Error::BadInput`] where the org's CMKs are missing or a number is too small,
    /// [`Error::Limit`] where one is too large, and those of [`Vault::new`].
    pub fn new(config: KmsVaultConfig<K, S>) -> Result<Self, Error> {
        Self::with_platform(config, Arc::new(OsPlatform::new()))
    }

    /// [`Self::new`] on clocks and a generator of the caller's.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_platform(mut config: KmsVaultConfig<K, S>, platform: Arc<dyn Platform>) -> Result<Self, Error> {
        config.judge()?;
        let cmks = config.cmks.iter().map(|(org, cmks)| (org.clone(), cmks.clone()));
        config.options.cmks = Some(cmks.collect());
        let vault = Vault::with_platform(&config.options, Box::new(Shared(Arc::clone(&platform))))?;
        Ok(Self {
            vault,
            config,
            platform,
            era: RwLock::default(),
            flights: Flights::default(),
            known: Mutex::default(),
            activating: AsyncMutex::default(),
            reserving: AsyncMutex::default(),
            making: AsyncMutex::default(),
            calls: Semaphore::new(MAX_CALLS),
        })
    }

    /// The vault inside, for what needs no KMS: status, tombstones.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Wipes every DEK, at once, and lists those whose keychain entries must be deleted. Calls that
    /// began before it answer [`Error::UnknownDek`] if they have not done their work: they bring
    /// nothing in, and ask the KMS nothing any more. Later calls fetch anew.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn sign_out(&self) -> Result<Vec<DekRef>, Error> {
        let mut era = self.era.write().unwrap_or_else(PoisonError::into_inner);
        *era = era.wrapping_add(1);
        let mut known = self.known();
        let (seats, unstored) = (std::mem::take(&mut known.seats), std::mem::take(&mut known.unstored));
        *known = Known { seats, unstored, ..Known::default() };
        self.vault.sign_out()
    }

    fn begin(&self) -> Run {
        let era = *self.era.read().unwrap_or_else(PoisonError::into_inner);
        Run { era, failed: Mutex::default() }
    }

    /// Works in the vault, unless it was signed out since the call began.
    fn in_era<T>(&self, run: &Run, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let era = self.era.read().unwrap_or_else(PoisonError::into_inner);
        if *era == run.era { work() } else { Err(Error::UnknownDek) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn org(&self) -> &str {
        &self.config.org
    }

    fn store(&self) -> &S {
        &self.config.store
    }

    fn now(&self) -> Moment {
        Moment { wall: self.platform.wall(), mono: self.platform.mono() }
    }

    /// Whether something happened less than so many seconds ago, by both clocks.
    fn is_within(&self, then: Moment, seconds: u64) -> bool {
        let now = self.now();
        let ago = |now: u64, then: u64| now.checked_sub(then).is_some_and(|ago| ago < seconds);
        ago(now.wall, then.wall) && ago(now.mono, then.mono)
    }

    fn is_fresh(&self, then: Moment) -> bool {
        self.is_within(then, self.config.active_max_age)
    }
}

impl<K, S> std::fmt::Debug for KmsVault<K, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KmsVault(..)")
    }
}

/// One platform for the vault and for the loop around it.
struct Shared(Arc<dyn Platform>);

impl Platform for Shared {
    fn wall(&self) -> u64 {
        self.0.wall()
    }

    fn mono(&self) -> u64 {
        self.0.mono()
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.fill(bytes)
    }
}

/// Puts something in, after emptying a map that has grown too large: then all is read again.
fn remember<Key: Eq + std::hash::Hash, V>(map: &mut HashMap<Key, V>, key: Key, value: V) {
    if map.len() >= MAX_KNOWN {
        map.clear();
    }
    map.insert(key, value);
}

/// Whether a call failed because a DEK is not held any more, or not yet.
fn is_gone(error: Error) -> bool {
    matches!(error, Error::UnknownDek | Error::Expired | Error::ClockRollback)
}

/// Whether a seal failed because the store was read too long ago.
fn is_stale(error: Error) -> bool {
    is_gone(error) || matches!(error, Error::NoActiveDek | Error::ActiveRollback)
}

/// Whether reading the store again can make work succeed that was refused so many times: a DEK that
/// was just had can be replaced again before the work, each time by one rotation more; anything else
/// is tried once more.
fn is_worth_another(error: Error, tries: u32) -> bool {
    is_stale(error) && tries < if is_gone(error) { MOST_TRIES } else { 2 }
}

const MOST_TRIES: u32 = 8;
const MAX_KNOWN: usize = 65_536;
const MAX_CALLS: usize = 16;
