//! The contract test that every store of fields must pass.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a panic here")]

use strongroom::{Binding, Error};

use crate::{FieldStore, StoredField};

/// Puts a store through what [`FieldStore`] promises. It must be empty at first; `put` stores a
/// field in it.
///
/// # Panics
/// Where the store breaks a promise.
pub async fn run_fields<S: FieldStore>(store: &S, put: impl AsyncFn(&S, &Binding<'_>, &[u8])) {
    finds_no_field_in_an_empty_store(store).await;
    for at in places() {
        put(store, &at, b"old").await;
    }
    keeps_fields_apart_by_their_whole_place(store).await;
    replaces_only_what_was_read(store).await;
    gives_every_field_of_an_owner_once(store, put).await;
}

async fn finds_no_field_in_an_empty_store<S: FieldStore>(store: &S) {
    assert_eq!(store.fields("acme", "t", "r").await, Ok(vec![]));
    assert_eq!(inventory(store, "acme").await, []);
    for at in places() {
        assert_eq!(store.replace(&at, b"", b"new").await, Err(Error::PreconditionFailed));
    }
    assert_eq!(inventory(store, "acme").await, []);
}

async fn keeps_fields_apart_by_their_whole_place<S: FieldStore>(store: &S) {
    assert_eq!(store.fields("acme", "t", "r").await.unwrap().len(), 4);
    assert_eq!(store.fields("acme", "t", "r2").await.unwrap().len(), 1);
    assert_eq!(store.fields("globex", "t", "r").await.unwrap().len(), 1);
    for (owner, table, record) in
        [("acm", "t", "r"), ("ACME", "t", "r"), ("acme", "T", "r"), ("acme", "t", "R"), ("acme", "r", "t")]
    {
        assert_eq!(store.fields(owner, table, record).await, Ok(vec![]));
    }
}

async fn replaces_only_what_was_read<S: FieldStore>(store: &S) {
    let at = binding("acme", "r", "f").with_revision(2);
    for other in [&b""[..], b"ol", b"oldd", b"OLD", b"new"] {
        assert_eq!(store.replace(&at, other, b"new").await, Err(Error::PreconditionFailed));
    }
    for elsewhere in [binding("acme", "r", "none"), at.with_revision(20), binding("initech", "r", "f")] {
        assert_eq!(store.replace(&elsewhere, b"old", b"new").await, Err(Error::PreconditionFailed));
    }
    assert!(inventory(store, "acme").await.iter().all(|field| field.envelope == b"old"));
    assert_eq!(store.replace(&at, b"old", b"new").await, Ok(()));
    assert_eq!(store.replace(&at, b"old", b"newer").await, Err(Error::PreconditionFailed));
    let fields = inventory(store, "acme").await;
    let new: Vec<_> = fields.iter().filter(|field| field.envelope == b"new").collect();
    assert!(matches!(new.as_slice(), [field] if field.place == (&at).into()));
}

async fn gives_every_field_of_an_owner_once<S: FieldStore>(store: &S, put: impl AsyncFn(&S, &Binding<'_>, &[u8])) {
    for number in 0..1_100_u64 {
        put(store, &binding("acme", "many", "f").with_revision(number), b"x").await;
    }
    let mut places: Vec<_> = inventory(store, "acme").await.into_iter().map(|field| field.place).collect();
    assert_eq!(places.len(), 1_105);
    places.sort();
    places.dedup();
    assert_eq!(places.len(), 1_105);
    assert_eq!(inventory(store, "globex").await.len(), 1);
    assert_eq!(inventory(store, "acm").await, []);
}

async fn inventory<S: FieldStore>(store: &S, owner: &str) -> Vec<StoredField> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.all(owner, after.as_ref()).await.unwrap();
        found.extend(page.fields);
        if page.next.is_none() {
            return found;
        }
        after = page.next;
    }
}

fn places() -> [Binding<'static>; 6] {
    let plain = binding("acme", "r", "f");
    [
        plain,
        plain.with_revision(0),
        plain.with_revision(2),
        binding("acme", "r", "g"),
        binding("acme", "r2", "f"),
        binding("globex", "r", "f"),
    ]
}

fn binding(org: &'static str, record: &'static str, field: &'static str) -> Binding<'static> {
    Binding::new(org, "t", record, field).unwrap()
}
