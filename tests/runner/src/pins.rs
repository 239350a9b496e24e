//! Numbers and lists that are written down, so that a host can't quietly do less.

use crate::hosts::{HOSTS, may_lack};
use crate::report::Report;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Compares what each host gave with the file; with `pin`, writes those hosts into it.
pub(crate) fn settle(file: &Path, found: &BTreeMap<String, Value>, pin: bool, report: &Report) -> Result<(), String> {
    let mut pinned = read(file)?;
    if pin {
        pinned.extend(found.clone());
        let text = serde_json::to_string_pretty(&pinned).map_err(|error| error.to_string())?;
        return fs::write(file, text + "\n").map_err(|error| format!("{}: {error}", file.display()));
    }
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    for (host, value) in found {
        let expected = pinned.get(host).unwrap_or(&Value::Null);
        let result = if expected == value { Ok(()) } else { Err(format!("pinned {expected}, found {value}")) };
        report.check(|| format!("{host} {name}"), result);
    }
    Ok(())
}

/// Holds the pinned `hello` itself against what every host has to offer.
pub(crate) fn hello(file: &Path, report: &Report) -> Result<(), String> {
    let pinned = read(file)?;
    for host in HOSTS {
        report.check(
            || format!("{host} hello.json"),
            pinned.get(host).ok_or_else(|| "is missing".to_owned()).and_then(|value| whole(host, value)),
        );
    }
    Ok(())
}

fn whole(host: &str, hello: &Value) -> Result<(), String> {
    let lists = |member: &str, item: &str| {
        hello[member].as_array().is_some_and(|items| items.iter().any(|value| value == item))
    };
    let javascript = host == "node" || host.starts_with("wasm");
    if let Some(op) = OPS.iter().find(|op| lists("ops", op) == may_lack(host, op)) {
        return Err(format!("{op} is not as it must be"));
    }
    if let Some(extra) = EXTRAS.iter().find(|extra| !lists("extras", extra)) {
        return Err(format!("{extra} is missing"));
    }
    if lists("extras", "dynamic") != javascript {
        return Err("dynamic is for the JavaScript hosts".into());
    }
    Ok(())
}

fn read(file: &Path) -> Result<BTreeMap<String, Value>, String> {
    let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Every op of the protocol.
pub(crate) const OPS: &[&str] = &[
    "dek_ref",
    "binding_aad",
    "seal",
    "open",
    "seal_many",
    "reseal",
    "inspect",
    "to_text",
    "from_text",
    "wrap_local",
    "unwrap_local",
    "kms_context",
    "vault.new",
    "vault.set_clock",
    "vault.rng",
    "vault.mint_request",
    "vault.admit_minted",
    "vault.set_active",
    "vault.unwrap_request",
    "vault.admit",
    "vault.missing",
    "vault.seal",
    "vault.seal_many",
    "vault.open",
    "vault.open_many",
    "vault.reseal",
    "vault.rebind",
    "vault.generate_record_dek",
    "vault.wrap_local",
    "vault.wrap_request",
    "vault.share_request",
    "vault.admit_shared",
    "vault.shred_request",
    "vault.status",
    "vault.cache_export",
    "vault.cache_import",
    "vault.tombstone",
    "vault.sign_out",
    "vault.close",
];

/// The ops that only test builds have.
pub(crate) const HAZMAT: &[&str] = &[
    "dek_ref",
    "binding_aad",
    "seal",
    "open",
    "seal_many",
    "reseal",
    "wrap_local",
    "unwrap_local",
    "vault.set_clock",
    "vault.rng",
];

/// What every host offers besides.
const EXTRAS: &[&str] = &["iv", "wiped", "large", "cmks", "min_versions", "field_limit", "danger_endpoint"];

#[cfg(test)]
mod tests {
    use super::{EXTRAS, OPS, whole};
    use serde_json::json;

    #[test]
    fn a_pinned_hello_lists_everything() {
        let all = json!({"ops": OPS, "extras": EXTRAS});
        assert_eq!(whole("rust", &all), Ok(()));
        assert!(whole("node", &all).is_err(), "dynamic is missing");
        let javascript: Vec<_> = EXTRAS.iter().chain(&["dynamic"]).collect();
        assert!(whole("wasm-node", &json!({"ops": OPS, "extras": javascript})).is_err(), "a browser has no keychain");
        for op in OPS {
            let fewer: Vec<_> = OPS.iter().filter(|other| *other != op).collect();
            assert!(whole("go", &json!({"ops": fewer, "extras": EXTRAS})).is_err(), "{op}");
        }
        for extra in EXTRAS {
            let fewer: Vec<_> = EXTRAS.iter().filter(|other| *other != extra).collect();
            assert!(whole("c", &json!({"ops": OPS, "extras": fewer})).is_err(), "{extra}");
        }
    }
}
