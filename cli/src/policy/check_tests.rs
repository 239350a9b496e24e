//! Nothing here starts a KMS: what is shown is what policies say.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::policy::template::template;

const SCOPE: Scope<'_> = Scope { account: "000000000000", admins: &[] };

#[test]
fn nothing_gets_through_the_template_and_nothing_needed_is_refused() {
    let report = check(&Policy::parse(&template("000000000000", None)).unwrap(), &SCOPE);
    assert_eq!(report.findings, BTreeSet::new());
    assert_eq!(report.refused, BTreeSet::new());
    assert_eq!(report.allows.len(), 4, "every Allow lets something through");
}

/// One weakened policy's attack, as the evaluator is asked about it.
fn attack_on(policy: &str, attack: &serde_json::Value) -> Decision {
    let text = |name: &str| attack.get(name).and_then(serde_json::Value::as_str);
    let account = text("account").unwrap_or("000000000000");
    let arn = format!("arn:aws:sts::{account}:assumed-role/strongroom/attacker");
    let mut request = Request::new(text("operation").unwrap(), account, &arn);
    request.set("aws:PrincipalTag/strongroom-org", text("caller").unwrap());
    request.set("aws:ResourceTag/strongroom-org", "org-a");
    request.set("aws:SecureTransport", "false");
    for (name, value) in attack.get("context").unwrap().as_object().unwrap() {
        request.set_context(name, value.as_str().unwrap());
    }
    Policy::parse(policy).unwrap().evaluate(&request)
}

#[test]
fn each_attack_is_allowed_by_its_weakened_policy_and_refused_by_the_template() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies");
    let attacks = std::fs::read(folder.join("attacks.json")).unwrap();
    let attacks: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&attacks).unwrap();
    assert!(attacks.len() >= 20);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), attacks.len() + 1, "no policy without its attack");
    for (name, attack) in &attacks {
        let policy = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        assert!(matches!(attack_on(&policy, attack), Decision::Allow(_)), "{name}");
        let refused = attack_on(&template("000000000000", None), attack);
        assert!(!matches!(refused, Decision::Allow(_)), "{name} under the template");
    }
}

#[test]
fn an_admin_of_the_template_passes_only_where_the_checker_is_told_of_it() {
    let admin = "arn:aws:iam::000000000000:role/keepers".to_owned();
    let policy = Policy::parse(&template("000000000000", Some(&admin))).unwrap();
    let told = Scope { account: "000000000000", admins: std::slice::from_ref(&admin) };
    assert_eq!(check(&policy, &told).findings, BTreeSet::new());
    assert!(!check(&policy, &SCOPE).findings.is_empty());
    let elsewhere = Scope { account: "111122223333", admins: &[] };
    assert!(!check(&policy, &elsewhere).findings.is_empty());
}
