//! The search for what must stand nowhere.

use std::{collections::HashSet, path::PathBuf};

use serde_json::Value;

use super::{exchange::hosts_of, prepare::small};
use crate::{
    demo::{
        step::{Refusal, Step, number},
        terminal::grouped,
        witness::Kind,
        worker::Host,
        world::{ORGS, Task, World, wrap_rows},
    },
    util,
};

/// Neither a DEK nor a piece of a plaintext stands in any file.
pub(super) fn search(world: &mut World<'_>) {
    world.step("node", "looks for every DEK and 500 plaintexts in all files", |world, step| {
        util::write(&world.files.said(), world.said.join("\n").as_bytes())?;
        let files = searched(world);
        let rows = wrap_rows(&world.files.store())?;
        let deks: HashSet<_> = rows.iter().filter_map(|row| row.get("dekRef").and_then(Value::as_str)).collect();
        let list: Vec<String> = files.iter().map(|file| world.argument(file)).collect();
        let answer = world
            .work(step, &Task::new(Host::Node, "search").with("orgs", ORGS.join(",")).with("files", list.join(",")))?;
        let facts = answer.facts("search", 0)?;
        judge(step, facts, deks.len(), files.len());
        let expected: Vec<_> = ORGS.iter().map(|org| (1, Kind::own(org, "Decrypt"))).collect();
        world.witness(step, &expected)
    });
}

/// All needles were looked for, none was found, and the same search finds every one where they are.
fn judge(step: &mut Step, facts: &Value, deks: usize, files: usize) {
    let needles = number(facts, "/needles");
    let least = small(deks).saturating_add(PIECES).saturating_mul(SPELLINGS);
    step.fact(facts, "/deks", small(deks));
    step.fact(facts, "/pieces", PIECES);
    step.fact(facts, "/files", small(files));
    step.fact(facts, "/found", 0);
    step.check(format!("at least {SPELLINGS} spellings of each"), needles >= least, needles.to_string());
    step.fact(facts, "/controlExpected", needles);
    step.fact(facts, "/control", needles);
    step.figure("bytes searched", grouped(number(facts, "/bytes")));
    step.figure("needles", grouped(needles));
    step.searches.push(Refusal {
        what: "DEKs and pieces of plaintexts, looked for in store, exports, KMS log and all that processes said"
            .to_owned(),
        tried: needles,
        errors: format!("{} found", number(facts, "/found")),
        twin: format!("a control file, same search: {} found", grouped(number(facts, "/control"))),
    });
}

/// All that a thief of files would have, and what the processes said until now.
fn searched(world: &World<'_>) -> Vec<PathBuf> {
    let mut files = vec![world.files.store(), world.files.export(), world.files.log(), world.files.said()];
    for org in ORGS {
        files.extend(hosts_of(org).iter().map(|host| world.files.reseal(*host, org)));
    }
    files
}

const PIECES: u64 = 500;

/// Bytes, hex, base64 and base64url.
const SPELLINGS: u64 = 4;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(name: &str, value: u64) -> bool {
        let mut facts = json!({
            "deks": 2, "pieces": 500, "files": 3, "found": 0, "needles": 2_008, "control": 2_008, "controlExpected": 2_008,
        });
        if let Some(member) = facts.get_mut(name) {
            *member = value.into();
        }
        let mut step = Step::new("node", "search");
        judge(&mut step, &facts, 2, 3);
        step.holds()
    }

    #[test]
    fn a_search_that_finds_nothing_but_in_the_control_file_will_do() {
        assert!(holds("", 0));
    }

    #[test]
    fn a_find_a_blind_search_or_a_smaller_one_breaks_the_expectation() {
        for (name, value) in [
            ("found", 1),
            ("control", 2_007),
            ("controlExpected", 0),
            ("needles", 2_007),
            ("deks", 1),
            ("pieces", 499),
            ("files", 2),
        ] {
            assert!(!holds(name, value), "{name}: {value}");
        }
    }
}
