//! The contract test that every store must pass.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a failed expectation is a panic here")]

use strongroom::{ActiveRow, DekRef, Error, UsageRow, WrapRow};

pub use crate::field_contract::run_fields;
use crate::{RecordPlace, WrapStore};

/// Puts a store through what [`WrapStore`] promises. `open` opens the same empty place each time it is
/// called: a store that keeps its rows is opened again to see them.
///
/// # Panics
/// Where the store breaks a promise.
pub async fn run<S: WrapStore>(open: impl Fn() -> S) {
    let store = open();
    finds_nothing_in_an_empty_store(&store).await;
    keeps_rows_apart_by_their_whole_key(&store).await;
    finds_rows_by_owner_record_and_reader(&store).await;
    never_replaces_a_row(&store).await;
    deletes_one_row_only(&store).await;
    writes_active_rows_by_revision_only(&store).await;
    sums_seals_up_to_their_limit(&store).await;
    notes_once_since_when_a_dek_rests(&store).await;
    still_has_everything(&open()).await;
}

async fn finds_nothing_in_an_empty_store<S: WrapStore>(store: &S) {
    assert!(store.rows(&dek(1), "acme").await.unwrap().is_empty());
    assert!(store.rows_by_owner("acme", None).await.unwrap().is_empty());
    assert!(store.rows_by_owner("acme", Some(&place("t", "r"))).await.unwrap().is_empty());
    assert!(store.rows_by_reader("acme").await.unwrap().is_empty());
    assert!(store.active("acme").await.unwrap().is_none());
    store.delete(&org_row(1, "acme", CMK).key()).await.unwrap();
}

async fn keeps_rows_apart_by_their_whole_key<S: WrapStore>(store: &S) {
    for row in all_rows() {
        store.put_if_absent(&row).await.unwrap();
    }
    assert_eq!(store.rows(&dek(1), "acme").await.unwrap(), [org_row(1, "acme", CMK), org_row(1, "acme", OTHER_CMK)]);
    assert_eq!(store.rows(&dek(2), "acme").await.unwrap(), [record_row("t", "r", "acme")]);
    assert_eq!(store.rows(&dek(2), "globex").await.unwrap(), [record_row("t", "r", "globex")]);
    for (dek_ref, reader) in
        [(dek(1), "globex"), (dek(2), "acm"), (dek(2), "acmee"), (dek(2), "ACME"), (dek(9), "acme")]
    {
        assert!(store.rows(&dek_ref, reader).await.unwrap().is_empty());
    }
}

async fn finds_rows_by_owner_record_and_reader<S: WrapStore>(store: &S) {
    assert_eq!(store.rows_by_owner("acme", None).await.unwrap(), all_rows());
    assert_eq!(
        store.rows_by_owner("acme", Some(&place("t", "r"))).await.unwrap(),
        [record_row("t", "r", "acme"), record_row("t", "r", "globex")]
    );
    for at in [place("t", "R"), place("T", "r"), place("tr", ""), place("t", "rr"), place("r", "t")] {
        assert!(store.rows_by_owner("acme", Some(&at)).await.unwrap().is_empty());
    }
    assert!(store.rows_by_owner("globex", None).await.unwrap().is_empty());
    assert_eq!(store.rows_by_reader("globex").await.unwrap(), [record_row("t", "r", "globex")]);
    assert!(store.rows_by_reader("initech").await.unwrap().is_empty());
}

async fn never_replaces_a_row<S: WrapStore>(store: &S) {
    store.put_if_absent(&org_row(1, "acme", CMK)).await.unwrap();
    let other = with(&org_row(1, "acme", CMK), "\"created\":5", "\"created\":6");
    assert_eq!(store.put_if_absent(&other).await, Err(Error::PreconditionFailed));
    let other = with(&org_row(1, "acme", CMK), "AAEC", "AAED");
    assert_eq!(store.put_if_absent(&other).await, Err(Error::PreconditionFailed));
    assert_eq!(store.rows_by_owner("acme", None).await.unwrap(), all_rows());
}

async fn deletes_one_row_only<S: WrapStore>(store: &S) {
    let gone = org_row(1, "acme", OTHER_CMK);
    store.delete(&gone.key()).await.unwrap();
    store.delete(&gone.key()).await.unwrap();
    assert_eq!(store.rows(&dek(1), "acme").await.unwrap(), [org_row(1, "acme", CMK)]);
    let other = with(&gone, "\"created\":5", "\"created\":6");
    store.put_if_absent(&other).await.unwrap();
    assert_eq!(store.rows(&dek(1), "acme").await.unwrap(), [org_row(1, "acme", CMK), other.clone()]);
    store.delete(&other.key()).await.unwrap();
}

async fn writes_active_rows_by_revision_only<S: WrapStore>(store: &S) {
    for rev in [2, 3, 9_007_199_254_740_991] {
        assert_eq!(store.compare_and_set_active(&active("acme", 1, rev)).await, Err(Error::PreconditionFailed));
    }
    store.compare_and_set_active(&active("acme", 1, 1)).await.unwrap();
    for rev in [1, 3, 4] {
        assert_eq!(store.compare_and_set_active(&active("acme", 2, rev)).await, Err(Error::PreconditionFailed));
    }
    assert_eq!(store.active("acme").await.unwrap(), Some(active("acme", 1, 1)));
    store.compare_and_set_active(&active("acme", 2, 2)).await.unwrap();
    assert_eq!(store.active("globex").await.unwrap(), None);
    store.compare_and_set_active(&active("globex", 7, 1)).await.unwrap();
}

