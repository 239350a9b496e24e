//! A host opens what another has sealed, cold and warm.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;

use super::prepare::small;
use crate::demo::{
    export::{self, Line},
    step::{Step, number},
    witness::Kind,
    worker::{Answer, Host},
    world::{Task, World},
};

/// A host opens the whole export of these orgs.
pub(super) fn whole(world: &mut World<'_>, host: Host, orgs: &[&str]) {
    let file = world.files.export();
    let title = match host {
        Host::Browser => format!("opens all of {} from a page under a strict CSP", orgs.join(" and ")),
        _ => format!("opens all of {}, cold and warm", orgs.join(" and ")),
    };
    world.step(host.name(), &title, |world, step| file_of(world, step, host, orgs, file));
}

/// A host opens a file of envelopes twice: each org's own caller asks the KMS once, then nobody does.
///
/// # Errors
/// If the process can't be run or doesn't report.
pub(super) fn file_of(world: &mut World<'_>, step: &mut Step, host: Host, orgs: &[&str], file: PathBuf) -> Result<()> {
    let lines = export::read(&file)?;
    let chosen = || lines.iter().filter(|line| orgs.contains(&line.org.as_str()));
    let digest = export::digest(chosen(), &world.corpus()?.values())?;
    let bytes = plaintext_bytes(world, chosen())?;
    let mut calls_when_cold = None;
    let task = Task::new(host, "open").with("orgs", orgs.join(",")).export(file);
    let answer = world.work_watched(step, &task, |facts, log| {
        if facts.get("pass").and_then(Value::as_str) == Some("cold") {
            calls_when_cold = Some(log.waiting()?);
        }
        Ok(())
    })?;
    let want = Want { fields: chosen().count(), bytes, digest, calls: orgs.len() };
    judge(step, &answer, &want, calls_when_cold)?;
    if host == Host::Browser {
        let kms = world.kms.as_ref().map_or("", |kms| kms.endpoint.as_str());
        page(step, &answer, kms)?;
    }
    let expected: Vec<_> = orgs.iter().map(|org| (1, Kind::own(org, "Decrypt"))).collect();
    world.witness(step, &expected)
}

/// What opening a file must come to.
struct Want {
    fields: usize,
    bytes: usize,
    digest: String,
    /// When cold: one for each org.
    calls: usize,
}

/// Both passes opened all of it, byte for byte, and only the cold one asked the KMS: by the
/// worker's word, and by what was logged when the cold pass ended.
fn judge(step: &mut Step, answer: &Answer, want: &Want, calls_when_cold: Option<usize>) -> Result<()> {
    for (nth, pass, calls) in [(0, "cold", want.calls), (1, "warm", 0)] {
        let facts = answer.facts("open", nth)?;
        step.fact(facts, "/pass", pass);
        step.fact(facts, "/fields", small(want.fields));
        step.fact(facts, "/bytes", small(want.bytes));
        step.fact(facts, "/digest", want.digest.clone());
        step.fact(facts, "/kmsCalls", small(calls));
        step.figure(&format!("{pass}, ms"), number(facts, "/ms"));
    }
    step.equal("calls logged when the cold pass is over", &calls_when_cold, &Some(want.calls));
    step.fields = Some(small(want.fields));
    Ok(())
}

/// What a page has to say about the walls around it.
fn page(step: &mut Step, answer: &Answer, kms: &str) -> Result<()> {
    let facts = answer.facts("open", 1)?;
    let policy = facts.get("csp").and_then(Value::as_str).unwrap_or_default();
    let crooked = crooked_policy(policy, kms);
    step.check("the page's CSP is strict", crooked.is_none(), crooked.unwrap_or_default());
    for tried in ["eval", "inlineScript", "foreignFetch"] {
        step.fact(facts, &format!("/cspRefused/{tried}"), true);
    }
    for place in ["localStorage", "sessionStorage", "indexedDb", "caches", "cookies"] {
        step.fact(facts, &format!("/stored/{place}"), 0);
    }
    step.figure("CSP", policy);
    Ok(())
}

