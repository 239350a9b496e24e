//! The wrap row (DESIGN 3.5) and its KMS encryption context (3.6).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::base64::Base64;
use crate::json::{Members, Value, Writer, decimal, read_object};
use crate::text::{check, check_key_id, push_lp};
use crate::{DekKind, DekRef, Error, Identity};

/// The largest KMS blob, in bytes.
pub const MAX_BLOB: usize = 6_144;

/// The largest `created`: what JavaScript can hold exactly.
pub(crate) const MAX_CREATED: u64 = (1 << 53) - 1;

/// What a wrap is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An org DEK under its own org's CMK.
    OrgDek,
    /// A record DEK for its owner.
    RecordDek,
    /// A record DEK for another org.
    Share,
}

impl Purpose {
    /// The spelling in rows and encryption contexts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrgDek => "org-dek",
            Self::RecordDek => "record-dek",
            Self::Share => "share",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::OrgDek, Self::RecordDek, Self::Share].into_iter().find(|purpose| purpose.name() == name)
    }

    const fn number(self) -> u8 {
        match self {
            Self::OrgDek => 1,
            Self::RecordDek => 2,
            Self::Share => 3,
        }
    }
}

/// Who wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// A CMK in AWS KMS.
    AwsKms,
    /// The reader's org DEK.
    Local,
}

impl Provider {
    /// The spelling in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwsKms => "aws-kms",
            Self::Local => "local",
        }
    }
}

/// The stored record around a wrap. Immutable; stored put-if-absent under (dekRef, reader, keyId).
///
/// A row is storage's word. Nothing of it is believed until its DEK came out and matched `dekRef`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrapRow {
    pub(crate) purpose: Purpose,
    pub(crate) identity: Identity,
    pub(crate) reader: String,
    pub(crate) created: u64,
    pub(crate) dek_ref: DekRef,
    pub(crate) provider: Provider,
    pub(crate) key_id: String,
    pub(crate) blob: Vec<u8>,
}

