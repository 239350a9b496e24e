//! The tenant policy, as a whole table: every caller, key and context against what is allowed.

use serde_json::{Value, json};

use crate::harness::{Server, base64, encoded, tag};

const OWNER: &str = "org-a";
const READER: &str = "org b";
const THIRD: &str = "b64.x";

struct Case {
    caller: &'static str,
    key_of: &'static str,
    purpose: Option<&'static str>,
    org: Option<&'static str>,
    owner: Option<&'static str>,
}

/// 3 callers, 2 keys, 5 purposes, 4 orgs and 4 owners in the context.
fn cases() -> Vec<Case> {
    let orgs = [Some(OWNER), Some(READER), Some(THIRD), None];
    let purposes = [Some("org-dek"), Some("record-dek"), Some("share"), Some("Share"), None];
    let mut cases = Vec::new();
    for caller in [OWNER, READER, THIRD] {
        for key_of in [OWNER, READER] {
            for purpose in purposes {
                for org in orgs {
                    cases.extend(orgs.map(|owner| Case { caller, key_of, purpose, org, owner }));
                }
            }
        }
    }
    cases
}

fn context(case: &Case) -> Value {
    let mut context = json!({ "x": "y" });
    let pairs = [
        ("strongroom-purpose", case.purpose.map(str::to_owned)),
        ("strongroom-org", case.org.map(encoded)),
        ("strongroom-owner", case.owner.map(encoded)),
    ];
    for (name, value) in pairs {
        if let Some(value) = value {
            context[name] = value.into();
        }
    }
    context
}

struct World {
    kms: Server,
    owner_key: String,
    reader_key: String,
}

impl World {
    fn new() -> Self {
        let kms = Server::new();
        Self { owner_key: kms.key(OWNER), reader_key: kms.key(READER), kms }
    }

    fn key(&self, org: &str) -> &str {
        if org == OWNER { &self.owner_key } else { &self.reader_key }
    }

    /// How many cases were allowed; every other one was an AccessDeniedException.
    fn count(&self, operation: &str, members: impl Fn(&Case) -> Value, allowed: impl Fn(&Case) -> bool, ok: &str) {
        let mut passed = 0;
        for case in cases() {
            let fault = self.kms.fault(case.caller, operation, &members(&case));
            let expected = if allowed(&case) { ok } else { "AccessDeniedException" };
            let at = (case.caller, case.key_of, context(&case));
            assert_eq!(fault, expected, "{operation} {at:?}");
            passed += usize::from(allowed(&case));
        }
        assert!(passed > 0);
    }
}

/// Own key, for the own org.
const OWN: [(&str, &str, &str); 2] = [(OWNER, OWNER, OWNER), (READER, READER, READER)];

#[test]
fn a_data_key_is_made_by_the_keys_own_org_for_itself_only() {
    let world = World::new();
    world.count(
        "GenerateDataKey",
        |case| json!({ "KeyId": world.key(case.key_of), "KeySpec": "AES_256", "EncryptionContext": context(case) }),
        |case| case.org.is_some_and(|org| OWN.contains(&(case.caller, case.key_of, org))),
        "no fault",
    );
}

#[test]
fn a_wrap_is_opened_by_the_keys_own_org_for_itself_only() {
    let world = World::new();
    let blob = |org: &str| {
        let members = json!({
            "KeyId": world.key(org), "KeySpec": "AES_256",
            "EncryptionContext": { "strongroom-org": encoded(org) },
        });
        world.kms.ok(org, "GenerateDataKey", &members)["CiphertextBlob"].clone()
    };
    let (owner_blob, reader_blob) = (blob(OWNER), blob(READER));
    let blob = |org: &str| if org == OWNER { &owner_blob } else { &reader_blob };
    let allowed = |case: &Case| case.org.is_some_and(|org| OWN.contains(&(case.caller, case.key_of, org)));
    // No case has the blob's context, so who passes the policy is refused by the cipher.
    world.count(
        "Decrypt",
        |case| {
            json!({
                "KeyId": world.key(case.key_of), "CiphertextBlob": blob(case.key_of),
                "EncryptionContext": context(case),
            })
        },
        allowed,
        "InvalidCiphertextException",
    );
    world.count(
        "Decrypt",
        |case| json!({ "CiphertextBlob": blob(case.key_of), "EncryptionContext": context(case) }),
        allowed,
        "InvalidCiphertextException",
    );
}

