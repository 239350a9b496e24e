//! The wrap row (DESIGN 3.5) and its KMS encryption context (3.6).

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::take;

use sha2::{Digest, Sha256};

use crate::base64::Base64;
use crate::json::{Members, Value, Writer, decimal, hex, read_object};
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
pub struct WrapRow(Arc<RowParts>);

/// What a row says. Shared, because a request, its answer and the row to store are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowParts {
    pub(crate) purpose: Purpose,
    pub(crate) identity: Identity,
    pub(crate) reader: String,
    pub(crate) created: u64,
    pub(crate) dek_ref: DekRef,
    pub(crate) provider: Provider,
    pub(crate) key_id: String,
    pub(crate) blob: Vec<u8>,
}

impl From<RowParts> for WrapRow {
    fn from(parts: RowParts) -> Self {
        Self(Arc::new(parts))
    }
}

/// A row's members as they are spelt. One place for all of them, which each is read into, because
/// the machine code for as many texts that are handed on one by one is several times as long.
struct Spelt {
    purpose: Purpose,
    owner: String,
    reader: String,
    table: String,
    record: String,
    version: u64,
    created: u64,
    dek_ref: String,
    provider: Provider,
    key_id: String,
    blob: String,
}

impl Spelt {
    /// Before [`Self::read`].
    const NEW: Self = Self {
        purpose: Purpose::OrgDek,
        owner: String::new(),
        reader: String::new(),
        table: String::new(),
        record: String::new(),
        version: 0,
        created: 0,
        dek_ref: String::new(),
        provider: Provider::Local,
        key_id: String::new(),
        blob: String::new(),
    };

    fn read(&mut self, members: &mut Members<'_>) -> Result<(), Error> {
        check_v(members)?;
        let mut name = String::new();
        token(members, "purpose", &mut name)?;
        self.purpose = Purpose::from_name(&name).ok_or(Error::RowInconsistent)?;
        string(members, "owner", &mut self.owner)?;
        string(members, "reader", &mut self.reader)?;
        if self.purpose != Purpose::OrgDek {
            string(members, "table", &mut self.table)?;
            string(members, "record", &mut self.record)?;
        }
        whole(members, "version", &mut self.version)?;
        whole(members, "created", &mut self.created)?;
        token(members, "dekRef", &mut self.dek_ref)?;
        token(members, "provider", &mut name)?;
        if name == Provider::AwsKms.name() {
            self.provider = Provider::AwsKms;
        } else if name != Provider::Local.name() {
            return Err(Error::RowInconsistent);
        }
        token(members, "keyId", &mut self.key_id)?;
        check_key_id(&self.key_id)?;
        token(members, "blob", &mut self.blob)?;
        if members.is_empty() && self.created <= MAX_CREATED { Ok(()) } else { Err(Error::RowInconsistent) }
    }

    fn row(&mut self) -> Result<WrapRow, Error> {
        let version = u32::try_from(self.version).unwrap_or(0);
        let identity = match self.purpose {
            Purpose::OrgDek => Identity::org(&self.owner, version),
            _ => Identity::record(&self.owner, &self.table, &self.record, version),
        };
        let mut row = RowParts {
            purpose: self.purpose,
            identity: identity.map_err(|_| Error::RowInconsistent)?,
            reader: take(&mut self.reader),
            created: self.created,
            dek_ref: DekRef::from([0; DekRef::LEN]),
            provider: self.provider,
            key_id: take(&mut self.key_id),
            blob: Vec::new(),
        };
        row.dek_ref.read(&self.dek_ref).ok_or(Error::RowInconsistent)?;
        row.blob = Base64::Standard.decode(&self.blob).ok_or(Error::RowInconsistent)?;
        row.check()?;
        Ok(row.into())
    }
}

