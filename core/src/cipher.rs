//! AES-256-GCM, and where it is: in the core (feature `aes`), or outside, with whoever answers the
//! steps of [`crate::external`]. A core without it refuses: nothing can fall back.

use crate::Error;
use crate::secrets::{Dek, IV_LEN, TAG_LEN};

#[cfg(feature = "aes")]
pub(crate) use inside::Cipher;
#[cfg(not(feature = "aes"))]
pub(crate) use outside::Cipher;

#[cfg(feature = "aes")]
mod inside {
    use aes_gcm::aead::inout::InOutBuf;
    use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};

    use super::{Dek, Error, IV_LEN, TAG_LEN};

    /// The key schedule.
    pub(crate) struct Cipher(Aes256Gcm);

    impl Cipher {
        pub(crate) fn new(key: &[u8; Dek::LEN]) -> Self {
            Self(Aes256Gcm::new(key.into()))
        }

        pub(crate) fn encrypt(
            &self,
            iv: &[u8; IV_LEN],
            aad: &[u8],
            plaintext: &[u8],
            ciphertext: &mut [u8],
            tag: &mut [u8; TAG_LEN],
        ) -> Result<(), Error> {
            let buffer = InOutBuf::new(plaintext, ciphertext).map_err(|_| Error::Internal)?;
            *tag = self.0.encrypt_inout_detached(iv.into(), aad, buffer).map_err(|_| Error::Internal)?.into();
            Ok(())
        }

        pub(crate) fn decrypt(
            &self,
            iv: &[u8; IV_LEN],
            aad: &[u8],
            ciphertext: &[u8],
            tag: &[u8; TAG_LEN],
            plaintext: &mut [u8],
        ) -> Result<(), Error> {
            let buffer = InOutBuf::new(ciphertext, plaintext).map_err(|_| Error::Internal)?;
            self.0.decrypt_inout_detached(iv.into(), aad, buffer, tag.into()).map_err(|_| Error::AuthFailed)
        }
    }
}

#[cfg(not(feature = "aes"))]
mod outside {
    use super::{Dek, Error, IV_LEN, TAG_LEN};

    /// No cipher.
    pub(crate) struct Cipher;

    impl Cipher {
        pub(crate) const fn new(_key: &[u8; Dek::LEN]) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "the same call as the cipher's")]
        pub(crate) const fn encrypt(
            &self,
            _iv: &[u8; IV_LEN],
            _aad: &[u8],
            _plaintext: &[u8],
            _ciphertext: &mut [u8],
            _tag: &mut [u8; TAG_LEN],
        ) -> Result<(), Error> {
            Err(Error::Internal)
        }

        #[expect(clippy::unused_self, reason = "the same call as the cipher's")]
        pub(crate) const fn decrypt(
            &self,
            _iv: &[u8; IV_LEN],
            _aad: &[u8],
            _ciphertext: &[u8],
            _tag: &[u8; TAG_LEN],
            _plaintext: &mut [u8],
        ) -> Result<(), Error> {
            Err(Error::Internal)
        }
    }
}
