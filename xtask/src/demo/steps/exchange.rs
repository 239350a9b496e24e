//! Every host reseals a part, and the others open it.

use std::fs;

use anyhow::Result;

use super::{opening, prepare::small};
use crate::demo::{
    export::{self, Line},
    step::{Step, number},
    witness::Kind,
    worker::Host,
    world::{CONTOSO, Task, World},
};

/// The hosts that work for an org: the page acts for the second alone.
pub(super) fn hosts_of(org: &str) -> &'static [Host] {
    if org == CONTOSO { &[Host::Go, Host::Node, Host::Browser] } else { &[Host::Go, Host::Node] }
}

/// Each host of an org reseals its part of the fields; then each opens the others' parts.
pub(super) fn between(world: &mut World<'_>, org: &str) {
    let hosts = hosts_of(org);
    for (part, host) in hosts.iter().enumerate() {
        let title = format!("reseals part {} of {} of {org}", part.saturating_add(1), hosts.len());
        world.step(host.name(), &title, |world, step| reseal(world, step, *host, org, part, hosts.len()));
    }
    for maker in hosts {
        for opener in hosts.iter().filter(|host| *host != maker) {
            let file = world.files.reseal(*maker, org);
            let title = format!("opens what {} has resealed for {org}", maker.name());
            world.step(opener.name(), &title, |world, step| {
                step.resealed_by = Some(maker.name());
                opening::file_of(world, step, *opener, &[org], file)
            });
        }
    }
}

fn reseal(world: &mut World<'_>, step: &mut Step, host: Host, org: &str, part: usize, parts: usize) -> Result<()> {
    let out = world.files.reseal(host, org);
    let lines = export::read(&world.files.export())?;
    let before: Vec<&Line> = lines.iter().filter(|line| line.org == org).skip(part).step_by(parts).collect();
    let sealed = export::file_digest(&world.files.export())?;
    let rows = fs::read(world.files.store())?;
    let task = Task::new(host, "reseal").with("org", org).with("part", format!("{part}/{parts}"));
    let answer = world.work(step, &task.with("out", world.argument(&out)))?;
    let facts = answer.facts("reseal", 0)?;
    step.fact(facts, "/fields", small(before.len()));
    step.fact(facts, "/kmsCalls", 1);
    let after = export::read(&out)?;
    step.equal("lines that are not the same field under a new IV", &export::unlike_reseals(&before, &after), &0);
    step.equal("the export is as it was", &(export::file_digest(&world.files.export())? == sealed), &true);
    let others = other_lines(&rows, &fs::read(world.files.store())?);
    step.equal("changes of the store besides the seals reserved", &others, &Some(0));
    step.fields = Some(small(before.len()));
    step.figure("resealing took, ms", number(facts, "/ms"));
    world.witness(step, &[(1, Kind::own(org, "Decrypt"))])
}

/// How many of the lines added are no reservation of seals; `None` if a line of before has changed.
fn other_lines(before: &[u8], after: &[u8]) -> Option<usize> {
    let added = after.strip_prefix(before)?;
    let lines = added.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Some(lines.filter(|line| !line.starts_with(b"{\"usage\":")).count())
}

#[cfg(test)]
mod tests {
    use super::other_lines;

    #[test]
    fn only_reserved_seals_may_be_added_to_the_store() {
        let (row, usage) = (b"{\"wrap\":1}\n".as_slice(), b"{\"usage\":1}\n".as_slice());
        assert_eq!(other_lines(row, row), Some(0));
        assert_eq!(other_lines(row, &[row, usage, usage].concat()), Some(0));
        assert_eq!(other_lines(row, &[row, usage, row].concat()), Some(1));
        assert_eq!(other_lines(row, usage), None);
        assert_eq!(other_lines(row, b""), None);
    }
}
