//! The quickstarts on the first page are those that tests run: each package runs its own page's.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::util::Ctx;

/// A quickstart: its language, where on the first page it stands, and the page whose test runs it.
struct Quickstart {
    heading: &'static str,
    language: &'static str,
    page: &'static str,
}

const QUICKSTARTS: [Quickstart; 4] = [
    Quickstart { heading: "### Node", language: "js", page: "bindings-node/README.md" },
    Quickstart { heading: "### Browser", language: "js", page: "bindings-wasm/README.md" },
    Quickstart { heading: "### Go", language: "go", page: "bindings-go/README.md" },
    Quickstart { heading: "### Rust", language: "rust", page: "core/README.md" },
];

pub(super) fn check(ctx: &Ctx) -> Result<String> {
    let read = |name: &str| fs::read_to_string(ctx.path(name)).with_context(|| format!("can't read {name}"));
    let first = read("README.md")?;
    for Quickstart { heading, language, page } in QUICKSTARTS {
        let (_, section) = first.split_once(heading).with_context(|| format!("README.md has no `{heading}`"))?;
        let shown =
            block(section, language).with_context(|| format!("README.md has no {language} below `{heading}`"))?;
        let run = block(&read(page)?, language).with_context(|| format!("{page} has no {language}"))?;
        if shown != run {
            bail!("README.md shows another quickstart below `{heading}` than {page}, whose test runs it");
        }
    }
    Ok(format!("{} of them", QUICKSTARTS.len()))
}

/// The first code block of a language, without the lines that rustdoc hides.
fn block(page: &str, language: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("```{language}\n"))?;
    let (code, _) = rest.split_once("\n```")?;
    let shown = code.lines().filter(|line| language != "rust" || !line.starts_with("# "));
    Some(shown.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::block;

    #[test]
    fn the_first_block_of_the_language_is_taken_without_hidden_lines() {
        let page = "```sh\nx\n```\n```rust\n# hidden\nlet a = 1;\n```\n```rust\nlet b = 2;\n```\n";
        assert_eq!(block(page, "rust").as_deref(), Some("let a = 1;"));
        assert_eq!(block(page, "sh").as_deref(), Some("x"));
        assert_eq!(block(page, "go"), None);
        assert_ne!(block(page, "rust"), block(&page.replace("a = 1", "a = 2"), "rust"));
    }
}
