//! What the KMS must be asked, and what its answer must be (DESIGN 5). Plain data: no call is made here.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::Error;
use crate::base64::Base64;
use crate::json::Writer;
use crate::secrets::{Dek, wipe};
use crate::text::check_key_id;
use crate::wrap::WrapRow;

/// The operations that are ever asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KmsOp {
    /// Makes a DEK and wraps it.
    GenerateDataKey,
    /// Unwraps a DEK.
    Decrypt,
    /// Wraps a record DEK that the vault holds.
    Encrypt,
    /// Shreds an org.
    ScheduleKeyDeletion,
}

impl KmsOp {
    /// The KMS API's own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GenerateDataKey => "GenerateDataKey",
            Self::Decrypt => "Decrypt",
            Self::Encrypt => "Encrypt",
            Self::ScheduleKeyDeletion => "ScheduleKeyDeletion",
        }
    }
}

/// The parameters of a request under the KMS API's own names. The DEK of an `Encrypt` request is not
/// among them: it comes once from [`crate::Vault::take_request_plaintext`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KmsParams {
    /// `KeyId`: a key ARN.
    pub key_id: String,
    /// `KeySpec`: `AES_256` for `GenerateDataKey`.
    pub key_spec: Option<&'static str>,
    /// `CiphertextBlob` for `Decrypt`.
    pub ciphertext_blob: Option<Vec<u8>>,
    /// `EncryptionContext`; empty for `ScheduleKeyDeletion`, which has none.
    pub encryption_context: Vec<(&'static str, String)>,
    /// `PendingWindowInDays` for `ScheduleKeyDeletion`: 7 to 30.
    pub pending_window_in_days: Option<u32>,
}

impl KmsParams {
    /// The CMK and the encryption context of a row.
    pub(crate) fn of(row: &WrapRow) -> Self {
        Self { key_id: row.key_id().to_string(), encryption_context: row.context(), ..Self::default() }
    }
}

/// One call for the host to make with exactly these values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KmsRequest {
    /// Names the request to the vault that made it.
    pub id: u64,
    /// What to call.
    pub op: KmsOp,
    /// The KMS's region.
    pub region: String,
    /// Whether the client must use FIPS endpoints.
    pub fips: bool,
    /// The only endpoint that may be asked.
    pub endpoint: String,
    /// What to send.
    pub params: KmsParams,
}

impl KmsRequest {
    /// `{id, op, region, fips, endpoint, params}`, bytes in `params` as base64. Holds no secret.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = Writer::object();
        object.number("id", self.id);
        object.text("op", self.op.name());
        object.text("region", &self.region);
        object.boolean("fips", self.fips);
        object.text("endpoint", &self.endpoint);
        object.open("params");
        object.text("KeyId", &self.params.key_id);
        if let Some(spec) = self.params.key_spec {
            object.text("KeySpec", spec);
        }
        if let Some(blob) = &self.params.ciphertext_blob {
            object.text("CiphertextBlob", &Base64::Standard.encode(blob));
        }
        if !self.params.encryption_context.is_empty() {
            object.open("EncryptionContext");
            for (key, value) in &self.params.encryption_context {
                object.text(key, value);
            }
            object.close();
        }
        if let Some(days) = self.params.pending_window_in_days {
            object.number("PendingWindowInDays", days.into());
        }
        object.close();
        object.end()
    }
}

/// What the KMS answered, or how it failed. Dropping it wipes the buffer of the plaintext DEK,
/// so make it first: then no error on the way leaves a DEK behind.
#[derive(Default)]
pub struct KmsReply<'a> {
    /// The URL that was really asked, from the SDK and never from the request.
    pub endpoint: &'a str,
    /// The SDK's error name. Where it is given, the other members don't count.
    pub error: Option<&'a str>,
    /// `KeyId`.
    pub key_id: Option<&'a str>,
    /// `Plaintext`: a DEK. Wiped on drop.
    pub plaintext: Option<&'a mut [u8]>,
    /// `CiphertextBlob`.
    pub ciphertext_blob: Option<&'a [u8]>,
}

impl Drop for KmsReply<'_> {
    fn drop(&mut self) {
        if let Some(plaintext) = &mut self.plaintext {
            wipe(plaintext);
        }
    }
}

impl core::fmt::Debug for KmsReply<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KmsReply(..)")
    }
}

