//! Every case of `tests/vectors`, put to every host.

mod cases;
mod procedures;

use crate::answer::Answer;
use crate::bytes::agrees;
use crate::hosts::{Hello, Hosts, may_lack, may_leave_out};
use crate::pins;
use crate::report::Report;
use crate::shim::Shim;
use cases::{Case, Set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What one host did with one operation's cases. Pinned in `counts.json`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    run: u64,
    passed: u64,
    left_out: BTreeMap<String, u64>,
}

impl Tally {
    fn json(&self) -> Value {
        json!({"run": self.run, "passed": self.passed, "left_out": self.left_out})
    }
}

/// Runs all cases with every host and compares counts and `hello` with what is pinned;
/// with `pin` it writes them instead.
pub(crate) fn run(hosts: &Hosts, folder: &Path, pinned: &Path, pin: bool, report: &Report) -> Result<(), String> {
    let sets = cases::load(folder)?;
    let counts = Mutex::new(BTreeMap::new());
    let hellos = Mutex::new(BTreeMap::new());
    hosts.each("vectors", report, |shim, report| {
        let hello = match Hello::ask(shim) {
            Ok(hello) => hello,
            Err(reason) => return report.fail(&format!("{} hello: {reason}", shim.name)),
        };
        let tallies = host(shim, &hello, &sets, report);
        hellos.lock().unwrap_or_else(PoisonError::into_inner).insert(shim.name.clone(), hello.pinned());
        counts.lock().unwrap_or_else(PoisonError::into_inner).insert(shim.name.clone(), tallies);
    });
    let hellos = hellos.into_inner().unwrap_or_else(PoisonError::into_inner);
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    print(&counts);
    let counts = counts
        .iter()
        .map(|(host, tallies)| {
            (host.clone(), tallies.iter().map(|(operation, tally)| (operation.clone(), tally.json())).collect())
        })
        .collect();
    pins::settle(&pinned.join("counts.json"), &counts, pin, report)?;
    pins::settle(&pinned.join("hello.json"), &hellos, pin, report)
}

fn host(shim: &mut Shim, hello: &Hello, sets: &[Set], report: &Report) -> BTreeMap<String, Tally> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for set in sets {
        let tally = tallies.entry(set.operation.clone()).or_default();
        let mut asked = Vec::new();
        for case in &set.cases {
            match left_out(&shim.name, hello, &set.operation, case) {
                Ok(None) => asked.push(case),
                Ok(Some(why)) => *tally.left_out.entry(why).or_default() += 1,
                Err(reason) => report.fail(&format!("{} {}: {reason}", shim.name, case.name)),
            }
        }
        tally.run += asked.len() as u64;
        let answers = procedures::ask(shim, &set.operation, &asked);
        let mut seen = BTreeSet::new();
        for (case, answer) in asked.iter().zip(answers) {
            let result = answer.and_then(|answer| judge(case, &answer)).and_then(|()| differs(set, case, &mut seen));
            tally.passed += u64::from(result.is_ok());
            report.check(|| format!("{} {} ({})", shim.name, case.name, case.comment), result);
        }
    }
    tallies
}

/// Why a host does not run a case, if it does not and may not have to.
fn left_out(host: &str, hello: &Hello, operation: &str, case: &Case) -> Result<Option<String>, String> {
    if let Some(op) = procedures::ops(operation).iter().find(|op| !hello.lists("ops", op)) {
        return if may_lack(host, op) { Ok(Some("not offered".into())) } else { Err(format!("{op} is not offered")) };
    }
    for (flag, member, item) in NEEDS {
        if case.flags.iter().any(|found| found == flag) && !hello.lists(member, item) {
            return if may_leave_out(host, flag) {
                Ok(Some((*flag).into()))
            } else {
                Err(format!("{flag} may not be left out"))
            };
        }
    }
    Ok(None)
}

fn judge(case: &Case, answer: &Answer) -> Result<(), String> {
    if case.result != "ok" {
        return answer.is(&case.result);
    }
    let out = answer.clone().out()?;
    if agrees(&case.out, &out)? { Ok(()) } else { Err(format!("{} expected, not {out}", case.out)) }
}

/// The encodings everything rests on: no two inputs of an `ok` case may give the same.
fn differs(set: &Set, case: &Case, seen: &mut BTreeSet<String>) -> Result<(), String> {
    let key = match set.operation.as_str() {
        "dek_ref" => &case.members["key"],
        "binding_aad" => &Value::Null,
        _ => return Ok(()),
    };
    if case.result == "ok" && !seen.insert(format!("{key} {}", case.out)) {
        return Err("another input has the same encoding".into());
    }
    Ok(())
}

fn print(counts: &BTreeMap<String, BTreeMap<String, Tally>>) {
    println!("{:<14}{:<14}{:>6}{:>8}  left out", "host", "operation", "run", "passed");
    for (host, tallies) in counts {
        for (operation, Tally { run, passed, left_out }) in tallies {
            let left_out: Vec<String> = left_out.iter().map(|(why, count)| format!("{count} {why}")).collect();
            println!("{host:<14}{operation:<14}{run:>6}{passed:>8}  {}", left_out.join(", "));
        }
    }
}

/// What a flag needs of a host: the list in `hello`, and the item in it.
const NEEDS: &[(&str, &str, &str)] = &[
    ("Utf8Bytes", "strings", "utf8"),
    ("Utf16Units", "strings", "utf16"),
    ("Untyped", "extras", "dynamic"),
    ("Large", "extras", "large"),
    ("Fixed", "extras", "iv"),
];
