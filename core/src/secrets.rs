//! DEKs in memory: boxed, wiped on drop, never cloned, compared or printed.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, optimization_barrier};

use crate::cipher::Cipher;
use crate::{DekRef, Error, Identity, Platform};

/// Bytes of an IV (DESIGN 3.3: 96 bits, random).
pub(crate) const IV_LEN: usize = 12;

/// Bytes of a tag (DESIGN 3.3: 128 bits).
pub(crate) const TAG_LEN: usize = 16;

/// Authenticates the two derivations apart (DESIGN 3.2, 3.7).
const REF_LABEL: &[u8] = b"strongroom/v1/dek-ref\0";
const CHECK_LABEL: &[u8] = b"strongroom/v1/cache\0";

/// A 256-bit data encryption key. Boxed, so that moves copy a pointer, never the key.
pub(crate) struct Dek(Box<[u8; Self::LEN]>);

impl Dek {
    pub(crate) const LEN: usize = 32;

    /// Takes a DEK out of a buffer and wipes the buffer, whatever the outcome.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] if it is not 32 bytes, or all zero.
    pub(crate) fn take(bytes: &mut [u8]) -> Result<Self, Error> {
        let mut dek = Self(Box::new([0; Self::LEN]));
        let fits = bytes.len() == Self::LEN;
        if fits {
            dek.0.copy_from_slice(bytes);
        }
        wipe(bytes);
        if fits && !dek.is_zero() { Ok(dek) } else { Err(Error::KeyMismatch) }
    }

    /// Takes 32 bytes that are judged afterwards, and wipes them.
    pub(crate) fn take_unchecked(bytes: &mut [u8; Self::LEN]) -> Self {
        let mut dek = Self(Box::new([0; Self::LEN]));
        dek.0.copy_from_slice(bytes);
        bytes.zeroize();
        dek
    }

    /// A random DEK from the operating system.
    pub(crate) fn generate(platform: &dyn Platform) -> Result<Self, Error> {
        let mut dek = Self(Box::new([0; Self::LEN]));
        platform.fill(&mut *dek.0).map_err(|_| Error::RngFailure)?;
        // A generator that gives 256 zero bits is broken, not lucky.
        if dek.is_zero() { Err(Error::RngFailure) } else { Ok(dek) }
    }

    pub(crate) fn dek_ref(&self, identity: &Identity) -> DekRef {
        let mut message = REF_LABEL.to_vec();
        identity.push(&mut message);
        DekRef::from(self.mac(&message))
    }

    /// Finds damage in a keychain entry; `entry` is all that stands before the DEK.
    pub(crate) fn check_value(&self, entry: &[u8]) -> [u8; 32] {
        self.mac(&[CHECK_LABEL, entry].concat())
    }

    pub(crate) fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn mac(&self, message: &[u8]) -> [u8; 32] {
        with_clean_stack::<SETUP_DEPTH, _>(|| {
            // HMAC takes keys of every length, so there is no error to pass on.
            Hmac::<Sha256>::new_from_slice(&*self.0).map_or([0; 32], |mut mac| {
                mac.update(message);
                mac.finalize().into_bytes().into()
            })
        })
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.0.ct_eq(&[0; Self::LEN]).into()
    }
}

impl Drop for Dek {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Dek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dek(..)")
    }
}

/// A DEK with its key schedule, ready to work, and who it is.
pub(crate) struct DekKey {
    dek: Dek,
    cipher: Cipher,
    identity: Identity,
    dek_ref: DekRef,
}

impl DekKey {
    pub(crate) fn new(dek: Dek, identity: Identity) -> Arc<Self> {
        let dek_ref = dek.dek_ref(&identity);
        // Release builds leave copies of the key schedule on the stack: one is made there
        // before it is moved to the heap.
        with_clean_stack::<SETUP_DEPTH, _>(|| {
            let cipher = Cipher::new(&dek.0);
            Arc::new(Self { cipher, dek, identity, dek_ref })
        })
    }

