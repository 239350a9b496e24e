//! Reads the case files. A runner that finds nothing, or something it doesn't know, fails.

use super::procedures;
use crate::answer::TABLE;
use crate::bytes::expand;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One file of cases.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) operation: String,
    pub(crate) cases: Vec<Case>,
}

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    /// File and id.
    pub(crate) name: String,
    pub(crate) comment: String,
    pub(crate) flags: Vec<String>,
    /// What the shim is asked, written out.
    pub(crate) members: Map<String, Value>,
    pub(crate) result: String,
    pub(crate) out: Value,
}

/// Reads every `*.json` below `folder`, sorted by path.
pub(crate) fn load(folder: &Path) -> Result<Vec<Set>, String> {
    let mut files = Vec::new();
    find(folder, &mut files)?;
    files.sort();
    if files.is_empty() {
        return Err(format!("{}: no vectors", folder.display()));
    }
    files.iter().map(|file| set(file).map_err(|reason| format!("{}: {reason}", file.display()))).collect()
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let trouble = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(trouble)? {
        let path = entry.map_err(trouble)?.path();
        if path.is_dir() {
            let before = files.len();
            find(&path, files)?;
            if files.len() == before {
                return Err(format!("{}: no vectors", path.display()));
            }
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        } else if path.file_name().is_none_or(|name| name != "README.md") {
            return Err(format!("{}: not a file of vectors", path.display()));
        }
    }
    Ok(())
}

fn set(file: &Path) -> Result<Set, String> {
    let text = fs::read(file).map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if value["schema"] != 1 {
        return Err(format!("schema {}", value["schema"]));
    }
    let operation = value["operation"].as_str().ok_or("no operation")?;
    if procedures::ops(operation).is_empty() {
        return Err(format!("unknown operation {operation}"));
    }
    let folder = file.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    if folder != operation {
        return Err(format!("operation {operation} in folder {folder}"));
    }
    let known = value["flags"].as_object().ok_or("no flags")?;
    let tests = value["tests"].as_array().filter(|tests| !tests.is_empty()).ok_or("no cases")?;
    let mut ids = BTreeSet::new();
    let mut cases = Vec::new();
    for test in tests {
        let id = test["id"].as_u64().filter(|id| ids.insert(*id)).ok_or("an id is missing or used twice")?;
        let file = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        cases
            .push(case(&format!("{operation}/{file}#{id}"), test, known).map_err(|reason| format!("#{id}: {reason}"))?);
    }
    Ok(Set { operation: operation.to_owned(), cases })
}

fn case(name: &str, test: &Value, known: &Map<String, Value>) -> Result<Case, String> {
    let mut members = test.as_object().ok_or("a case is an object")?.clone();
    members.remove("id");
    let comment =
        members.remove("comment").and_then(|comment| Some(comment.as_str()?.to_owned())).ok_or("no comment")?;
    let flags: Vec<String> = match members.remove("flags") {
        Some(Value::Array(flags)) => flags.iter().map(|flag| flag.as_str().unwrap_or_default().to_owned()).collect(),
        _ => return Err("no flags".into()),
    };
    if let Some(flag) = flags.iter().find(|flag| !known.contains_key(*flag)) {
        return Err(format!("flag {flag} is not explained"));
    }
    let result = members.remove("result").and_then(|result| Some(result.as_str()?.to_owned())).ok_or("no result")?;
    let out = members.remove("out");
    if result != "ok" && !TABLE.iter().any(|row| row.1 == result) {
        return Err(format!("result {result} is no error of the table"));
    }
    if (result == "ok") != out.is_some() {
        return Err("ok has an out, an error has none".into());
    }
    let Value::Object(members) = expand(&Value::Object(members))? else { return Err("a case is an object".into()) };
    Ok(Case { name: name.to_owned(), comment, flags, members, result, out: out.unwrap_or_default() })
}
