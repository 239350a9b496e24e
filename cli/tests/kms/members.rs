//! What the KMS does not honour it refuses: operations, members, values, callers.

use serde_json::{Value, json};

use crate::harness::{Server, authorization, base64, head, tag};

#[test]
fn other_operations_are_refused_by_name() {
    let kms = Server::new();
    let key = kms.key("org-a");
    for operation in [
        "ListKeyPolicies",
        "ReEncrypt",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateRandom",
        "GenerateMac",
        "Sign",
        "Verify",
        "CreateAlias",
        "CreateGrant",
        "TagResource",
        "UpdateKeyDescription",
        "EnableKeyRotation",
        "ImportKeyMaterial",
        "decrypt",
        "Decrypt2",
        "",
    ] {
        let fault = kms.fault("org-a", operation, &json!({ "KeyId": key }));
        assert_eq!(fault, "UnsupportedOperationException", "{operation}");
    }
}

#[test]
fn a_target_of_another_form_is_refused() {
    let kms = Server::new();
    let head = head("ListKeys", &authorization("org-a"));
    let without = head.replace("X-Amz-Target: TrentService.ListKeys\r\n", "");
    let twice = format!("{head}\r\nX-Amz-Target: TrentService.ListKeys");
    let other = head.replace("TrentService.", "DynamoDB_20120810.");
    for head in [without, twice, other, head.replace("TrentService.", "")] {
        assert_eq!(kms.post(&head, b"{}").fault(), "UnsupportedOperationException", "{head}");
    }
}

