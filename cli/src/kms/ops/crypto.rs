//! The uses of a key: data keys, wrapping, unwrapping.

use base64ct::{Base64, Encoding};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::kms::{
    blob,
    call::{Bytes, Call},
    context::Context,
    fault::Fault,
    key::SPEC,
    policy,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct GenerateDataKey {
    key_id: String,
    key_spec: String,
    encryption_context: Option<Context>,
}

/// Makes a 256-bit data key and returns it plain and wrapped.
pub(super) fn generate_data_key(call: &mut Call<'_>) -> Result<Value, Fault> {
    let members: GenerateDataKey = call.members()?;
    let context = call.context(members.encryption_context);
    if members.key_spec != "AES_256" {
        return Err(Fault::Unsupported("this KMS makes AES_256 data keys only"));
    }
    let key = call.key(&members.key_id)?;
    policy::allow_use("GenerateDataKey", &key, call.caller, &context)?;
    key.usable()?;
    let mut data_key = Zeroizing::new([0; 32]);
    getrandom::fill(data_key.as_mut_slice()).map_err(|_| Fault::Internal)?;
    let blob = blob::seal(&key.material, key.key_id, &context, data_key.as_slice())?;
    Ok(json!({
        "CiphertextBlob": Base64::encode_string(&blob),
        "KeyId": key.arn(),
        "Plaintext": Base64::encode_string(data_key.as_slice()),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Encrypt {
    key_id: String,
    plaintext: Bytes,
    encryption_context: Option<Context>,
    encryption_algorithm: Option<String>,
}

/// Wraps 1 to 4,096 bytes.
pub(super) fn encrypt(call: &mut Call<'_>) -> Result<Value, Fault> {
    let members: Encrypt = call.members()?;
    let context = call.context(members.encryption_context);
    check_algorithm(members.encryption_algorithm.as_deref())?;
    if !(1..=4096).contains(&members.plaintext.0.len()) {
        return Err(Fault::Validation("Plaintext has 1 to 4096 bytes"));
    }
    let key = call.key(&members.key_id)?;
    policy::allow_use("Encrypt", &key, call.caller, &context)?;
    key.usable()?;
    let blob = blob::seal(&key.material, key.key_id, &context, &members.plaintext.0)?;
    Ok(json!({
        "CiphertextBlob": Base64::encode_string(&blob),
        "EncryptionAlgorithm": SPEC,
        "KeyId": key.arn(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Decrypt {
    ciphertext_blob: Bytes,
    key_id: Option<String>,
    encryption_context: Option<Context>,
    encryption_algorithm: Option<String>,
}

/// Unwraps a blob. A key that the caller names must be the blob's.
pub(super) fn decrypt(call: &mut Call<'_>) -> Result<Value, Fault> {
    let members: Decrypt = call.members()?;
    let context = call.context(members.encryption_context);
    check_algorithm(members.encryption_algorithm.as_deref())?;
    if !(1..=6144).contains(&members.ciphertext_blob.0.len()) {
        return Err(Fault::Validation("CiphertextBlob has 1 to 6144 bytes"));
    }
    let blob = blob::parse(&members.ciphertext_blob.0);
    // The key that is named is judged before the blob is looked at: who may not use it learns
    // nothing about what it wrapped.
    let key = match (&members.key_id, &blob) {
        (Some(key_id), _) => call.key(key_id)?,
        (None, Ok(blob)) => call.key_by_id(blob.key)?,
        (None, Err(fault)) => return Err(*fault),
    };
    policy::allow_use("Decrypt", &key, call.caller, &context)?;
    let blob = blob?;
    if blob.key != key.key_id {
        return Err(Fault::IncorrectKey);
    }
    key.usable()?;
    let plaintext = blob.open(&key.material, &context)?;
    Ok(json!({
        "EncryptionAlgorithm": SPEC,
        "KeyId": key.arn(),
        "Plaintext": Base64::encode_string(&plaintext),
    }))
}

fn check_algorithm(given: Option<&str>) -> Result<(), Fault> {
    match given {
        None | Some(SPEC) => Ok(()),
        Some(_) => Err(Fault::Unsupported("this KMS knows SYMMETRIC_DEFAULT only")),
    }
}
