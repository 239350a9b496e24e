//! What calls the KMS.

use std::future::Future;

use strongroom::{Error, KmsRequest};
use zeroize::Zeroizing;

/// What the KMS answered, or how it failed.
#[derive(Default)]
pub struct KmsAnswer {
    /// The URL that was really asked: the SDK's word, never the request's.
    pub endpoint: String,
    /// The SDK's error name. Where it is given, the other members don't count.
    pub error: Option<String>,
    /// `KeyId`.
    pub key_id: Option<String>,
    /// `Plaintext`: a DEK, wiped on drop.
    pub plaintext: Option<Zeroizing<Vec<u8>>>,
    /// `CiphertextBlob`.
    pub ciphertext_blob: Option<Vec<u8>>,
}

/// Makes the calls that a vault asks for.
pub trait Kms: Send + Sync {
    /// Sends one request, once, with exactly its values. `plaintext` is there for Encrypt only; an
    /// implementation keeps no copy.
    ///
    /// An error that the KMS itself names goes into the answer. `Err` is for what never became a
    /// call: [`Error::EndpointPolicy`] where another endpoint would be asked,
    /// [`Error::KmsUnavailable`] where none could be.
    fn send(
        &self,
        request: &KmsRequest,
        plaintext: Option<&[u8]>,
    ) -> impl Future<Output = Result<KmsAnswer, Error>> + Send;
}