    /// Like [`Self::new`], for a DEK that must be the one `expected` names.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] if it is another.
    pub(crate) fn admit(dek: Dek, identity: Identity, expected: &DekRef) -> Result<Arc<Self>, Error> {
        let dek_ref = dek.dek_ref(&identity);
        if !bool::from(dek_ref.as_bytes().ct_eq(expected.as_bytes())) {
            return Err(Error::KeyMismatch);
        }
        Ok(Self::new(dek, identity))
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn dek_ref(&self) -> &DekRef {
        &self.dek_ref
    }

    pub(crate) fn dek(&self) -> &Dek {
        &self.dek
    }

    /// Encrypts `plaintext` into `ciphertext`, which must be as long.
    pub(crate) fn encrypt(
        &self,
        iv: &[u8; IV_LEN],
        aad: &[u8],
        plaintext: &[u8],
        ciphertext: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Error> {
        with_clean_stack::<CIPHER_DEPTH, _>(|| self.cipher.encrypt(iv, aad, plaintext, ciphertext, tag))
    }

    /// Decrypts `ciphertext` into `plaintext`, which must be as long. It is written only after
    /// the tag was found good, so a failed open leaves it as it was.
    ///
    /// # Errors
    /// [`Error::AuthFailed`] if the tag does not fit.
    pub(crate) fn decrypt(
        &self,
        iv: &[u8; IV_LEN],
        aad: &[u8],
        ciphertext: &[u8],
        tag: &[u8; TAG_LEN],
        plaintext: &mut [u8],
    ) -> Result<(), Error> {
        with_clean_stack::<CIPHER_DEPTH, _>(|| self.cipher.decrypt(iv, aad, ciphertext, tag, plaintext))
    }
}

impl fmt::Debug for DekKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DekKey(..)")
    }
}

/// Wipes any length at memory speed; `Zeroize` on slices writes byte by byte.
pub(crate) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    optimization_barrier(bytes);
}

/// A plaintext buffer of the core's own, wiped on drop.
pub(crate) struct Wiped(pub(crate) Vec<u8>);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Runs `body` in a frame of its own and wipes the stack that it used: AES code spills round keys
/// there, and the first two of AES-256 are the two halves of the DEK.
pub(crate) fn with_clean_stack<const DEPTH: usize, T>(body: impl FnOnce() -> T) -> T {
    let result = in_own_frame(body);
    wipe_stack::<DEPTH>();
    result
}

#[inline(never)]
fn in_own_frame<T>(body: impl FnOnce() -> T) -> T {
    body()
}

#[inline(never)]
fn wipe_stack<const DEPTH: usize>() {
    let below = [0_u8; DEPTH];
    optimization_barrier(&below);
}

/// Bytes of stack that key set-up and MACs use at most below their caller in release builds: set-up
/// moves the schedule by value. The memory scan in `tests/memory.rs` finds what is left if it's too little.
const SETUP_DEPTH: usize = 16 * 1_024;

/// The same for the cipher's work.
const CIPHER_DEPTH: usize = 8 * 1_024;

#[cfg(test)]
mod tests {
    use super::{Dek, DekKey};
    use crate::{Error, Identity};
    use alloc::format;

    #[test]
    fn taking_a_dek_wipes_its_buffer_whatever_the_outcome() {
        for (mut bytes, good) in [([7; 32].to_vec(), true), ([7; 31].to_vec(), false), ([0; 32].to_vec(), false)] {
            assert_eq!(Dek::take(&mut bytes).is_ok(), good);
            assert!(bytes.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn debug_forms_show_no_key() {
        let dek = Dek::take(&mut [7; 32]).unwrap();
        assert_eq!(format!("{dek:?}"), "Dek(..)");
        let key = DekKey::new(dek, Identity::org("acme", 1).unwrap());
        assert_eq!(format!("{key:?}"), "DekKey(..)");
    }

    #[test]
    fn a_dek_under_another_identity_is_a_mismatch() {
        let dek = || Dek::take(&mut [7; 32]).unwrap();
        let one = Identity::org("acme", 1).unwrap();
        let dek_ref = dek().dek_ref(&one);
        assert!(DekKey::admit(dek(), one, &dek_ref).is_ok());
        for other in [
            Identity::org("acme", 2).unwrap(),
            Identity::org("acm", 1).unwrap(),
            Identity::record("acme", "t", "r", 1).unwrap(),
        ] {
            assert_eq!(DekKey::admit(dek(), other, &dek_ref).err(), Some(Error::KeyMismatch));
        }
    }

    #[test]
    fn a_failed_decryption_leaves_the_output_as_it_was() {
        let key = DekKey::new(Dek::take(&mut [7; 32]).unwrap(), Identity::org("acme", 1).unwrap());
        let mut ciphertext = [0; 5];
        let mut tag = [0; 16];
        key.encrypt(&[1; 12], b"aad", b"hello", &mut ciphertext, &mut tag).unwrap();
        let mut out = *b"#####";
        tag[15] ^= 1;
        assert_eq!(key.decrypt(&[1; 12], b"aad", &ciphertext, &tag, &mut out), Err(Error::AuthFailed));
        assert_eq!(&out, b"#####");
        tag[15] ^= 1;
        assert_eq!(key.decrypt(&[1; 12], b"aad", &ciphertext, &tag, &mut out), Ok(()));
        assert_eq!(&out, b"hello");
    }
}
