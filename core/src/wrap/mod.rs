//! Wraps: DEKs encrypted for safe keeping, and the rows that hosts store around them.

mod active;
mod local;
mod row;
mod usage;

pub use active::ActiveRow;
pub(crate) use local::draw_iv;
pub(crate) use local::{LocalWrap, seal_local};
#[cfg(feature = "external-aead")]
pub(crate) use local::{admit_unwrapped, local_step};
pub use row::{MAX_BLOB, Provider, Purpose, RowKey, WrapRow};
pub(crate) use row::{MAX_CREATED, RowParts, record_digest};
pub use usage::UsageRow;
