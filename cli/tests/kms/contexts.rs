//! The encryption context and the blob are authenticated, every pair and every bit.

use serde_json::{Map, Value, json};

use crate::harness::{Server, base64, unbase64};

const DEK: [u8; 32] = [7; 32];

/// One wrap of each purpose, with all pairs that the design gives it: context, blob, key, reader.
fn wraps(kms: &Server) -> Vec<(Value, Vec<u8>, String, &'static str)> {
    let key_a = kms.key("org-a");
    let key_b = kms.key("org b");
    let org = json!({
        "strongroom-purpose": "org-dek", "strongroom-org": "org-a", "strongroom-owner": "org-a",
        "strongroom-version": "1", "strongroom-created": "1764000000",
    });
    let record = json!({
        "strongroom-purpose": "record-dek", "strongroom-org": "org-a", "strongroom-owner": "org-a",
        "strongroom-version": "1", "strongroom-created": "1764000000",
        "strongroom-dek": "AAAA", "strongroom-resource": "00ff",
    });
    let share = json!({
        "strongroom-purpose": "share", "strongroom-org": "b64.b3JnIGI", "strongroom-owner": "org-a",
        "strongroom-version": "1", "strongroom-created": "1764000000",
        "strongroom-dek": "AAAA", "strongroom-resource": "00ff",
    });
    let made =
        kms.ok("org-a", "GenerateDataKey", &json!({ "KeyId": key_a, "KeySpec": "AES_256", "EncryptionContext": org }));
    let encrypt = |key: &str, context: &Value| {
        let members = json!({ "KeyId": key, "Plaintext": base64(&DEK), "EncryptionContext": context });
        unbase64(&kms.ok("org-a", "Encrypt", &members)["CiphertextBlob"])
    };
    let (record_blob, share_blob) = (encrypt(&key_a, &record), encrypt(&key_b, &share));
    vec![
        (org, unbase64(&made["CiphertextBlob"]), key_a.clone(), "org-a"),
        (record, record_blob, key_a, "org-a"),
        (share, share_blob, key_b, "org b"),
    ]
}

fn decrypt(context: &Value, blob: &[u8], key: &str) -> Value {
    json!({ "KeyId": key, "CiphertextBlob": base64(blob), "EncryptionContext": context })
}

fn expected(pair: &str) -> &'static str {
    // The policy judges this pair first.
    if pair == "strongroom-org" { "AccessDeniedException" } else { "InvalidCiphertextException" }
}

