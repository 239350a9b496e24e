//! What several ops in a row show: scripted scenarios, each in vaults of its own.
//! The specification's sections "What several ops in a row show" and "Which error".

mod active;
mod arguments;
mod bare;
mod batches;
mod clock;
mod cmks;
mod counting;
mod denial;
mod dynamic;
mod ends;
mod keychain;
mod limits;
mod local;
mod mint;
mod records;
mod reseal;
mod rollback;
mod share;
mod tombstone;

use crate::hosts::{Hello, Hosts, may_lack};
use crate::report::Report;
use crate::shim::Shim;
use crate::world::{Step, World};
use std::time::Instant;

/// A scenario: its name is what it shows.
pub(crate) type Scenario = (&'static str, fn(&mut World<'_>) -> Step);

/// A table of functions under their own names.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name)),*] };
}
use scenarios;

/// Runs every scenario, or those whose name holds `only`, with every host.
pub(crate) fn run(hosts: &Hosts, only: Option<&str>, report: &Report) {
    hosts.each("scenarios", report, |shim, report| host(shim, only, report));
}

fn host(shim: &mut Shim, only: Option<&str>, report: &Report) {
    let hello = match Hello::ask(shim) {
        Ok(hello) => hello,
        Err(reason) => return report.fail(&format!("{} hello: {reason}", shim.name)),
    };
    let mut slowest = Vec::new();
    for (group, scenarios) in GROUPS {
        if !offered(&shim.name, &hello, group) {
            println!("scenarios {}: {} of {group} left out", shim.name, scenarios.len());
            continue;
        }
        for (name, scenario) in scenarios.iter().filter(|(name, _)| only.is_none_or(|text| name.contains(text))) {
            let begin = Instant::now();
            let mut world = World::new(shim, &hello);
            let result = scenario(&mut world);
            // A generator left failing must not spoil the next scenario.
            let repaired = world.ok("vault.rng", serde_json::json!({"ok": true})).map(drop);
            let result = result.and(repaired).and(world.close());
            report.check(|| format!("{} {group}: {name}", shim.name), result);
            slowest.push((begin.elapsed(), *name));
        }
    }
    if slowest.is_empty() {
        report.fail(&format!("{}: no such scenario", shim.name));
    }
    slowest.sort_unstable_by(|one, other| other.cmp(one));
    for (time, name) in slowest.iter().take(3) {
        println!("scenarios {}: {:.1} s {name}", shim.name, time.as_secs_f64());
    }
}

/// Only what a host need not offer may be left out, and only if it does not offer it.
fn offered(host: &str, hello: &Hello, group: &str) -> bool {
    match group {
        "keychain" => !may_lack(host, "vault.cache_import") || hello.lists("ops", "vault.cache_import"),
        "dynamic" => host == "node" || host.starts_with("wasm"),
        _ => true,
    }
}

const GROUPS: &[(&str, &[Scenario])] = &[
    ("mint", mint::ALL),
    ("active", active::ALL),
    ("ends", ends::ALL),
    ("clock", clock::ALL),
    ("denial", denial::ALL),
    ("tombstone", tombstone::ALL),
    ("counting", counting::ALL),
    ("rollback", rollback::ALL),
    ("records", records::ALL),
    ("local", local::ALL),
    ("share", share::ALL),
    ("reseal", reseal::ALL),
    ("batches", batches::ALL),
    ("cmks", cmks::ALL),
    ("arguments", arguments::ALL),
    ("limits", limits::ALL),
    ("keychain", keychain::ALL),
    ("bare", bare::ALL),
    ("dynamic", dynamic::ALL),
];

#[cfg(test)]
mod tests {
    use super::GROUPS;

    #[test]
    fn scenarios_are_many_and_named_apart() {
        let mut names: Vec<&str> =
            GROUPS.iter().flat_map(|(_, scenarios)| scenarios.iter().map(|(name, _)| *name)).collect();
        assert!(names.len() >= 120, "{}", names.len());
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
