//! A file that is too long is split where a reader would look for a door.

use std::{fs, path::Path};

use anyhow::{Result, bail};

use crate::util::{Ctx, output};

pub(super) fn check(ctx: &Ctx) -> Result<String> {
    let mut long = Vec::new();
    let mut count: usize = 0;
    // What git would take in: neither built nor installed.
    let names = output(ctx.cmd("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    for name in names.lines().filter(|name| counts(Path::new(name))) {
        // A file that has just been removed is still listed.
        let Ok(text) = fs::read(ctx.path(name)) else { continue };
        count = count.saturating_add(1);
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        if lines > MOST {
            long.push(format!("{name} has {lines}"));
        }
    }
    if count == 0 {
        bail!("git lists no file");
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
