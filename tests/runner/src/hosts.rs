//! Which hosts there are, and what each may leave out.

use crate::answer::Texts;
use crate::report::Report;
use crate::shim::Shim;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Every host that must be there. A missing one is a failure, not a smaller run.
pub(crate) const HOSTS: [&str; 7] = ["rust", "node", "wasm-node", "wasm-browser", "c", "go", "go-boring"];

/// The shims of one build, as `target/shims.json` names them.
pub(crate) struct Hosts {
    argv: BTreeMap<String, Vec<String>>,
    timeout: Duration,
    texts: Arc<Texts>,
}

impl Hosts {
    /// Reads the file; each of the hosts wanted must be in it.
    pub(crate) fn read(file: &Path, wanted: &[String], timeout: Duration) -> Result<Self, String> {
        let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut argv: BTreeMap<String, Vec<String>> =
            serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        if let Some(missing) = wanted.iter().find(|name| !argv.contains_key(*name)) {
            return Err(format!("{}: no shim for {missing}", file.display()));
        }
        argv.retain(|name, _| wanted.contains(name));
        Ok(Self { argv, timeout, texts: Arc::default() })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.argv.keys().map(String::as_str)
    }

    pub(crate) fn shims(&self) -> Vec<Shim> {
        self.argv.iter().map(|(name, argv)| Shim::new(name, argv, self.timeout, &self.texts)).collect()
    }

    /// Does the same with every host, side by side, and says how long each took.
    pub(crate) fn each(&self, what: &str, report: &Report, work: impl Fn(&mut Shim, &Report) + Sync) {
        thread::scope(|scope| {
            for mut shim in self.shims() {
                let work = &work;
                let name = shim.name.clone();
                let running = scope.spawn(move || {
                    let begin = Instant::now();
                    work(&mut shim, report);
                    // A line too many shows as an answer to another question.
                    let end = Hello::ask(&mut shim).map(drop);
                    report.check(|| format!("{what} {} at the end", shim.name), end);
                    println!("{what} {}: {:.1} s", shim.name, begin.elapsed().as_secs_f64());
                });
                // A fault of the runner itself must not look like a host that passed.
                scope.spawn(move || {
                    if running.join().is_err() {
                        report.fail(&format!("{what} {name}: the runner panicked"));
                    }
                });
            }
        });
    }
}

/// What a host says it can do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hello(pub(crate) Value);

impl Hello {
    /// Asks `hello` and holds its form against the protocol.
    pub(crate) fn ask(shim: &mut Shim) -> Result<Self, String> {
        let out = shim.ask("hello", json!({}))?.out()?;
        let hello = Self(out);
        if hello.0["protocol"] != json!(1) {
            return Err(format!("protocol {}", hello.0["protocol"]));
        }
        if hello.0["name"].as_str().is_none() {
            return Err("hello without a name".into());
        }
        same_version(hello.0["version"].as_str().unwrap_or_default())?;
        Ok(hello)
    }

    /// Whether the list `member` holds `item`.
    pub(crate) fn lists(&self, member: &str, item: &str) -> bool {
        self.0[member].as_array().is_some_and(|items| items.iter().any(|value| value == item))
    }

    /// What `hello.json` pins: all but the version, lists sorted.
    pub(crate) fn pinned(&self) -> Value {
        let sorted = |member: &str| {
            let mut items: Vec<String> = self.0[member]
                .as_array()
                .into_iter()
                .flatten()
                .map(|item| item.as_str().unwrap_or("?").to_owned())
                .collect();
            items.sort();
            json!(items)
        };
        let (strings, ops, extras) = (sorted("strings"), sorted("ops"), sorted("extras"));
        json!({"protocol": self.0["protocol"], "strings": strings, "ops": ops, "extras": extras})
    }
}

/// The flag by which a host may leave out a case, if it may: its strings or values cannot
/// be wrong in that way.
pub(crate) fn may_leave_out(host: &str, flag: &str) -> bool {
    let allowed: &[&str] = match host {
        "c" | "go" | "go-boring" => &["Utf16Units", "Untyped"],
        "node" | "wasm-node" | "wasm-browser" => &["Utf8Bytes"],
        "rust" => &["Utf8Bytes", "Utf16Units", "Untyped"],
        _ => &[],
    };
    allowed.contains(&flag)
}

/// Keychain entries are for hosts with a keychain: a browser keeps DEKs in memory only.
pub(crate) fn may_lack(host: &str, op: &str) -> bool {
    host.starts_with("wasm") && matches!(op, "vault.cache_export" | "vault.cache_import")
}

fn same_version(version: &str) -> Result<(), String> {
    let expected = format!("strongroom {} format 1 aes=", env!("CARGO_PKG_VERSION"));
    match version.strip_prefix(&expected) {
        Some("soft" | "aes-ni" | "vaes" | "armv8" | "boring") => Ok(()),
        _ => Err(format!("version {version:?}, not {expected}BACKEND")),
    }
}

#[cfg(test)]
mod tests {
    use super::{HOSTS, may_lack, may_leave_out, same_version};

    #[test]
    fn a_host_leaves_out_only_what_it_cannot_express() {
        assert!(may_leave_out("rust", "Untyped"));
        assert!(!may_leave_out("node", "Untyped"));
        assert!(!may_leave_out("go", "Utf8Bytes"));
        assert!(!may_leave_out("wasm-node", "Utf16Units"));
        for host in HOSTS {
            for flag in ["Large", "Fixed", "Planted", "Strings"] {
                assert!(!may_leave_out(host, flag), "{host} {flag}");
            }
        }
        assert!(!may_leave_out("stranger", "Untyped"));
    }

    #[test]
    fn only_wasm_lacks_keychain_entries() {
        assert!(may_lack("wasm-browser", "vault.cache_import"));
        assert!(!may_lack("node", "vault.cache_import"));
        assert!(!may_lack("wasm-node", "vault.open"));
    }

    #[test]
    fn a_version_differs_in_its_back_end_only() {
        let version = env!("CARGO_PKG_VERSION");
        assert!(same_version(&format!("strongroom {version} format 1 aes=soft")).is_ok());
        for wrong in [
            format!("strongroom {version} format 2 aes=soft"),
            format!("strongroom {version} format 1 aes=fast"),
            String::new(),
        ] {
            assert!(same_version(&wrong).is_err(), "{wrong}");
        }
    }
}
