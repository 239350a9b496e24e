//! The vaults of this instance, by number.

use alloc::sync::Arc;
use alloc::vec::Vec;

use spin::Mutex;
use strongroom::{Error, Vault};

static VAULTS: Mutex<Slab> = Mutex::new(Slab { last: 0, open: Vec::new() });

struct Slab {
    /// Numbers are never given twice, so a closed handle stays closed.
    last: u32,
    open: Vec<(u32, Arc<Vault>)>,
}

/// Keeps a vault and gives its number.
///
/// # Errors
/// [`Error::Limit`] after 2^32-1 vaults.
pub(crate) fn keep(vault: Vault) -> Result<u32, Error> {
    let mut slab = VAULTS.lock();
    let handle = slab.last.checked_add(1).ok_or(Error::Limit)?;
    slab.last = handle;
    slab.open.push((handle, Arc::new(vault)));
    Ok(handle)
}

/// The vault of that number. The slab is not locked while the vault works.
///
/// # Errors
/// [`Error::BadInput`] if it is closed or was never given.
pub(crate) fn vault(handle: u32) -> Result<Arc<Vault>, Error> {
    let slab = VAULTS.lock();
    let found = slab.open.iter().find(|(number, _)| *number == handle);
    found.map(|(_, vault)| Arc::clone(vault)).ok_or(Error::BadInput)
}

/// Forgets a vault and wipes its DEKs. Closing twice changes nothing.
pub(crate) fn close(handle: u32) {
    VAULTS.lock().open.retain(|(number, _)| *number != handle);
}
