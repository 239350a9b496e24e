//! A key: its material, its states, and how AWS describes it.

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use super::{fault::Fault, policy};
use crate::policy::template;

/// One key, as it stands in its file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Key {
    /// Version of the file's form.
    pub(crate) v: Version,
    /// The id without the ARN's other parts.
    pub(crate) key_id: Uuid,
    /// The region that it was made in, and the only one where it exists.
    pub(crate) region: String,
    /// Free text.
    pub(crate) description: String,
    /// Unix seconds.
    pub(crate) created: u64,
    /// Whether it can be used.
    pub(crate) state: State,
    /// The tags it was made with; `strongroom-org` is always one of them.
    pub(crate) tags: Vec<Tag>,
    /// Who may use it. Files from before there were policies have none: the template holds.
    #[serde(default = "default_policy")]
    pub(crate) policy: String,
    /// The secret.
    pub(crate) material: Material,
}

/// The policy of a key that is made without one.
pub(crate) fn default_policy() -> String {
    template(ACCOUNT, None)
}

/// A key's state.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all_fields = "camelCase")]
pub(crate) enum State {
    /// In use.
    Enabled,
    /// Kept, but refuses every use.
    Disabled,
    /// Refuses every use, and ends for ever at the date.
    PendingDeletion {
        /// Unix seconds.
        deletion_date: u64,
    },
}

/// A tag of a key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct Tag {
    /// Its name.
    pub(crate) tag_key: String,
    /// Its value.
    pub(crate) tag_value: String,
}

impl Key {
    /// The org whose key it is, encoded as in encryption contexts.
    pub(crate) fn org(&self) -> &str {
        // No key is made or read without the tag, and no context or caller equals "".
        org_tag(&self.tags).unwrap_or_default()
    }

    /// The full name, as every answer gives it.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:kms:{}:{ACCOUNT}:key/{}", self.region, self.key_id)
    }

    /// Passes while the key may be used.
    ///
    /// # Errors
    /// [`Fault::Disabled`] or, pending deletion, [`Fault::InvalidState`].
    pub(crate) fn usable(&self) -> Result<(), Fault> {
        self.not_pending()?;
        match self.state {
            State::Enabled => Ok(()),
            _ => Err(Fault::Disabled),
        }
    }

    /// Enables or disables.
    ///
    /// # Errors
    /// [`Fault::InvalidState`] while deletion is pending.
    pub(crate) fn set_enabled(&mut self, enabled: bool) -> Result<(), Fault> {
        self.not_pending()?;
        self.state = if enabled { State::Enabled } else { State::Disabled };
        Ok(())
    }

    /// Sets the date of the key's end.
    ///
    /// # Errors
    /// [`Fault::InvalidState`] if one is set already.
    pub(crate) fn schedule_deletion(&mut self, deletion_date: u64) -> Result<(), Fault> {
        self.not_pending()?;
        self.state = State::PendingDeletion { deletion_date };
        Ok(())
    }

    /// Takes the date back; the key is disabled then.
    ///
    /// # Errors
    /// [`Fault::InvalidState`] if none is set.
    pub(crate) fn cancel_deletion(&mut self) -> Result<(), Fault> {
        if self.not_pending().is_ok() {
            return Err(Fault::InvalidState("the key is not pending deletion"));
        }
        self.state = State::Disabled;
        Ok(())
    }

    /// Replaces the policy.
    ///
    /// # Errors
    /// [`Fault::InvalidState`] while deletion is pending.
    pub(crate) fn set_policy(&mut self, policy: String) -> Result<(), Fault> {
        self.not_pending()?;
        self.policy = policy;
        Ok(())
    }

    fn not_pending(&self) -> Result<(), Fault> {
        match self.state {
            State::PendingDeletion { .. } => Err(Fault::InvalidState("the key is pending deletion")),
            State::Enabled | State::Disabled => Ok(()),
        }
    }

    /// Whether the date of its end has come.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        matches!(self.state, State::PendingDeletion { deletion_date } if deletion_date <= now)
    }

    /// `KeyMetadata` of CreateKey and DescribeKey.
    pub(crate) fn metadata(&self) -> Value {
        let mut metadata = json!({
            "AWSAccountId": ACCOUNT,
            "Arn": self.arn(),
            "CreationDate": self.created,
            "CustomerMasterKeySpec": SPEC,
            "Description": self.description,
            "Enabled": self.state == State::Enabled,
            "EncryptionAlgorithms": [SPEC],
            "KeyId": self.key_id,
            "KeyManager": "CUSTOMER",
            "KeySpec": SPEC,
            "KeyState": self.state.name(),
            "KeyUsage": USAGE,
            "MultiRegion": false,
            "Origin": ORIGIN,
        });
        if let (State::PendingDeletion { deletion_date }, Some(members)) = (self.state, metadata.as_object_mut()) {
            members.insert("DeletionDate".into(), deletion_date.into());
        }
        metadata
    }
}

impl State {
    /// AWS's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion { .. } => "PendingDeletion",
        }
    }
}

/// The value of the tag that says whose key it is.
pub(crate) fn org_tag(tags: &[Tag]) -> Option<&str> {
    let tag = tags.iter().find(|tag| tag.tag_key == policy::ORG)?;
    (!tag.tag_value.is_empty()).then_some(tag.tag_value.as_str())
}

/// 256 secret bits, boxed so that a move copies a pointer, wiped when dropped.
#[derive(Clone)]
pub(crate) struct Material(Box<Zeroizing<[u8; 32]>>);

impl Material {
    /// New material from the operating system.
    ///
    /// # Errors
    /// [`Fault::Internal`] if the generator fails.
    pub(crate) fn generate() -> Result<Self, Fault> {
        let mut material = Self(Box::default());
        getrandom::fill(material.0.as_mut_slice()).map_err(|_| Fault::Internal)?;
        Ok(material)
    }

    /// The secret itself.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Serialize for Material {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Zeroizing::new(Base64::encode_string(self.bytes())))
    }
}

impl<'de> Deserialize<'de> for Material {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut text = String::deserialize(from)?;
        let mut material = Self(Box::default());
        let read = Base64::decode(&text, material.0.as_mut_slice()).map(<[u8]>::len);
        text.zeroize();
        match read {
            Ok(32) => Ok(material),
            _ => Err(D::Error::custom("key material is not 32 bytes of base64")),
        }
    }
}

/// The one version of a key file so far.
#[derive(Clone, Copy)]
pub(crate) struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u8::deserialize(from)? {
            1 => Ok(Self),
            _ => Err(D::Error::custom("a version of key file that this KMS does not know")),
        }
    }
}

/// The account of every key.
pub(crate) const ACCOUNT: &str = "000000000000";
/// The only kind of key, and the only algorithm.
pub(crate) const SPEC: &str = "SYMMETRIC_DEFAULT";
/// The only use of a key.
pub(crate) const USAGE: &str = "ENCRYPT_DECRYPT";
/// The only source of material.
pub(crate) const ORIGIN: &str = "AWS_KMS";
