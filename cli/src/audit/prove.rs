//! The proof: a log is read once, in its order, and every line must fit.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{FIRST, Options, digest, time};

/// What was found.
#[derive(Default)]
pub(super) struct Report {
    /// What breaks the proof, each with the number of its line.
    pub(super) faults: Vec<(usize, String)>,
    /// What the log can't prove.
    notes: Vec<&'static str>,
    orgs: BTreeMap<String, Org>,
    lines: usize,
    refused: usize,
}

/// One org's life in the log.
#[derive(Default)]
struct Org {
    /// Version and time of each minting, in the log's order.
    versions: Vec<(u64, u64)>,
    keys: BTreeSet<String>,
    calls: usize,
    ended: bool,
}

/// Reads a whole log.
///
/// # Errors
/// Why it is none.
pub(super) fn prove(text: &str, options: &Options) -> Result<Report, String> {
    let (raws, events) = read(text)?;
    let mut report = Report { lines: events.len(), ..Report::default() };
    let chained = events.iter().any(|event| event.pointer("/additionalEventData/sequence").is_some());
    if chained {
        check_chain(&raws, &events, &mut report);
    } else {
        report.notes.push("no sequence numbers: single lines may be missing; order and span are judged by time only");
    }
    if options.last.is_none() {
        report.notes.push("without --last, lines cut off at the end can't be seen");
    }
    if let Some(last) = &options.last
        && raws.last().map(|raw| digest(raw)).as_deref() != Some(&last.to_ascii_lowercase())
    {
        report.fault(events.len(), "the last line is not the one that --last names: lines are missing or changed");
    }
    let end = check_times(&events, chained, options, &mut report)?;
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        let line = index.saturating_add(1);
        if text_at(event, "/eventSource") != "kms.amazonaws.com" {
            continue;
        }
        if event.get("errorCode").is_some() {
            report.refused = report.refused.saturating_add(1);
            continue;
        }
        check_call(line, event, options, &mut keys, &mut report);
    }
    check_cadence(end, chained, options, &mut report);
    Ok(report)
}

fn read(text: &str) -> Result<(Vec<&str>, Vec<Value>), String> {
    if let Ok(Value::Object(mut file)) = serde_json::from_str::<Value>(text)
        && let Some(Value::Array(records)) = file.remove("Records")
    {
        return Ok((Vec::new(), records));
    }
    let raws: Vec<&str> = text.lines().collect();
    let events: Result<Vec<Value>, _> = raws.iter().map(|line| serde_json::from_str(line)).collect();
    match events {
        Ok(events) if !events.is_empty() => Ok((raws, events)),
        Ok(_) => Err("the log is empty".to_owned()),
        Err(_) => Err("a line is not JSON".to_owned()),
    }
}

fn check_chain(raws: &[&str], events: &[Value], report: &mut Report) {
    let mut previous = FIRST.to_owned();
    for (index, event) in events.iter().enumerate() {
        let line = index.saturating_add(1);
        let sequence = event.pointer("/additionalEventData/sequence").and_then(Value::as_u64);
        if sequence != u64::try_from(line).ok() {
            report.fault(line, "the sequence number is not the next: lines are missing, added or in another order");
        }
        if text_at(event, "/additionalEventData/previous") != previous {
            report.fault(line, "the line before is not the one that this line followed");
        }
        previous = raws.get(index).map(|raw| digest(raw)).unwrap_or_default();
    }
}

/// Returns the time at which the log ends.
fn check_times(events: &[Value], chained: bool, options: &Options, report: &mut Report) -> Result<u64, String> {
    let max_gap = options.max_gap.or((!chained).then_some(86_400));
    let mut before = options.from;
    for (index, event) in events.iter().enumerate() {
        let line = index.saturating_add(1);
        let time = time::moment(text_at(event, "/eventTime")).map_err(|error| format!("line {line}: {error}"))?;
        // `--from` is where the log must begin; lines before it only say more.
        if let Some(before) = before.filter(|_| index > 0 || options.from.is_some_and(|from| from < time)) {
            if time < before {
                report.fault(line, "the time goes back: lines are in another order");
            }
            if max_gap.is_some_and(|gap| time.saturating_sub(before) > gap) {
                report.fault(line, "a time span is missing before this line");
            }
        }
        before = Some(time);
    }
    let last = before.unwrap_or(0);
    let end = options.to.unwrap_or(last);
    if max_gap.is_some_and(|gap| end.saturating_sub(last) > gap) {
        report.fault(events.len(), "a time span is missing at the end");
    }
    Ok(end)
}

