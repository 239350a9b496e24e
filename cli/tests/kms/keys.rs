//! A key's life: its names, its states, its end.

use std::{fs, thread::sleep, time::Duration};

use serde_json::{Value, json};

use crate::harness::{Server, authorization_in, bare, base64, head, tag};

const CONTEXT: &str = r#"{"strongroom-org":"org-a","strongroom-purpose":"record-dek"}"#;

/// The three uses of a key, by name.
fn uses(kms: &Server, key: &str, blob: &Value) -> [(&'static str, String); 3] {
    let context: Value = serde_json::from_str(CONTEXT).unwrap();
    let call = |operation, mut members: Value| {
        members["KeyId"] = key.into();
        members["EncryptionContext"] = context.clone();
        (operation, kms.fault("org-a", operation, &members))
    };
    [
        call("GenerateDataKey", json!({ "KeySpec": "AES_256" })),
        call("Encrypt", json!({ "Plaintext": base64(&[1; 32]) })),
        call("Decrypt", json!({ "CiphertextBlob": blob })),
    ]
}

/// A key and a blob of it.
fn key_and_blob(kms: &Server) -> (String, Value) {
    let key = kms.key("org-a");
    let context: Value = serde_json::from_str(CONTEXT).unwrap();
    let members = json!({ "KeyId": key, "Plaintext": base64(&[1; 32]), "EncryptionContext": context });
    let blob = kms.ok("org-a", "Encrypt", &members)["CiphertextBlob"].clone();
    (key, blob)
}

fn state(kms: &Server, key: &str) -> Value {
    kms.ok("org-a", "DescribeKey", &json!({ "KeyId": key }))["KeyMetadata"]["KeyState"].clone()
}

#[test]
fn each_state_allows_what_aws_allows() {
    let invalid = "KMSInvalidStateException";
    // operation that leads to the state; the state; uses; enable, disable, schedule, cancel from it
    let table = [
        (None, "Enabled", "no fault", ["no fault", "no fault", "no fault", invalid]),
        (Some("DisableKey"), "Disabled", "DisabledException", ["no fault", "no fault", "no fault", invalid]),
        (Some("ScheduleKeyDeletion"), "PendingDeletion", invalid, [invalid, invalid, invalid, "no fault"]),
    ];
    let changes = ["EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion"];
    let after = ["Enabled", "Disabled", "PendingDeletion", "Disabled"];
    let kms = Server::new();
    for (lead, name, used, changed) in table {
        for ((operation, expected), end) in changes.iter().zip(changed).zip(after) {
            let (key, blob) = key_and_blob(&kms);
            if let Some(lead) = lead {
                kms.ok("org-a", lead, &json!({ "KeyId": key }));
            }
            assert_eq!(state(&kms, &key), name);
            for (operation, fault) in uses(&kms, &key, &blob) {
                assert_eq!(fault, used, "{operation} while {name}");
            }
            let fault = kms.fault("org-a", operation, &json!({ "KeyId": key }));
            assert_eq!(fault, expected, "{operation} while {name}");
            assert_eq!(state(&kms, &key), if expected == invalid { name } else { end });
        }
    }
}

#[test]
fn a_key_that_is_enabled_again_opens_what_it_wrapped() {
    let kms = Server::new();
    let (key, blob) = key_and_blob(&kms);
    for operation in ["DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion", "EnableKey"] {
        kms.ok("org-a", operation, &json!({ "KeyId": key }));
    }
    assert!(uses(&kms, &key, &blob).iter().all(|(_, fault)| fault == "no fault"));
}

#[test]
fn deletion_waits_seven_to_thirty_days() {
    let kms = Server::new();
    let schedule = |days: &Value| {
        let key = kms.key("org-a");
        kms.call("org-a", "ScheduleKeyDeletion", &json!({ "KeyId": key, "PendingWindowInDays": days })).body
    };
    for days in [json!(6), json!(31), json!(0), json!(-7), json!(7.0), json!("7"), json!(u64::MAX), json!([7])] {
        assert_eq!(schedule(&days)["__type"], "ValidationException", "{days}");
    }
    for days in [7, 30] {
        let answer = schedule(&json!(days));
        assert_eq!(answer["KeyState"], "PendingDeletion");
        assert_eq!(answer["PendingWindowInDays"], days);
        assert_near(&answer["DeletionDate"], days);
    }
    let key = kms.key("org-a");
    assert_near(&kms.ok("org-a", "ScheduleKeyDeletion", &json!({ "KeyId": key }))["DeletionDate"], 30);
    let metadata = &kms.ok("org-a", "DescribeKey", &json!({ "KeyId": key }))["KeyMetadata"];
    assert_near(&metadata["DeletionDate"], 30);
    assert_eq!(metadata["Enabled"], false);
}

fn assert_near(date: &Value, days: u64) {
    let expected = unix() + days * 86_400;
    assert!((expected - 60..=expected).contains(&date.as_u64().unwrap()), "{date}");
}

fn unix() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Nobody waits seven days here: the date in the file is moved while the KMS is down.
fn move_deletion(kms: &mut Server, key: &str, date: u64) {
    kms.kill();
    let file = kms.key_file(key);
    let mut stored: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    stored["state"]["PendingDeletion"]["deletionDate"] = date.into();
    fs::write(&file, stored.to_string()).unwrap();
    kms.restart(&[]);
}

#[test]
fn a_key_is_gone_for_ever_when_its_date_has_come() {
    let mut kms = Server::new();
    let (key, blob) = key_and_blob(&kms);
    kms.ok("org-a", "ScheduleKeyDeletion", &json!({ "KeyId": key }));
    let soon = unix() + 3;
    move_deletion(&mut kms, &key, soon);
    assert_eq!(state(&kms, &key), "PendingDeletion");
    assert!(kms.key_file(&key).exists());
    while unix() <= soon {
        sleep(Duration::from_millis(50));
    }
    for (operation, fault) in uses(&kms, &key, &blob) {
        assert_eq!(fault, "NotFoundException", "{operation}");
    }
    for operation in ["DescribeKey", "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion"] {
        assert_eq!(kms.fault("org-a", operation, &json!({ "KeyId": key })), "NotFoundException");
    }
    assert!(!kms.key_file(&key).exists(), "its material is destroyed, not hidden");
}

#[test]
fn a_key_whose_date_came_while_the_kms_was_down_is_gone() {
    let mut kms = Server::new();
    let (gone, kept) = (kms.key("org-a"), kms.key("org-a"));
    kms.ok("org-a", "ScheduleKeyDeletion", &json!({ "KeyId": gone }));
    move_deletion(&mut kms, &gone, 1);
    assert!(!kms.key_file(&gone).exists());
    let listed = kms.ok("org-a", "ListKeys", &json!({}));
    assert_eq!(listed["Keys"], json!([{ "KeyArn": kept, "KeyId": bare(&kept) }]));
}

#[test]
fn a_key_goes_by_its_arn_and_its_id_and_by_nothing_else() {
    let kms = Server::new();
    let key = kms.key("org-a");
    let id = bare(&key);
    let describe = |key: &str| kms.call("org-a", "DescribeKey", &json!({ "KeyId": key }));
    for name in [&key, id] {
        assert_eq!(describe(name).body["KeyMetadata"]["Arn"], key, "answers give the ARN");
    }
    let others = [
        key.replace("us-east-1", "eu-west-1"),
        key.replace("000000000000", "111111111111"),
        key.replace("arn:aws:", "arn:aws-cn:"),
        key.replace(":key/", ":alias/"),
        format!("{key}/"),
        format!(" {key}"),
        id.to_uppercase(),
        id.replace('-', ""),
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
        id[..35].to_owned(),
        "alias/org-a".to_owned(),
        "../keys".to_owned(),
        "x".repeat(2048),
    ];
    for other in others {
        assert_eq!(describe(&other).fault(), "NotFoundException", "{other}");
    }
    for length in [0, 2049] {
        assert_eq!(describe(&"x".repeat(length)).fault(), "ValidationException");
    }
}

#[test]
fn a_key_exists_in_its_own_region_only() {
    let kms = Server::new();
    let post = |region: &str, operation: &str, members: &Value| {
        kms.post(&head(operation, &authorization_in(region, "org-a")), members.to_string().as_bytes())
    };
    let made = post("eu-west-1", "CreateKey", &json!({ "Tags": [tag("org-a")] })).body;
    let key = made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    assert!(key.starts_with("arn:aws:kms:eu-west-1:000000000000:key/"), "{key}");
    for name in [&key, bare(&key)] {
        let members = json!({ "KeyId": name });
        assert_eq!(post("eu-west-1", "DescribeKey", &members).fault(), "no fault");
        assert_eq!(post("us-east-1", "DescribeKey", &members).fault(), "NotFoundException");
    }
    assert_eq!(post("us-east-1", "ListKeys", &json!({})).body["Keys"], json!([]));
}

#[test]
fn a_list_comes_in_pages() {
    let kms = Server::new();
    let mut made: Vec<String> = (0..5).map(|_| kms.key("org-a")).collect();
    made.sort();
    let mut seen = Vec::new();
    let mut members = json!({ "Limit": 2 });
    for (count, more) in [(2, true), (2, true), (1, false)] {
        let page = kms.ok("org-a", "ListKeys", &members);
        assert_eq!((page["Keys"].as_array().unwrap().len(), &page["Truncated"]), (count, &json!(more)));
        seen.extend(page["Keys"].as_array().unwrap().iter().map(|key| key["KeyArn"].as_str().unwrap().to_owned()));
        members["Marker"] = page["NextMarker"].clone();
        assert_eq!(page.get("NextMarker").is_some(), more);
    }
    assert_eq!(seen, made);
    for bad in [json!({ "Limit": 0 }), json!({ "Limit": 1001 }), json!({ "Marker": "x" }), json!({ "Limit": "2" })] {
        assert_eq!(kms.fault("org-a", "ListKeys", &bad), "ValidationException", "{bad}");
    }
}
