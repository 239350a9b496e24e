#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

extern crate alloc;
// Where the engine is the platform, nothing of std is needed, and its panic machinery would
// make a fifth of the module.
#[cfg(any(test, all(feature = "os", not(all(target_arch = "wasm32", target_os = "unknown")))))]
extern crate std;

mod base64;
mod binding;
mod cache;
mod cipher;
mod clock;
mod dek;
mod envelope;
mod error;
#[cfg(feature = "external-aead")]
pub mod external;
#[cfg(feature = "hazmat")]
pub mod hazmat;
#[cfg(all(feature = "hazmat", feature = "external-aead"))]
pub mod hazmat_external;
mod json;
mod kms;
mod map;
mod platform;
mod secrets;
mod sync;
mod text;
mod vault;
mod version;
mod wrap;

pub use binding::Binding;
pub use cache::MAX_ENTRY;
pub use dek::{DekKind, DekRef, Identity};
pub use envelope::{
    DEFAULT_FIELD_LIMIT, MAX_FIELD_LIMIT, OVERHEAD, UntrustedHeader, from_text, inspect, sealed_len, to_text,
};
pub use error::Error;
pub use kms::{KmsOp, KmsParams, KmsReply, KmsRequest, assert_fips_endpoint};
#[cfg(feature = "os")]
pub use platform::OsPlatform;
pub use platform::Platform;
pub use text::{MAX_KEY_ID, MAX_TEXT, text};
pub use vault::{
    DekStatus, MAX_BATCH, Minted, OpenItem, ResealOptions, Scope, SealItem, SealOptions, Vault, VaultOptions,
};
pub use version::version;
pub use wrap::{ActiveRow, MAX_BLOB, Provider, Purpose, RowKey, UsageRow, WrapRow};
