//! Envelopes and wrap rows as plain objects, for pages that show them.
//!
//! A module of its own, because turning structures into objects costs as much as half
//! the vault. It knows no DEK and opens nothing; what it says is what storage claims.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use serde::Serialize;
use strongroom::{Error, WrapRow};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What an envelope says of itself. Nothing of it is verified. */
export interface EnvelopeReport {
  readonly version: number;
  readonly suite: number;
  readonly padded: boolean;
  /** The DEK's reference, base64url. */
  readonly dekRef: string;
  /** Bytes of ciphertext, without the tag. */
  readonly ctLen: number;
}

/** A wrap row, read strictly. It is storage's word. */
export interface RowReport {
  readonly purpose: 'org-dek' | 'record-dek' | 'share';
  readonly owner: string;
  readonly reader: string;
  readonly table?: string;
  readonly record?: string;
  readonly version: number;
  readonly created: number;
  readonly dekRef: string;
  readonly provider: 'aws-kms' | 'local';
  readonly keyId: string;
  /** Bytes of the wrap. */
  readonly blobLen: number;
  /** The encryption context of the row's KMS call; absent for local rows. */
  readonly encryptionContext?: Readonly<Record<string, string>>;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// Types by hand: serde knows none.
    #[wasm_bindgen(typescript_type = "EnvelopeReport")]
    pub type EnvelopeReport;
    /// Types by hand: serde knows none.
    #[wasm_bindgen(typescript_type = "RowReport")]
    pub type RowReport;
}

/// What an envelope says of itself.
///
/// # Errors
/// Those of reading an envelope, thrown as the error's number.
#[wasm_bindgen(js_name = reportEnvelope)]
pub fn report_envelope(envelope: &[u8]) -> Result<EnvelopeReport, JsValue> {
    let header = strongroom::inspect(envelope).map_err(thrown)?;
    object(&Header {
        version: header.version.into(),
        suite: header.suite.into(),
        padded: header.padded,
        dek_ref: header.dek_ref.to_text(),
        ct_len: header.ct_len,
    })
}

/// What a wrap row says, and the encryption context that its KMS call carries.
///
/// # Errors
/// Those of reading a row, thrown as the error's number.
#[wasm_bindgen(js_name = reportRow)]
pub fn report_row(json: &str) -> Result<RowReport, JsValue> {
    let row = WrapRow::from_json(json.as_bytes()).map_err(thrown)?;
    let encryption_context = row.encryption_context().ok().map(BTreeMap::from_iter);
    let (table, record) = row.place().unzip();
    object(&Row {
        purpose: row.purpose().name(),
        owner: row.owner(),
        reader: row.reader(),
        table,
        record,
        version: row.version(),
        created: row.created(),
        dek_ref: row.dek_ref().to_text(),
        provider: row.provider().name(),
        key_id: row.key_id(),
        blob_len: row.blob().len(),
        encryption_context,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    version: u32,
    suite: u32,
    padded: bool,
    dek_ref: String,
    ct_len: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    purpose: &'a str,
    owner: &'a str,
    reader: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a str>,
    version: u32,
    created: u64,
    dek_ref: String,
    provider: &'a str,
    key_id: &'a str,
    blob_len: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_context: Option<BTreeMap<&'static str, String>>,
}

/// A plain object, not a `Map`.
fn object<T: From<JsValue>>(value: &impl Serialize) -> Result<T, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map(T::from).map_err(|_| thrown(Error::Internal))
}

fn thrown(error: Error) -> JsValue {
    JsValue::from_f64(error.number().into())
}
