//! One call: its members, read strictly, and the key that it names.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use super::{
    caller::Caller,
    context::Context,
    fault::Fault,
    key::{ACCOUNT, Key},
    log::Note,
    store::Store,
};

/// What an operation works on.
pub(crate) struct Call<'a> {
    /// The keys.
    pub(crate) store: &'a Store,
    /// Who asks.
    pub(crate) caller: &'a Caller,
    /// Unix seconds.
    pub(crate) now: u64,
    /// The request's JSON.
    pub(crate) body: &'a [u8],
    /// The line of the log that is being made.
    pub(crate) note: &'a mut Note,
}

impl Call<'_> {
    /// Reads the members.
    ///
    /// # Errors
    /// [`Fault::Serialization`] if the body is not JSON; [`Fault::Validation`] if a member is
    /// unknown to this KMS, missing, named twice or of another type.
    pub(crate) fn members<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(self.body).map_err(|error| {
            if error.is_data() {
                Fault::Validation("a member is not honoured by this KMS, missing, repeated or of another type")
            } else {
                Fault::Serialization
            }
        })
    }

    /// Finds the key that `KeyId` names and puts it into the log.
    ///
    /// # Errors
    /// [`Fault::Validation`] for a length that AWS refuses too, [`Fault::NotFound`].
    pub(crate) fn key(&mut self, key_id: &str) -> Result<Arc<Key>, Fault> {
        if !(1..=2048).contains(&key_id.len()) {
            return Err(Fault::Validation("KeyId has 1 to 2048 characters"));
        }
        self.note.key_id = Some(key_id.to_owned());
        let id = self.id_of(key_id).ok_or(Fault::NotFound)?;
        self.key_by_id(id)
    }

    /// As [`Self::key`], for an id that a blob holds.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub(crate) fn key_by_id(&mut self, id: Uuid) -> Result<Arc<Key>, Fault> {
        let key = self.store.find(id, self.now)?;
        if key.region != self.caller.region {
            return Err(Fault::NotFound);
        }
        self.note.key_id = Some(key.arn());
        Ok(key)
    }

    /// The context of the call, noted in the log.
    pub(crate) fn context(&mut self, context: Option<Context>) -> Context {
        self.note.encryption_context.clone_from(&context);
        context.unwrap_or_default()
    }

    /// A key ARN of the caller's region, or a bare id; one spelling of each.
    fn id_of(&self, key_id: &str) -> Option<Uuid> {
        let bare = if key_id.starts_with("arn:") {
            let prefix = format!("arn:aws:kms:{}:{ACCOUNT}:key/", self.caller.region);
            key_id.strip_prefix(&prefix)?
        } else {
            key_id
        };
        Uuid::try_parse(bare).ok().filter(|id| id.to_string() == bare)
    }
}

/// Bytes that travel as base64 in one spelling; wiped when dropped.
pub(crate) struct Bytes(pub(crate) Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut text = String::deserialize(from)?;
        let bytes = Base64::decode_vec(&text).map(Zeroizing::new);
        text.zeroize();
        bytes.map(Self).map_err(|_| D::Error::custom("not base64"))
    }
}
