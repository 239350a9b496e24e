//! The log is the witness: one line for each call, there before the answer, and no secret in it.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use serde_json::{Value, json};

use crate::harness::{Server, authorization, base64, head};

#[test]
fn every_call_has_one_line_before_its_answer() {
    let mut kms = Server::new();
    let key = kms.key("org-a");
    let context = json!({ "strongroom-org": "org-a", "x": "ä\n\"" });
    let data_key = json!({ "KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context });
    let lines = vec![
        ("org-a", "GenerateDataKey", data_key.clone(), "ok", json!(key)),
        ("org b", "GenerateDataKey", data_key.clone(), "AccessDeniedException", json!(key)),
        ("org-a", "DescribeKey", json!({ "KeyId": "alias/x" }), "NotFoundException", json!("alias/x")),
        ("org-a", "ListKeys", json!({}), "ok", Value::Null),
        ("org-a", "DescribeKey", json!({ "KeyId": key, "DryRun": true }), "ValidationException", Value::Null),
        ("org-a", "CreateGrant", json!({}), "UnsupportedOperationException", Value::Null),
        ("org-a", "DisableKey", json!({ "KeyId": key }), "ok", json!(key)),
        ("org-a", "GenerateDataKey", data_key, "DisabledException", json!(key)),
    ];
    for (count, (org, operation, members, result, key)) in lines.into_iter().enumerate() {
        kms.call(org, operation, &members);
        let log = kms.log();
        assert_eq!(log.len(), count + 2, "CreateKey's line and one for each call");
        let line = log.last().unwrap().clone();
        let context = members.get("EncryptionContext").unwrap_or(&Value::Null);
        let expected = json!({
            "callerOrg": org, "operation": operation, "keyId": key, "encryptionContext": context, "result": result,
        });
        assert_eq!(line, expected);
    }
    kms.restart(&[]);
    kms.ok("org-a", "ListKeys", &json!({}));
    assert_eq!(kms.log().len(), 10, "a new start appends");
}

#[test]
fn a_line_has_cloudtrails_shape_and_follows_the_one_before() {
    let mut kms = Server::new();
    let key = kms.key("org b");
    kms.restart(&[]);
    kms.fault("org-a", "DescribeKey", &json!({ "KeyId": key }));
    let lines = kms.lines();
    let (made, refused) = (&lines[0], &lines[1]);
    for (path, expected) in [
        ("/eventVersion", json!("1.11")),
        ("/eventSource", json!("kms.amazonaws.com")),
        ("/eventName", json!("DescribeKey")),
        ("/awsRegion", json!("us-east-1")),
        ("/userIdentity/arn", json!("arn:aws:sts::000000000000:assumed-role/strongroom/sr-b3JnLWE")),
        ("/requestParameters/keyId", json!(key)),
        ("/resources/0/ARN", json!(key)),
        ("/resources/0/type", json!("AWS::KMS::Key")),
        ("/responseElements", Value::Null),
        ("/errorCode", json!("AccessDeniedException")),
        ("/additionalEventData/sequence", json!(2)),
    ] {
        assert_eq!(refused.pointer(path), Some(&expected), "{path}");
    }
    assert_eq!(made.get("errorCode"), None);
    assert_eq!(made["additionalEventData"]["principalTags"]["strongroom-org"], "b64.b3JnIGI");
    assert_eq!(made["additionalEventData"]["previous"], "0".repeat(64));
    assert_eq!(refused["additionalEventData"]["previous"].as_str().unwrap().len(), 64);
    assert_ne!(made["eventID"], refused["eventID"]);
}

#[test]
fn what_never_became_a_call_has_one_line_too() {
    let kms = Server::new();
    let good = head("ListKeys", &authorization("org-a"));
    let requests = [
        ("POST / HTTP/1.1\r\nHost: evil.example", good.clone(), "HostRefusedException"),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: null", good.clone(), "OriginRefusedException"),
        ("GET / HTTP/1.1\r\nHost: localhost", good.clone(), "MethodRefusedException"),
        ("POST / HTTP/1.1\r\nHost: localhost", good.replace("sr-", "AK"), "UnrecognizedClientException"),
        ("POST / HTTP/1.1\r\nHost: localhost", good.replace("Trent", "Other"), "UnsupportedOperationException"),
    ];
    for (count, (start, headers, result)) in requests.into_iter().enumerate() {
        kms.raw(&format!("{start}\r\n{headers}"), b"{}").unwrap();
        let log = kms.log();
        assert_eq!(log.len(), count + 1);
        assert_eq!(log[count]["result"], result);
        assert_eq!(log[count]["callerOrg"], Value::Null);
    }
}

#[test]
fn a_body_that_breaks_off_has_one_line_too() {
    let kms = Server::new();
    let headers = head("ListKeys", &authorization("org-a"));
    let mut stream = TcpStream::connect(("127.0.0.1", kms.port)).unwrap();
    write!(stream, "POST / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\nContent-Length: 9\r\n\r\n{{").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let log = kms.log();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0]["result"], "RequestIncompleteException");
}

#[test]
fn the_first_calls_are_throttled_when_asked_for() {
    let mut kms = Server::new();
    let key = kms.key("org-a");
    kms.restart(&["--throttle-first", "3"]);
    let faults: Vec<String> = (0..5).map(|_| kms.fault("org-a", "DescribeKey", &json!({ "KeyId": key }))).collect();
    assert_eq!(faults[..3], ["ThrottlingException"; 3]);
    assert_eq!(faults[3..], ["no fault"; 2]);
    let results: Vec<Value> = kms.log().iter().map(|line| line["result"].clone()).collect();
    assert_eq!(json!(results[1..4]), json!(vec!["ThrottlingException"; 3]));
}

#[test]
fn no_secret_is_in_the_log() {
    let kms = Server::new();
    let key = kms.key("org-a");
    let context = json!({ "strongroom-org": "org-a", "strongroom-purpose": "record-dek" });
    let plaintext = b"a plaintext that nobody may read";
    let encrypt = json!({ "KeyId": key, "Plaintext": base64(plaintext), "EncryptionContext": context });
    let wrapped = kms.ok("org-a", "Encrypt", &encrypt)["CiphertextBlob"].clone();
    let decrypt = json!({ "CiphertextBlob": wrapped, "EncryptionContext": context });
    assert_eq!(kms.ok("org-a", "Decrypt", &decrypt)["Plaintext"], base64(plaintext));
    let data_key = json!({ "KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context });
    let made = kms.ok("org-a", "GenerateDataKey", &data_key);
    let stored: Value = serde_json::from_slice(&std::fs::read(kms.key_file(&key)).unwrap()).unwrap();
    // Faults must not carry them in either.
    let mut bad = encrypt.clone();
    bad["Plaintext"] = json!({ "a plaintext that nobody may read": 1 });
    let answer = kms.call("org-a", "Encrypt", &bad);
    assert!(!answer.body.to_string().contains("nobody"));
    let log = std::fs::read_to_string(kms.dir.join("log.jsonl")).unwrap();
    let signature = json!("0a0a0a0a0a0a");
    let secrets =
        [&encrypt["Plaintext"], &wrapped, &made["Plaintext"], &made["CiphertextBlob"], &stored["material"], &signature];
    for secret in secrets {
        let secret = secret.as_str().unwrap();
        assert!(secret.len() >= 12 && !log.contains(&secret[..12]), "{secret}");
    }
    assert!(!log.contains("nobody"));
    assert!(log.contains("record-dek"), "the same search finds what is there");
}
