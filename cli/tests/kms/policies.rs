//! Key policies: set, read, kept, and holding for the use of the key. Each weakened policy lets
//! its attack through here, which the template refuses.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use serde_json::{Value, json};

use crate::harness::{Server, base64};

fn policies() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/policies")
}

fn strongroom(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_strongroom")).arg("kms").args(args).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn put(kms: &Server, org: &str, key: &str, policy: &str) -> String {
    kms.fault(org, "PutKeyPolicy", &json!({ "KeyId": key, "PolicyName": "default", "Policy": policy }))
}

/// The attack over HTTP: a use of org-a's key. What passes the policy answers, or, where the blob
/// is of another context, fails at the cipher.
fn attack(kms: &Server, key: &str, blob: &Value, attack: &Value) -> String {
    let mut members = json!({ "KeyId": key, "EncryptionContext": attack["context"] });
    match attack["operation"].as_str().unwrap() {
        "Encrypt" => members["Plaintext"] = base64(&[1; 32]).into(),
        _ => members["CiphertextBlob"] = blob.clone(),
    }
    kms.fault(attack["caller"].as_str().unwrap(), attack["operation"].as_str().unwrap(), &members)
}

#[test]
fn each_weakened_policy_lets_its_attack_through_and_the_template_does_not() {
    let kms = Server::new();
    let key = kms.key("org-a");
    let context = json!({
        "strongroom-org": "org-a", "strongroom-owner": "org-a", "strongroom-purpose": "org-dek",
    });
    let made = json!({ "KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context });
    let blob = kms.ok("org-a", "GenerateDataKey", &made)["CiphertextBlob"].clone();
    let (_, template) = strongroom(&["policy"]);
    let attacks: Value = serde_json::from_slice(&fs::read(policies().join("attacks.json")).unwrap()).unwrap();
    let mut shown = 0;
    for (name, weak) in attacks.as_object().unwrap() {
        // The others are shown by the evaluator: no operation or no such account is offered here.
        if weak.get("account").is_some() || !["Encrypt", "Decrypt"].contains(&weak["operation"].as_str().unwrap()) {
            continue;
        }
        let policy = fs::read_to_string(policies().join(format!("{name}.json"))).unwrap();
        assert_eq!(put(&kms, "org-a", &key, &policy), "no fault", "{name}");
        let through = attack(&kms, &key, &blob, weak);
        let expected = if weak["operation"] == "Encrypt" || weak["context"] == context {
            "no fault"
        } else {
            "InvalidCiphertextException"
        };
        assert_eq!(through, expected, "{name}");
        assert_eq!(put(&kms, "org-a", &key, &template), "no fault", "{name}");
        assert_eq!(attack(&kms, &key, &blob, weak), "AccessDeniedException", "{name} under the template");
        shown += 1;
    }
    assert!(shown >= 20, "{shown}");
}

#[test]
fn the_checker_flags_each_weakened_policy_and_passes_the_template() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("template.json");
    let (_, template) = strongroom(&["policy"]);
    fs::write(&file, template).unwrap();
    assert_eq!(strongroom(&["check-policy", file.to_str().unwrap()]).0, 0);
    let attacks: Value = serde_json::from_slice(&fs::read(policies().join("attacks.json")).unwrap()).unwrap();
    for name in attacks.as_object().unwrap().keys() {
        let path = policies().join(format!("{name}.json"));
        let (code, report) = strongroom(&["check-policy", "--json", path.to_str().unwrap()]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!((code, &report["weakened"]), (1, &json!(true)), "{name}");
        let through = report["findings"].to_string().contains("through");
        assert!(through, "{name}: an attack is named, not only a look: {}", report["findings"]);
    }
}

#[test]
fn a_key_made_without_a_policy_has_the_template_and_one_made_with_it_keeps_it() {
    let mut kms = Server::new();
    let key = kms.key("org-a");
    let (_, template) = strongroom(&["policy"]);
    let read = |kms: &Server, key: &str| kms.ok("org-a", "GetKeyPolicy", &json!({ "KeyId": key }))["Policy"].clone();
    assert_eq!(read(&kms, &key), template.trim_end());
    let open = fs::read_to_string(policies().join("share-without-owner.json")).unwrap();
    let tags = json!([{ "TagKey": "strongroom-org", "TagValue": "org-a" }]);
    let made = kms.ok("org-a", "CreateKey", &json!({ "Tags": tags, "Policy": open }));
    let second = made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    kms.restart(&[]);
    assert_eq!(read(&kms, &second), open, "the same bytes after a new start");
    assert_eq!(fs::metadata(kms.key_file(&second)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_policy_never_lets_a_stranger_manage_the_key() {
    let kms = Server::new();
    let key = kms.key("org-a");
    let open = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*" } });
    assert_eq!(put(&kms, "mallory", &key, &open.to_string()), "AccessDeniedException");
    assert_eq!(put(&kms, "org-a", &key, &open.to_string()), "no fault");
    for operation in ["DescribeKey", "DisableKey", "ScheduleKeyDeletion", "GetKeyPolicy"] {
        assert_eq!(kms.fault("mallory", operation, &json!({ "KeyId": key })), "AccessDeniedException", "{operation}");
    }
    assert_eq!(put(&kms, "mallory", &key, &open.to_string()), "AccessDeniedException");
}

#[test]
fn a_policy_that_denies_its_own_org_can_be_taken_back_by_it() {
    let kms = Server::new();
    let key = kms.key("org-a");
    let none = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*" } });
    let members = json!({ "KeyId": key, "KeySpec": "AES_256", "EncryptionContext": { "strongroom-org": "org-a" } });
    assert_eq!(put(&kms, "org-a", &key, &none.to_string()), "no fault");
    assert_eq!(kms.fault("org-a", "GenerateDataKey", &members), "AccessDeniedException");
    assert_eq!(put(&kms, "org-a", &key, &strongroom(&["policy"]).1), "no fault");
    kms.ok("org-a", "GenerateDataKey", &members);
}

#[test]
fn what_lies_outside_the_subset_is_refused_and_changes_nothing() {
    let kms = Server::new();
    let key = kms.key("org-a");
    let with = |member: &str, value: Value| {
        let mut statement = json!({ "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*" });
        statement[member] = value;
        json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    };
    let tag = "aws:PrincipalTag/strongroom-org";
    let mut bad = vec![
        String::new(),
        "[]".into(),
        "{}".into(),
        with("Effect", json!("allow")),
        with("Principal", json!({ "Service": "s3.amazonaws.com" })),
        with("Principal", json!({ "AWS": "arn:aws:iam::000000000000:role/*" })),
        with("NotPrincipal", json!("*")),
        with("NotAction", json!("kms:Decrypt")),
        with("NotResource", json!("*")),
        with("Resource", json!("arn:aws:kms:us-east-1:000000000000:key/x")),
        with("Action", json!("s3:GetObject")),
        with("Condition", json!({ "StringEquals": { "aws:SourceIp": "127.0.0.1" } })),
        with("Condition", json!({ "StringEquals": { "kms:EncryptionContextKeys": "x" } })),
        with("Condition", json!({ "ForAllValues:StringEquals": { tag: "x" } })),
        with("Condition", json!({ "NullIfExists": { tag: "true" } })),
        with("Condition", json!({ "StringEquals": { tag: [] } })),
        with("Condition", json!({ "StringEquals": { tag: "${aws:username}" } })),
        with("Condition", json!({ "StringEquals": { tag: "${aws:PrincipalTag/x" } })),
        with("Condition", json!({ "Bool": { tag: "yes" } })),
        with("Sid", json!("a")).replace("2012-10-17", "2008-10-17"),
        with("Sid", json!("a")).replace("\"Sid\"", "\"Effect\":\"Deny\",\"Sid\""),
    ];
    for operator in ["StringEqualsIgnoreCase", "NumericEquals", "DateLessThan", "BinaryEquals", "IpAddress", "ArnLike"]
    {
        bad.push(with("Condition", json!({ operator: { tag: "1" } })));
        let answer = kms.call("org-a", "PutKeyPolicy", &json!({ "KeyId": key, "Policy": bad.last().unwrap() }));
        assert!(answer.body["message"].as_str().unwrap().contains(operator), "{}", answer.body);
    }
    for policy in bad {
        assert_eq!(put(&kms, "org-a", &key, &policy), "MalformedPolicyDocumentException", "{policy}");
    }
    let named = json!({ "KeyId": key, "PolicyName": "other", "Policy": with("Sid", json!("a")) });
    assert_eq!(kms.fault("org-a", "PutKeyPolicy", &named), "ValidationException");
    let kept = kms.ok("org-a", "GetKeyPolicy", &json!({ "KeyId": key }))["Policy"].clone();
    assert_eq!(kept, strongroom(&["policy"]).1.trim_end());
}
