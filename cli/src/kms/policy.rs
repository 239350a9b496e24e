//! Which org may do what with whose key: uses by the key's policy, the rest by the key's org tag.

use super::{
    caller::Caller,
    context::Context,
    fault::Fault,
    key::{ACCOUNT, Key, SPEC},
};
use crate::policy::{Decision, Policy, Request};

/// Allows a use of `key`'s material: what the key's policy says.
///
/// # Errors
/// [`Fault::AccessDenied`] otherwise.
pub(crate) fn allow_use(operation: &str, key: &Key, caller: &Caller, context: &Context) -> Result<(), Fault> {
    // Conditions read names in any case. Of two names that differ in case only, nobody could say
    // which one a condition means.
    if context.is_ambiguous() {
        return Err(Fault::AccessDenied);
    }
    let mut request = Request::new(operation, ACCOUNT, &caller.arn());
    request.set("aws:PrincipalTag/strongroom-org", &caller.tag);
    request.set("aws:SecureTransport", "false");
    request.set("kms:EncryptionAlgorithm", SPEC);
    for tag in &key.tags {
        request.set(&format!("aws:ResourceTag/{}", tag.tag_key), &tag.tag_value);
    }
    for (name, value) in context.pairs() {
        request.set_context(name, value);
    }
    // No key is made or read with a policy that can't be read.
    let policy = Policy::parse(&key.policy).map_err(|_| Fault::Internal)?;
    matches!(policy.evaluate(&request), Decision::Allow(_)).then_some(()).ok_or(Fault::AccessDenied)
}

/// Allows the description, the states and the policy of `key`: to its own org only, whatever the
/// policy says. Nobody else could shut it out, nor let others in.
///
/// # Errors
/// [`Fault::AccessDenied`] otherwise.
pub(crate) fn allow_manage(key: &Key, caller: &Caller) -> Result<(), Fault> {
    (caller.tag == key.org()).then_some(()).ok_or(Fault::AccessDenied)
}

/// The tag of a key, and the pair of a context, that name the org whose CMK it is.
pub(crate) const ORG: &str = "strongroom-org";
