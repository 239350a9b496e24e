//! Ciphertext blobs: `SRK1` | key id (16) | IV (12) | ciphertext | tag (16), AES-256-GCM.
//!
//! The header and the encryption context are the additional data, so a blob can neither be
//! relabelled for another key nor opened under another context.

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{context::Context, fault::Fault, key::Material};

/// Seals `plaintext` under a key.
///
/// # Errors
/// [`Fault::Internal`] if the system's generator fails.
pub(crate) fn seal(material: &Material, key: Uuid, context: &Context, plaintext: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut iv = [0; IV];
    getrandom::fill(&mut iv).map_err(|_| Fault::Internal)?;
    let mut blob = [MAGIC.as_slice(), key.as_bytes()].concat();
    let aad = context.aad(&blob);
    let payload = Payload { msg: plaintext, aad: &aad };
    let sealed = cipher(material)?.encrypt(&Nonce::from(iv), payload).map_err(|_| Fault::Internal)?;
    blob.extend_from_slice(&iv);
    blob.extend_from_slice(&sealed);
    Ok(blob)
}

/// Reads which key a blob says it belongs to. Nothing is proven until [`Parsed::open`].
///
/// # Errors
/// [`Fault::InvalidCiphertext`] if it is not a blob of this KMS.
pub(crate) fn parse(blob: &[u8]) -> Result<Parsed<'_>, Fault> {
    let parts = || {
        let header = blob.get(..HEADER)?;
        let (magic, id) = header.split_first_chunk::<{ MAGIC.len() }>()?;
        let (iv, sealed) = blob.get(HEADER..)?.split_first_chunk::<IV>()?;
        (magic == MAGIC).then_some(Parsed { key: Uuid::from_slice(id).ok()?, header, iv, sealed })
    };
    parts().ok_or(Fault::InvalidCiphertext)
}

/// A blob in its parts.
pub(crate) struct Parsed<'a> {
    /// The key it says it belongs to.
    pub(crate) key: Uuid,
    header: &'a [u8],
    iv: &'a [u8; IV],
    sealed: &'a [u8],
}

impl Parsed<'_> {
    /// Opens the blob.
    ///
    /// # Errors
    /// [`Fault::InvalidCiphertext`] for changed bytes, another key or another context alike.
    pub(crate) fn open(&self, material: &Material, context: &Context) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let aad = context.aad(self.header);
        let payload = Payload { msg: self.sealed, aad: &aad };
        cipher(material)?
            .decrypt(&Nonce::from(*self.iv), payload)
            .map(Zeroizing::new)
            .map_err(|_| Fault::InvalidCiphertext)
    }
}

fn cipher(material: &Material) -> Result<Aes256Gcm, Fault> {
    Aes256Gcm::new_from_slice(material.bytes()).map_err(|_| Fault::Internal)
}

const MAGIC: &[u8; 4] = b"SRK1";
const HEADER: usize = 20;
const IV: usize = 12;
