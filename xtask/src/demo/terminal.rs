//! The table that the demo prints as it goes.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use super::step::Step;
use crate::util::{say, seconds};

/// The heading of the table.
pub(super) fn head() {
    say(format_args!(
        "\n{:>3}  {:<9} {:<57} {:>7}  {:<28} {:>7}  result",
        "#", "who", "what", "fields", "KMS calls", "time"
    ));
    say("-".repeat(WIDTH));
}

/// Says what begins, before it is known how it ends.
pub(super) fn begin(step: &Step) {
    say(format_args!("     {:<9} {} …", step.who, step.title));
}

/// The row of a step that is over, and below it what broke.
pub(super) fn row(number: usize, step: &Step) {
    let fields = step.fields.map_or_else(|| "-".to_owned(), grouped);
    let result = if step.holds() { "ok".to_owned() } else { "BROKEN".to_owned() };
    say(format_args!(
        "{number:>3}  {:<9} {:<57} {fields:>7}  {:<28} {:>7}  {result}, {} checks",
        step.who,
        step.title,
        calls(step),
        seconds(step.time),
        step.checks.len(),
    ));
    for check in step.broken() {
        say(format_args!("     BROKEN: expected {}; found {}", check.text, check.got));
    }
}

/// A line of progress, or of what a process has to say.
pub(super) fn note(line: &str) {
    say(format_args!("       · {line}"));
}

/// The end: how many steps there were, and how many broke.
pub(super) fn verdict(steps: &[Step], time: Duration, report: impl Display) {
    say("-".repeat(WIDTH));
    let checks: usize = steps.iter().map(|step| step.checks.len()).sum();
    let broken: usize = steps.iter().map(|step| step.broken().count()).sum();
    let word = if broken == 0 { "every expectation held".to_owned() } else { format!("{broken} expectations BROKEN") };
    say(format_args!("{} steps, {checks} checks: {word}. {}", steps.len(), seconds(time)));
    say(format_args!("report: {report}"));
}

/// A step's calls in a few words: `2 Decrypt`, `1 Decrypt refused`.
pub(super) fn calls(step: &Step) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in &step.calls {
        let refused = if call.result == "ok" { "" } else { " refused" };
        let count = counts.entry(format!("{}{refused}", call.operation)).or_insert(0);
        *count = count.saturating_add(1);
    }
    let words: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    match words.len() {
        0 => "none".to_owned(),
        1 | 2 => words.join(", "),
        _ => {
            let refused = step.calls.iter().filter(|call| call.result != "ok").count();
            format!("{} answered, {refused} refused", step.calls.len().saturating_sub(refused))
        }
    }
}

/// A number with its thousands set apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const WIDTH: usize = 132;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::kms::Call;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn refused_calls_are_counted_apart() {
        let call =
            |result: &str| Call { operation: "Decrypt".to_owned(), result: result.to_owned(), ..Call::default() };
        let mut step = Step::new("node", "x");
        assert_eq!(calls(&step), "none");
        step.calls = vec![call("ok"), call("AccessDeniedException"), call("ok")];
        assert_eq!(calls(&step), "2 Decrypt, 1 Decrypt refused");
        step.calls.push(Call { operation: "Encrypt".to_owned(), ..call("ok") });
        assert_eq!(calls(&step), "3 answered, 1 refused");
    }
}
