//! How the cases of each operation are put to a shim: most are a line as they stand, those
//! about a vault are a little procedure.

use super::cases::Case;
use crate::answer::Answer;
use crate::shim::{Shim, line};
use serde_json::{Value, json};

/// The ops that the cases of an operation need; none for an unknown operation.
pub(crate) fn ops(operation: &str) -> &'static [&'static str] {
    match operation {
        "dek_ref" => &["dek_ref"],
        "binding_aad" => &["binding_aad"],
        "seal" => &["seal"],
        "open" => &["open"],
        "inspect" => &["inspect"],
        "to_text" => &["to_text"],
        "from_text" => &["from_text"],
        "wrap_local" => &["wrap_local"],
        "unwrap_local" => &["unwrap_local"],
        "kms_context" => &["kms_context"],
        "admit" => &["vault.new", "vault.tombstone", "vault.admit", "vault.open", "vault.close"],
        "cache_import" => &["vault.new", "vault.tombstone", "vault.cache_import", "vault.open", "vault.close"],
        "cache_export" => &["vault.new", "vault.tombstone", "vault.admit", "vault.cache_export", "vault.close"],
        _ => &[],
    }
}

/// Puts the cases; the answers stand in the same order.
pub(crate) fn ask(shim: &mut Shim, operation: &str, cases: &[&Case]) -> Vec<Result<Answer, String>> {
    match operation {
        "admit" | "cache_import" | "cache_export" => {
            cases.iter().map(|case| about_a_vault(shim, operation, case)).collect()
        }
        _ => shim.ask_all(cases.iter().map(|case| line(operation, Value::Object(case.members.clone()))).collect()),
    }
}

fn about_a_vault(shim: &mut Shim, operation: &str, case: &Case) -> Result<Answer, String> {
    let member = |name: &str| case.members.get(name).cloned();
    let options = member("options").unwrap_or_else(|| json!({}));
    let clock = member("clock").unwrap_or_else(|| json!({"wall": "1761955200", "mono": "0"}));
    let made = shim.ask("vault.new", json!({"options": options, "clock": clock}))?;
    let Ok(vault) = made.result else { return Ok(made) };
    let tombstoned = member("tombstone").unwrap_or_else(|| json!([]));
    for org in tombstoned.as_array().into_iter().flatten() {
        shim.ask("vault.tombstone", json!({"vault": vault, "org": org}))?.out()?;
    }
    let answer = match operation {
        "admit" => {
            let answer = shim.ask("vault.admit", admit(&vault, case, member("org").unwrap_or_default()))?;
            wiped(case, &answer)?;
            answer
        }
        "cache_export" => {
            let reader = case.members.get("row").map(|row| row["reader"].clone()).unwrap_or_default();
            shim.ask("vault.admit", admit(&vault, case, reader))?.out()?;
            shim.ask("vault.cache_export", json!({"vault": vault, "dek_ref": member("dek_ref")}))?
        }
        _ => shim.ask("vault.cache_import", json!({"vault": vault, "entry": member("entry")}))?,
    };
    if let Some(probe) = case.members.get("probe") {
        let opened = shim.ask("vault.open", json!({"vault": vault, "bind": probe["bind"], "env": probe["env"]}))?;
        let dead = tombstoned.as_array().is_some_and(|orgs| orgs.contains(&probe["bind"]["org"]));
        match &answer.result {
            Ok(_) if opened.result.as_ref() == Ok(&probe["pt"]) => {}
            Ok(_) => return Err(format!("the probe does not open afterwards: {:?}", opened.result)),
            Err(_) => opened
                .is(if dead { "ORG_TOMBSTONED" } else { "UNKNOWN_DEK" })
                .map_err(|reason| format!("the probe: {reason}"))?,
        }
    }
    shim.ask("vault.close", json!({"vault": vault}))?.out()?;
    Ok(answer)
}

fn admit(vault: &Value, case: &Case, org: Value) -> Value {
    let mut members = json!({"vault": vault, "org": org, "row": case.members.get("row")});
    if let Some(reply) = case.members.get("reply") {
        members["reply"] = reply.clone();
    }
    members
}

/// A reply's DEK is wiped whatever becomes of it.
fn wiped(case: &Case, answer: &Answer) -> Result<(), String> {
    let carried = case
        .members
        .get("reply")
        .and_then(|reply| reply["Plaintext"].as_str())
        .is_some_and(|hex| !hex.trim_matches('0').is_empty());
    if carried && !answer.wiped { Err("the reply's DEK was not wiped".into()) } else { Ok(()) }
}
