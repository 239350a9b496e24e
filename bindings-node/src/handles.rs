//! The vaults of this process, by number.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use napi::Env;
use strongroom::{Error, Vault};

/// The JavaScript environment that made a vault. Only compared, never dereferenced.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Owner(usize);

impl Owner {
    pub(crate) fn of(env: &Env) -> Self {
        Self(env.raw().addr())
    }
}

/// Keeps a vault and gives it a number that no other vault had before it.
///
/// # Errors
/// [`Error::Limit`] when every number has been given out.
pub(crate) fn keep(owner: Owner, vault: Vault) -> Result<u32, Error> {
    let mut handles = HANDLES.write().unwrap_or_else(PoisonError::into_inner);
    let handle = handles.next;
    // A number is never given twice, so a stale one can't reach a stranger's vault.
    handles.next = handle.checked_add(1).ok_or(Error::Limit)?;
    handles.vaults.insert(handle, (owner, Arc::new(vault)));
    Ok(handle)
}

/// The vault behind a number. It lives on until the last call that uses it returns.
///
/// # Errors
/// [`Error::BadInput`] if there is none, or it was closed.
pub(crate) fn find(handle: Option<u32>) -> Result<Arc<Vault>, Error> {
    let handles = HANDLES.read().unwrap_or_else(PoisonError::into_inner);
    let (_, vault) = handle.and_then(|handle| handles.vaults.get(&handle)).ok_or(Error::BadInput)?;
    Ok(Arc::clone(vault))
}

/// Forgets a number. The vault is wiped now, or when the last call that uses it returns.
pub(crate) fn close(handle: u32) {
    let closed = HANDLES.write().unwrap_or_else(PoisonError::into_inner).vaults.remove(&handle);
    // Wiping happens here, outside the lock.
    drop(closed);
}

/// Closes what an environment left open.
pub(crate) fn close_all(owner: Owner) {
    let mut handles = HANDLES.write().unwrap_or_else(PoisonError::into_inner);
    handles.vaults.retain(|_, (of, _)| *of != owner);
}

struct Handles {
    next: u32,
    vaults: HashMap<u32, (Owner, Arc<Vault>)>,
}

static HANDLES: LazyLock<RwLock<Handles>> = LazyLock::new(|| RwLock::new(Handles { next: 1, vaults: HashMap::new() }));
