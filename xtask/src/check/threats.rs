//! The tests that the threat model names are there, under the names that it gives.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, bail};

use crate::util::{Ctx, output};

pub(super) fn check(ctx: &Ctx) -> Result<String> {
    let page = fs::read_to_string(ctx.path(PAGE)).with_context(|| format!("can't read {PAGE}"))?;
    let mut missing = named(&page)?;
    let count = missing.len();
    let names = output(ctx.cmd("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    for name in names.lines().filter(|name| SOURCES.iter().any(|end| name.ends_with(end))) {
        // A file that has just been removed is still listed.
        let Ok(source) = fs::read_to_string(ctx.path(name)) else { continue };
        missing.retain(|test| !defines(&source, test));
    }
    if !missing.is_empty() {
        bail!("{PAGE} names tests that are not there: {missing:?}");
    }
    Ok(format!("{count} of them"))
}

/// The names between backticks in the last column of each row; a row without one is an error.
fn named(page: &str) -> Result<BTreeSet<String>> {
    let mut tests = BTreeSet::new();
    let mut inside = false;
    for line in page.lines() {
        if !line.starts_with('|') {
            inside = false;
        } else if line.ends_with("| held by |") {
            inside = true;
        } else if inside && !line.starts_with("| ---") {
            let cell = line.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
            let parts: Vec<&str> = cell.split('`').collect();
            if parts.len() < 3 || parts.len().is_multiple_of(2) {
                bail!("a defence without a test in {PAGE}: {line}");
            }
            tests.extend(parts.into_iter().skip(1).step_by(2).map(str::to_owned));
        }
    }
    if tests.is_empty() {
        bail!("{PAGE} names no test");
    }
    Ok(tests)
}

/// Whether a source has a test of that name: a function, or a title.
fn defines(source: &str, test: &str) -> bool {
    [format!("fn {test}("), format!("func {test}("), format!("\"{test}\""), format!("'{test}'")]
        .iter()
        .any(|form| source.contains(form.as_str()))
}

const PAGE: &str = "docs/threat-model.md";

const SOURCES: [&str; 4] = [".rs", ".go", ".mjs", ".ts"];

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "| a | b | held by |\n| --- | --- | --- |\n| x | y | `one`, `two's` |\n\n| `no` | test |\n";

    #[test]
    fn names_stand_in_the_last_column_of_such_a_table_only() -> Result<()> {
        let names: Vec<String> = named(TABLE)?.into_iter().collect();
        assert_eq!(names, ["one", "two's"]);
        Ok(())
    }

    #[test]
    fn a_defence_without_a_test_is_an_error() {
        assert!(named("| a | held by |\n| --- | --- |\n| x | none yet |\n").is_err());
        assert!(named("no table").is_err());
    }

    #[test]
    fn a_test_is_a_function_or_a_title() {
        for source in ["fn one() {", "func one(t", "test('one', ", "title: \"one\""] {
            assert!(defines(source, "one"), "{source}");
        }
        for source in ["fn one_more() {", "// one", "calls.one()", "'one more'"] {
            assert!(!defines(source, "one"), "{source}");
        }
    }
}
