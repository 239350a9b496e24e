//! Who calls: the org and the region that stand in the `Authorization` header.
//!
//! Nobody holds a secret here, so signatures are not verified; their form is.

use base64ct::{Base64UrlUnpadded, Encoding};

use super::{fault::Fault, key::ACCOUNT};

/// A caller as its credential names it.
#[derive(Clone)]
pub(crate) struct Caller {
    /// The org's id.
    pub(crate) org: String,
    /// The org as it stands in tags and encryption contexts.
    pub(crate) tag: String,
    /// The region that the request was signed for: keys of other regions do not exist for it.
    pub(crate) region: String,
    /// As it was given.
    pub(crate) access_key_id: String,
}

impl Caller {
    /// Reads `AWS4-HMAC-SHA256 Credential=sr-.../date/region/kms/aws4_request, ...`.
    ///
    /// # Errors
    /// [`Fault::IncompleteSignature`] if the header has another form, [`Fault::UnknownCaller`]
    /// if the access key id is not `sr-` and the base64url of an org of 1 to 1,024 bytes.
    pub(crate) fn from_authorization(header: &str) -> Result<Self, Fault> {
        let (region, id) = credential(header).ok_or(Fault::IncompleteSignature)?;
        let org = org_of(id).ok_or(Fault::UnknownCaller)?;
        Ok(Self { tag: encoded(&org), org, region: region.to_owned(), access_key_id: id.to_owned() })
    }

    /// The caller as AWS would name a role's session.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/strongroom/{}", self.access_key_id)
    }
}

/// An id as it stands in the encryption context and in tags: plain where its characters allow,
/// else `b64.` and base64url.
pub(crate) fn encoded(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:/@+=-".contains(c);
    if (1..=256).contains(&id.len()) && id.chars().all(plain) && !id.starts_with("b64.") {
        id.to_owned()
    } else {
        format!("b64.{}", Base64UrlUnpadded::encode_string(id.as_bytes()))
    }
}

/// Region and access key id.
fn credential(header: &str) -> Option<(&str, &str)> {
    let mut parts = header.strip_prefix("AWS4-HMAC-SHA256 ")?.split(',').map(str::trim);
    let credential = parts.next()?.strip_prefix("Credential=")?;
    let signed = parts.next()?.strip_prefix("SignedHeaders=")?;
    let signature = parts.next()?.strip_prefix("Signature=")?;
    let hex = |c: char| c.is_ascii_hexdigit();
    let well_formed = !signed.is_empty() && signature.len() == 64 && signature.chars().all(hex);
    let mut scope = credential.split('/');
    let (id, date, region) = (scope.next()?, scope.next()?, scope.next()?);
    let date_ok = date.len() == 8 && date.chars().all(|c| c.is_ascii_digit());
    let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let region_ok = (1..=64).contains(&region.len()) && region.chars().all(label);
    let service_ok = scope.eq(["kms", "aws4_request"]);
    (parts.next().is_none() && well_formed && date_ok && region_ok && service_ok).then_some((region, id))
}

fn org_of(access_key_id: &str) -> Option<String> {
    let org = Base64UrlUnpadded::decode_vec(access_key_id.strip_prefix("sr-")?).ok()?;
    let org = String::from_utf8(org).ok()?;
    (1..=1024).contains(&org.len()).then_some(org)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn header(id: &str, scope: &str) -> String {
        let signature = "0a".repeat(32);
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders=host, Signature={signature}")
    }

    const SCOPE: &str = "20260101/eu-west-1/kms/aws4_request";

    #[test]
    fn the_access_key_id_names_the_org() {
        let caller = Caller::from_authorization(&header("sr-b3JnLWE", SCOPE)).unwrap();
        assert_eq!((caller.org.as_str(), caller.tag.as_str(), caller.region.as_str()), ("org-a", "org-a", "eu-west-1"));
    }

    #[test]
    fn an_access_key_id_of_another_form_names_nobody() {
        // AWS's own, no org, padding, standard alphabet, trailing bits, not UTF-8
        for id in ["AKIDEXAMPLE", "sr-", "sr-YQ==", "sr-+w", "sr-YR", "sr-_w", "SR-YQ"] {
            assert_eq!(Caller::from_authorization(&header(id, SCOPE)).err(), Some(Fault::UnknownCaller), "{id}");
        }
    }

    #[test]
    fn an_authorization_of_another_form_is_refused() {
        let good = header("sr-YQ", SCOPE);
        let bad = [
            String::new(),
            "Bearer sr-YQ".into(),
            good.replace("AWS4-HMAC-SHA256 ", ""),
            good.replace("/kms/", "/s3/"),
            good.replace("aws4_request", "aws4"),
            good.replace("aws4_request", "aws4_request/x"),
            good.replace("20260101", "today"),
            good.replace("eu-west-1", "EU West"),
            good.replace("Signature=0a", "Signature=zz"),
            good.replace(", SignedHeaders=host", ""),
            format!("{good}, Credential=sr-Yg/{SCOPE}"),
        ];
        for header in bad {
            assert_eq!(Caller::from_authorization(&header).err(), Some(Fault::IncompleteSignature), "{header}");
        }
    }

    #[test]
    fn ids_are_encoded_where_their_characters_ask_for_it() {
        let long = "x".repeat(257);
        let cases = [
            ("org-a", "org-a".into()),
            ("A.b_c:/@+=-9", "A.b_c:/@+=-9".into()),
            ("b64.eA", "b64.YjY0LmVB".into()),
            ("two words", "b64.dHdvIHdvcmRz".into()),
            ("é", "b64.w6k".into()),
            (&long, format!("b64.{}", Base64UrlUnpadded::encode_string(long.as_bytes()))),
        ];
        for (id, expected) in cases {
            assert_eq!(encoded(id), expected);
        }
    }
}