impl<'a> KmsReply<'a> {
    /// An answer of the KMS.
    #[must_use]
    pub fn answer(
        endpoint: &'a str,
        key_id: &'a str,
        plaintext: Option<&'a mut [u8]>,
        ciphertext_blob: Option<&'a [u8]>,
    ) -> Self {
        Self { endpoint, error: None, key_id: Some(key_id), plaintext, ciphertext_blob }
    }

    /// An error of the KMS, under the SDK's name for it.
    #[must_use]
    pub fn failure(endpoint: &'a str, error: &'a str) -> Self {
        Self { endpoint, error: Some(error), key_id: None, plaintext: None, ciphertext_blob: None }
    }

    /// Endpoint, then error, then key id: in this order, because an answer from elsewhere means nothing.
    pub(crate) fn check(&self, endpoints: &Endpoints, cmk: &str) -> Result<(), Error> {
        endpoints.check(self.endpoint)?;
        if let Some(name) = self.error {
            return Err(kms_error(name));
        }
        if self.key_id != Some(cmk) {
            return Err(Error::KeyIdUnexpected);
        }
        Ok(())
    }

    pub(crate) fn take_dek(&mut self) -> Result<Dek, Error> {
        self.plaintext.as_mut().map_or(Err(Error::KeyMismatch), |plaintext| Dek::take(plaintext))
    }

    pub(crate) fn blob(&self) -> Result<&'a [u8], Error> {
        match self.ciphertext_blob {
            None | Some([]) => Err(Error::BadInput),
            Some(blob) if blob.len() > crate::wrap::MAX_BLOB => Err(Error::Limit),
            Some(blob) => Ok(blob),
        }
    }
}

/// Which endpoint may be asked and may answer.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    pub(crate) region: String,
    /// One exact URL that replaces the rule: compared, never parsed.
    pub(crate) danger: Option<String>,
}

impl Endpoints {
    /// Of no region yet.
    pub(crate) const NEW: Self = Self { region: String::new(), danger: None };

    pub(crate) fn request(&self, id: u64, op: KmsOp, params: KmsParams) -> KmsRequest {
        KmsRequest {
            id,
            op,
            region: self.region.clone(),
            fips: self.danger.is_none(),
            endpoint: self.danger.clone().unwrap_or_else(|| fips_endpoint(&self.region)),
            params,
        }
    }

    fn check(&self, endpoint: &str) -> Result<(), Error> {
        match &self.danger {
            Some(danger) if danger == endpoint => Ok(()),
            Some(_) => Err(Error::EndpointPolicy),
            None => assert_fips_endpoint(endpoint, &self.region),
        }
    }
}

/// Refuses every KMS endpoint but the region's FIPS one: exactly
/// `https://kms-fips.REGION.amazonaws.com`, with or without `:443`, with or without a last `/`.
///
/// # Errors
/// [`Error::EndpointPolicy`] for any other spelling; [`Error::BadInput`] if `region` is not
/// `[a-z0-9-]{1,32}`.
pub fn assert_fips_endpoint(endpoint: &str, region: &str) -> Result<(), Error> {
    check_region(region)?;
    let allowed = fips_endpoint(region);
    let rest = endpoint.strip_prefix(allowed.as_str()).ok_or(Error::EndpointPolicy)?;
    if ["", "/", ":443", ":443/"].contains(&rest) { Ok(()) } else { Err(Error::EndpointPolicy) }
}

fn fips_endpoint(region: &str) -> String {
    let mut endpoint = String::from("https://kms-fips.");
    endpoint.push_str(region);
    endpoint.push_str(".amazonaws.com");
    endpoint
}

pub(crate) fn check_region(region: &str) -> Result<(), Error> {
    let fits = (1..=32).contains(&region.len())
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits { Ok(()) } else { Err(Error::BadInput) }
}

/// A CMK must be a key ARN: aliases and bare ids never equal the KMS's answer.
///
/// # Errors
/// [`Error::BadInput`] if it is not, [`Error::Limit`] above 2,048 bytes.
pub(crate) fn check_cmk(cmk: &str) -> Result<(), Error> {
    check_key_id(cmk)?;
    let name = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let mut parts = 0_u32;
    for part in cmk.as_bytes().split(|byte| *byte == b':') {
        let fits = match parts {
            0 => part == b"arn",
            2 => part == b"kms",
            1 | 3 => !part.is_empty() && part.iter().all(name),
            4 => part.len() == 12 && part.iter().all(u8::is_ascii_digit),
            5 => part
                .strip_prefix(b"key/")
                .is_some_and(|key| !key.is_empty() && key.iter().all(|byte| byte.is_ascii_uppercase() || name(byte))),
            _ => false,
        };
        if !fits {
            return Err(Error::BadInput);
        }
        parts = parts.saturating_add(1);
    }
    if parts == 6 { Ok(()) } else { Err(Error::BadInput) }
}

