//! The quickstarts on the project's first page are those of the packages' own pages, which
//! each package's tests run.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::util::Ctx;

pub(super) fn check(ctx: &Ctx) -> Result<String> {
    let read = |name: &str| fs::read_to_string(ctx.path(name)).with_context(|| format!("can't read {name}"));
    let first_page = read("README.md")?;
    for (heading, page) in PAGES {
        let block = quickstart(&first_page, heading)
            .with_context(|| format!("README.md has no quickstart below \"### {heading}\""))?;
        if !shown(&read(page)?).contains(&block) {
            bail!("the quickstart below \"### {heading}\" is not the one in {page}");
        }
    }
    Ok(format!("{} quickstarts", PAGES.len()))
}

/// The first code below a heading.
fn quickstart(page: &str, heading: &str) -> Option<String> {
    let title = |line: &str| line.strip_prefix("### ").is_some_and(|title| title.starts_with(heading));
    let section = page.lines().skip_while(|line| !title(line)).skip(1).take_while(|line| !line.starts_with("##"));
    let code = section.skip_while(|line| !line.starts_with("```")).skip(1);
    let block: String = code.take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
    (!block.is_empty()).then_some(block)
}

/// A page without the lines that its documentation hides.
fn shown(page: &str) -> String {
    page.lines().filter(|line| !(*line == "#" || line.starts_with("# "))).flat_map(|line| [line, "\n"]).collect()
}

/// Where each quickstart is run: the heading's first word, and the package's page.
const PAGES: [(&str, &str); 4] = [
    ("Node", "bindings-node/README.md"),
    ("Browser", "bindings-wasm/README.md"),
    ("Go", "bindings-go/README.md"),
    ("Rust", "core/README.md"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# P\n\n### Node, Electron\n\nRun:\n\n```js\na();\nb();\n```\n\n### Go\n\nnone\n\n### Rust\n\n```rust\nc();\n```\n";

    #[test]
    fn the_code_below_a_heading_is_found() {
        assert_eq!(quickstart(PAGE, "Node").as_deref(), Some("a();\nb();\n"));
        assert_eq!(quickstart(PAGE, "Rust").as_deref(), Some("c();\n"));
    }

    #[test]
    fn a_section_without_code_does_not_borrow_the_next_ones() {
        assert_eq!(quickstart(PAGE, "Go"), None);
        assert_eq!(quickstart(PAGE, "Browser"), None);
    }

    #[test]
    fn hidden_lines_are_not_shown_and_others_are() {
        assert_eq!(shown("# use x::*;\na();\n#\n#[test]\n"), "a();\n#[test]\n");
    }
}
