//! The options of a vault (DESIGN 7).

use alloc::string::String;
use alloc::vec::Vec;

use crate::Error;
use crate::cache::MAX_LIFE;
use crate::envelope::{DEFAULT_FIELD_LIMIT, MAX_FIELD_LIMIT};
use crate::json::{Members, Value, read_object};
use crate::kms::{Endpoints, check_cmk};
use crate::map::Map;
use crate::text::check;

/// The most seals under one DEK (NIST SP 800-38D, 8.3: 2^32 with random 96-bit IVs).
const MAX_SEALS: u64 = 1 << 32;

/// The seals that one vault does under one DEK without the option: a sixteenth of the most.
const DEFAULT_SEALS: u64 = 1 << 28;

/// The members that options may have.
const KNOWN: [&str; 8] =
    ["ttl", "session", "region", "seal_limit", "field_limit", "cmks", "min_versions", "danger_endpoint"];

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
    pub cmks: Option<Vec<(String, Vec<String>)>>,
    /// The highest DEK version that the host remembers of an org.
    pub min_versions: Vec<(String, u32)>,
    /// Danger: one exact URL in place of the FIPS endpoint, for a local KMS. http is allowed.
    pub danger_endpoint: Option<String>,
}

impl VaultOptions {
    /// Reads options as a host hands them over: one JSON object, absent members being defaults.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] for any other member, [`Error::BadInput`] for a wrong type or value.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let mut members = read_object(json).ok_or(Error::BadInput)?;
        let mut options = Self {
            ttl: whole(&mut members, "ttl")?,
            session: text(&mut members, "session")?,
            region: text(&mut members, "region")?,
            seal_limit: whole(&mut members, "seal_limit")?,
            field_limit: whole(&mut members, "field_limit")?,
            danger_endpoint: text(&mut members, "danger_endpoint")?,
            ..Self::default()
        };
        if let Some(cmks) = members.take("cmks") {
            let mut listed = Vec::new();
            for (org, list) in by_org(cmks)? {
                listed.push((org, cmk_list(list)?));
            }
            options.cmks = Some(listed);
        }
        if let Some(versions) = members.take("min_versions") {
            for (org, number) in by_org(versions)? {
                options.min_versions.push((org, version(number)?));
            }
        }
        match members.into_entries().first() {
            None => Ok(options),
            // Named a second time.
            Some((Some(name), _)) if KNOWN.contains(&name.as_str()) => Err(Error::BadInput),
            Some(_) => Err(Error::UnknownOption),
        }
    }
}

/// Options that were checked.
pub(super) struct Settings {
    pub(super) ttl: u64,
    pub(super) session: Option<String>,
    pub(super) seal_limit: u64,
    pub(super) field_limit: usize,
    pub(super) endpoints: Endpoints,
    /// The org for which each CMK wraps.
    cmks: Option<Map<String>>,
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
            cmks: options.cmks.as_deref().map(owners).transpose()?,
        })
    }

    /// Whether that CMK wraps for that org, as far as the host told.
    pub(super) fn check_cmk(&self, org: &str, cmk: &str) -> Result<(), Error> {
        match &self.cmks {
            Some(owners) if owners.get(cmk.as_bytes()).is_none_or(|owner| owner != org) => Err(Error::KeyIdUnexpected),
            _ => Ok(()),
        }
    }
}

/// The org of each CMK. One under two orgs would let either read what is the other's.
fn owners(cmks: &[(String, Vec<String>)]) -> Result<Map<String>, Error> {
    let mut owners = Map::default();
    for (org, listed) in cmks {
        check(org)?;
        for cmk in listed {
            let before = owners.insert(check_cmk(cmk)?.as_bytes(), org.clone());
            if before.is_some_and(|before| *before != *org) {
                return Err(Error::BadInput);
            }
        }
    }
    Ok(owners)
}

/// From 1 to `most`; absent is `default`.
fn in_range(value: Option<u64>, default: u64, most: u64) -> Result<u64, Error> {
    match value.unwrap_or(default) {
        0 => Err(Error::BadInput),
        value if value > most => Err(Error::Limit),
        value => Ok(value),
    }
}

fn whole(members: &mut Members<'_>, name: &str) -> Result<Option<u64>, Error> {
    members.take(name).map(|value| value.whole().ok_or(Error::BadInput)).transpose()
}

fn text(members: &mut Members<'_>, name: &str) -> Result<Option<String>, Error> {
    members.take(name).map(text_of).transpose()
}

fn text_of(value: Value<'_>) -> Result<String, Error> {
    value.text().flatten().ok_or(Error::BadInput)
}

fn cmk_list(value: Value<'_>) -> Result<Vec<String>, Error> {
    value.items().ok_or(Error::BadInput)?.map(text_of).collect()
}

fn version(value: Value<'_>) -> Result<u32, Error> {
    value.whole().and_then(|version| u32::try_from(version).ok()).ok_or(Error::BadInput)
}

/// An object of orgs, each named once.
fn by_org(value: Value<'_>) -> Result<Vec<(String, Value<'_>)>, Error> {
    let mut seen = Map::default();
    let mut orgs = Vec::new();
    for (org, value) in value.members().ok_or(Error::BadInput)?.into_entries() {
        let org = org.ok_or(Error::BadInput)?;
        if seen.insert(org.as_bytes(), ()).is_some() {
            return Err(Error::BadInput);
        }
        orgs.push((org, value));
    }
    Ok(orgs)
}
