//! The runner notices a shim that lies, dies, answers out of order or does too little.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

struct Run {
    passed: bool,
    closing: String,
}

/// A folder with five cases of one operation, and the fake shim as host `go`.
fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    // Left over from an earlier run, or not there.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("vectors/from_text")).expect("a folder");
    let case = |id: u32, text: serde_json::Value, flags: &[&str], result: &str| {
        let mut case = json!({"id": id, "comment": "a case", "flags": flags, "text": text, "result": result});
        if result == "ok" {
            case["out"] = json!(format!("f7{id:02x}"));
        }
        case
    };
    let cases = json!({
        "schema": 1, "operation": "from_text", "flags": {"Utf8Bytes": "bytes"},
        "tests": [
            case(1, json!("sr1.a"), &[], "ok"), case(2, json!("sr1.b"), &[], "ok"),
            case(3, json!("sr1.c"), &[], "MALFORMED"),
            case(4, json!("sr1.d"), &[], "MALFORMED"), case(5, json!({"utf8": "ff"}), &["Utf8Bytes"], "BAD_INPUT"),
        ],
    });
    fs::write(folder.join("vectors/from_text/cases.json"), cases.to_string()).expect("a file");
    fs::write(
        folder.join("counts.json"),
        json!({"go": {"from_text": {"run": 5, "passed": 5, "left_out": {}}}}).to_string(),
    )
    .expect("a file");
    let hello = json!({"go": {"protocol": 1, "strings": ["utf8"], "ops": ["from_text"], "extras": ["large"]}});
    fs::write(folder.join("hello.json"), hello.to_string()).expect("a file");
    folder
}

fn run_in(folder: &PathBuf, mode: &str) -> Run {
    let cases = folder.join("vectors/from_text/cases.json");
    let shims = json!({"go": [env!("CARGO_BIN_EXE_fake-shim"), cases, mode]});
    fs::write(folder.join("shims.json"), shims.to_string()).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["vectors", "--host", "go", "--timeout", "2"])
        .arg("--shims")
        .arg(folder.join("shims.json"))
        .arg("--vectors")
        .arg(folder.join("vectors"))
        .arg("--pins")
        .arg(folder)
        .output()
        .expect("the runner runs");
    let text = String::from_utf8(output.stdout).expect("text");
    Run { passed: output.status.success(), closing: text.lines().last().unwrap_or_default().to_owned() }
}

fn run(mode: &str) -> Run {
    run_in(&folder(mode), mode)
}

#[test]
fn an_honest_shim_passes() {
    let run = run("honest");
    // Five cases, two pins, and the end.
    assert_eq!(run.closing, "8 passed, 0 failed");
    assert!(run.passed);
}

#[test]
fn every_way_to_misbehave_is_noticed() {
    for (mode, failed) in [
        ("lies", 2),
        ("opens-everything", 4),
        ("refuses-everything", 4),
        ("renumbers", 4),
        ("rewords", 2),
        ("leaks", 4),
        ("panics", 4),
        ("dies", 4),
        ("hangs", 4),
        ("swaps", 3),
        ("skips", 3),
        ("talks", 4),
        // The case left out, and both pins.
        ("leaves-out", 3),
        // Every case, and both pins.
        ("offers-nothing", 7),
        ("is-another-version", 2),
    ] {
        let run = run(mode);
        assert!(!run.passed, "{mode}");
        assert!(run.closing.ends_with(&format!(" passed, {failed} failed")), "{mode}: {}", run.closing);
    }
}

#[test]
fn a_case_too_many_or_too_few_is_noticed() {
    let folder = folder("counts");
    fs::write(
        folder.join("counts.json"),
        json!({"go": {"from_text": {"run": 6, "passed": 6, "left_out": {}}}}).to_string(),
    )
    .expect("a file");
    assert!(!run_in(&folder, "honest").passed);
}

#[test]
fn vectors_that_are_empty_or_unknown_are_a_failure() {
    for (name, text) in [
        ("vectors/empty/cases.json", json!({"schema": 1, "operation": "empty", "flags": {}, "tests": []})),
        ("vectors/to_text/cases.json", json!({"schema": 1, "operation": "to_text", "flags": {}, "tests": []})),
        ("vectors/to_text/cases.json", json!({"schema": 2, "operation": "to_text", "flags": {}, "tests": [{"id": 1}]})),
        ("vectors/from_text/cases.txt", json!("left over")),
    ] {
        let folder = folder("unknown");
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(&file, text.to_string()).expect("a file");
        let run = run_in(&folder, "honest");
        assert!(!run.passed, "{name}");
        assert_eq!(run.closing, "0 passed, 1 failed", "{name}");
    }
    let folder = folder("none");
    fs::remove_dir_all(folder.join("vectors/from_text")).expect("a folder");
    assert!(!run_in(&folder, "honest").passed);
}

#[test]
fn a_host_without_a_shim_is_a_failure() {
    let folder = folder("missing");
    run_in(&folder, "honest");
    fs::write(folder.join("shims.json"), "{}").expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["bits", "--host", "go", "--shims"])
        .arg(folder.join("shims.json"))
        .output();
    assert!(output.is_ok_and(|output| !output.status.success()));
}
