//! What a host keeps around the Strongroom core: where wrap rows and `active` rows are stored.
//!
//! Nothing in a store is secret and nothing in it is trusted: the vault checks every row that
//! comes out.

#![forbid(unsafe_code)]

#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "contract")]
mod field_contract;
mod field_store;
mod index;
mod json_lines;
mod kms;
mod kms_vault;
mod lock_file;
mod memory;
mod store;

pub use field_store::{FieldPage, FieldPlace, FieldStore, MemoryFieldStore, StoredField};
pub use json_lines::JsonLinesStore;
pub use kms::{Kms, KmsAnswer};
pub use kms_vault::{KmsVault, KmsVaultConfig, RotationCause};
pub use memory::MemoryStore;
pub use store::{RecordPlace, WrapStore};
