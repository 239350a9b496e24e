//! kill -9 at any point: what was acknowledged is there, and nothing is there by half.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    files::mode,
    harness::{Server, authorization, head, raw, tag},
};

/// What a client was told about one key, and what it asked for last.
#[derive(Clone, Debug)]
struct Told {
    acknowledged: String,
    asked: String,
}

/// Makes keys and changes their states until the server is gone.
fn storm(port: u16, over: &AtomicBool) -> BTreeMap<String, Told> {
    let call = |operation: &str, members: &Value| {
        let head = head(operation, &authorization("org-a"));
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{head}");
        let answer = raw(port, &head, members.to_string().as_bytes()).ok()?;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Some(answer.body)
    };
    let mut told = BTreeMap::new();
    while !over.load(Ordering::Relaxed) {
        let Some(made) = call("CreateKey", &json!({ "Tags": [tag("org-a")] })) else { break };
        let id = made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
        told.insert(id.clone(), Told { acknowledged: "Enabled".into(), asked: "Enabled".into() });
        for (operation, state) in
            [("DisableKey", "Disabled"), ("ScheduleKeyDeletion", "PendingDeletion"), ("CancelKeyDeletion", "Disabled")]
        {
            told.get_mut(&id).unwrap().asked = state.into();
            if call(operation, &json!({ "KeyId": id })).is_none() {
                return told;
            }
            told.get_mut(&id).unwrap().acknowledged = state.into();
        }
    }
    told
}

#[test]
fn whatever_was_acknowledged_survives_kill_9() {
    let mut kms = Server::new();
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for round in 0..8 {
        let (port, over) = (kms.port, AtomicBool::new(false));
        thread::scope(|scope| {
            let storms: Vec<_> = (0..4).map(|_| scope.spawn(|| storm(port, &over))).collect();
            thread::sleep(Duration::from_millis(60 + 37 * round));
            kms.kill();
            over.store(true, Ordering::Relaxed);
            for storm in storms {
                told.extend(storm.join().unwrap());
            }
        });
        kms.restart(&[]);
        for (id, told) in &told {
            let metadata = &kms.ok("org-a", "DescribeKey", &json!({ "KeyId": id }))["KeyMetadata"];
            let state = metadata["KeyState"].as_str().unwrap();
            // A change that was asked for and not answered may have happened or not.
            assert!([&told.acknowledged, &told.asked].iter().any(|known| *known == state), "{state}, {told:?}");
        }
        for file in fs::read_dir(kms.dir.join("keys")).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), 0o600);
            assert_eq!(path.extension().unwrap(), "json");
            let key: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            assert_eq!(path.file_stem().unwrap().to_str(), key["keyId"].as_str());
        }
    }
    assert!(told.len() > 20, "the storm was a breeze: {} keys", told.len());
    let witnessed = kms.log().iter().filter(|line| line["operation"] == "CreateKey" && line["result"] == "ok").count();
    assert!(witnessed >= told.len(), "every acknowledged call has its line");
}

#[test]
fn what_a_crash_left_by_half_is_cleared_away() {
    let mut kms = Server::new();
    let key = kms.key("org-a");
    let name = kms.key_file(&key).file_name().unwrap().to_str().unwrap().replace(".json", "");
    kms.kill();
    let half = kms.dir.join("keys").join(format!(".{name}.tmp"));
    fs::write(&half, r#"{"v":1,"keyId""#).unwrap();
    let mut log = OpenOptions::new().append(true).open(kms.dir.join("log.jsonl")).unwrap();
    log.write_all(br#"{"time":1764000000000,"callerOrg":"or"#).unwrap();
    kms.restart(&[]);
    assert!(!half.exists());
    assert_eq!(kms.fault("org-a", "DescribeKey", &json!({ "KeyId": key })), "no fault");
    let operations: Vec<Value> = kms.log().iter().map(|line| line["operation"].clone()).collect();
    assert_eq!(json!(operations), json!(["CreateKey", "DescribeKey"]), "a line cut short was never answered");
}
