//! What needs no vault.

use napi_derive::napi;
use strongroom::{Error, WrapRow};

use crate::values::{Bytes, Copied, Flag, Result, Text, Whole, guard};

/// `strongroom X.Y.Z format 1 aes=BACKEND`.
#[napi(catch_unwind)]
pub(crate) fn version() -> Result<String> {
    guard(|| Ok(strongroom::version()))
}

/// Every error as JSON, `[[number, name, text], ...]`.
#[napi(catch_unwind)]
pub(crate) fn error_table() -> Result<String> {
    guard(|| {
        // Names and texts are the core's own constants: letters, digits, punctuation.
        let entries: Vec<String> = Error::ALL
            .iter()
            .map(|error| format!("[{},\"{}\",\"{}\"]", error.number(), error.name(), error.text()))
            .collect();
        Ok(format!("[{}]", entries.join(",")))
    })
}

/// Throws unless the endpoint is the FIPS endpoint of the region.
#[napi(catch_unwind)]
pub(crate) fn assert_fips_endpoint(endpoint: Text, region: Text) -> Result<()> {
    guard(|| strongroom::assert_fips_endpoint(endpoint.as_str()?, region.as_str()?))
}

/// How long the envelope of a plaintext of `length` bytes is.
#[napi(catch_unwind)]
pub(crate) fn sealed_length(length: Whole, padded: Flag) -> Result<f64> {
    guard(|| {
        let length = strongroom::sealed_len(length.get()?, padded.get()?);
        Ok(f64::from(u32::try_from(length).map_err(|_| Error::Limit)?))
    })
}

/// An envelope's header as JSON. Nothing in it is authenticated.
#[napi(catch_unwind)]
pub(crate) fn inspect(envelope: Bytes) -> Result<String> {
    guard(|| Ok(strongroom::inspect(envelope.read()?)?.to_json()))
}

/// The printable form of an envelope.
#[napi(catch_unwind)]
pub(crate) fn to_text(envelope: Bytes) -> Result<String> {
    guard(|| strongroom::to_text(envelope.read()?))
}

/// The envelope of a printable form.
#[napi(catch_unwind)]
pub(crate) fn from_text(text: Text) -> Result<Copied> {
    guard(|| strongroom::from_text(text.as_str()?).map(Copied))
}

/// The KMS encryption context of a row, as a JSON object of strings.
#[napi(catch_unwind)]
pub(crate) fn kms_context(row: Text) -> Result<String> {
    guard(|| {
        let row = WrapRow::from_json(row.as_str()?.as_bytes())?;
        // Keys and values are of the core's plain form: nothing in them needs escaping.
        let pairs: Vec<String> =
            row.encryption_context()?.iter().map(|(key, value)| format!("\"{key}\":\"{value}\"")).collect();
        Ok(format!("{{{}}}", pairs.join(",")))
    })
}
