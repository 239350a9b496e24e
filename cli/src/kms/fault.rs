//! What the KMS answers when it refuses, under the names that AWS SDKs know.

/// A refusal. No text holds anything that a caller sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The key's policy says no, or only the key's own org may.
    AccessDenied,
    /// The key is disabled.
    Disabled,
    /// The key's state does not allow the operation.
    InvalidState(&'static str),
    /// No such key (any more) in this region.
    NotFound,
    /// The ciphertext is another key's.
    IncorrectKey,
    /// Changed bytes, or another encryption context.
    InvalidCiphertext,
    /// A policy that can't be read, or uses what this KMS does not evaluate.
    MalformedPolicy(&'static str),
    /// A member breaks a rule.
    Validation(&'static str),
    /// The operation, or what it was asked for, is not offered here.
    Unsupported(&'static str),
    /// The body is not JSON.
    Serialization,
    /// `--throttle-first` says so.
    Throttled,
    /// No signature.
    MissingToken,
    /// A signature header that is not of the form SigV4 has.
    IncompleteSignature,
    /// An access key id that names no org.
    UnknownCaller,
    /// A `Host` that is not loopback.
    HostRefused,
    /// An `Origin` that `--allow-origin` does not name.
    OriginRefused,
    /// A request that is not `POST /`.
    MethodRefused,
    /// A body past the limit.
    TooLarge,
    /// A body that did not come in time or broke off.
    Incomplete,
    /// Disk, log or generator failed.
    Internal,
}

impl Fault {
    /// The exception's name: `__type` in the answer and `result` in the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDeniedException",
            Self::Disabled => "DisabledException",
            Self::InvalidState(_) => "KMSInvalidStateException",
            Self::NotFound => "NotFoundException",
            Self::IncorrectKey => "IncorrectKeyException",
            Self::InvalidCiphertext => "InvalidCiphertextException",
            Self::MalformedPolicy(_) => "MalformedPolicyDocumentException",
            Self::Validation(_) => "ValidationException",
            Self::Unsupported(_) => "UnsupportedOperationException",
            Self::Serialization => "SerializationException",
            Self::Throttled => "ThrottlingException",
            Self::MissingToken => "MissingAuthenticationTokenException",
            Self::IncompleteSignature => "IncompleteSignatureException",
            Self::UnknownCaller => "UnrecognizedClientException",
            Self::HostRefused => "HostRefusedException",
            Self::OriginRefused => "OriginRefusedException",
            Self::MethodRefused => "MethodRefusedException",
            Self::TooLarge => "RequestTooLargeException",
            Self::Incomplete => "RequestIncompleteException",
            Self::Internal => "KMSInternalException",
        }
    }

    /// A sentence for people.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::AccessDenied => "the key's policy does not allow this call",
            Self::Disabled => "the key is disabled",
            Self::InvalidState(text) | Self::Validation(text) | Self::Unsupported(text) => text,
            Self::MalformedPolicy(text) => text,
            Self::NotFound => "no such key in this region",
            Self::IncorrectKey => "the ciphertext was made by another key than KeyId",
            Self::InvalidCiphertext => "changed ciphertext or another encryption context",
            Self::Serialization => "the body is not one JSON object",
            Self::Throttled => "throttled, as --throttle-first asked",
            Self::MissingToken => "no Authorization header",
            Self::IncompleteSignature => "the Authorization header is not SigV4's for kms",
            Self::UnknownCaller => "the access key id is not sr- and base64url of an org",
            Self::HostRefused => "the Host header is not loopback",
            Self::OriginRefused => "the Origin is not named by --allow-origin",
            Self::MethodRefused => "only POST / with content type application/x-amz-json-1.1",
            Self::TooLarge => "the body is past the limit",
            Self::Incomplete => "the body did not come in time",
            Self::Internal => "the KMS could not write or read what it had to",
        }
    }

    /// The HTTP status, as AWS chooses it.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::HostRefused | Self::OriginRefused => 403,
            Self::MethodRefused => 405,
            Self::Incomplete => 408,
            Self::TooLarge => 413,
            Self::Internal => 500,
            _ => 400,
        }
    }
}
