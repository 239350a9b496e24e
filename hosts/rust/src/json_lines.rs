//! A store in one file, a JSON object a line; the format is in `docs/spec/json-lines-store.md`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use strongroom::{ActiveRow, DekRef, Error, RowKey, UsageRow, WrapRow};

use crate::index::RowIndex;
use crate::lock_file::LockFile;
use crate::{RecordPlace, WrapStore};

/// Rows in one file: `{"wrap": row}`, `{"active": row}`, `{"usage": row}`, `{"delete": {dekRef, reader,
/// keyId}}` or `{"delete_usage": {dekRef}}` a line.
///
/// The file is only ever appended to, and each line is on the disk before its call returns. Several
/// processes of one machine, in Rust, Go or Node, may use a file at once: each reads on where it
/// stopped, and a lock file beside it lets one write at a time. A last line without its line feed was
/// torn by a crash: readers pass over it and the next writer cuts it off. Any other line that is
/// none of these is damage, and every call then answers [`Error::StoreUnavailable`].
///
/// The calls block while they read and write the file.
pub struct JsonLinesStore {
    path: PathBuf,
    state: Mutex<Read>,
}

/// What was read of the file so far, and of which file.
#[derive(Default)]
struct Read {
    index: RowIndex,
    bytes: u64,
    file: Option<(u64, u64)>,
}

impl JsonLinesStore {
    /// Opens a file, or makes it with mode 0600 at the first write.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`] if it can't be read or is damaged.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let store = Self { path: path.into(), state: Mutex::default() };
        store.look(|_| ())?;
        Ok(store)
    }

    fn look<T>(&self, at: impl FnOnce(&RowIndex) -> T) -> Result<T, Error> {
        let mut state = self.state.lock().map_err(|_| Error::StoreUnavailable)?;
        state.catch_up(&self.path)?;
        Ok(at(&state.index))
    }

    /// Lets `decide` choose a line, under the lock and knowing every line so far, and appends it.
    fn write(&self, decide: impl FnOnce(&RowIndex) -> Result<Option<String>, Error>) -> Result<(), Error> {
        let mut state = self.state.lock().map_err(|_| Error::StoreUnavailable)?;
        let _lock = LockFile::take(&self.path)?;
        state.catch_up(&self.path)?;
        if let Some(mut line) = decide(&state.index)? {
            line.push('\n');
            append(&self.path, state.bytes, line.as_bytes()).map_err(|_| Error::StoreUnavailable)?;
            state.catch_up(&self.path)?;
        }
        Ok(())
    }
}

impl JsonLinesStore {
    fn change_usage(
        &self,
        dek_ref: &DekRef,
        change: impl FnOnce(&mut UsageRow) -> Result<(), Error>,
    ) -> Result<UsageRow, Error> {
        let mut after = UsageRow::new(*dek_ref);
        self.write(|index| {
            after = index.usage_or_new(dek_ref);
            change(&mut after)?;
            let is_new = index.usage_of(dek_ref) != Some(&after);
            Ok(is_new.then(|| format!("{{\"usage\":{}}}", after.to_json())))
        })?;
        Ok(after)
    }
}