fn check_call(line: usize, event: &Value, options: &Options, keys: &mut BTreeMap<String, String>, report: &mut Report) {
    let operation = text_at(event, "/eventName");
    let pair = |name: &str| text_at(event, &format!("/requestParameters/encryptionContext/{name}"));
    let (org, owner, purpose) = (pair("strongroom-org"), pair("strongroom-owner"), pair("strongroom-purpose"));
    let caller = caller_of(event, options);
    let uses = ["Decrypt", "GenerateDataKey", "Encrypt"].contains(&operation);
    if uses || operation == "CreateKey" {
        let whose = if uses { org } else { caller };
        let key = text_at(event, "/resources/0/ARN");
        if whose.is_empty() || key.is_empty() {
            report.fault(line, "the call names no org or no CMK");
            return;
        }
        if keys.entry(key.to_owned()).or_insert_with(|| whose.to_owned()) != whose {
            report.fault(line, "a CMK is used by two orgs");
        }
        let entry = report.orgs.entry(whose.to_owned()).or_default();
        entry.keys.insert(key.to_owned());
        entry.calls = entry.calls.saturating_add(1);
    }
    let foreign = match operation {
        "Decrypt" | "GenerateDataKey" => caller != org,
        "Encrypt" if purpose == "share" => caller != owner,
        "Encrypt" => caller != org || purpose != "record-dek",
        "CreateKey" => false,
        "ReEncrypt" | "CreateGrant" | "GenerateDataKeyWithoutPlaintext" => true,
        _ => keys.get(text_at(event, "/resources/0/ARN")).is_some_and(|org| org != caller),
    };
    if foreign {
        report.fault(line, &format!("{operation} by a foreign org, or by a caller whose org nobody can tell"));
    }
    if operation == "GenerateDataKey" {
        let time = time::moment(text_at(event, "/eventTime")).unwrap_or(0);
        match pair("strongroom-version").parse() {
            Ok(version) if purpose == "org-dek" => {
                report.orgs.entry(org.to_owned()).or_default().versions.push((version, time));
                check_version(line, org, report);
            }
            _ => report.fault(line, "a DEK is minted without purpose org-dek or without a version"),
        }
    }
    if let ("ScheduleKeyDeletion" | "CancelKeyDeletion", Some(org)) =
        (operation, keys.get(text_at(event, "/resources/0/ARN")))
    {
        report.orgs.entry(org.clone()).or_default().ended = operation == "ScheduleKeyDeletion";
    }
}

/// Two hosts may mint the same version at once; none may leave one out.
fn check_version(line: usize, org: &str, report: &mut Report) {
    let versions = report.orgs.get(org).map_or(&[][..], |org| &org.versions);
    let Some((&(version, _), before)) = versions.split_last() else { return };
    let highest = before.iter().map(|(version, _)| *version).max();
    if highest.is_some_and(|highest| version > highest.saturating_add(1)) {
        report.fault(line, "a version is skipped");
    }
}

fn check_cadence(end: u64, chained: bool, options: &Options, report: &mut Report) {
    let mut faults = Vec::new();
    for (name, org) in &report.orgs {
        let mut first_of: BTreeMap<u64, u64> = BTreeMap::new();
        for (version, time) in &org.versions {
            first_of.entry(*version).or_insert(*time);
        }
        // A whole log holds an org's first version too.
        if chained && first_of.keys().next().is_some_and(|first| *first != 1) {
            faults.push(format!("{name}: a version is skipped: the first one is not 1"));
        }
        let times: Vec<u64> = first_of.values().copied().collect();
        let after: Vec<u64> = times.iter().skip(1).copied().chain((!org.ended).then_some(end)).collect();
        for ((version, time), next) in first_of.iter().zip(after) {
            if next.saturating_sub(*time) > options.max_age {
                faults.push(format!("{name}: late rotation: version {version} was active too long"));
            }
        }
    }
    faults.iter().for_each(|fault| report.fault(0, fault));
}

/// The caller's org: its principal tag, or what the options say of its ARN.
fn caller_of<'a>(event: &'a Value, options: &'a Options) -> &'a str {
    let tag = text_at(event, "/additionalEventData/principalTags/strongroom-org");
    let arn = text_at(event, "/userIdentity/arn");
    let told = options.callers.iter().filter_map(|text| text.rsplit_once('=')).find(|(of, _)| *of == arn);
    if tag.is_empty() { told.map_or("", |(_, org)| org) } else { tag }
}

fn text_at<'a>(event: &'a Value, path: &str) -> &'a str {
    event.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

impl Report {
    fn fault(&mut self, line: usize, what: &str) {
        self.faults.push((line, what.to_owned()));
    }

    pub(super) fn to_json(&self) -> Value {
        let faults: Vec<Value> =
            self.faults.iter().map(|(line, fault)| json!({ "line": line, "fault": fault })).collect();
        let org = |org: &Org| {
            let versions: Vec<Value> = org
                .versions
                .iter()
                .map(|(version, time)| json!({ "version": version, "minted": time::timestamp(*time) }))
                .collect();
            json!({ "versions": versions, "keys": org.keys, "calls": org.calls, "ended": org.ended })
        };
        let orgs: BTreeMap<&String, Value> = self.orgs.iter().map(|(name, of)| (name, org(of))).collect();
        json!({
            "proven": self.faults.is_empty(), "faults": faults, "notProvable": self.notes, "orgs": orgs,
            "lines": self.lines, "refusedCalls": self.refused,
        })
    }

    pub(super) fn print(&self) {
        for (name, org) in &self.orgs {
            println!("{name}: {} calls, {} CMK", org.calls, org.keys.len());
            for (version, time) in &org.versions {
                println!("  version {version} minted {}", time::timestamp(*time));
            }
        }
        for (line, fault) in &self.faults {
            println!("FAULT line {line}: {fault}");
        }
        for note in &self.notes {
            println!("note  {note}");
        }
        let verdict = if self.faults.is_empty() { "proven" } else { "NOT proven" };
        println!("{} lines, {} refused calls: {verdict}", self.lines, self.refused);
    }
}