/// What is wrong with a policy, if anything: all is forbidden but our own scripts and styles, wasm, and two addresses.
fn crooked_policy(policy: &str, kms: &str) -> Option<String> {
    let connect = format!("connect-src 'self' {}", kms.trim_end_matches('/'));
    let wanted = ["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", connect.as_str()];
    let harmless =
        ["style-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "img-src 'self'"];
    let directives: Vec<&str> = policy.split(';').map(|part| part.trim().trim_end_matches('/')).collect();
    if let Some(missing) = wanted.iter().find(|directive| !directives.contains(directive)) {
        return Some(format!("no {missing:?}"));
    }
    let known = |directive: &&&str| directive.is_empty() || wanted.contains(directive) || harmless.contains(directive);
    directives.iter().find(|directive| !known(directive)).map(|directive| format!("{directive:?}"))
}

fn plaintext_bytes<'a>(world: &World<'_>, lines: impl Iterator<Item = &'a Line>) -> Result<usize> {
    let values = world.corpus()?.values();
    Ok(lines.filter_map(|line| values.get(&line.place())).map(|value| value.len()).sum())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KMS: &str = "http://127.0.0.1:1/";
    const STRICT: &str =
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' http://127.0.0.1:1";

    fn holds(cold: (&str, Value), warm: (&str, Value), calls_when_cold: Option<usize>) -> bool {
        let line = |pass: &str, calls: u64, (name, value): (&str, Value)| {
            let facts =
                json!({ "step": "open", "pass": pass, "fields": 5, "bytes": 9, "digest": "ab", "kmsCalls": calls });
            let mut facts = facts;
            if let Some(member) = facts.get_mut(name) {
                *member = value;
            }
            facts
        };
        let facts = vec![line("cold", 2, cold), line("warm", 0, warm)];
        let answer = Answer { facts, lines: Vec::new(), succeeded: true };
        let want = Want { fields: 5, bytes: 9, digest: "ab".to_owned(), calls: 2 };
        let mut step = Step::new("node", "opens");
        judge(&mut step, &answer, &want, calls_when_cold).is_ok() && step.holds()
    }

    fn as_it_is() -> (&'static str, Value) {
        ("", Value::Null)
    }

    #[test]
    fn all_fields_with_two_calls_cold_and_none_warm_will_do() {
        assert!(holds(as_it_is(), as_it_is(), Some(2)));
    }

    #[test]
    fn a_wrong_digest_a_field_less_or_a_call_more_breaks_the_expectation() {
        for wrong in [("digest", json!("ac")), ("fields", json!(4)), ("bytes", json!(8)), ("kmsCalls", json!(1))] {
            assert!(!holds(wrong.clone(), as_it_is(), Some(2)), "cold {wrong:?}");
            assert!(!holds(as_it_is(), wrong.clone(), Some(2)), "warm {wrong:?}");
        }
    }

    #[test]
    fn a_log_that_says_otherwise_breaks_the_expectation() {
        for logged in [None, Some(0), Some(1), Some(3)] {
            assert!(!holds(as_it_is(), as_it_is(), logged), "{logged:?}");
        }
    }

    #[test]
    fn a_pass_that_is_not_reported_is_an_error() {
        let answer = Answer { facts: Vec::new(), lines: Vec::new(), succeeded: true };
        let want = Want { fields: 0, bytes: 0, digest: String::new(), calls: 0 };
        assert!(judge(&mut Step::new("node", "opens"), &answer, &want, Some(0)).is_err());
    }

    #[test]
    fn a_strict_policy_will_do() {
        assert_eq!(crooked_policy(STRICT, KMS), None);
        assert_eq!(crooked_policy(&format!("{STRICT}/; style-src 'self'"), KMS), None);
    }

    #[test]
    fn a_policy_that_lets_anything_else_in_is_found_out() {
        for loose in [
            String::new(),
            STRICT.replace("'none'", "'self'"),
            STRICT.replace("'wasm-unsafe-eval'", "'unsafe-eval'"),
            STRICT.replace("'wasm-unsafe-eval'", "'wasm-unsafe-eval' 'unsafe-inline'"),
            format!("{STRICT} *"),
            format!("{STRICT}2"),
            format!("{STRICT} http://127.0.0.1:2"),
            format!("{STRICT}; style-src 'unsafe-inline'"),
            format!("{STRICT}; worker-src *"),
        ] {
            assert!(crooked_policy(&loose, KMS).is_some(), "{loose}");
        }
    }
}
