//! Runbooks and conversations, made of real passages.

use super::{
    material::{Material, Text},
    rng::Rng,
};

/// A markdown runbook of 1 to 40 KiB; every second one in another language than English.
pub(super) fn runbook(rng: &mut Rng, material: &Material) -> String {
    // As many small ones as large ones: the exponent is drawn, not the size.
    let doubled = SMALLEST << rng.below(5);
    let size = if rng.one_in(8) { rng.between(doubled, LARGEST) } else { doubled.saturating_add(rng.below(doubled)) };
    let texts = if rng.one_in(2) { &material.foreign } else { &material.english };
    let Some(text) = texts.get(rng.below(texts.len())) else { return String::new() };
    let mut page = format!("# Runbook: {}\n\n> {}\n", text.title, passage(rng, text));
    for step in 1.. {
        if page.len() >= size {
            break;
        }
        page.push_str(&format!("\n## {step}. {}\n\n{}\n", rng.pick(&STEPS), passage(rng, text)));
        if rng.one_in(3) {
            page.push_str(&format!("\n```sh\n{} --record {}\n```\n", rng.pick(&COMMANDS), rng.hex(8)));
        }
    }
    cut(page, LARGEST)
}

/// What somebody writes in a conversation, or is answered.
pub(super) fn message(rng: &mut Rng, material: &Material) -> String {
    let foreign = rng.one_in(4);
    let texts = if foreign { &material.foreign } else { &material.english };
    let Some(text) = texts.get(rng.below(texts.len())) else { return String::new() };
    let body = passage(rng, text);
    match rng.below(4) {
        0 => format!("{} {body}", rng.pick(&OPENERS)),
        1 => format!("> {}\n\n{body}", rng.pick(&OPENERS)),
        _ => body.to_owned(),
    }
}

/// What a tool was called with and what came of it, in a line or two.
pub(super) fn tool_call(rng: &mut Rng) -> String {
    let (command, host) = (rng.pick(&COMMANDS), format!("host-{:03}", rng.below(1_000)));
    let lines = rng.between(0, 400);
    let code = if rng.one_in(6) { rng.between(1, 127) } else { 0 };
    format!("{command} on {host}: exit {code}, {lines} lines, sha256 {}", rng.hex(64))
}

/// The result of a run: some passages under a heading.
pub(super) fn output(rng: &mut Rng, material: &Material) -> String {
    let mut page = "## Result\n".to_owned();
    for _ in 0..rng.between(1, 4) {
        page.push_str(&format!("\n{}\n", message(rng, material)));
    }
    page
}

fn passage<'a>(rng: &mut Rng, text: &'a Text) -> &'a str {
    text.passages.get(rng.below(text.passages.len())).map_or("", String::as_str)
}

/// Cuts a text between two characters.
fn cut(mut text: String, most: usize) -> String {
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

pub(super) const SMALLEST: usize = 1_024;
pub(super) const LARGEST: usize = 40 * 1_024;

const STEPS: [&str; 8] =
    ["Look first", "Collect", "Stop the service", "Repair", "Compare", "Start again", "Verify", "Hand over"];

const COMMANDS: [&str; 8] = [
    "systemctl status",
    "journalctl -u",
    "kubectl rollout status",
    "openssl x509 -enddate",
    "pg_dump --schema-only",
    "curl -fsS",
    "terraform plan",
    "df -h",
];

const OPENERS: [&str; 6] =
    ["Can you check this?", "Noted.", "Bitte prüfen:", "お願いします。", "Готово.", "That failed again:"];
