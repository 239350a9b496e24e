//! What users get has no test entry: no fixed IV, no bare DEK, no clock to be set.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    build::{Kind, c, node},
    util::{Ctx, files_in},
};

pub(super) fn check(ctx: &Ctx) -> Result<String> {
    let mut files =
        vec![node::addon(ctx, Kind::Released)?, c::archive(ctx, Kind::Released)?, ctx.path(RELEASED_HEADER)];
    for folder in ["bindings-node/dist", "bindings-wasm/dist"] {
        let found = files_in(&ctx.path(folder))?;
        if found.is_empty() {
            bail!("{folder} is empty");
        }
        files.extend(found);
    }
    let faults: Vec<String> = files.iter().map(|file| marks_of(file)).collect::<Result<Vec<_>>>()?.concat();
    if !faults.is_empty() {
        bail!("{}", faults.join(", "));
    }
    // The same search finds what it looks for, or it would prove nothing.
    for file in test_builds(ctx)? {
        if marks_of(&file)?.is_empty() {
            bail!("the search finds nothing in {}, a test build", file.display());
        }
    }
    Ok(format!("{} files, none of {} marks", files.len(), MARKS.len()))
}

fn test_builds(ctx: &Ctx) -> Result<Vec<PathBuf>> {
    Ok(vec![
        node::addon(ctx, Kind::Hazmat)?,
        c::archive(ctx, Kind::Hazmat)?,
        ctx.target.join("hazmat/wasm/dist/strongroom.wasm"),
    ])
}

fn marks_of(file: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    Ok(marks(&bytes).into_iter().map(|mark| format!("{mark:?} in {}", file.display())).collect())
}

/// The marks of a test build that stand in these bytes.
fn marks(bytes: &[u8]) -> Vec<&'static str> {
    let has = |mark: &str| bytes.windows(mark.len()).any(|window| window == mark.as_bytes());
    MARKS.into_iter().filter(|mark| has(mark)).collect()
}

const RELEASED_HEADER: &str = "bindings-go/strongroom.h";

/// Words that only test builds have: the feature's own, and what JavaScript calls its entries.
const MARKS: [&str; 4] = ["hazmat", "hzDekRef", "hzSeal", "hzVaultNew"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_found_anywhere() {
        for mark in MARKS {
            for bytes in [format!("{mark} and more"), format!("\0\0{mark}\0"), format!("at the end {mark}")] {
                assert_eq!(marks(bytes.as_bytes()), [mark]);
            }
        }
    }

    #[test]
    fn other_bytes_have_no_mark() {
        assert!(marks(b"").is_empty());
        assert!(marks(b"strongroom_vault_seal hz haz mat").is_empty());
        assert!(marks(b"hzDekRe").is_empty());
    }
}
