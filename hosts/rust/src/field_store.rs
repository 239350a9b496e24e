//! The product's own table of sealed fields, and one in memory.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

use strongroom::{Binding, Error};

/// Where a field lives: a [`Binding`] that owns its strings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPlace {
    /// The owner.
    pub org: String,
    /// The logical table.
    pub table: String,
    /// The record.
    pub record: String,
    /// The field.
    pub field: String,
    /// The revision, where the product binds to one.
    pub revision: Option<u64>,
}

impl FieldPlace {
    /// The binding of this place.
    ///
    /// # Errors
    /// [`Error::BadInput`] or [`Error::Limit`] for a string that is empty or too long.
    pub fn binding(&self) -> Result<Binding<'_>, Error> {
        let binding = Binding::new(&self.org, &self.table, &self.record, &self.field)?;
        Ok(self.revision.map_or(binding, |revision| binding.with_revision(revision)))
    }
}

impl From<&Binding<'_>> for FieldPlace {
    fn from(at: &Binding<'_>) -> Self {
        Self {
            org: at.org().to_owned(),
            table: at.table().to_owned(),
            record: at.record().to_owned(),
            field: at.field().to_owned(),
            revision: at.revision(),
        }
    }
}

/// A sealed field and where it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredField {
    /// Where.
    pub place: FieldPlace,
    /// What.
    pub envelope: Vec<u8>,
}

/// Some of an owner's fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldPage {
    /// The fields; a page may have none and still not be the last.
    pub fields: Vec<StoredField>,
    /// What gets the next page; `None` after the last.
    pub next: Option<FieldPlace>,
}

/// The product's table of sealed fields, as far as retiring and moving between DEKs must see it.
///
/// Every store must pass `contract::run_fields` (feature `contract`). Where the storage can't be
/// read or written, the calls answer [`Error::StoreUnavailable`].
pub trait FieldStore: Send + Sync {
    /// Every field of a record, revisions included.
    fn fields(
        &self,
        owner: &str,
        table: &str,
        record: &str,
    ) -> impl Future<Output = Result<Vec<StoredField>, Error>> + Send;

    /// Puts an envelope in the place of another. [`Error::PreconditionFailed`], and nothing changes,
    /// unless exactly the old one stands there.
    fn replace(&self, at: &Binding<'_>, old: &[u8], new: &[u8]) -> impl Future<Output = Result<(), Error>> + Send;

    /// A page of an owner's fields; `after` is the `next` of the page before. What stood there from
    /// the first page to the last must be among them.
    fn all(&self, owner: &str, after: Option<&FieldPlace>) -> impl Future<Output = Result<FieldPage, Error>> + Send;
}

/// Fields that are gone with the process.
#[derive(Default)]
pub struct MemoryFieldStore {
    fields: Mutex<BTreeMap<FieldPlace, Vec<u8>>>,
}

impl MemoryFieldStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a field, in place of one that stands there.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`] after a panic in another thread.
    pub fn put(&self, at: &Binding<'_>, envelope: &[u8]) -> Result<(), Error> {
        self.lock()?.insert(at.into(), envelope.to_vec());
        Ok(())
    }

    fn lock(&self) -> Result<MutexGuard<'_, BTreeMap<FieldPlace, Vec<u8>>>, Error> {
        self.fields.lock().map_err(|_| Error::StoreUnavailable)
    }
}

impl FieldStore for MemoryFieldStore {
    async fn fields(&self, owner: &str, table: &str, record: &str) -> Result<Vec<StoredField>, Error> {
        let fields = self.lock()?;
        let of_record = fields.iter().filter(|(at, _)| at.org == owner && at.table == table && at.record == record);
        Ok(of_record.map(stored).collect())
    }

    async fn replace(&self, at: &Binding<'_>, old: &[u8], new: &[u8]) -> Result<(), Error> {
        match self.lock()?.get_mut(&at.into()) {
            Some(envelope) if envelope == old => new.clone_into(envelope),
            _ => return Err(Error::PreconditionFailed),
        }
        Ok(())
    }

    async fn all(&self, owner: &str, after: Option<&FieldPlace>) -> Result<FieldPage, Error> {
        let fields = self.lock()?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut page = FieldPage::default();
        for field in fields.range::<FieldPlace, _>((from, Bound::Unbounded)).filter(|(at, _)| at.org == owner) {
            if page.fields.len() == PAGE {
                page.next = page.fields.last().map(|last| last.place.clone());
                break;
            }
            page.fields.push(stored(field));
        }
        Ok(page)
    }
}

fn stored((place, envelope): (&FieldPlace, &Vec<u8>)) -> StoredField {
    StoredField { place: place.clone(), envelope: envelope.clone() }
}

const PAGE: usize = 1_000;
