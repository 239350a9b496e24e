//! The template: the tenant rules as a key policy.

use serde_json::{Value, json};

/// The policy for keys of `account`. An `admin` may look after every key, and use none.
///
/// Principal and key both carry the tag `strongroom-org`, so one text serves every org's keys.
pub(crate) fn template(account: &str, admin: Option<&str>) -> String {
    let root = json!({ "AWS": format!("arn:aws:iam::{account}:root") });
    let caller = "${aws:PrincipalTag/strongroom-org}";
    // Names of keys are compared in any case, but this list of them is not: without it a context
    // with STRONGROOM-ORG would pass.
    let spelled = json!({ "kms:EncryptionContextKeys": "strongroom-org" });
    let allow_use = |sid: &str, action: Value, equals: Value| {
        json!({
            "Sid": sid, "Effect": "Allow", "Principal": root, "Action": action, "Resource": "*",
            "Condition": { "StringEquals": equals, "ForAnyValue:StringEquals": spelled },
        })
    };
    let own = json!({
        "aws:ResourceTag/strongroom-org": caller,
        "kms:EncryptionContext:strongroom-org": caller,
    });
    let record = json!({
        "aws:ResourceTag/strongroom-org": caller,
        "kms:EncryptionContext:strongroom-org": caller,
        "kms:EncryptionContext:strongroom-purpose": "record-dek",
    });
    let share = json!({
        "kms:EncryptionContext:strongroom-org": "${aws:ResourceTag/strongroom-org}",
        "kms:EncryptionContext:strongroom-owner": caller,
        "kms:EncryptionContext:strongroom-purpose": "share",
    });
    let mut statements = vec![
        allow_use("OwnOrgUnwraps", json!(["kms:GenerateDataKey", "kms:Decrypt"]), own),
        allow_use("OwnOrgWrapsRecordDeks", json!("kms:Encrypt"), record),
        allow_use("OwnersShare", json!("kms:Encrypt"), share),
        json!({
            "Sid": "OwnOrgManages", "Effect": "Allow", "Principal": root, "Action": MANAGEMENT, "Resource": "*",
            "Condition": { "StringEquals": { "aws:ResourceTag/strongroom-org": caller } },
        }),
    ];
    if let Some(admin) = admin {
        statements.push(json!({
            "Sid": "AdminManages", "Effect": "Allow", "Principal": { "AWS": admin }, "Action": MANAGEMENT,
            "Resource": "*",
        }));
    }
    let offered: Vec<&str> =
        ["kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"].into_iter().chain(MANAGEMENT).collect();
    statements.push(json!({
        "Sid": "NothingElse", "Effect": "Deny", "Principal": { "AWS": "*" }, "NotAction": offered, "Resource": "*",
    }));
    format!("{:#}", json!({ "Version": "2012-10-17", "Statement": statements }))
}

/// What the key's own org may do beside using it.
pub(super) const MANAGEMENT: [&str; 7] = [
    "kms:DescribeKey",
    "kms:EnableKey",
    "kms:DisableKey",
    "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion",
    "kms:GetKeyPolicy",
    "kms:PutKeyPolicy",
];
