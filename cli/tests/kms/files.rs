//! Files and folders: private, whole, and nobody else's.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Server, refused};

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn files_and_folders_are_the_owners_only() {
    let kms = Server::new();
    let key = kms.key("org-a");
    kms.ok("org-a", "DisableKey", &json!({ "KeyId": key }));
    assert_eq!((mode(&kms.dir), mode(&kms.dir.join("keys"))), (0o700, 0o700));
    for file in [kms.key_file(&key), kms.dir.join("log.jsonl"), kms.dir.join("strongroom-kms.lock")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let names: Vec<_> = fs::read_dir(kms.dir.join("keys")).unwrap().collect();
    assert_eq!(names.len(), 1, "no temporary file stays");
}

#[test]
fn keys_and_states_outlive_the_process() {
    let mut kms = Server::new();
    let keys: Vec<String> = (0..3).map(|_| kms.key("org-a")).collect();
    let context = json!({ "strongroom-org": "org-a" });
    let data_key = json!({ "KeyId": keys[0], "KeySpec": "AES_256", "EncryptionContext": context });
    let made = kms.ok("org-a", "GenerateDataKey", &data_key);
    kms.ok("org-a", "DisableKey", &json!({ "KeyId": keys[1] }));
    kms.ok("org-a", "ScheduleKeyDeletion", &json!({ "KeyId": keys[2] }));
    let describe = |kms: &Server| -> Vec<Value> {
        keys.iter().map(|key| kms.ok("org-a", "DescribeKey", &json!({ "KeyId": key }))).collect()
    };
    let before = describe(&kms);
    kms.restart(&[]);
    assert_eq!(describe(&kms), before);
    let decrypt = json!({ "CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": context });
    assert_eq!(kms.ok("org-a", "Decrypt", &decrypt)["Plaintext"], made["Plaintext"]);
}

#[test]
fn one_folder_serves_one_process() {
    let kms = Server::new();
    let output = refused(&kms.dir, &[]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("in use"));
    assert_eq!(kms.fault("org-a", "ListKeys", &json!({})), "no fault");
}

#[test]
fn somebodys_own_folder_is_left_alone() {
    let home = TempDir::new().unwrap();
    let dir = home.path().join("documents");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("letter"), "x").unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    refused(&dir, &[]);
    assert_eq!(mode(&dir), 0o755);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    refused(&dir.join("letter"), &[]);
    fs::remove_file(dir.join("letter")).unwrap();
    let kms = Server::at(&dir, &[]);
    assert_eq!(mode(&kms.dir), 0o700, "an empty one is taken and made private");
}

#[test]
fn a_file_that_is_not_a_whole_key_stops_the_start() {
    let mut kms = Server::new();
    let file = kms.key_file(&kms.key("org-a"));
    kms.kill();
    let good = fs::read_to_string(&file).unwrap();
    let stored: Value = serde_json::from_str(&good).unwrap();
    let change = |change: fn(&mut Value)| {
        let mut other = stored.clone();
        change(&mut other);
        other.to_string()
    };
    let bad = [
        String::new(),
        good[..good.len() / 2].to_owned(),
        format!("{good}x"),
        change(|key| key["v"] = json!(2)),
        change(|key| key["state"] = json!("Retired")),
        change(|key| key["tags"] = json!([])),
        change(|key| key["material"] = json!("AAAA")),
        change(|key| key["more"] = json!(1)),
        change(|key| key["keyId"] = json!("00000000-0000-4000-8000-000000000000")),
    ];
    for text in bad {
        fs::write(&file, &text).unwrap();
        let output = refused(&kms.dir, &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("is not a key file"), "{said}");
        assert!(!said.contains(stored["material"].as_str().unwrap()));
    }
    fs::write(&file, &good).unwrap();
    fs::write(kms.dir.join("keys/notes.txt"), "x").unwrap();
    refused(&kms.dir, &[]);
    fs::remove_file(kms.dir.join("keys/notes.txt")).unwrap();
    kms.restart(&[]);
}