#[test]
fn a_wrap_opens_under_its_own_context_in_any_order() {
    let kms = Server::new();
    for (context, blob, key, reader) in wraps(&kms) {
        let answer = kms.ok(reader, "Decrypt", &decrypt(&context, &blob, &key));
        assert_eq!(answer["KeyId"], key);
        assert_eq!(unbase64(&answer["Plaintext"]).len(), 32);
        let backwards: Vec<String> =
            context.as_object().unwrap().iter().rev().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let body =
            format!(r#"{{"CiphertextBlob":"{}","EncryptionContext":{{{}}}}}"#, base64(&blob), backwards.join(","));
        let head = crate::harness::head("Decrypt", &crate::harness::authorization(reader));
        assert_eq!(kms.post(&head, body.as_bytes()).body["Plaintext"], answer["Plaintext"]);
    }
}

#[test]
fn a_wrap_does_not_open_with_any_one_pair_changed() {
    let kms = Server::new();
    for (context, blob, key, reader) in wraps(&kms) {
        for (pair, value) in context.as_object().unwrap() {
            let value = value.as_str().unwrap();
            let cut = &value[..value.len() - 1];
            for other in [cut, "", &format!("{value} "), "x"] {
                let mut changed = context.clone();
                changed[pair] = other.into();
                let fault = kms.fault(reader, "Decrypt", &decrypt(&changed, &blob, &key));
                assert_eq!(fault, expected(pair), "{pair} = {other:?}");
            }
        }
    }
}

#[test]
fn a_wrap_does_not_open_with_any_one_pair_dropped_or_renamed() {
    let kms = Server::new();
    for (context, blob, key, reader) in wraps(&kms) {
        for pair in context.as_object().unwrap().keys() {
            let mut dropped: Map<String, Value> = context.as_object().unwrap().clone();
            let value = dropped.remove(pair).unwrap();
            let fault = kms.fault(reader, "Decrypt", &decrypt(&dropped.clone().into(), &blob, &key));
            assert_eq!(fault, expected(pair), "without {pair}");
            dropped.insert(pair.to_uppercase(), value);
            let fault = kms.fault(reader, "Decrypt", &decrypt(&dropped.into(), &blob, &key));
            assert_eq!(fault, expected(pair), "{pair} in capitals");
        }
    }
}

#[test]
fn a_wrap_does_not_open_with_a_pair_added() {
    let kms = Server::new();
    for (context, blob, key, reader) in wraps(&kms) {
        for (name, value) in [("", ""), ("x", ""), ("strongroom-org2", "org-a"), ("zz", "1")] {
            let mut more = context.clone();
            more[name] = value.into();
            let fault = kms.fault(reader, "Decrypt", &decrypt(&more, &blob, &key));
            assert_eq!(fault, "InvalidCiphertextException", "{name:?}");
        }
    }
}

#[test]
fn contexts_that_read_alike_when_joined_are_not_alike() {
    let kms = Server::new();
    let key = kms.key("org-a");
    let context = |pairs: Value| {
        let mut context = json!({ "strongroom-org": "org-a", "strongroom-purpose": "record-dek" });
        context.as_object_mut().unwrap().extend(pairs.as_object().unwrap().clone());
        context
    };
    let alike = [
        json!({ "a": "bc" }),
        json!({ "ab": "c" }),
        json!({ "abc": "" }),
        json!({ "": "abc" }),
        json!({ "a": "", "b": "c" }),
        json!({ "a": "b", "c": "" }),
    ];
    for sealed in &alike {
        let members = json!({ "KeyId": key, "Plaintext": base64(&DEK), "EncryptionContext": context(sealed.clone()) });
        let blob = unbase64(&kms.ok("org-a", "Encrypt", &members)["CiphertextBlob"]);
        for opened in &alike {
            let fault = kms.fault("org-a", "Decrypt", &decrypt(&context(opened.clone()), &blob, &key));
            let expected = if sealed == opened { "no fault" } else { "InvalidCiphertextException" };
            assert_eq!(fault, expected, "{sealed} as {opened}");
        }
    }
}

#[test]
fn no_bit_of_a_blob_can_be_flipped() {
    let kms = Server::new();
    let (context, blob, key, reader) = wraps(&kms).remove(1);
    for bit in 0..blob.len() * 8 {
        let mut flipped = blob.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let fault = kms.fault(reader, "Decrypt", &decrypt(&context, &flipped, &key));
        // Bytes 4 to 19 name the key.
        let expected =
            if (4..20).contains(&(bit / 8)) { "IncorrectKeyException" } else { "InvalidCiphertextException" };
        assert_eq!(fault, expected, "bit {bit}");
    }
}

#[test]
fn a_blob_has_one_length() {
    let kms = Server::new();
    let (context, blob, key, reader) = wraps(&kms).remove(0);
    for length in 1..blob.len() {
        let fault = kms.fault(reader, "Decrypt", &decrypt(&context, &blob[..length], &key));
        assert_eq!(fault, "InvalidCiphertextException", "{length} bytes");
    }
    let longer = [blob.as_slice(), &[0]].concat();
    assert_eq!(kms.fault(reader, "Decrypt", &decrypt(&context, &longer, &key)), "InvalidCiphertextException");
}

#[test]
fn a_blob_belongs_to_one_key() {
    let kms = Server::new();
    let (context, blob, key, _) = wraps(&kms).remove(0);
    let other = kms.key("org-a");
    assert_eq!(kms.fault("org-a", "Decrypt", &decrypt(&context, &blob, &other)), "IncorrectKeyException");
    let id_of = |arn: &str| {
        let hex = crate::harness::bare(arn).replace('-', "");
        (0..16).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect::<Vec<_>>()
    };
    let relabelled = [&blob[..4], &id_of(&other), &blob[20..]].concat();
    assert_eq!(kms.fault("org-a", "Decrypt", &decrypt(&context, &relabelled, &other)), "InvalidCiphertextException");
    assert_eq!(kms.fault("org-a", "Decrypt", &decrypt(&context, &blob, &key)), "no fault");
    let nobody = [&blob[..4], &[9; 16], &blob[20..]].concat();
    let members = json!({ "CiphertextBlob": base64(&nobody), "EncryptionContext": context });
    assert_eq!(kms.fault("org-a", "Decrypt", &members), "NotFoundException");
}

#[test]
fn data_keys_and_blobs_are_new_each_time() {
    let kms = Server::new();
    let members = json!({
        "KeyId": kms.key("org-a"), "KeySpec": "AES_256",
        "EncryptionContext": { "strongroom-org": "org-a" },
    });
    let made: Vec<Value> = (0..8).map(|_| kms.ok("org-a", "GenerateDataKey", &members)).collect();
    for (i, left) in made.iter().enumerate() {
        for right in &made[i + 1..] {
            assert_ne!(left["Plaintext"], right["Plaintext"]);
            assert_ne!(left["CiphertextBlob"], right["CiphertextBlob"]);
        }
    }
}
