//! The vaults of this instance, by number.

use alloc::sync::Arc;
use alloc::vec::Vec;

use spin::{Mutex, MutexGuard};
use strongroom::{Error, Vault};

/// Vault `n` stands at place `n - 1`, for ever: a number is never given twice, so a closed handle
/// stays closed.
static VAULTS: Mutex<Vaults> = Mutex::new(Vec::new());

type Vaults = Vec<Option<Arc<Vault>>>;

#[inline(never)]
fn vaults() -> MutexGuard<'static, Vaults> {
    VAULTS.lock()
}

/// Keeps a vault and gives its number.
///
/// # Errors
/// [`Error::Limit`] after 2^32-1 vaults.
pub(crate) fn keep(vault: Vault) -> Result<u32, Error> {
    let mut vaults = vaults();
    vaults.push(Some(Arc::new(vault)));
    u32::try_from(vaults.len()).map_err(|_| Error::Limit)
}

/// The vault of that number. The list is not locked while the vault works.
///
/// # Errors
/// [`Error::BadInput`] if it is closed or was never given.
pub(crate) fn vault(handle: u32) -> Result<Arc<Vault>, Error> {
    vaults().get(place(handle)).cloned().flatten().ok_or(Error::BadInput)
}

/// Forgets a vault and wipes its DEKs. Closing twice changes nothing.
pub(crate) fn close(handle: u32) {
    if let Some(vault) = vaults().get_mut(place(handle)) {
        *vault = None;
    }
}

const fn place(handle: u32) -> usize {
    (handle as usize).wrapping_sub(1)
}