impl WrapRow {
    /// Reads a stored row: a flat JSON object with exactly the known members, each once.
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] if `v` is another number than 1; [`Error::RowInconsistent`] if
    /// members are missing, unknown, of a wrong type, not in their one spelling or at odds;
    /// [`Error::BadInput`] or [`Error::Limit`] for a string in it; [`Error::Limit`] for a blob over 6,144 bytes.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let mut members = read_object(json).ok_or(Error::RowInconsistent)?;
        check_v(&mut members)?;
        let purpose = Purpose::from_name(&token(&mut members, "purpose")?).ok_or(Error::RowInconsistent)?;
        let owner = string(&mut members, "owner")?;
        let reader = string(&mut members, "reader")?;
        let place = match purpose {
            Purpose::OrgDek => None,
            Purpose::RecordDek | Purpose::Share => {
                Some((string(&mut members, "table")?, string(&mut members, "record")?))
            }
        };
        let version = whole(&mut members, "version")?;
        let created = whole(&mut members, "created")?;
        let dek_ref = token(&mut members, "dekRef")?;
        let provider = match token(&mut members, "provider")?.as_str() {
            "aws-kms" => Provider::AwsKms,
            "local" => Provider::Local,
            _ => return Err(Error::RowInconsistent),
        };
        let key_id = token(&mut members, "keyId")?;
        check_key_id(&key_id)?;
        let blob = token(&mut members, "blob")?;
        if !members.is_empty() || created > MAX_CREATED {
            return Err(Error::RowInconsistent);
        }
        let version = u32::try_from(version).map_err(|_| Error::RowInconsistent)?;
        let identity = match place {
            None => Identity::org(&owner, version),
            Some((table, record)) => Identity::record(&owner, &table, &record, version),
        }
        .map_err(|_| Error::RowInconsistent)?;
        let row = Self {
            purpose,
            identity,
            reader,
            created,
            dek_ref: DekRef::from_text(&dek_ref).ok_or(Error::RowInconsistent)?,
            provider,
            key_id,
            blob: Base64::Standard.decode(&blob).ok_or(Error::RowInconsistent)?,
        };
        row.check()
    }

    fn check(self) -> Result<Self, Error> {
        let own = self.reader == self.identity.owner();
        let local = self.provider == Provider::Local;
        if own == (self.purpose == Purpose::Share)
            || (local && (self.purpose == Purpose::OrgDek || DekRef::from_text(&self.key_id).is_none()))
            || self.blob.is_empty()
        {
            return Err(Error::RowInconsistent);
        }
        if self.blob.len() > MAX_BLOB {
            return Err(Error::Limit);
        }
        Ok(self)
    }

    /// Under what the row is stored.
    #[must_use]
    pub fn key(&self) -> RowKey {
        RowKey { dek_ref: self.dek_ref, reader: self.reader.clone(), key_id: self.key_id.clone() }
    }

    /// The row as JSON, members in the order of the specification.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = Writer::object();
        object.number("v", 1);
        object.text("purpose", self.purpose.name());
        object.text("owner", self.identity.owner());
        object.text("reader", &self.reader);
        if self.identity.kind() == DekKind::Record {
            object.text("table", self.identity.table());
            object.text("record", self.identity.record_id());
        }
        object.number("version", self.identity.version().into());
        object.number("created", self.created);
        object.text("dekRef", &self.dek_ref.to_text());
        object.text("provider", self.provider.name());
        object.text("keyId", &self.key_id);
        object.text("blob", &Base64::Standard.encode(&self.blob));
        object.end()
    }

    /// The KMS encryption context of a row that a CMK wrapped.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a local row: it has none.
    pub fn encryption_context(&self) -> Result<Vec<(&'static str, String)>, Error> {
        if self.provider == Provider::Local {
            return Err(Error::BadInput);
        }
        Ok(self.context())
    }

    /// Exactly the pairs of DESIGN 3.6.
    pub(crate) fn context(&self) -> Vec<(&'static str, String)> {
        let mut context = alloc::vec![
            ("strongroom-purpose", self.purpose.name().to_string()),
            ("strongroom-org", context_value(&self.reader)),
            ("strongroom-owner", context_value(self.owner())),
            ("strongroom-version", decimal(self.version().into())),
            ("strongroom-created", decimal(self.created)),
        ];
        // While an org DEK is being minted its reference isn't known.
        if self.identity.kind() == DekKind::Record {
            context.push(("strongroom-dek", self.dek_ref.to_text()));
            context.push(("strongroom-resource", resource(&self.identity)));
        }
        context
    }

    /// [`Self::encryption_context`] as a JSON object.
    ///
    /// # Errors
    /// As there.
    pub fn encryption_context_json(&self) -> Result<String, Error> {
        let mut object = Writer::object();
        for (key, value) in self.encryption_context()? {
            object.text(key, &value);
        }
        Ok(object.end())
    }

    /// What the local wrap's AAD holds of the row.
    pub(crate) fn wrap_context(&self) -> Vec<u8> {
        wrap_context(self.purpose, &self.identity, &self.reader, self.created, &self.dek_ref)
    }

    /// What the wrap is for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The org to which the record belongs.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.identity.owner()
    }

    /// The org that can unwrap.
    #[must_use]
    pub fn reader(&self) -> &str {
        &self.reader
    }

    /// Table and record, for a record DEK.
    #[must_use]
    pub fn place(&self) -> Option<(&str, &str)> {
        (self.identity.kind() == DekKind::Record).then(|| (self.identity.table(), self.identity.record_id()))
    }

    /// The DEK's version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.identity.version()
    }

    /// When the DEK was wrapped, in unix seconds.
    #[must_use]
    pub const fn created(&self) -> u64 {
        self.created
    }

    /// The DEK.
    #[must_use]
    pub const fn dek_ref(&self) -> &DekRef {
        &self.dek_ref
    }

    /// Who wrapped.
    #[must_use]
    pub const fn provider(&self) -> Provider {
        self.provider
    }

    /// The CMK's key ARN, or the `dek_ref` of the reader's org DEK.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The wrapped DEK.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

/// Under what a row is stored: several rows may wrap one DEK for one reader.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// The DEK.
    pub dek_ref: DekRef,
    /// The org that can unwrap.
    pub reader: String,
    /// What wrapped it.
    pub key_id: String,
}

