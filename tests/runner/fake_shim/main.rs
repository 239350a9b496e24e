//! A shim that answers from the vectors themselves, and misbehaves in the way its second
//! argument names: `fake-shim FILE MODE`. For the runner's own tests.

#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test tool that misbehaves on purpose")]

use serde_json::{Value, json};
use std::io::{BufRead, stdin};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("no file")?;
    let mode = arguments.next().ok_or("no mode")?;
    let cases: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let mut held_back = None;
    let mut asked = 0;
    for line in stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line?)?;
        if line["op"] == "hello" {
            println!("{}", json!({"ok": true, "out": hello(&mode)}));
            continue;
        }
        asked += 1;
        let answer = misbehaving(&mode, asked, answer(&cases, &line));
        match (mode.as_str(), asked) {
            ("dies", 3) => return Ok(()),
            ("hangs", 3) => std::thread::sleep(Duration::from_secs(600)),
            ("swaps", 2) => held_back = Some(answer),
            ("skips", 3) => {}
            ("talks", 3) => println!("by the way\n{answer}"),
            _ => println!("{answer}"),
        }
        if asked == 3
            && let Some(late) = held_back.take()
        {
            println!("{late}");
        }
    }
    Ok(())
}

fn hello(mode: &str) -> Value {
    let version = format!("strongroom {} format 1 aes=soft", env!("CARGO_PKG_VERSION"));
    let strings: &[&str] = if mode == "leaves-out" { &[] } else { &["utf8"] };
    let ops: &[&str] = if mode == "offers-nothing" { &[] } else { &["from_text"] };
    let version = if mode == "is-another-version" { "strongroom 9 format 1 aes=soft" } else { &version };
    json!({"protocol": 1, "name": "go", "version": version, "strings": strings, "ops": ops, "extras": ["large"]})
}

/// What the case says that asks the same.
fn answer(cases: &Value, line: &Value) -> Value {
    let case = cases["tests"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|case| case["text"] == line["text"])
        .unwrap_or(&Value::Null);
    match case["result"].as_str() {
        Some("ok") => json!({"ok": true, "out": case["out"]}),
        Some("MALFORMED") => json!({"ok": false, "err": "MALFORMED", "num": 13, "msg": "not well-formed"}),
        Some(name) => json!({"ok": false, "err": name, "num": 1, "msg": "not allowed"}),
        None => json!({"ok": false, "err": "CRASH", "num": 0, "msg": "no such case"}),
    }
}

fn misbehaving(mode: &str, asked: u32, honest: Value) -> Value {
    let refusal = honest["ok"] == false;
    match mode {
        "lies" if asked == 1 => json!({"ok": true, "out": "f7"}),
        "opens-everything" if refusal => json!({"ok": true, "out": "f7"}),
        "refuses-everything" => json!({"ok": false, "err": "MALFORMED", "num": 13, "msg": "not well-formed"}),
        "renumbers" if refusal => json!({"ok": false, "err": "MALFORMED", "num": 12, "msg": "not well-formed"}),
        "rewords" if asked == 4 => json!({"ok": false, "err": "MALFORMED", "num": 13, "msg": "hm"}),
        "leaks" if refusal => {
            json!({"ok": false, "err": honest["err"], "num": honest["num"], "msg": honest["msg"], "out": "f7"})
        }
        "panics" if refusal => json!({"ok": false, "err": "INTERNAL", "num": 255, "msg": "internal error"}),
        _ => honest,
    }
}
