//! The operations. What is not here is refused by name.

use serde_json::Value;

use super::{call::Call, fault::Fault};

mod crypto;
mod keys;

/// Does what the operation asks and returns the answer's members, `None` for an empty answer.
///
/// # Errors
/// As the operation says; [`Fault::Unsupported`] for a name that is not offered.
pub(crate) fn run(operation: &str, call: &mut Call<'_>) -> Result<Option<Value>, Fault> {
    match operation {
        "CreateKey" => keys::create(call).map(Some),
        "DescribeKey" => keys::describe(call).map(Some),
        "ListKeys" => keys::list(call).map(Some),
        "EnableKey" => keys::set_enabled(call, true).map(|()| None),
        "DisableKey" => keys::set_enabled(call, false).map(|()| None),
        "ScheduleKeyDeletion" => keys::schedule_deletion(call).map(Some),
        "CancelKeyDeletion" => keys::cancel_deletion(call).map(Some),
        "GetKeyPolicy" => keys::policy(call).map(Some),
        "PutKeyPolicy" => keys::put_policy(call).map(|()| None),
        "GenerateDataKey" => crypto::generate_data_key(call).map(Some),
        "Encrypt" => crypto::encrypt(call).map(Some),
        "Decrypt" => crypto::decrypt(call).map(Some),
        _ => Err(Fault::Unsupported("this KMS does not offer that operation")),
    }
}
