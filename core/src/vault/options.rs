//! The options of a vault (DESIGN 7).

use alloc::string::String;
use alloc::vec::Vec;

use crate::Error;
use crate::cache::MAX_LIFE;
use crate::envelope::{DEFAULT_FIELD_LIMIT, MAX_FIELD_LIMIT};
use crate::json::{Members, Value, read_object};
use crate::kms::{Endpoints, check_cmk, check_region};
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
        let mut options = Self::default();
        options.read(read_object(json).ok_or(Error::BadInput)?)?;
        Ok(options)
    }

    fn read(&mut self, mut members: Members<'_>) -> Result<(), Error> {
        whole(&mut members, "ttl", &mut self.ttl)?;
        whole(&mut members, "seal_limit", &mut self.seal_limit)?;
        whole(&mut members, "field_limit", &mut self.field_limit)?;
        text(&mut members, "session", &mut self.session)?;
        text(&mut members, "region", &mut self.region)?;
        text(&mut members, "danger_endpoint", &mut self.danger_endpoint)?;
        if let Some(value) = members.take("cmks") {
            let cmks = self.cmks.insert(Vec::new());
            by_org(value, &mut |org, value| {
                let mut list = Vec::new();
                for (_, item) in &value.items()? {
                    list.push(item.text()??);
                }
                cmks.push((org, list));
                Some(())
            })
            .ok_or(Error::BadInput)?;
        }
        if let Some(value) = members.take("min_versions") {
            by_org(value, &mut |org, value| {
                self.min_versions.push((org, u32::try_from(value.whole()?).ok()?));
                Some(())
            })
            .ok_or(Error::BadInput)?;
        }
        match members.into_entries().first() {
            None => Ok(()),
            // Named a second time.
            Some((name, _)) if name.text().flatten().is_some_and(|name| KNOWN.contains(&&*name)) => {
                Err(Error::BadInput)
            }
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
    /// Before [`Self::read`].
    pub(super) const NEW: Self =
        Self { ttl: 0, session: None, seal_limit: 0, field_limit: 0, endpoints: Endpoints::NEW, cmks: None };

    /// Takes the options over.
    pub(super) fn read(&mut self, options: &VaultOptions) -> Result<(), Error> {
        for text in [&options.session, &options.region, &options.danger_endpoint].into_iter().flatten() {
            check(text)?;
        }
        for (org, version) in &options.min_versions {
            check(org)?;
            if *version == 0 {
                return Err(Error::BadInput);
            }
        }
        let mut field_limit = 0;
        in_range(options.field_limit, DEFAULT_FIELD_LIMIT as u64, MAX_FIELD_LIMIT as u64, &mut field_limit)?;
        self.field_limit = usize::try_from(field_limit).map_err(|_| Error::Limit)?;
        in_range(options.ttl, MAX_LIFE, MAX_LIFE, &mut self.ttl)?;
        in_range(options.seal_limit, DEFAULT_SEALS, MAX_SEALS, &mut self.seal_limit)?;
        let region = options.region.as_deref().unwrap_or("us-east-1");
        check_region(region)?;
        if let Some(cmks) = &options.cmks {
            own(cmks, self.cmks.insert(Map::NEW))?;
        }
        self.session = options.session.clone();
        self.endpoints.region.push_str(region);
        self.endpoints.danger = options.danger_endpoint.clone();
        Ok(())
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
fn own(cmks: &[(String, Vec<String>)], owners: &mut Map<String>) -> Result<(), Error> {
    for (org, listed) in cmks {
        check(org)?;
        for cmk in listed {
            check_cmk(cmk)?;
            let before = owners.insert(cmk.as_bytes(), org.clone());
            if before.is_some_and(|before| *before != *org) {
                return Err(Error::BadInput);
            }
        }
    }
    Ok(())
}

/// From 1 to `most`; absent is `default`.
fn in_range(value: Option<u64>, default: u64, most: u64, place: &mut u64) -> Result<(), Error> {
    *place = value.unwrap_or(default);
    match *place {
        0 => Err(Error::BadInput),
        value if value > most => Err(Error::Limit),
        _ => Ok(()),
    }
}

fn whole(members: &mut Members<'_>, name: &str, place: &mut Option<u64>) -> Result<(), Error> {
    if let Some(value) = members.take(name) {
        *place = Some(value.whole().ok_or(Error::BadInput)?);
    }
    Ok(())
}

fn text(members: &mut Members<'_>, name: &str, place: &mut Option<String>) -> Result<(), Error> {
    if let Some(value) = members.take(name) {
        *place = Some(text_of(value)?);
    }
    Ok(())
}

fn text_of(value: Value<'_>) -> Result<String, Error> {
    value.text().flatten().ok_or(Error::BadInput)
}

/// Hands on the members of an object of orgs, each named once.
fn by_org<'a>(value: Value<'a>, each: &mut dyn FnMut(String, Value<'a>) -> Option<()>) -> Option<()> {
    let mut seen = Map::NEW;
    for (org, value) in &value.members()?.into_entries() {
        let org = org.text()??;
        if seen.insert(org.as_bytes(), ()).is_some() {
            return None;
        }
        each(org, *value)?;
    }
    Some(())
}
