//! The other languages' own checkers.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::util::{Ctx, files_below, output};

pub(super) fn go(ctx: &Ctx) -> Result<String> {
    let modules = folders_with(ctx, "go.mod")?;
    for module in &modules {
        let unformatted = output(ctx.cmd("gofmt").args(["-l", "."]).current_dir(module))?;
        if !unformatted.is_empty() {
            bail!("not formatted in {}: {}", module.display(), unformatted.replace('\n', " "));
        }
        for tags in ["", "hazmat,kmsit"] {
            let args = ["vet", "-mod=readonly", "-tags", tags, "./..."];
            output(ctx.cmd("go").args(args).current_dir(module))?;
        }
    }
    Ok(format!("{} modules", modules.len()))
}

pub(super) fn typescript(ctx: &Ctx) -> Result<String> {
    let mut projects = folders_with(ctx, "tsconfig.json")?;
    projects.retain(|project| !project.ends_with(STAGED));
    for project in &projects {
        // A folder whose compiler is its own keeps to that version.
        let own = project.join("node_modules/.bin/tsc");
        let tsc = if own.exists() { own } else { ctx.tool("tsc") };
        output(ctx.cmd(tsc).args(["--noEmit", "-p", "."]).current_dir(project))?;
    }
    Ok(format!("{} projects", projects.len()))
}

fn folders_with(ctx: &Ctx, name: &str) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for path in files_below(&ctx.root)? {
        if path.file_name().is_some_and(|file| file == name) {
            folders.push(path.parent().context("a file lies in no folder")?.to_path_buf());
        }
    }
    if folders.is_empty() {
        bail!("no {name} was found");
    }
    Ok(folders)
}

/// Its compiler reads a tree that only its build makes, and checks it then.
const STAGED: &str = "bindings-node";
