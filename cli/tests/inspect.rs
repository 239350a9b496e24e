//! `strongroom inspect`, as its users call it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

/// A padded envelope of 64 bytes; nobody has its DEK.
fn envelope() -> Vec<u8> {
    [&[0xf7, 1, 1, 1][..], &[0xab; 32], &[0, 0, 0, 64], &[2; 12], &[3; 64], &[4; 16]].concat()
}

fn printable(envelope: &[u8]) -> String {
    format!("sr1.{}", Base64UrlUnpadded::encode_string(envelope))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn inspect(args: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_strongroom"))
        .arg("inspect")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    child.wait_with_output().unwrap()
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn error_of(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"", "nothing that could be taken for a header");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    text.strip_prefix("strongroom inspect: ").unwrap().split(':').next().unwrap().to_owned()
}

#[test]
fn every_spelling_of_an_envelope_gives_the_same_header() {
    let envelope = envelope();
    let (text, hex) = (printable(&envelope), hex(&envelope));
    let expected = json!({
        "version": 1, "suite": 1, "padded": true, "ctLen": 64,
        "dekRef": Base64UrlUnpadded::encode_string(&[0xab; 32]),
    });
    for spelling in [&text, &hex, &hex.to_uppercase()] {
        assert_eq!(json_of(&inspect(&["--json", spelling], b"")), expected);
        assert_eq!(json_of(&inspect(&["--json"], spelling.as_bytes())), expected);
        assert_eq!(json_of(&inspect(&["--json", "-"], format!("{spelling}\n").as_bytes())), expected);
    }
    assert_eq!(json_of(&inspect(&["--json"], &envelope)), expected);
}

#[test]
fn people_are_told_that_nothing_is_authenticated() {
    let output = inspect(&[&printable(&envelope())], b"");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Nothing of this is authenticated"), "{text}");
    assert!(text.contains(&Base64UrlUnpadded::encode_string(&[0xab; 32])), "{text}");
}

#[test]
fn what_is_no_envelope_is_refused_by_name() {
    let good = envelope();
    let text = printable(&good);
    let changed = |at: usize, byte: u8| {
        let mut other = good.clone();
        other[at] = byte;
        hex(&other)
    };
    let cases = [
        (String::new(), "NOT_AN_ENVELOPE"),
        ("hello".into(), "NOT_AN_ENVELOPE"),
        (format!(" {text}"), "NOT_AN_ENVELOPE"),
        (text.replace("sr1.", "sr2."), "NOT_AN_ENVELOPE"),
        (changed(0, 0xf6), "NOT_AN_ENVELOPE"),
        (changed(1, 2), "UNSUPPORTED_VERSION"),
        (changed(2, 2), "UNSUPPORTED_SUITE"),
        (changed(3, 2), "MALFORMED"),
        (format!("{text}="), "MALFORMED"),
        (format!("{text}\n\n"), "MALFORMED"),
        (hex(&good[..good.len() - 1]), "TRUNCATED"),
        (hex(&good)[1..].to_owned(), "NOT_AN_ENVELOPE"),
    ];
    for (text, error) in cases {
        assert_eq!(error_of(&inspect(&["--json"], text.as_bytes())), error, "{text}");
        if !text.is_empty() {
            assert_eq!(error_of(&inspect(&["--", &text], b"")), error, "{text}");
        }
    }
    assert_eq!(error_of(&inspect(&[], &good[..good.len() - 1])), "TRUNCATED");
    assert_eq!(error_of(&inspect(&[], b"\xff\xfe")), "NOT_AN_ENVELOPE");
}
