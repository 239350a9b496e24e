//! What a log proves, and each fault planted in a real one.

use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Server, base64};

/// Two orgs, three versions, a share and a refused stranger; then times of one version a 60 days.
fn log() -> Vec<Value> {
    let kms = Server::new();
    let (key, other) = (kms.key("org-a"), kms.key("org-b"));
    for (version, org, key) in
        [("1", "org-a", &key), ("1", "org-b", &other), ("2", "org-a", &key), ("3", "org-a", &key)]
    {
        let context = json!({
            "strongroom-purpose": "org-dek", "strongroom-org": org, "strongroom-owner": org,
            "strongroom-version": version, "strongroom-created": "1764000000",
        });
        let members = json!({ "KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context });
        let blob = kms.ok(org, "GenerateDataKey", &members)["CiphertextBlob"].clone();
        let members = json!({ "CiphertextBlob": blob, "KeyId": key, "EncryptionContext": context });
        kms.ok(org, "Decrypt", &members);
        assert_eq!(kms.fault("mallory", "Decrypt", &members), "AccessDeniedException");
    }
    let context = json!({ "strongroom-purpose": "share", "strongroom-org": "org-b", "strongroom-owner": "org-a" });
    kms.ok("org-a", "Encrypt", &json!({ "KeyId": other, "Plaintext": base64(&[1; 32]), "EncryptionContext": context }));
    kms.ok("org-b", "ScheduleKeyDeletion", &json!({ "KeyId": other, "PendingWindowInDays": 7 }));
    let mut lines = kms.lines();
    assert_eq!(audit(&lines, &[]), (0, json!([])), "as the KMS wrote it");
    for (index, line) in lines.iter_mut().enumerate() {
        let (month, day) = (1 + index / 4, 1 + index % 4);
        line["eventTime"] = format!("2026-{month:02}-{day:02}T00:00:00Z").into();
    }
    chain(&mut lines);
    lines
}

/// Makes the chain whole again: whoever edits a log can do it too.
fn chain(lines: &mut [Value]) {
    let mut previous = "0".repeat(64);
    for (index, line) in lines.iter_mut().enumerate() {
        line["additionalEventData"]["sequence"] = (index + 1).into();
        line["additionalEventData"]["previous"] = previous.into();
        previous = digest(&line.to_string());
    }
}

fn digest(line: &str) -> String {
    Sha256::digest(line.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exit code and the faults' texts.
fn audit(lines: &[Value], args: &[&str]) -> (i32, Value) {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("log.jsonl");
    std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    audit_file(&file, args)
}

fn audit_file(file: &std::path::Path, args: &[&str]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    let output = command.args(["audit", "cadence", "--json"]).arg(file).args(args).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let faults = report["faults"].as_array().into_iter().flatten().map(|fault| fault["fault"].clone()).collect();
    (output.status.code().unwrap(), faults)
}

fn at(lines: &[Value], operation: &str, version: &str) -> usize {
    let is = |line: &Value| {
        line["eventName"] == operation
            && line["requestParameters"]["encryptionContext"]["strongroom-version"] == version
            && line.get("errorCode").is_none()
    };
    lines.iter().position(is).unwrap()
}

/// A fault's planting and what the report calls it. `whole`: the chain is made whole afterwards.
type Fault = (&'static str, bool, fn(&mut Vec<Value>));

const FAULTS: [Fault; 8] = [
    ("late rotation", true, |lines| {
        let from = at(lines, "GenerateDataKey", "3");
        lines[from..].iter_mut().for_each(|line| line["eventTime"] = json!("2027-01-01T00:00:00Z"));
    }),
    ("a version is skipped", true, |lines| {
        let two = at(lines, "GenerateDataKey", "2");
        lines.drain(two..two + 3);
    }),
    ("a CMK is used by two orgs", true, |lines| {
        let (from, to) = (at(lines, "GenerateDataKey", "1"), lines.len() - 2);
        lines[to]["resources"] = lines[from]["resources"].clone();
    }),
    ("Decrypt by a foreign org", true, |lines| {
        let at = at(lines, "Decrypt", "2");
        lines[at]["additionalEventData"]["principalTags"]["strongroom-org"] = json!("mallory");
    }),
    ("Decrypt by a foreign org", true, |lines| {
        // The stranger's refused call, as if it had got through.
        let at = at(lines, "Decrypt", "2") + 1;
        lines[at].as_object_mut().unwrap().remove("errorCode");
    }),
    ("lines are missing", false, |lines| {
        lines.drain(4..8);
    }),
    ("a time span is missing", true, |lines| {
        lines[9..].iter_mut().for_each(|line| line["eventTime"] = json!("2026-04-20T00:00:00Z"));
    }),
    ("another order", true, |lines| lines.swap(5, 9)),
];

const ARGS: [&str; 4] = ["--max-gap", "30d", "--to", "2026-04-20T00:00:00Z"];

fn flagged(faults: &Value, name: &str) -> bool {
    faults.as_array().unwrap().iter().any(|fault| fault.as_str().unwrap().contains(name))
}

#[test]
fn a_good_log_is_proven_and_each_planted_fault_is_not() {
    let good = log();
    assert_eq!(audit(&good, &ARGS), (0, json!([])));
    for (name, whole, plant) in FAULTS {
        let mut lines = good.clone();
        plant(&mut lines);
        if whole {
            chain(&mut lines);
        }
        let (code, faults) = audit(&lines, &ARGS);
        assert_eq!(code, 1, "{name}");
        assert!(flagged(&faults, name), "{name}: {faults}");
    }
}

#[test]
fn two_faults_at_once_are_both_named() {
    let good = log();
    let pairs = [(0, 3), (2, 3), (2, 4), (3, 6), (0, 2)];
    for (first, second) in pairs {
        let mut lines = good.clone();
        for (_, _, plant) in [FAULTS[first], FAULTS[second]] {
            plant(&mut lines);
        }
        chain(&mut lines);
        let (code, faults) = audit(&lines, &ARGS);
        assert_eq!(code, 1);
        assert!(flagged(&faults, FAULTS[first].0) && flagged(&faults, FAULTS[second].0), "{first} {second}: {faults}");
    }
}

#[test]
fn a_line_edited_moved_or_left_out_breaks_the_chain() {
    let good = log();
    for index in 0..good.len() - 1 {
        let mut edited = good.clone();
        edited[index]["eventTime"] = json!("2026-01-01T00:00:01Z");
        assert_eq!(audit(&edited, &[]).0, 1, "line {index} edited");
        let mut missing = good.clone();
        missing.remove(index);
        assert_eq!(audit(&missing, &[]).0, 1, "line {index} left out");
        let mut moved = good.clone();
        moved.swap(index, index + 1);
        assert_eq!(audit(&moved, &[]).0, 1, "line {index} moved");
    }
}

#[test]
fn lines_cut_off_at_the_end_show_only_against_a_digest_kept_elsewhere() {
    let good = log();
    let last = digest(&good.last().unwrap().to_string());
    let cut = &good[..good.len() - 1];
    assert_eq!(audit(&good, &["--last", &last]).0, 0);
    assert_eq!(audit(cut, &["--last", &last]).0, 1);
}

#[test]
fn a_log_without_sequence_numbers_is_judged_by_time_and_by_callers_named() {
    let mut lines = log();
    for line in &mut lines {
        line.as_object_mut().unwrap().remove("additionalEventData");
        line["userIdentity"]["arn"] = line["userIdentity"]["arn"].as_str().unwrap().rsplit('/').next().into();
    }
    let callers = ["--caller", "sr-b3JnLWE=org-a", "--caller", "sr-b3JnLWI=org-b", "--max-gap", "30d"];
    assert_eq!(audit(&lines, &callers), (0, json!([])));
    assert!(flagged(&audit(&lines, &callers[..4]).1, "a time span is missing"), "24 hours where nothing is said");
    assert!(flagged(&audit(&lines, &callers[2..]).1, "whose org nobody can tell"));
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("trail.json");
    std::fs::write(&file, json!({ "Records": lines }).to_string()).unwrap();
    assert_eq!(audit_file(&file, &callers), (0, json!([])));
    lines.swap(3, 6);
    assert!(flagged(&audit(&lines, &callers).1, "another order"));
}

#[test]
fn what_is_no_log_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("log");
    for text in ["", "{", "{}\n", "[]\n", "{\"eventTime\":\"yesterday\"}\n"] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(audit_file(&file, &[]).0, 2, "{text:?}");
    }
}
