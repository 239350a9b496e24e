//! The options of a vault (DESIGN 7).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use crate::Error;
use crate::cache::MAX_LIFE;
use crate::envelope::{DEFAULT_FIELD_LIMIT, MAX_FIELD_LIMIT};
use crate::json::{Value, read_object};
use crate::kms::{Endpoints, check_cmk};
use crate::text::check;

/// The most seals under one DEK (NIST SP 800-38D, 8.3: 2^32 with random 96-bit IVs).
const MAX_SEALS: u64 = 1 << 32;

/// The seals that one vault does under one DEK without the option: a sixteenth of the most.
const DEFAULT_SEALS: u64 = 1 << 28;

/// How a vault works. `VaultOptions::default()` is a vault that trusts its rows about CMKs: give
/// `cmks` wherever the host knows which CMK belongs to which org.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultOptions {
    /// Seconds for which a DEK is held: 1 to 43,200, which is also the default.
    pub ttl: Option<u64>,
    /// The session that keychain entries belong to. Without it nothing goes to or comes from a keychain.
    pub session: Option<String>,
    /// The KMS's region, `us-east-1` by default.
    pub region: Option<String>,
    /// Seals under one DEK in this vault: 1 to 2^32, 2^28 by default.
    pub seal_limit: Option<u64>,
    /// The largest field in bytes: 1 to 64 MiB, 16 MiB by default.
    pub field_limit: Option<u64>,
    /// Which CMKs (key ARNs) wrap for an org: the host's own knowledge. Where it is given, no other is used.
    pub cmks: Option<BTreeMap<String, Vec<String>>>,
    /// The highest DEK version that the host remembers of an org.
    pub min_versions: BTreeMap<String, u32>,
    /// Danger: one exact URL in place of the FIPS endpoint, for a local KMS. http is allowed.
    pub danger_endpoint: Option<String>,
}

impl VaultOptions {
    /// Reads options as a host hands them over: one JSON object, absent members being defaults.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] for any other member, [`Error::BadInput`] for a wrong type or value.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let members = read_object(json).ok_or(Error::BadInput)?;
        let mut options = Self::default();
        let mut seen = BTreeSet::new();
        for (name, value) in members.into_entries() {
            let name = name.ok_or(Error::UnknownOption)?;
            match name.as_str() {
                "ttl" => options.ttl = Some(whole(value)?),
                "session" => options.session = Some(text(value)?),
                "region" => options.region = Some(text(value)?),
                "seal_limit" => options.seal_limit = Some(whole(value)?),
                "field_limit" => options.field_limit = Some(whole(value)?),
                "cmks" => options.cmks = Some(by_org(value, cmk_list)?),
                "min_versions" => options.min_versions = by_org(value, version)?,
                "danger_endpoint" => options.danger_endpoint = Some(text(value)?),
                _ => return Err(Error::UnknownOption),
            }
            if !seen.insert(name) {
                return Err(Error::BadInput);
            }
        }
        Ok(options)
    }
}

/// Options that were checked.
pub(super) struct Settings {
    pub(super) ttl: u64,
    pub(super) session: Option<String>,
    pub(super) seal_limit: u64,
    pub(super) field_limit: usize,
    pub(super) endpoints: Endpoints,
    cmks: Option<BTreeMap<String, Vec<String>>>,
}

impl Settings {
    pub(super) fn new(options: &VaultOptions) -> Result<Self, Error> {
        for text in [&options.session, &options.region, &options.danger_endpoint].into_iter().flatten() {
            check(text)?;
        }
        for (org, version) in &options.min_versions {
            check(org)?;
            if *version == 0 {
                return Err(Error::BadInput);
            }
        }
        let field_limit = in_range(options.field_limit, DEFAULT_FIELD_LIMIT as u64, MAX_FIELD_LIMIT as u64)?;
        Ok(Self {
            ttl: in_range(options.ttl, MAX_LIFE, MAX_LIFE)?,
            session: options.session.clone(),
            seal_limit: in_range(options.seal_limit, DEFAULT_SEALS, MAX_SEALS)?,
            field_limit: usize::try_from(field_limit).map_err(|_| Error::Limit)?,
            endpoints: Endpoints::new(
                options.region.as_deref().unwrap_or("us-east-1"),
                options.danger_endpoint.clone(),
            )?,
            cmks: checked_cmks(options.cmks.as_ref())?,
        })
    }

    /// Whether that CMK wraps for that org, as far as the host told.
    pub(super) fn check_cmk(&self, org: &str, cmk: &str) -> Result<(), Error> {
        match &self.cmks {
            None => Ok(()),
            Some(cmks) if cmks.get(org).is_some_and(|listed| listed.iter().any(|one| one == cmk)) => Ok(()),
            Some(_) => Err(Error::KeyIdUnexpected),
        }
    }
}

fn checked_cmks(cmks: Option<&BTreeMap<String, Vec<String>>>) -> Result<Option<BTreeMap<String, Vec<String>>>, Error> {
    let Some(cmks) = cmks else { return Ok(None) };
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (org, listed) in cmks {
        check(org)?;
        for cmk in listed {
            let owner = owners.insert(check_cmk(cmk)?, org);
            if owner.is_some_and(|owner| owner != org) {
                return Err(Error::BadInput);
            }
        }
    }
    Ok(Some(cmks.clone()))
}

/// From 1 to `most`; absent is `default`.
fn in_range(value: Option<u64>, default: u64, most: u64) -> Result<u64, Error> {
    match value.unwrap_or(default) {
        0 => Err(Error::BadInput),
        value if value > most => Err(Error::Limit),
        value => Ok(value),
    }
}

fn whole(value: Value) -> Result<u64, Error> {
    match value {
        Value::Whole(number) => Ok(number),
        _ => Err(Error::BadInput),
    }
}

fn version(value: Value) -> Result<u32, Error> {
    u32::try_from(whole(value)?).map_err(|_| Error::BadInput)
}

fn text(value: Value) -> Result<String, Error> {
    match value {
        Value::Text(Some(text)) => Ok(text),
        _ => Err(Error::BadInput),
    }
}

fn cmk_list(value: Value) -> Result<Vec<String>, Error> {
    match value {
        Value::List(items) => items.into_iter().map(text).collect(),
        _ => Err(Error::BadInput),
    }
}

fn by_org<T>(value: Value, read: fn(Value) -> Result<T, Error>) -> Result<BTreeMap<String, T>, Error> {
    let Value::Object(members) = value else { return Err(Error::BadInput) };
    let mut map = BTreeMap::new();
    for (org, value) in members.into_entries() {
        let twice = map.insert(org.ok_or(Error::BadInput)?, read(value)?).is_some();
        if twice {
            return Err(Error::BadInput);
        }
    }
    Ok(map)
}
