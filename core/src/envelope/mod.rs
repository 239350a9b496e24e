//! The sealed form of one field: frame, printable form and what can be read without a key.

#[cfg(feature = "external-aead")]
pub(crate) mod external;
pub(crate) mod v1;

use alloc::string::String;
use alloc::vec::Vec;

pub(crate) use v1::{AAD_HEADER, Frame, seal_into};

use crate::base64::Base64;
use crate::{DekRef, Error, json};

/// Bytes that an envelope adds to its ciphertext: header, IV and tag.
pub const OVERHEAD: usize = v1::OVERHEAD;

/// The largest field that any vault can be told to take, in bytes (64 MiB).
pub const MAX_FIELD_LIMIT: usize = 64 * 1_024 * 1_024;

/// The largest field without the option `field_limit`, in bytes (16 MiB).
pub const DEFAULT_FIELD_LIMIT: usize = 16 * 1_024 * 1_024;

/// How many bytes the envelope of `plaintext_len` bytes has. Padding fills up to 64 bytes.
#[must_use]
pub const fn sealed_len(plaintext_len: usize, padded: bool) -> usize {
    v1::ciphertext_len(plaintext_len, padded).saturating_add(OVERHEAD)
}

/// What stands in an envelope's first bytes. Nothing of it is authenticated: whoever can write
/// the envelope can write this. Good for finding rows and for reports, never for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UntrustedHeader {
    /// The format version.
    pub version: u8,
    /// The suite.
    pub suite: u8,
    /// Whether the plaintext is padded to hide its length.
    pub padded: bool,
    /// The DEK that the envelope claims.
    pub dek_ref: DekRef,
    /// Bytes of ciphertext without the tag.
    pub ct_len: u32,
}

impl UntrustedHeader {
    /// `{"version":1,"suite":1,"padded":false,"dekRef":"...","ctLen":0}`
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = json::Writer::object();
        object.number("version", self.version.into());
        object.number("suite", self.suite.into());
        object.boolean("padded", self.padded);
        object.dek_ref(&self.dek_ref);
        object.number("ctLen", self.ct_len.into());
        object.end()
    }
}

/// Reads an envelope's frame without any key.
///
/// # Errors
/// The format errors, in the order in which the bytes are read: [`Error::NotAnEnvelope`],
/// [`Error::UnsupportedVersion`], [`Error::UnsupportedSuite`], [`Error::Malformed`],
/// [`Error::Truncated`]; [`Error::Limit`] above 64 MiB.
pub fn inspect(envelope: &[u8]) -> Result<UntrustedHeader, Error> {
    Frame::read(envelope, MAX_FIELD_LIMIT).map(|frame| frame.header())
}

/// The printable form: `sr1.` and base64url without padding of the whole envelope.
///
/// # Errors
/// As [`inspect`].
pub fn to_text(envelope: &[u8]) -> Result<String, Error> {
    inspect(envelope)?;
    let mut text = String::from(TEXT_PREFIX);
    text.push_str(&Base64::Url.encode(envelope));
    Ok(text)
}

/// The envelope of a printable form. Each envelope has one spelling only.
///
/// # Errors
/// [`Error::NotAnEnvelope`] without the prefix, [`Error::Malformed`] for any other spelling, then
/// as [`inspect`].
pub fn from_text(text: &str) -> Result<Vec<u8>, Error> {
    let body = text.strip_prefix(TEXT_PREFIX).ok_or(Error::NotAnEnvelope)?;
    let envelope = Base64::Url.decode(body).ok_or(Error::Malformed)?;
    inspect(&envelope)?;
    Ok(envelope)
}

const TEXT_PREFIX: &str = "sr1.";
