//! The keys on disk: one file each, replaced whole, so that a crash leaves the old or the new.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    fault::Fault,
    key::{Key, org_tag},
};
use crate::policy::Policy;

/// All keys of one folder, held in memory and written through.
pub(crate) struct Store {
    folder: PathBuf,
    /// The same folder, open, so that a rename in it can be made durable.
    handle: File,
    keys: Mutex<BTreeMap<Uuid, Arc<Key>>>,
    /// Locked as long as this process lives: two of them would not see each other's changes.
    _lock: File,
}

impl Store {
    /// Opens `dir`, or makes it with mode 0700, and reads every key.
    ///
    /// # Errors
    /// If the folder is another program's, in use by another KMS, or holds a file that is not a
    /// whole key: a KMS that leaves out a key in silence would look like one that shredded it.
    pub(crate) fn open(dir: &Path, now: u64) -> io::Result<Self> {
        claim(dir)?;
        let lock = private().create(true).open(dir.join(LOCK))?;
        if lock.try_lock().is_err() {
            return Err(told(dir, "is in use by another strongroom kms"));
        }
        let folder = dir.join("keys");
        make_private(&folder)?;
        File::open(dir)?.sync_all()?;
        let store = Self { handle: File::open(&folder)?, keys: Mutex::new(read_all(&folder)?), folder, _lock: lock };
        store.purge(&mut store.locked(), now)?;
        Ok(store)
    }

    /// Adds a new key and makes it durable.
    ///
    /// # Errors
    /// [`Fault::Internal`] if it can't be written.
    pub(crate) fn add(&self, key: Key) -> Result<(), Fault> {
        let mut keys = self.locked();
        self.write(&key).map_err(|_| Fault::Internal)?;
        keys.insert(key.key_id, Arc::new(key));
        Ok(())
    }

    /// The key of an id.
    ///
    /// # Errors
    /// [`Fault::NotFound`] if there is none, or not any more.
    pub(crate) fn find(&self, id: Uuid, now: u64) -> Result<Arc<Key>, Fault> {
        let mut keys = self.locked();
        self.purge(&mut keys, now).map_err(|_| Fault::Internal)?;
        keys.get(&id).cloned().ok_or(Fault::NotFound)
    }

    /// All keys, in the order of their ids.
    ///
    /// # Errors
    /// [`Fault::Internal`] if a key whose end has come can't be removed.
    pub(crate) fn all(&self, now: u64) -> Result<Vec<Arc<Key>>, Fault> {
        let mut keys = self.locked();
        self.purge(&mut keys, now).map_err(|_| Fault::Internal)?;
        Ok(keys.values().cloned().collect())
    }

    /// Changes a key, makes the change durable and returns the key as it is now.
    ///
    /// # Errors
    /// [`Fault::NotFound`], whatever `change` says, or [`Fault::Internal`] if it can't be written.
    pub(crate) fn change(
        &self,
        id: Uuid,
        now: u64,
        change: impl FnOnce(&mut Key) -> Result<(), Fault>,
    ) -> Result<Arc<Key>, Fault> {
        let mut keys = self.locked();
        self.purge(&mut keys, now).map_err(|_| Fault::Internal)?;
        let mut key = Key::clone(keys.get(&id).ok_or(Fault::NotFound)?);
        change(&mut key)?;
        self.write(&key).map_err(|_| Fault::Internal)?;
        let key = Arc::new(key);
        keys.insert(id, Arc::clone(&key));
        Ok(key)
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Uuid, Arc<Key>>> {
        // Every change of the map is one insert or remove, so a panic leaves it whole.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Destroys the keys whose end has come.
    fn purge(&self, keys: &mut BTreeMap<Uuid, Arc<Key>>, now: u64) -> io::Result<()> {
        let over: Vec<Uuid> = keys.values().filter(|key| key.is_over(now)).map(|key| key.key_id).collect();
        for id in over {
            match fs::remove_file(self.folder.join(file_name(id))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.handle.sync_all()?,
            }
            keys.remove(&id);
        }
        Ok(())
    }

    fn write(&self, key: &Key) -> io::Result<()> {
        let text = Zeroizing::new(serde_json::to_vec(key)?);
        let temporary = self.folder.join(format!(".{}.tmp", key.key_id));
        let mut file = private().create(true).truncate(true).open(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&temporary, self.folder.join(file_name(key.key_id)))?;
        self.handle.sync_all()
    }
}

/// Makes the folder, or takes one that is empty, private or already a KMS's. Anything else is
/// somebody's own folder, whose mode is not ours to change.
fn claim(dir: &Path) -> io::Result<()> {
    if !dir.exists() {
        return make_private(dir);
    }
    let private = dir.metadata()?.permissions().mode() & 0o077 == 0;
    let empty = dir.read_dir()?.next().is_none();
    if !private && !empty && !dir.join(LOCK).exists() {
        return Err(told(dir, "is open to others and holds other files: name a new folder"));
    }
    make_private(dir)
}

fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

fn read_all(folder: &Path) -> io::Result<BTreeMap<Uuid, Arc<Key>>> {
    let mut keys = BTreeMap::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            fs::remove_file(&path)?;
            continue;
        }
        let text = Zeroizing::new(fs::read(&path)?);
        let key = serde_json::from_slice::<Key>(&text)
            .ok()
            .filter(|key| {
                name == file_name(key.key_id) && org_tag(&key.tags).is_some() && Policy::parse(&key.policy).is_ok()
            })
            .ok_or_else(|| told(&path, "is not a key file of strongroom kms"))?;
        keys.insert(key.key_id, Arc::new(key));
    }
    Ok(keys)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn file_name(id: Uuid) -> String {
    format!("{id}.json")
}

fn told(path: &Path, what: &str) -> io::Error {
    io::Error::other(format!("{} {what}", path.display()))
}

const LOCK: &str = "strongroom-kms.lock";
