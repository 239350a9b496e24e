//! No package that ships, and nothing that it depends on, runs a script when it is
//! installed. A development tool that has one stands in a list with its reason, and its
//! script is never run: every installation here says `--ignore-scripts`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::util::{Ctx, files_below};

pub(super) fn check(ctx: &Ctx) -> Result<String> {
    let allowed: BTreeMap<String, String> = serde_json::from_value(json(&ctx.path(ALLOWED))?)
        .with_context(|| format!("{ALLOWED} is not an object of name and reason"))?;
    let mut used = BTreeSet::new();
    let mut count: usize = 0;
    let mut faults = Vec::new();
    for path in files_below(&ctx.root)? {
        let name = path.strip_prefix(&ctx.root)?.display().to_string();
        if name.ends_with("package-lock.json") {
            count = count.saturating_add(1);
            for (package, ships) in scripted(&json(&path)?) {
                if ships || !allowed.contains_key(&package) {
                    faults.push(format!("{package} in {name}"));
                }
                used.insert(package);
            }
        }
    }
    for dir in PACKAGES {
        let dir = ctx.path(dir);
        if dir.join("binding.gyp").exists() {
            faults.push(format!("binding.gyp in {}: npm would run it", dir.display()));
        }
        faults.extend(own(&json(&dir.join("package.json"))?));
    }
    faults.extend(
        allowed
            .keys()
            .filter(|name| !used.contains(*name))
            .map(|name| format!("{name} is listed in {ALLOWED} and has no script any more")),
    );
    if !faults.is_empty() {
        bail!("{}", faults.join(", "));
    }
    if count == 0 {
        bail!("no lock file was found");
    }
    Ok(format!("{count} lock files, {} development tools with a script that is never run", used.len()))
}

/// The packages of a lock file that have an install script, and whether each is needed
/// by what the folder's own package ships.
fn scripted(lock: &Value) -> Vec<(String, bool)> {
    let packages = lock.get("packages").and_then(Value::as_object);
    let truth = |package: &Value, member: &str| package.get(member).and_then(Value::as_bool) == Some(true);
    packages
        .into_iter()
        .flatten()
        .filter(|(_, package)| truth(package, "hasInstallScript"))
        .map(|(path, package)| {
            let name = path.rsplit("node_modules/").next().unwrap_or(path);
            (name.to_owned(), !truth(package, "dev"))
        })
        .collect()
}

/// The scripts of our own that npm would run at an installation.
fn own(package: &Value) -> Vec<String> {
    let name = package.get("name").and_then(Value::as_str).unwrap_or("a package without a name");
    let scripts = package.get("scripts").and_then(Value::as_object);
    scripts
        .into_iter()
        .flat_map(|scripts| scripts.keys())
        .filter(|script| RUN_BY_NPM.contains(&script.as_str()))
        .map(|script| format!("script {script} of {name}"))
        .collect()
}

fn json(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

const ALLOWED: &str = "xtask/install-scripts.json";

/// Folders of the packages that ship.
const PACKAGES: [&str; 2] = ["bindings-node", "bindings-wasm"];

const RUN_BY_NPM: [&str; 6] = ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_script_of_a_dependency_that_ships_is_told_from_a_tools() {
        let lock = json!({"packages": {
            "": {"name": "ours"},
            "node_modules/quiet": {"version": "1.0.0"},
            "node_modules/esbuild": {"hasInstallScript": true, "dev": true},
            "node_modules/a/node_modules/@x/keytar": {"hasInstallScript": true}
        }});
        let mut found = scripted(&lock);
        found.sort();
        assert_eq!(found, [("@x/keytar".to_owned(), true), ("esbuild".to_owned(), false)]);
    }

    #[test]
    fn an_install_script_of_our_own_is_found() {
        let package = json!({"name": "p", "scripts": {"postinstall": "x", "test": "y"}});
        assert_eq!(own(&package), ["script postinstall of p"]);
    }

    #[test]
    fn scripts_that_only_we_run_are_no_fault() {
        assert!(own(&json!({"name": "p", "scripts": {"test": "y", "build": "z"}})).is_empty());
        assert!(own(&json!({"name": "p"})).is_empty());
    }
}