/// Every operation with members that it accepts.
fn accepted(key: &str, blob: &Value) -> Vec<(&'static str, Value)> {
    let context = json!({ "strongroom-org": "org-a", "strongroom-purpose": "record-dek" });
    vec![
        ("CreateKey", json!({ "Tags": [tag("org-a")] })),
        ("DescribeKey", json!({ "KeyId": key })),
        ("ListKeys", json!({})),
        ("EnableKey", json!({ "KeyId": key })),
        ("GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context })),
        ("Encrypt", json!({ "KeyId": key, "Plaintext": base64(&[1; 32]), "EncryptionContext": context })),
        ("Decrypt", json!({ "KeyId": key, "CiphertextBlob": blob, "EncryptionContext": context })),
        ("ScheduleKeyDeletion", json!({ "KeyId": key, "PendingWindowInDays": 7 })),
        ("CancelKeyDeletion", json!({ "KeyId": key })),
        ("DisableKey", json!({ "KeyId": key })),
    ]
}

fn world() -> (Server, Vec<(&'static str, Value)>) {
    let kms = Server::new();
    let key = kms.key("org-a");
    let members = accepted(&key, &Value::Null).swap_remove(5).1;
    let blob = kms.ok("org-a", "Encrypt", &members)["CiphertextBlob"].clone();
    let all = accepted(&key, &blob);
    (kms, all)
}

#[test]
fn a_member_that_is_not_honoured_is_refused() {
    let (kms, all) = world();
    for (operation, members) in &all {
        let unknown = [
            "DryRun",
            "GrantTokens",
            "Recipient",
            "NumberOfBytes",
            "KeyPolicy",
            "BypassPolicyLockoutSafetyCheck",
            "CustomKeyStoreId",
            "XksKeyId",
            "keyId",
            "EncryptionContext2",
            "",
        ];
        for name in unknown {
            for value in [json!(true), json!([]), json!("x"), Value::Null] {
                let mut more = members.clone();
                more[name] = value;
                assert_eq!(kms.fault("org-a", operation, &more), "ValidationException", "{operation} {name}");
            }
        }
    }
    for (operation, members) in &all {
        assert_eq!(kms.fault("org-a", operation, members), "no fault", "{operation}, as it was");
    }
}

#[test]
fn a_member_that_is_missing_twice_there_or_of_another_type_is_refused() {
    let (kms, all) = world();
    for (operation, members) in &all {
        for (name, value) in members.as_object().unwrap() {
            if !["EncryptionContext", "PendingWindowInDays", "KeyId"].contains(&name.as_str()) {
                let mut fewer = members.clone();
                fewer.as_object_mut().unwrap().remove(name);
                assert_eq!(kms.fault("org-a", operation, &fewer), "ValidationException", "{operation} {name}");
            }
            for wrong in [json!(true), json!(-1.5), json!({ "a": 1 }), json!([[]])] {
                let mut changed = members.clone();
                changed[name] = wrong;
                assert_eq!(kms.fault("org-a", operation, &changed), "ValidationException", "{operation} {name}");
            }
            let text = members.to_string();
            let twice = format!("{},\"{name}\":{value}}}", text.strip_suffix('}').unwrap());
            let answer = kms.post(&head(operation, &authorization("org-a")), twice.as_bytes());
            assert_eq!(answer.fault(), "ValidationException", "{operation} {name} twice");
        }
    }
}

#[test]
fn a_value_that_is_not_offered_is_refused() {
    let kms = Server::new();
    let key = kms.key("org-a");
    let create = |name: &str, value: Value| ("CreateKey", json!({ "Tags": [tag("org-a")], name: value }));
    let context = json!({ "strongroom-org": "org-a", "strongroom-purpose": "record-dek" });
    let spec = |spec: &str| ("GenerateDataKey", json!({ "KeyId": key, "KeySpec": spec, "EncryptionContext": context }));
    let algorithm = json!({
        "KeyId": key, "Plaintext": "AA==", "EncryptionContext": context, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    });
    let calls = [
        create("KeyUsage", json!("SIGN_VERIFY")),
        create("KeySpec", json!("RSA_2048")),
        create("CustomerMasterKeySpec", json!("ECC_NIST_P256")),
        create("Origin", json!("EXTERNAL")),
        create("MultiRegion", json!(true)),
        spec("AES_128"),
        spec("aes_256"),
        ("Encrypt", algorithm),
    ];
    for (operation, members) in calls {
        assert_eq!(kms.fault("org-a", operation, &members), "UnsupportedOperationException", "{members}");
    }
    let all_said = json!({
        "Tags": [tag("org-a")], "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "Origin": "AWS_KMS", "MultiRegion": false, "Description": "d",
    });
    assert_eq!(kms.ok("org-a", "CreateKey", &all_said)["KeyMetadata"]["Description"], "d");
}

#[test]
fn sizes_end_where_aws_ends_them() {
    let kms = Server::new();
    let key = kms.key("org-a");
    let encrypt = |length: usize, filler: usize| {
        let context = json!({
            "strongroom-org": "org-a", "strongroom-purpose": "record-dek", "f": "x".repeat(filler),
        });
        let plaintext = base64(&vec![1; length]);
        kms.fault("org-a", "Encrypt", &json!({ "KeyId": key, "Plaintext": plaintext, "EncryptionContext": context }))
    };
    let room = 8192 - "strongroom-orgorg-astrongroom-purposerecord-dekf".len();
    assert_eq!(encrypt(1, 0), "no fault");
    assert_eq!(encrypt(4096, room), "no fault");
    for (length, filler) in [(0, 0), (4097, 0), (1, room + 1)] {
        assert_eq!(encrypt(length, filler), "ValidationException", "{length} {filler}");
    }
    let decrypt = |blob: &str| kms.fault("org-a", "Decrypt", &json!({ "KeyId": key, "CiphertextBlob": blob }));
    for blob in [String::new(), base64(&[1; 6145]), "AA".into(), "AB==".into(), "A_==".into(), "AA== ".into()] {
        assert_eq!(decrypt(&blob), "ValidationException", "{blob:.8}");
    }
    let create = |tag_key: usize, tag_value: usize, tags: usize, description: usize| {
        let mut all = vec![tag("org-a")];
        all.extend((1..tags).map(|i| json!({ "TagKey": format!("{i:0tag_key$}"), "TagValue": "x".repeat(tag_value) })));
        kms.fault("org-a", "CreateKey", &json!({ "Tags": all, "Description": "x".repeat(description) }))
    };
    assert_eq!(create(128, 256, 50, 8192), "no fault");
    for (tag_key, tag_value, tags, description) in [(129, 1, 2, 1), (1, 257, 2, 1), (2, 1, 51, 1), (1, 1, 1, 8193)] {
        assert_eq!(create(tag_key, tag_value, tags, description), "ValidationException");
    }
}

#[test]
fn a_body_that_is_not_one_json_object_is_refused() {
    let kms = Server::new();
    let head = head("ListKeys", &authorization("org-a"));
    for body in ["", "{", "{}{}", "{} x", "\u{feff}{}", "{'a':1}"] {
        assert_eq!(kms.post(&head, body.as_bytes()).fault(), "SerializationException", "{body}");
    }
    assert_eq!(kms.post(&head, b"{\"Marker\":\"\xff\"}").fault(), "SerializationException");
    for body in ["[]", "3", "null", "\"x\""] {
        assert_eq!(kms.post(&head, body.as_bytes()).fault(), "ValidationException", "{body}");
    }
}

#[test]
fn nobody_calls_without_an_org() {
    let kms = Server::new();
    let with = |authorization: &str| kms.post(&head("ListKeys", authorization), b"{}").fault();
    let good = authorization("org-a");
    assert_eq!(with(&good), "no fault");
    assert_eq!(with(&good.replace("sr-b3JnLWE", "AKIDEXAMPLE")), "UnrecognizedClientException");
    assert_eq!(with(&good.replace("sr-b3JnLWE", "sr-")), "UnrecognizedClientException");
    assert_eq!(with(&good.replace("/kms/", "/s3/")), "IncompleteSignatureException");
    assert_eq!(with("Bearer x"), "IncompleteSignatureException");
    let twice = format!("{good}\r\nAuthorization: {}", authorization("org b"));
    assert_eq!(with(&twice), "MissingAuthenticationTokenException");
    let none = "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: TrentService.ListKeys";
    assert_eq!(kms.post(none, b"{}").fault(), "MissingAuthenticationTokenException");
}