async fn sums_seals_up_to_their_limit<S: WrapStore>(store: &S) {
    assert_eq!(store.usage(&dek(1)).await, Ok(None));
    assert_eq!(store.reserve(&dek(1), 6, 5).await, Err(Error::PreconditionFailed));
    assert_eq!(store.usage(&dek(1)).await, Ok(None));
    assert_eq!(store.reserve(&dek(1), 1_024, 1 << 32).await, Ok(1_024));
    assert_eq!(store.reserve(&dek(1), 2_048, 1 << 32).await, Ok(3_072));
    assert_eq!(store.reserve(&dek(2), 7, 7).await, Ok(7));
    for (count, limit) in [(1, 3_072), (2, 3_073), (u64::MAX, 1 << 32), (1, 5)] {
        assert_eq!(store.reserve(&dek(1), count, limit).await, Err(Error::PreconditionFailed));
    }
    for (count, limit) in [(0, 5), (1, 1 << 53), (1, u64::MAX)] {
        assert_eq!(store.reserve(&dek(1), count, limit).await, Err(Error::BadInput));
    }
    assert_eq!(store.usage(&dek(1)).await, Ok(Some(usage(1, 3_072, None))));
    store.delete_usage(&dek(2)).await.unwrap();
    store.delete_usage(&dek(2)).await.unwrap();
    assert_eq!(store.usage(&dek(2)).await, Ok(None));
}

async fn notes_once_since_when_a_dek_rests<S: WrapStore>(store: &S) {
    for at in [0, 1 << 53, u64::MAX] {
        assert_eq!(store.mark_inactive(&dek(3), at).await, Err(Error::BadInput));
    }
    assert_eq!(store.usage(&dek(3)).await, Ok(None));
    for at in [500, 400, 600] {
        assert_eq!(store.mark_inactive(&dek(3), at).await, Ok(usage(3, 0, Some(500))));
    }
    assert_eq!(store.reserve(&dek(3), 4, 9).await, Ok(4));
    assert_eq!(store.usage(&dek(3)).await, Ok(Some(usage(3, 4, Some(500)))));
}

async fn still_has_everything<S: WrapStore>(store: &S) {
    let left: Vec<_> = all_rows().into_iter().filter(|row| row.key_id() != OTHER_CMK).collect();
    if store.active("acme").await.unwrap().is_some() {
        assert_eq!(store.rows_by_owner("acme", None).await.unwrap(), left);
        assert_eq!(store.active("acme").await.unwrap(), Some(active("acme", 2, 2)));
        assert_eq!(store.active("globex").await.unwrap(), Some(active("globex", 7, 1)));
        assert_eq!(store.usage(&dek(1)).await.unwrap(), Some(usage(1, 3_072, None)));
        assert_eq!(store.usage(&dek(2)).await.unwrap(), None);
        assert_eq!(store.usage(&dek(3)).await.unwrap(), Some(usage(3, 4, Some(500))));
    }
}

fn all_rows() -> Vec<WrapRow> {
    vec![
        org_row(1, "acme", CMK),
        org_row(1, "acme", OTHER_CMK),
        record_row("t", "r", "acme"),
        record_row("t", "r", "globex"),
    ]
}

fn org_row(number: u8, owner: &str, cmk: &str) -> WrapRow {
    row(&format!(
        r#"{{"v":1,"purpose":"org-dek","owner":"{owner}","reader":"{owner}","version":1,"created":5,"dekRef":"{}","provider":"aws-kms","keyId":"{cmk}","blob":"AAEC"}}"#,
        dek(number).to_text()
    ))
}

fn record_row(table: &str, record: &str, reader: &str) -> WrapRow {
    let purpose = if reader == "acme" { "record-dek" } else { "share" };
    row(&format!(
        r#"{{"v":1,"purpose":"{purpose}","owner":"acme","reader":"{reader}","table":"{table}","record":"{record}","version":1,"created":5,"dekRef":"{}","provider":"aws-kms","keyId":"{CMK}","blob":"AAEC"}}"#,
        dek(2).to_text()
    ))
}

fn active(org: &str, version: u32, rev: u64) -> ActiveRow {
    let json = format!(
        r#"{{"org":"{org}","dekRef":"{}","version":{version},"state":"active","rev":{rev}}}"#,
        dek(1).to_text()
    );
    ActiveRow::from_json(json.as_bytes()).unwrap()
}

fn usage(number: u8, reserved: u64, inactive_since: Option<u64>) -> UsageRow {
    UsageRow::from_parts(dek(number), reserved, inactive_since).unwrap()
}

fn with(row: &WrapRow, from: &str, to: &str) -> WrapRow {
    self::row(&row.to_json().replace(from, to))
}

fn row(json: &str) -> WrapRow {
    WrapRow::from_json(json.as_bytes()).unwrap()
}

fn dek(number: u8) -> DekRef {
    DekRef::from([number; 32])
}

fn place(table: &str, record: &str) -> RecordPlace {
    RecordPlace { table: table.into(), record: record.into() }
}

const CMK: &str = "arn:aws:kms:us-east-1:123456789012:key/0f8fad5b";
const OTHER_CMK: &str = "arn:aws:kms:us-east-1:123456789012:key/7c9e6679";