impl Read {
    /// Takes in the lines that were written since it was last called.
    fn catch_up(&mut self, path: &Path) -> Result<(), Error> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *self = Self::default();
                return Ok(());
            }
            Err(_) => return Err(Error::StoreUnavailable),
        };
        let data = file.metadata().map_err(|_| Error::StoreUnavailable)?;
        let id = Some((data.dev(), data.ino()));
        if self.file != id || data.len() < self.bytes {
            *self = Self { file: id, ..Self::default() };
        }
        let begun = self.bytes;
        let read = self.read_on(&file, data.len());
        if read.is_err() && begun > 0 {
            // A writer whose fsync failed took back a line that was read here.
            *self = Self { file: id, ..Self::default() };
            return self.read_on(&file, data.len());
        }
        read
    }

    fn read_on(&mut self, file: &File, size: u64) -> Result<(), Error> {
        let len = usize::try_from(size.saturating_sub(self.bytes)).map_err(|_| Error::StoreUnavailable)?;
        let mut tail = vec![0; len];
        file.read_exact_at(&mut tail, self.bytes).map_err(|_| Error::StoreUnavailable)?;
        for line in tail.split_inclusive(|byte| *byte == b'\n') {
            let Some(complete) = line.strip_suffix(b"\n") else { break };
            self.replay(complete).map_err(|_| Error::StoreUnavailable)?;
            self.bytes = self.bytes.saturating_add(line.len() as u64);
        }
        Ok(())
    }

    fn replay(&mut self, line: &[u8]) -> Result<(), Error> {
        if let Some(row) = member(line, b"{\"wrap\":") {
            let row = WrapRow::from_json(row)?;
            if self.index.is_vacant(&row)? {
                self.index.add(row);
            }
        } else if let Some(row) = member(line, b"{\"active\":") {
            self.index.activate(ActiveRow::from_json(row)?);
        } else if let Some(row) = member(line, b"{\"usage\":") {
            self.index.set_usage(UsageRow::from_json(row)?);
        } else if let Some(key) = member(line, b"{\"delete_usage\":") {
            self.index.remove_usage(&UsageRow::key_from_json(key)?);
        } else {
            let key = member(line, b"{\"delete\":").ok_or(Error::Malformed)?;
            self.index.remove(&RowKey::from_json(key)?);
        }
        Ok(())
    }
}

impl WrapStore for JsonLinesStore {
    async fn rows(&self, dek_ref: &DekRef, reader: &str) -> Result<Vec<WrapRow>, Error> {
        self.look(|index| index.of_dek(dek_ref, reader))
    }

    async fn rows_by_owner(&self, owner: &str, at: Option<&RecordPlace>) -> Result<Vec<WrapRow>, Error> {
        self.look(|index| index.of_owner(owner, at))
    }

    async fn rows_by_reader(&self, reader: &str) -> Result<Vec<WrapRow>, Error> {
        self.look(|index| index.of_reader(reader))
    }

    async fn put_if_absent(&self, row: &WrapRow) -> Result<(), Error> {
        self.write(|index| Ok(index.is_vacant(row)?.then(|| format!("{{\"wrap\":{}}}", row.to_json()))))
    }

    async fn active(&self, org: &str) -> Result<Option<ActiveRow>, Error> {
        self.look(|index| index.active_of(org))
    }

    async fn compare_and_set_active(&self, row: &ActiveRow) -> Result<(), Error> {
        self.write(|index| {
            index.check_next(row)?;
            Ok(Some(format!("{{\"active\":{}}}", row.to_json())))
        })
    }

    async fn delete(&self, key: &RowKey) -> Result<(), Error> {
        self.write(|index| Ok(index.holds(key).then(|| format!("{{\"delete\":{}}}", key.to_json()))))
    }

    async fn usage(&self, dek_ref: &DekRef) -> Result<Option<UsageRow>, Error> {
        self.look(|index| index.usage_of(dek_ref).cloned())
    }

    async fn reserve(&self, dek_ref: &DekRef, count: u64, limit: u64) -> Result<u64, Error> {
        Ok(self.change_usage(dek_ref, |row| row.reserve(count, limit).map(drop))?.reserved())
    }

    async fn mark_inactive(&self, dek_ref: &DekRef, at: u64) -> Result<UsageRow, Error> {
        self.change_usage(dek_ref, |row| row.mark_inactive(at))
    }

    async fn delete_usage(&self, dek_ref: &DekRef) -> Result<(), Error> {
        self.write(|index| {
            let is_there = index.usage_of(dek_ref).is_some();
            Ok(is_there.then(|| format!("{{\"delete_usage\":{{\"dekRef\":\"{}\"}}}}", dek_ref.to_text())))
        })
    }
}

/// The value in `{"name":value}`; whoever takes it must judge it.
fn member<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(name)?.strip_suffix(b"}")
}

/// Writes one line behind the last complete one. What it can't finish it takes back; if even that
/// fails, what is left is a torn line.
fn append(path: &Path, at: u64, line: &[u8]) -> io::Result<()> {
    let made = !path.exists();
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.set_len(at)?;
    file.write_all_at(line, at).and_then(|()| file.sync_all()).inspect_err(|_| {
        let _ = file.set_len(at);
    })?;
    if made {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
