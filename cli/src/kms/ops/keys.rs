//! Making keys, describing them, and their states.

use std::{collections::BTreeSet, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kms::{
    call::Call,
    fault::Fault,
    key::{Key, Material, ORIGIN, SPEC, State, Tag, USAGE, Version, default_policy, org_tag},
    policy,
};
use crate::policy::Policy;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct CreateKey {
    description: Option<String>,
    key_usage: Option<String>,
    key_spec: Option<String>,
    customer_master_key_spec: Option<String>,
    origin: Option<String>,
    multi_region: Option<bool>,
    policy: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// Makes a key for the caller's own org, which the tag `strongroom-org` must name.
pub(super) fn create(call: &mut Call<'_>) -> Result<Value, Fault> {
    let members: CreateKey = call.members()?;
    let only = [
        (members.key_usage, USAGE),
        (members.key_spec, SPEC),
        (members.customer_master_key_spec, SPEC),
        (members.origin, ORIGIN),
    ];
    if only.iter().any(|(given, offered)| given.as_ref().is_some_and(|given| given != offered))
        || members.multi_region == Some(true)
    {
        return Err(Fault::Unsupported("this KMS makes symmetric keys of one region only"));
    }
    let description = members.description.unwrap_or_default();
    if description.chars().count() > 8192 {
        return Err(Fault::Validation("Description has at most 8192 characters"));
    }
    check_tags(&members.tags)?;
    let policy = members.policy.unwrap_or_else(default_policy);
    check_policy(&policy)?;
    match org_tag(&members.tags) {
        None => return Err(Fault::Validation("CreateKey needs the tag strongroom-org")),
        Some(org) if org != call.caller.tag => return Err(Fault::AccessDenied),
        Some(_) => {}
    }
    let key = Key {
        v: Version,
        key_id: new_id()?,
        region: call.caller.region.clone(),
        description,
        created: call.now,
        state: State::Enabled,
        tags: members.tags,
        policy,
        material: Material::generate()?,
    };
    let metadata = key.metadata();
    call.note.key_id = Some(key.arn());
    call.store.add(key)?;
    Ok(json!({ "KeyMetadata": metadata }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct OneKey {
    key_id: String,
}

/// Describes a key.
pub(super) fn describe(call: &mut Call<'_>) -> Result<Value, Fault> {
    let members: OneKey = call.members()?;
    let key = call.key(&members.key_id)?;
    policy::allow_manage(&key, call.caller)?;
    Ok(json!({ "KeyMetadata": key.metadata() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ListKeys {
    limit: Option<usize>,
    marker: Option<String>,
}

/// Lists the caller's keys of this region, a page at a time. A marker is the last id of a page.
pub(super) fn list(call: &mut Call<'_>) -> Result<Value, Fault> {
    let members: ListKeys = call.members()?;
    let limit = members.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(Fault::Validation("Limit is 1 to 1000"));
    }
    let after = match members.marker {
        Some(marker) => {
            Some(Uuid::try_parse(&marker).map_err(|_| Fault::Validation("Marker is not one that ListKeys gave"))?)
        }
        None => None,
    };
    let caller = call.caller;
    let all = call.store.all(call.now)?;
    let mut mine = all
        .iter()
        .filter(|key| policy::allow_manage(key, caller).is_ok() && key.region == caller.region)
        .filter(|key| after.is_none_or(|after| key.key_id > after));
    let page: Vec<_> = mine.by_ref().take(limit).collect();
    let truncated = mine.next().is_some();
    let keys: Vec<Value> = page.iter().map(|key| json!({ "KeyArn": key.arn(), "KeyId": key.key_id })).collect();
    let mut answer = json!({ "Keys": keys, "Truncated": truncated });
    if let (true, Some(last), Some(members)) = (truncated, page.last(), answer.as_object_mut()) {
        members.insert("NextMarker".into(), last.key_id.to_string().into());
    }
    Ok(answer)
}

/// Enables or disables a key.
pub(super) fn set_enabled(call: &mut Call<'_>, enabled: bool) -> Result<(), Fault> {
    let members: OneKey = call.members()?;
    change(call, &members.key_id, |key| key.set_enabled(enabled)).map(|_| ())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ScheduleKeyDeletion {
    key_id: String,
    pending_window_in_days: Option<u64>,
}

/// Sets the date of a key's end, 7 to 30 days from now, 30 by default.
pub(super) fn schedule_deletion(call: &mut Call<'_>) -> Result<Value, Fault> {
    let members: ScheduleKeyDeletion = call.members()?;
    let days = members.pending_window_in_days.unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(Fault::Validation("PendingWindowInDays is 7 to 30"));
    }
    let date = days.checked_mul(86_400).and_then(|seconds| seconds.checked_add(call.now)).ok_or(Fault::Internal)?;
    let key = change(call, &members.key_id, |key| key.schedule_deletion(date))?;
    Ok(json!({
        "KeyId": key.arn(),
        "DeletionDate": date,
        "KeyState": key.state.name(),
        "PendingWindowInDays": days,
    }))
}

/// Takes the date of a key's end back.
pub(super) fn cancel_deletion(call: &mut Call<'_>) -> Result<Value, Fault> {
    let members: OneKey = call.members()?;
    let key = change(call, &members.key_id, Key::cancel_deletion)?;
    Ok(json!({ "KeyId": key.arn() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct GetKeyPolicy {
    key_id: String,
    policy_name: Option<String>,
}

/// Gives a key's policy as it was set.
pub(super) fn policy(call: &mut Call<'_>) -> Result<Value, Fault> {
    let members: GetKeyPolicy = call.members()?;
    check_policy_name(members.policy_name.as_deref())?;
    let key = call.key(&members.key_id)?;
    policy::allow_manage(&key, call.caller)?;
    Ok(json!({ "Policy": key.policy, "PolicyName": POLICY_NAME }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct PutKeyPolicy {
    key_id: String,
    policy_name: Option<String>,
    policy: String,
}

/// Replaces the rules for the use of a key.
pub(super) fn put_policy(call: &mut Call<'_>) -> Result<(), Fault> {
    let members: PutKeyPolicy = call.members()?;
    check_policy_name(members.policy_name.as_deref())?;
    let key = call.key(&members.key_id)?;
    policy::allow_manage(&key, call.caller)?;
    check_policy(&members.policy)?;
    call.store.change(key.key_id, call.now, |key| key.set_policy(members.policy)).map(|_| ())
}

fn check_policy(text: &str) -> Result<(), Fault> {
    Policy::parse(text).map(|_| ()).map_err(|error| Fault::MalformedPolicy(error.0))
}

fn check_policy_name(name: Option<&str>) -> Result<(), Fault> {
    name.is_none_or(|name| name == POLICY_NAME).then_some(()).ok_or(Fault::Validation("PolicyName is default"))
}

/// The one name that AWS allows.
const POLICY_NAME: &str = "default";

fn change(
    call: &mut Call<'_>,
    key_id: &str,
    change: impl FnOnce(&mut Key) -> Result<(), Fault>,
) -> Result<Arc<Key>, Fault> {
    let key = call.key(key_id)?;
    policy::allow_manage(&key, call.caller)?;
    call.store.change(key.key_id, call.now, change)
}

/// AWS's limits: 50 tags, each name once, 1 to 128 characters, values of at most 256.
fn check_tags(tags: &[Tag]) -> Result<(), Fault> {
    let names: BTreeSet<&str> = tags.iter().map(|tag| tag.tag_key.as_str()).collect();
    let sizes =
        tags.iter().all(|tag| (1..=128).contains(&tag.tag_key.chars().count()) && tag.tag_value.chars().count() <= 256);
    (tags.len() <= 50 && names.len() == tags.len() && sizes)
        .then_some(())
        .ok_or(Fault::Validation("Tags break a limit or repeat a name"))
}

fn new_id() -> Result<Uuid, Fault> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Fault::Internal)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