fn kms_error(name: &str) -> Error {
    match name {
        "AccessDeniedException"
        | "NotFoundException"
        | "InvalidCiphertextException"
        | "IncorrectKeyException"
        | "DisabledException" => Error::KmsDenied,
        "KMSInvalidStateException" => Error::KmsPendingDeletion,
        "ThrottlingException" | "LimitExceededException" => Error::KmsThrottled,
        _ => Error::KmsUnavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::{assert_fips_endpoint, check_cmk};
    use crate::Error;

    #[test]
    fn only_the_regions_fips_endpoint_is_allowed() {
        for good in ["", "/", ":443", ":443/"] {
            let endpoint = alloc::format!("https://kms-fips.eu-west-3.amazonaws.com{good}");
            assert_eq!(assert_fips_endpoint(&endpoint, "eu-west-3"), Ok(()));
            assert_eq!(assert_fips_endpoint(&endpoint, "eu-west-2"), Err(Error::EndpointPolicy));
        }
        for bad in [
            "",
            "kms-fips.eu-west-3.amazonaws.com",
            "http://kms-fips.eu-west-3.amazonaws.com",
            "HTTPS://kms-fips.eu-west-3.amazonaws.com",
            "https://KMS-FIPS.eu-west-3.amazonaws.com",
            "https://kms.eu-west-3.amazonaws.com",
            "https://kms-fips.eu-west-3.amazonaws.com:80",
            "https://kms-fips.eu-west-3.amazonaws.com:0443",
            "https://kms-fips.eu-west-3.amazonaws.com:443:443",
            "https://kms-fips.eu-west-3.amazonaws.com//",
            "https://kms-fips.eu-west-3.amazonaws.com/x",
            "https://kms-fips.eu-west-3.amazonaws.com?x",
            "https://kms-fips.eu-west-3.amazonaws.com#",
            "https://kms-fips.eu-west-3.amazonaws.com.",
            "https://kms-fips.eu-west-3.amazonaws.com.evil.example",
            "https://kms-fips.eu-west-3.amazonaws.com@evil.example",
            "https://user@kms-fips.eu-west-3.amazonaws.com",
            " https://kms-fips.eu-west-3.amazonaws.com",
            "https://kms-fips.eu-west-3.amazonaws.com ",
            "https://kms-fips.eu-west-3.amazonaws.com\n",
            "https:/kms-fips.eu-west-3.amazonaws.com",
            "https://kms-fips.eu-west-3.amazonaws.com.cn",
            "https://kms-fips\u{2024}eu-west-3.amazonaws.com",
        ] {
            assert_eq!(assert_fips_endpoint(bad, "eu-west-3"), Err(Error::EndpointPolicy), "{bad}");
        }
        for region in ["", "eu west", "EU-WEST-3", "eu-west-3.x", &"r".repeat(33)] {
            assert_eq!(assert_fips_endpoint("https://kms-fips.eu-west-3.amazonaws.com", region), Err(Error::BadInput));
        }
    }

    #[test]
    fn a_cmk_is_a_whole_key_arn() {
        let good = "arn:aws:kms:us-east-1:123456789012:key/0f8fad5b-d9cb";
        assert_eq!(check_cmk(good), Ok(()));
        assert!(check_cmk("arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1A").is_ok());
        for bad in [
            "",
            "0f8fad5b-d9cb",
            "alias/x",
            "arn:aws:kms:us-east-1:123456789012:alias/x",
            "arn:aws:kms:us-east-1:123456789012:key/",
            "arn:aws:kms:us-east-1:123456789012:key/x:y",
            "arn:aws:kms:us-east-1:123456789012:key/x/y",
            "arn:aws:kms:us-east-1:123456789012:key/x\n",
            "arn:aws:kms:us-east-1:12345678901:key/x",
            "arn:aws:kms:us-east-1:1234567890123:key/x",
            "arn:aws:kms::123456789012:key/x",
            "arn::kms:us-east-1:123456789012:key/x",
            "arn:aws:s3:us-east-1:123456789012:key/x",
            "ARN:aws:kms:us-east-1:123456789012:key/x",
            "arn:aws:kms:us-east-1:١23456789012:key/x",
        ] {
            assert_eq!(check_cmk(bad), Err(Error::BadInput), "{bad}");
        }
    }
}
