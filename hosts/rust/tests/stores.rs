//! The shipped stores keep the contract, and the file store survives what happens to files.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use pollster::block_on;
use strongroom::{ActiveRow, Binding, DekRef, Error};
use strongroom_host::{JsonLinesStore, MemoryFieldStore, MemoryStore, WrapStore, contract};

#[test]
fn the_memory_store_keeps_the_contract() {
    block_on(contract::run(MemoryStore::new));
}

#[test]
fn the_field_store_in_memory_keeps_the_contract() {
    let put = async |store: &MemoryFieldStore, at: &Binding<'_>, envelope: &[u8]| store.put(at, envelope).unwrap();
    block_on(contract::run_fields(&MemoryFieldStore::new(), put));
}

#[test]
fn the_json_lines_store_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    block_on(contract::run(|| JsonLinesStore::open(folder.path().join("rows.jsonl")).unwrap()));
}

#[test]
fn its_file_is_for_its_owner_only_and_the_lock_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    let store = JsonLinesStore::open(&path).unwrap();
    block_on(store.compare_and_set_active(&active(1))).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_torn_last_line_is_passed_over_and_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    let good = format!("{{\"active\":{}}}\n", active(1).to_json());
    fs::write(&path, format!("{good}{{\"active\":{{\"org\":")).unwrap();
    let store = JsonLinesStore::open(&path).unwrap();
    assert_eq!(block_on(store.active("acme")), Ok(Some(active(1))));
    block_on(store.compare_and_set_active(&active(2))).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{good}{{\"active\":{}}}\n", active(2).to_json()));
}

#[test]
fn damage_is_never_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    let good = active(1).to_json();
    for line in [
        String::new(),
        "{}".into(),
        "null".into(),
        format!("{{\"activ\":{good}}}"),
        format!("{{\"active\":{good}}} "),
        format!("{{\"active\":{good},\"x\":1}}"),
        format!("{{\"active\":{}}}", good.replace("\"rev\":1", "\"rev\":0")),
        format!("{{\"wrap\":{good}}}"),
        "{\"delete\":{\"dekRef\":\"AA\",\"reader\":\"a\",\"keyId\":\"k\"}}".into(),
        "{\"usage\":{}}".into(),
        usage("-1"),
        usage("1.0"),
        usage("9007199254740992"),
        usage("1,\"inactiveSince\":0"),
        usage("1,\"more\":1"),
        "{\"delete_usage\":{}}".into(),
        "{\"delete_usage\":{\"dekRef\":\"AA\"}}".into(),
    ] {
        fs::write(&path, format!("{line}\n")).unwrap();
        assert_eq!(JsonLinesStore::open(&path).err(), Some(Error::StoreUnavailable), "{line}");
    }
}

#[test]
fn what_another_process_writes_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    let (one, other) = (JsonLinesStore::open(&path).unwrap(), JsonLinesStore::open(&path).unwrap());
    block_on(one.compare_and_set_active(&active(1))).unwrap();
    assert_eq!(block_on(other.active("acme")), Ok(Some(active(1))));
    assert_eq!(block_on(other.compare_and_set_active(&active(1))), Err(Error::PreconditionFailed));
    block_on(other.compare_and_set_active(&active(2))).unwrap();
    assert_eq!(block_on(one.active("acme")), Ok(Some(active(2))));
}

#[test]
fn the_file_has_the_lines_that_every_host_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    let (store, dek_ref) = (JsonLinesStore::open(&path).unwrap(), DekRef::from([1; 32]));
    assert_eq!(block_on(store.reserve(&dek_ref, 1_024, 1 << 32)), Ok(1_024));
    for _ in 0..2 {
        block_on(store.mark_inactive(&dek_ref, 1_761_955_200)).unwrap();
    }
    for _ in 0..2 {
        block_on(store.delete_usage(&dek_ref)).unwrap();
    }
    let text = dek_ref.to_text();
    let wanted = format!(
        "{}\n{}\n{{\"delete_usage\":{{\"dekRef\":\"{text}\"}}}}\n",
        usage("1024"),
        usage("1024,\"inactiveSince\":1761955200")
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), wanted);
}

#[test]
fn of_many_writers_one_wins_each_revision() {
    let folder = tempfile::tempdir().unwrap();
    let path = Arc::new(folder.path().join("rows.jsonl"));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let path = Arc::clone(&path);
            std::thread::spawn(move || {
                let store = JsonLinesStore::open(&*path).unwrap();
                (1..=10).filter(|rev| block_on(store.compare_and_set_active(&active(*rev))).is_ok()).count()
            })
        })
        .collect();
    let won: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let lines = fs::read_to_string(&*path).unwrap().lines().count();
    assert_eq!(won, lines);
    assert_eq!(
        JsonLinesStore::open(&*path).map(|store| block_on(store.active("acme")).unwrap().unwrap().rev()),
        Ok(lines as u64)
    );
}

#[test]
fn a_dead_process_s_lock_is_broken_and_a_living_one_s_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    let store = JsonLinesStore::open(&path).unwrap();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = child.id();
    child.wait().unwrap();
    let lock = folder.path().join("rows.jsonl.lock");
    fs::write(&lock, format!("{dead} 0011223344556677\n")).unwrap();
    block_on(store.compare_and_set_active(&active(1))).unwrap();
    fs::write(&lock, format!("{} 0011223344556677\n", std::process::id())).unwrap();
    assert_eq!(block_on(store.compare_and_set_active(&active(2))), Err(Error::StoreUnavailable));
    assert!(Path::new(&lock).exists());
}

fn usage(reserved: &str) -> String {
    format!("{{\"usage\":{{\"dekRef\":\"{}\",\"reserved\":{reserved}}}}}", DekRef::from([1; 32]).to_text())
}

fn active(rev: u64) -> ActiveRow {
    let dek_ref = DekRef::from([1; 32]).to_text();
    let json = format!(r#"{{"org":"acme","dekRef":"{dek_ref}","version":1,"state":"active","rev":{rev}}}"#);
    ActiveRow::from_json(json.as_bytes()).unwrap()
}
