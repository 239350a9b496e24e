//! The tenant policy: which org may do what with whose key.
//!
//! It is the policy that AWS would hold as `StringEquals` conditions on the caller's principal
//! tag and on `kms:EncryptionContext:*`; everything it does not allow is denied.

use super::{caller::Caller, context::Context, fault::Fault, key::Key};

/// A use of a key's material.
#[derive(Clone, Copy)]
pub(crate) enum Use {
    /// `Decrypt` and `GenerateDataKey`: only the key's own org, for itself.
    Own,
    /// `Encrypt`: the own org wraps its record DEKs, any org shares its own with the key's org.
    Encrypt,
}

/// Allows a use of `key`'s material.
///
/// # Errors
/// [`Fault::AccessDenied`] otherwise.
pub(crate) fn allow_use(action: Use, key: &Key, caller: &Caller, context: &Context) -> Result<(), Fault> {
    let own = caller.tag == key.org();
    let for_key_org = context.value(ORG) == Some(key.org());
    let purpose = context.value(PURPOSE);
    let allowed = match action {
        Use::Own => own,
        Use::Encrypt => {
            let record = own && purpose == Some("record-dek");
            let share = purpose == Some("share") && context.value(OWNER) == Some(caller.tag.as_str());
            record || share
        }
    };
    (for_key_org && allowed).then_some(()).ok_or(Fault::AccessDenied)
}

/// Allows the description and the states of `key`: to its own org only.
///
/// # Errors
/// [`Fault::AccessDenied`] otherwise.
pub(crate) fn allow_manage(key: &Key, caller: &Caller) -> Result<(), Fault> {
    (caller.tag == key.org()).then_some(()).ok_or(Fault::AccessDenied)
}

/// The tag of a key, and the pair of a context, that name the org whose CMK it is.
pub(crate) const ORG: &str = "strongroom-org";
const PURPOSE: &str = "strongroom-purpose";
const OWNER: &str = "strongroom-owner";
