//! Envelopes around a cipher that works elsewhere.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::v1::{AAD_HEADER, Frame, ciphertext_len, frame_header, pad, unpad};
use crate::external::Step;
use crate::secrets::{DekKey, IV_LEN, Wiped};
use crate::{Binding, Error};

/// How a step's output becomes the result.
pub(crate) enum Join {
    /// The envelope before its ciphertext.
    Seal([u8; AAD_HEADER], [u8; IV_LEN]),
    /// Whether padding must come off.
    Open(bool),
}

impl Join {
    /// # Errors
    /// [`Error::AuthFailed`] for padding that is not canonical.
    pub(crate) fn join(&self, output: &Wiped) -> Result<Wiped, Error> {
        let joined: Vec<u8> = match self {
            Self::Seal(header, iv) => [header, iv.as_slice(), &output.0].concat(),
            Self::Open(false) => output.0.clone(),
            Self::Open(true) => unpad(&output.0).ok_or(Error::AuthFailed)?.to_vec(),
        };
        Ok(Wiped(joined))
    }
}

/// Seals as far as the cipher.
///
/// # Errors
/// [`Error::Limit`] if the length has no u32.
pub(crate) fn seal_step(
    key: &Arc<DekKey>,
    binding: &Binding<'_>,
    plaintext: &[u8],
    padded: bool,
    iv: [u8; IV_LEN],
) -> Result<(Step, Join), Error> {
    let ct_len = ciphertext_len(plaintext.len(), padded);
    let header = frame_header(key.dek_ref(), padded, u32::try_from(ct_len).map_err(|_| Error::Limit)?);
    let mut block = Wiped(alloc::vec![0; ct_len]);
    if padded {
        pad(plaintext, &mut block.0);
    } else {
        block.0.copy_from_slice(plaintext);
    }
    let step = Step::seal(Arc::clone(key), iv, binding.aad(&header), block);
    Ok((step, Join::Seal(header, iv)))
}

impl Frame<'_> {
    /// Opens as far as the cipher.
    ///
    /// # Errors
    /// [`Error::AuthFailed`] if the DEK doesn't serve the binding.
    pub(crate) fn open_step(&self, key: &Arc<DekKey>, binding: &Binding<'_>) -> Result<(Step, Join), Error> {
        if !key.identity().serves(binding) {
            return Err(Error::AuthFailed);
        }
        let step = Step::open(Arc::clone(key), *self.iv, binding.aad(self.header), self.ciphertext, self.tag);
        Ok((step, Join::Open(self.padded)))
    }
}
