//! Every crate below the core is a crate to be trusted, so there are few.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::util::{Ctx, output};

pub(super) fn check(ctx: &Ctx) -> Result<String> {
    let features = features(&output(ctx.cargo("metadata").args(["--no-deps", "--format-version=1"]))?)?;
    let mut tree = ctx.cargo("tree");
    tree.args([
        "-p",
        "strongroom",
        "--no-default-features",
        "--features",
        "aes",
        "--edges",
        "normal",
        "--prefix",
        "none",
    ]);
    let count = count(&output(tree.args(["--features", &features]))?);
    if count > MOST {
        bail!("{count} crates with the features {features:?}, at most {MOST} are allowed");
    }
    Ok(format!("{count} crates of at most {MOST}, with the features {features:?}"))
}

/// The features of the core that any binding turns on.
fn features(metadata: &str) -> Result<String> {
    let metadata: Value = serde_json::from_str(metadata).context("cargo's metadata is not JSON")?;
    let list = |value: &Value, name: &str| -> Vec<Value> {
        value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let mut features = BTreeSet::new();
    let mut found = false;
    for package in list(&metadata, "packages") {
        if !BINDINGS.iter().any(|name| package.get("name").is_some_and(|found| found == name)) {
            continue;
        }
        for dependency in list(&package, "dependencies") {
            let ours = dependency.get("name").is_some_and(|name| name == "strongroom");
            if ours && dependency.get("kind").is_some_and(Value::is_null) {
                found = true;
                features.extend(list(&dependency, "features").iter().filter_map(Value::as_str).map(str::to_owned));
                if dependency.get("uses_default_features").and_then(Value::as_bool) == Some(true) {
                    features.insert("default".to_owned());
                }
            }
        }
    }
    if !found {
        bail!("no binding depends on the core");
    }
    Ok(features.into_iter().collect::<Vec<_>>().join(","))
}

/// The crates in `cargo tree`'s list, each once.
fn count(tree: &str) -> usize {
    let crates: BTreeSet<&str> =
        tree.lines().map(|line| line.trim_end_matches(" (*)").trim()).filter(|line| !line.is_empty()).collect();
    crates.len()
}

const MOST: usize = 30;

const BINDINGS: [&str; 2] = ["strongroom-node", "strongroom-c"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_stands_twice_in_the_tree_counts_once() {
        assert_eq!(count("strongroom v0.1.0 (/p)\naes v0.9.0\ncipher v0.5.0\n\naes v0.9.0 (*)\n"), 3);
    }

    #[test]
    fn two_versions_of_one_crate_count_twice() {
        assert_eq!(count("a v1.0.0\na v2.0.0\n"), 2);
    }

    #[test]
    fn the_features_are_those_of_all_bindings_together() -> Result<()> {
        let metadata = r#"{"packages": [
            {"name": "strongroom-node", "dependencies": [
                {"name": "strongroom", "kind": null, "uses_default_features": false, "features": ["os"]}]},
            {"name": "strongroom-c", "dependencies": [
                {"name": "strongroom", "kind": null, "uses_default_features": true, "features": []}]},
            {"name": "strongroom-shim", "dependencies": [
                {"name": "strongroom", "kind": null, "uses_default_features": false, "features": ["hazmat"]}]}
        ]}"#;
        assert_eq!(features(metadata)?, "default,os");
        Ok(())
    }

    #[test]
    fn a_tree_without_bindings_is_a_fault() {
        assert!(features(r#"{"packages": [{"name": "x", "dependencies": []}]}"#).is_err());
        assert!(features("{}").is_err());
        assert!(features("").is_err());
    }
}
