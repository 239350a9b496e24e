//! The page that tells what happened, for somebody who was not there.

mod parts;

use std::time::Duration;

use super::{step::Step, terminal::grouped, world::World};
use crate::util::seconds;

/// The whole report, which needs no other file.
pub(super) fn page(world: &World<'_>, time: Duration) -> String {
    let steps = &world.steps;
    let sections = [
        ("what-happened", "What happened", parts::timeline(steps)),
        ("exchange", "Every host opens the others' work", parts::exchange(steps)),
        ("witness", "Who called the KMS", parts::witness(world)),
        ("refused", "What was refused, and its twin", parts::refusals(steps)),
        ("search", "What was found nowhere", parts::searches(steps)),
        ("data", "The data", parts::data(world)),
        ("times", "Where the time went", parts::times(steps)),
        ("machine", "On what it ran", parts::machine(world)),
    ];
    let mut contents = String::new();
    let mut body = String::new();
    for (id, title, text) in sections {
        contents.push_str(&format!(r##"<a href="#{id}">{title}</a>"##));
        body.push_str(&format!("<section id=\"{id}\"><h2>{title}</h2>\n{text}</section>\n"));
    }
    TEMPLATE
        .replace("{{style}}", STYLE)
        .replace("{{verdict}}", &verdict(world))
        .replace("{{cards}}", &cards(world, time))
        .replace("{{contents}}", &contents)
        .replace("{{sections}}", &body)
}

/// The first thing a reader wants to know.
fn verdict(world: &World<'_>) -> String {
    let broken: usize = world.steps.iter().map(|step| step.broken().count()).sum();
    let (class, text) = match (broken, world.finished) {
        (0, true) => ("good", "Every expectation held.".to_owned()),
        (0, false) => ("bad", "The demo did not come to its end.".to_owned()),
        (1, _) => ("bad", "One expectation broke.".to_owned()),
        (_, _) => ("bad", format!("{broken} expectations broke.")),
    };
    format!(r#"<p class="verdict {class}">{text}</p>"#)
}

fn cards(world: &World<'_>, time: Duration) -> String {
    let steps = &world.steps;
    let count = |number: usize| grouped(u64::try_from(number).unwrap_or(u64::MAX));
    let records = world.corpus.as_ref().map_or(0, |corpus| corpus.records.len());
    let fields = steps.first().and_then(|step| step.fields).unwrap_or(0);
    let refused: u64 = steps.iter().flat_map(|step| &step.refusals).map(|refusal| refusal.tried).sum();
    let cards = [
        (grouped(fields), format!("fields in {} records of two orgs", count(records))),
        (count(steps.iter().map(|step| step.checks.len()).sum()), format!("expectations in {} steps", steps.len())),
        (count(steps.iter().map(|step| step.calls.len()).sum()), "KMS calls, each one accounted for".to_owned()),
        (
            grouped(refused),
            "attempts refused, with twins that differ in nothing but the fault and succeeded".to_owned(),
        ),
        (seconds(time), "from the first step to the last".to_owned()),
    ];
    cards.iter().map(|(figure, words)| format!("<li><b>{figure}</b><span>{words}</span></li>")).collect()
}

/// Text as it stands in a page.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

/// The mark of a step that held or broke.
fn mark(step: &Step) -> &'static str {
    if step.holds() { r#"<span class="mark good">held</span>"# } else { r#"<span class="mark bad">broke</span>"# }
}

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_processes_said_can_not_become_part_of_the_page() {
        assert_eq!(escaped(r#"<script a="b">&"#), "&lt;script a=&quot;b&quot;&gt;&amp;");
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        for text in [TEMPLATE, STYLE] {
            for word in ["http:", "https:", "src=", "url(", "@import", "<script", "<link"] {
                assert!(!text.contains(word), "{word}");
            }
        }
    }

    #[test]
    fn a_broken_step_is_marked() {
        let mut step = Step::new("node", "opens");
        assert!(mark(&step).contains("held"));
        step.check("it opens", false, "it doesn't");
        assert!(mark(&step).contains("broke"));
    }
}
