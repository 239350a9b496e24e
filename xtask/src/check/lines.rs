//! A file that is too long is split where a reader would look for a door.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::util::{Ctx, files_below};

pub(super) fn check(ctx: &Ctx) -> Result<String> {
    let mut long = Vec::new();
    let mut count: usize = 0;
    for path in files_below(&ctx.root)? {
        let name = path.strip_prefix(&ctx.root)?;
        if !counts(name) {
            continue;
        }
        count = count.saturating_add(1);
        let text = fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        if lines > MOST {
            long.push(format!("{} has {lines}", name.display()));
        }
    }
    if !long.is_empty() {
        bail!("{}", long.join(", "));
    }
    Ok(format!("{count} files"))
}

/// Whether somebody writes and reads the file: not data, not generated.
fn counts(name: &Path) -> bool {
    let written = name.extension().is_some_and(|end| WRITTEN.iter().any(|written| end == *written));
    written && !name.starts_with("tests/vectors") && !GENERATED.iter().any(|file| name.ends_with(file))
}

const MOST: usize = 600;

const WRITTEN: [&str; 14] = ["rs", "ts", "mts", "js", "mjs", "cjs", "go", "c", "h", "py", "sh", "md", "html", "css"];

/// Files that a program writes.
const GENERATED: [&str; 2] = ["strongroom.h", "strongroom_hazmat.h"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_prose_count() {
        for name in ["core/src/vault.rs", "hosts/ts/src/vault.ts", "docs/spec/envelope.md"] {
            assert!(counts(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn data_and_generated_files_do_not_count() {
        for name in ["tests/vectors/open/open.md", "Cargo.lock", "bindings-go/strongroom.h", "fields.json"] {
            assert!(!counts(Path::new(name)), "{name}");
        }
    }
}
