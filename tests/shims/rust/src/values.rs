//! A line's values and the core's.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use strongroom::{Binding, Error, Scope};

/// Why a line has no `out`: an error of the core, or a fault of the line or the shim.
pub(crate) enum Stop {
    Core(Error),
    Crash(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<String> for Stop {
    fn from(reason: String) -> Self {
        Self::Crash(reason)
    }
}

impl From<serde_json::Error> for Stop {
    fn from(error: serde_json::Error) -> Self {
        Self::Crash(error.to_string())
    }
}

pub(crate) type Out<T = Value> = Result<T, Stop>;

/// The members of an object, each as it was spelt: the core reads rows and options itself.
pub(crate) struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    pub(crate) fn read(json: &'a str) -> Out<Self> {
        Ok(Self(serde_json::from_str(json)?))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn raw(&self, name: &str) -> Out<&'a str> {
        // What a typed host can't leave out or get wrong is a bad input for all of them.
        self.0.get(name).map(|raw| raw.get()).ok_or(Stop::Core(Error::BadInput))
    }

    pub(crate) fn object(&self, name: &str) -> Out<Members<'a>> {
        Self::read(self.raw(name)?)
    }

    pub(crate) fn list(&self, name: &str) -> Out<Vec<&'a RawValue>> {
        Ok(serde_json::from_str(self.raw(name)?)?)
    }

    /// A string that a `&str` can hold.
    pub(crate) fn text(&self, name: &str) -> Out<String> {
        match held(serde_json::from_str(self.raw(name)?)?)? {
            Value::String(text) => Ok(text),
            _ => Err(Error::BadInput.into()),
        }
    }

    pub(crate) fn opt_text(&self, name: &str) -> Out<Option<String>> {
        if self.has(name) { self.text(name).map(Some) } else { Ok(None) }
    }

    pub(crate) fn bytes(&self, name: &str) -> Out<Vec<u8>> {
        unhex(self.raw(name)?.trim_matches('"'))
    }

    pub(crate) fn opt_bytes(&self, name: &str) -> Out<Option<Vec<u8>>> {
        if self.has(name) { self.bytes(name).map(Some) } else { Ok(None) }
    }

    /// A decimal string.
    pub(crate) fn u64(&self, name: &str) -> Out<u64> {
        self.raw(name)?.trim_matches('"').parse().map_err(|_| Error::BadInput.into())
    }

    /// A number that its type holds.
    pub(crate) fn number<T: TryFrom<u64>>(&self, name: &str) -> Out<T> {
        let number = self.raw(name)?.parse().map_err(|_| Error::BadInput)?;
        T::try_from(number).map_err(|_| Error::BadInput.into())
    }

    pub(crate) fn flag(&self, name: &str) -> Out<Option<bool>> {
        match self.0.get(name).map(|raw| raw.get()) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Error::BadInput.into()),
        }
    }

    pub(crate) fn scope(&self) -> Out<Option<Scope>> {
        match self.opt_text("scope")?.as_deref() {
            None => Ok(None),
            Some("org") => Ok(Some(Scope::Org)),
            Some("record") => Ok(Some(Scope::Record)),
            Some(_) => Err(Error::BadInput.into()),
        }
    }

    /// JSON for the core, as it was spelt but for strings that come as units.
    pub(crate) fn json(&self, name: &str) -> Out<String> {
        let raw = self.raw(name)?;
        if raw.contains("\"utf8\"") || raw.contains("\"utf16\"") {
            return Ok(held(serde_json::from_str(raw)?)?.to_string());
        }
        Ok(raw.to_owned())
    }

    pub(crate) fn place(&self, name: &str) -> Out<Place> {
        Place::read(&self.object(name)?)
    }
}

/// An owned binding.
pub(crate) struct Place {
    parts: [String; 4],
    revision: Option<u64>,
}

impl Place {
    fn read(members: &Members<'_>) -> Out<Self> {
        let parts = [members.text("org")?, members.text("table")?, members.text("record")?, members.text("field")?];
        let revision = if members.has("revision") { Some(members.u64("revision")?) } else { None };
        Ok(Self { parts, revision })
    }

    pub(crate) fn binding(&self) -> Result<Binding<'_>, Error> {
        let [org, table, record, field] = &self.parts;
        let binding = Binding::new(org, table, record, field)?;
        Ok(self.revision.map_or(binding, |revision| binding.with_revision(revision)))
    }
}

/// Replaces every string given as bytes or units by the string; one that a `&str` can't hold is
/// the host's bad input.
fn held(value: Value) -> Out {
    match value {
        Value::Object(members) => match (members.len(), members.get("utf8"), members.get("utf16")) {
            (1, Some(Value::String(hex)), None) => {
                Ok(Value::String(String::from_utf8(unhex(hex)?).map_err(|_| Error::BadInput)?))
            }
            (1, None, Some(Value::String(hex))) => {
                let units: Vec<u16> =
                    unhex(hex)?.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
                Ok(Value::String(String::from_utf16(&units).map_err(|_| Error::BadInput)?))
            }
            _ => members
                .into_iter()
                .map(|(name, member)| Ok((name, held(member)?)))
                .collect::<Out<Map<_, _>>>()
                .map(Value::Object),
        },
        Value::Array(items) => items.into_iter().map(held).collect::<Out<_>>().map(Value::Array),
        other => Ok(other),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> Value {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('?');
    Value::String(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

pub(crate) fn unhex(text: &str) -> Out<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Stop::Crash("hex of odd length".into()));
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect::<Option<_>>()
        .ok_or_else(|| Stop::Crash("not hex".into()))
}
