//! Buffers that may hold plaintext or DEKs.

use alloc::string::String;
use alloc::vec::Vec;

use js_sys::Uint8Array;
use zeroize::optimization_barrier;

/// A buffer in the module's memory that is wiped on drop.
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    /// A copy of bytes that JavaScript owns.
    pub(crate) fn copy(bytes: &Uint8Array) -> Self {
        Self(bytes.to_vec())
    }

    /// `len` zeros, and then what `write` makes of them: it says how many of them count.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn filled<E>(len: usize, write: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<Self, E> {
        let mut secret = Self(alloc::vec![0; len]);
        let used = write(&mut secret.0)?;
        // What is cut off was written to, too: it stays behind in the allocation.
        if let Some(rest) = secret.0.get_mut(used..) {
            rest.fill(0);
        }
        secret.0.truncate(used);
        Ok(secret)
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        optimization_barrier(self.0.as_slice());
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}
