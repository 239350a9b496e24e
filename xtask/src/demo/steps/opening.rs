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
    for (nth, pass, calls) in [(0, "cold", orgs.len()), (1, "warm", 0)] {
        let facts = answer.facts("open", nth)?;
        step.fact(facts, "/pass", pass);
        step.fact(facts, "/fields", small(chosen().count()));
        step.fact(facts, "/bytes", small(bytes));
        step.fact(facts, "/digest", digest.clone());
        step.fact(facts, "/kmsCalls", small(calls));
        step.figure(&format!("{pass}, ms"), number(facts, "/ms"));
    }
    // The worker's word and the log's: what was logged when the cold pass ended, and what at the end.
    step.equal("calls logged when the cold pass is over", &calls_when_cold, &Some(orgs.len()));
    if host == Host::Browser {
        page(step, &answer)?;
    }
    step.fields = Some(small(chosen().count()));
    let expected: Vec<_> = orgs.iter().map(|org| (1, Kind::own(org, "Decrypt"))).collect();
    world.witness(step, &expected)
}

/// What a page has to say about the walls around it.
fn page(step: &mut Step, answer: &Answer) -> Result<()> {
    let facts = answer.facts("open", 1)?;
    let policy = facts.get("csp").and_then(Value::as_str).unwrap_or_default();
    let crooked = crooked_policy(policy);
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
fn crooked_policy(policy: &str) -> Option<String> {
    let directives: Vec<&str> = policy.split(';').map(str::trim).collect();
    for wanted in ["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'"] {
        if !directives.contains(&wanted) {
            return Some(format!("no {wanted:?}"));
        }
    }
    let loose = ["'unsafe-inline'", "'unsafe-eval'", "*", "data:", "blob:", "http:", "https:"];
    let found = policy.split([' ', ';']).find(|word| loose.contains(word));
    found.map(|word| format!("{word} in it"))
}

fn plaintext_bytes<'a>(world: &World<'_>, lines: impl Iterator<Item = &'a Line>) -> Result<usize> {
    let values = world.corpus()?.values();
    Ok(lines.filter_map(|line| values.get(&line.place())).map(|value| value.len()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: &str =
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' http://127.0.0.1:1";

    #[test]
    fn a_strict_policy_will_do() {
        assert_eq!(crooked_policy(STRICT), None);
    }

    #[test]
    fn a_policy_that_lets_anything_else_in_is_found_out() {
        for loose in [
            String::new(),
            STRICT.replace("'none'", "'self'"),
            STRICT.replace("'wasm-unsafe-eval'", "'unsafe-eval'"),
            STRICT.replace("'wasm-unsafe-eval'", "'wasm-unsafe-eval' 'unsafe-inline'"),
            format!("{STRICT} *"),
            format!("{STRICT}; style-src 'unsafe-inline'"),
        ] {
            assert!(crooked_policy(&loose).is_some(), "{loose}");
        }
    }
}