#[test]
fn a_dek_is_wrapped_for_the_own_org_or_shared_by_its_owner_only() {
    let world = World::new();
    // caller, key's org, org in the context, owner in the context
    let shares = [
        (OWNER, OWNER, OWNER, OWNER),
        (OWNER, READER, READER, OWNER),
        (READER, READER, READER, READER),
        (READER, OWNER, OWNER, READER),
        (THIRD, OWNER, OWNER, THIRD),
        (THIRD, READER, READER, THIRD),
    ];
    world.count(
        "Encrypt",
        |case| {
            json!({
                "KeyId": world.key(case.key_of), "Plaintext": base64(&[1; 32]), "EncryptionContext": context(case),
            })
        },
        |case| match (case.purpose, case.org, case.owner) {
            (Some("record-dek"), Some(org), _) => OWN.contains(&(case.caller, case.key_of, org)),
            (Some("share"), Some(org), Some(owner)) => shares.contains(&(case.caller, case.key_of, org, owner)),
            _ => false,
        },
        "no fault",
    );
}

#[test]
fn only_its_own_org_manages_a_key() {
    let world = World::new();
    let key = json!({ "KeyId": world.owner_key });
    for operation in ["DescribeKey", "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion"] {
        for caller in [READER, THIRD] {
            assert_eq!(world.kms.fault(caller, operation, &key), "AccessDeniedException", "{operation}");
        }
    }
    let metadata = &world.kms.ok(OWNER, "DescribeKey", &key)["KeyMetadata"];
    assert_eq!(metadata["KeyState"], "Enabled", "no refused call has changed it");
}

#[test]
fn a_stranger_learns_nothing_of_a_keys_state() {
    let world = World::new();
    let members = json!({
        "KeyId": world.owner_key, "KeySpec": "AES_256", "EncryptionContext": { "strongroom-org": "org-a" },
    });
    for operation in ["DisableKey", "ScheduleKeyDeletion"] {
        world.kms.ok(OWNER, operation, &json!({ "KeyId": world.owner_key }));
        assert_eq!(world.kms.fault(READER, "GenerateDataKey", &members), "AccessDeniedException");
    }
}

#[test]
fn keys_are_listed_to_their_own_org_only() {
    let world = World::new();
    let names = |org: &str| world.kms.ok(org, "ListKeys", &json!({}))["Keys"].clone();
    assert_eq!(names(OWNER).as_array().unwrap().len(), 1);
    assert_eq!(names(OWNER)[0]["KeyArn"], world.owner_key);
    assert_eq!(names(READER)[0]["KeyArn"], world.reader_key);
    assert_eq!(names(THIRD), json!([]));
}

#[test]
fn a_key_is_made_for_the_callers_own_org_only() {
    let kms = Server::new();
    let create = |caller: &str, tags: Value| kms.fault(caller, "CreateKey", &json!({ "Tags": tags }));
    let other = json!({ "TagKey": "team", "TagValue": "org-a" });
    assert_eq!(create(OWNER, json!([tag("org-a"), other])), "no fault");
    assert_eq!(create(OWNER, json!([tag("b64.b3JnIGI")])), "AccessDeniedException");
    assert_eq!(create(OWNER, json!([tag("ORG-A")])), "AccessDeniedException");
    // The encoded org, never the plain one where it needs encoding, nor encoded where it does not.
    assert_eq!(create(READER, json!([tag("b64.b3JnIGI")])), "no fault");
    assert_eq!(create(READER, json!([tag("org b")])), "AccessDeniedException");
    assert_eq!(create(OWNER, json!([tag("b64.b3JnLWE")])), "AccessDeniedException");
    assert_eq!(create(THIRD, json!([tag("b64.x")])), "AccessDeniedException");
    for tags in [json!([]), json!([other]), json!([tag("")]), json!([tag("org-a"), tag("org-a")])] {
        assert_eq!(create(OWNER, tags.clone()), "ValidationException", "{tags}");
    }
    assert_eq!(kms.fault(OWNER, "CreateKey", &json!({})), "ValidationException");
}