impl RowParts {
    fn check(&self) -> Result<(), Error> {
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
        Ok(())
    }
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
        let mut spelt = Spelt::NEW;
        spelt.read(&mut members)?;
        spelt.row()
    }

    pub(crate) fn parts(&self) -> &RowParts {
        &self.0
    }

    /// Where what became known of it since is filled in; it must not be shared.
    ///
    /// # Errors
    /// [`Error::Internal`] if it is.
    pub(crate) fn parts_mut(&mut self) -> Result<&mut RowParts, Error> {
        Arc::get_mut(&mut self.0).ok_or(Error::Internal)
    }

    /// Under what the row is stored.
    #[must_use]
    pub fn key(&self) -> RowKey {
        RowKey { dek_ref: self.0.dek_ref, reader: self.0.reader.clone(), key_id: self.0.key_id.clone() }
    }

    /// The row as JSON, members in the order of the specification.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = Writer::object();
        self.write(&mut object);
        object.end()
    }

    /// The row's members.
    pub(crate) fn write(&self, object: &mut Writer) {
        object.number("v", 1);
        object.text("purpose", self.0.purpose.name());
        object.text("owner", self.0.identity.owner());
        object.text("reader", &self.0.reader);
        if self.0.identity.kind() == DekKind::Record {
            object.text("table", self.0.identity.table());
            object.text("record", self.0.identity.record_id());
        }
        object.number("version", self.0.identity.version().into());
        object.number("created", self.0.created);
        object.dek_ref(&self.0.dek_ref);
        object.text("provider", self.0.provider.name());
        object.text("keyId", &self.0.key_id);
        object.text("blob", &Base64::Standard.encode(&self.0.blob));
    }

    /// The KMS encryption context of a row that a CMK wrapped.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a local row: it has none.
    pub fn encryption_context(&self) -> Result<Vec<(&'static str, String)>, Error> {
        if self.0.provider == Provider::Local {
            return Err(Error::BadInput);
        }
        Ok(self.context())
    }

    /// Exactly the pairs of DESIGN 3.6.
    pub(crate) fn context(&self) -> Vec<(&'static str, String)> {
        let mut context = Vec::new();
        let mut add = |key, value| context.push((key, value));
        add("strongroom-purpose", self.0.purpose.name().to_string());
        add("strongroom-org", context_value(&self.0.reader));
        add("strongroom-owner", context_value(self.owner()));
        add("strongroom-version", decimal(self.version().into()));
        add("strongroom-created", decimal(self.0.created));
        // While an org DEK is being minted its reference isn't known.
        if self.0.identity.kind() == DekKind::Record {
            add("strongroom-dek", self.0.dek_ref.to_text());
            add("strongroom-resource", resource(&self.0.identity));
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

    /// What the wrap is for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.0.purpose
    }

    /// The org to which the record belongs.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.0.identity.owner()
    }

    /// The org that can unwrap.
    #[must_use]
    pub fn reader(&self) -> &str {
        &self.0.reader
    }

    /// Table and record, for a record DEK.
    #[must_use]
    pub fn place(&self) -> Option<(&str, &str)> {
        (self.0.identity.kind() == DekKind::Record).then(|| (self.0.identity.table(), self.0.identity.record_id()))
    }

    /// The DEK's version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.0.identity.version()
    }

    /// When the DEK was wrapped, in unix seconds.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.0.created
    }

    /// The DEK.
    #[must_use]
    pub fn dek_ref(&self) -> &DekRef {
        &self.0.dek_ref
    }

    /// Who wrapped.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.0.provider
    }

    /// The CMK's key ARN, or the `dek_ref` of the reader's org DEK.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.0.key_id
    }

    /// The wrapped DEK.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.0.blob
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
        let (mut dek_ref, mut reader, mut key_id) = (String::new(), String::new(), String::new());
        token(&mut members, "dekRef", &mut dek_ref)?;
        let dek_ref = DekRef::from_text(&dek_ref).ok_or(Error::RowInconsistent)?;
        string(&mut members, "reader", &mut reader)?;
        token(&mut members, "keyId", &mut key_id)?;
        check_key_id(&key_id)?;
        if members.is_empty() { Ok(Self { dek_ref, reader, key_id }) } else { Err(Error::RowInconsistent) }
    }

    /// The key as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = Writer::object();
        object.dek_ref(&self.dek_ref);
        object.text("reader", &self.reader);
        object.text("keyId", &self.key_id);
        object.end()
    }
}

/// Appends what the AAD of a local wrap says of its row.
pub(crate) fn push_wrap_context(context: &mut Vec<u8>, row: &RowParts) {
    let identity = &row.identity;
    context.push(row.purpose.number());
    context.extend_from_slice(&identity.version().to_be_bytes());
    context.extend_from_slice(&row.created.to_be_bytes());
    for part in [identity.owner(), &row.reader, identity.table(), identity.record_id()] {
        push_lp(context, part);
    }
    context.extend_from_slice(row.dek_ref.as_bytes());
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
    let mut text = String::new();
    for byte in digest.iter().take(16) {
        for digit in [byte >> 4, *byte] {
            text.push(char::from(hex(digit)));
        }
    }
    text
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
pub(super) fn string(members: &mut Members<'_>, name: &str, place: &mut String) -> Result<(), Error> {
    token(members, name, place)?;
    check(place)
}

/// A text member of any length. Ill-formed ones are bad input, as every string.
pub(super) fn token(members: &mut Members<'_>, name: &str, place: &mut String) -> Result<(), Error> {
    let text = members.take(name).and_then(Value::text).ok_or(Error::RowInconsistent)?;
    *place = text.ok_or(Error::BadInput)?;
    Ok(())
}

pub(super) fn whole(members: &mut Members<'_>, name: &str, place: &mut u64) -> Result<(), Error> {
    *place = members.take(name).and_then(Value::whole).ok_or(Error::RowInconsistent)?;
    Ok(())
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