impl RowKey {
    /// Reads `{dekRef, reader, keyId}`, exactly.
    ///
    /// # Errors
    /// [`Error::RowInconsistent`] if members are missing, unknown or misspelt; [`Error::BadInput`] or
    /// [`Error::Limit`] for a string in it.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let mut members = read_object(json).ok_or(Error::RowInconsistent)?;
        let dek_ref = DekRef::from_text(&token(&mut members, "dekRef")?).ok_or(Error::RowInconsistent)?;
        let reader = string(&mut members, "reader")?;
        let key_id = token(&mut members, "keyId")?;
        check_key_id(&key_id)?;
        if members.is_empty() { Ok(Self { dek_ref, reader, key_id }) } else { Err(Error::RowInconsistent) }
    }

    /// The key as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = Writer::object();
        object.text("dekRef", &self.dek_ref.to_text());
        object.text("reader", &self.reader);
        object.text("keyId", &self.key_id);
        object.end()
    }
}

pub(crate) fn wrap_context(
    purpose: Purpose,
    identity: &Identity,
    reader: &str,
    created: u64,
    dek_ref: &DekRef,
) -> Vec<u8> {
    let mut context = Vec::new();
    context.push(purpose.number());
    context.extend_from_slice(&identity.version().to_be_bytes());
    context.extend_from_slice(&created.to_be_bytes());
    for part in [identity.owner(), reader, identity.table(), identity.record_id()] {
        push_lp(&mut context, part);
    }
    context.extend_from_slice(dek_ref.as_bytes());
    context
}

/// A value as it is where KMS and its policies take it so, else base64url behind a mark.
fn context_value(value: &str) -> String {
    let plain = value.len() <= 256
        && !value.starts_with(CODED)
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/@+=-".contains(&byte));
    if plain {
        return value.to_string();
    }
    let mut coded = String::from(CODED);
    coded.push_str(&Base64::Url.encode(value.as_bytes()));
    coded
}

/// Names a record in the KMS's audit log without naming it in clear.
fn resource(identity: &Identity) -> String {
    let digest = record_digest(b"strongroom/v1/resource\0", identity.owner(), identity.table(), identity.record_id());
    let mut hex = String::new();
    for byte in digest.iter().take(16) {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    hex
}

/// SHA-256 over the place of a record, behind a label.
pub(crate) fn record_digest(label: &[u8], owner: &str, table: &str, record: &str) -> [u8; 32] {
    let mut message = label.to_vec();
    for part in [owner, table, record] {
        push_lp(&mut message, part);
    }
    Sha256::digest(&message).into()
}

const CODED: &str = "b64.";

pub(super) fn check_v(members: &mut Members<'_>) -> Result<(), Error> {
    match members.take("v") {
        Some(version) if version.whole() == Some(1) => Ok(()),
        Some(version) if version.is_number() => Err(Error::UnsupportedVersion),
        _ => Err(Error::RowInconsistent),
    }
}

/// A member that every host treats as a string: the rules for strings apply.
pub(super) fn string(members: &mut Members<'_>, name: &str) -> Result<String, Error> {
    let text = token(members, name)?;
    check(&text)?;
    Ok(text)
}

/// A text member of any length. Ill-formed ones are bad input, as every string.
pub(super) fn token(members: &mut Members<'_>, name: &str) -> Result<String, Error> {
    let text = members.take(name).and_then(Value::text).ok_or(Error::RowInconsistent)?;
    text.ok_or(Error::BadInput)
}

pub(super) fn whole(members: &mut Members<'_>, name: &str) -> Result<u64, Error> {
    members.take(name).and_then(Value::whole).ok_or(Error::RowInconsistent)
}

#[cfg(test)]
mod tests {
    use super::context_value;

    #[test]
    fn context_values_are_coded_where_kms_would_not_take_them_as_they_are() {
        assert_eq!(context_value("a.Z_9:/@+=-"), "a.Z_9:/@+=-");
        assert_eq!(context_value("a b"), "b64.YSBi");
        assert_eq!(context_value("b64.x"), "b64.YjY0Lng");
        assert_eq!(context_value("*"), "b64.Kg");
        assert!(context_value(&"a".repeat(257)).starts_with("b64."));
    }
}
