//! Buffers that may hold plaintext or DEKs.

use alloc::vec::Vec;

use zeroize::optimization_barrier;

/// A buffer in the module's memory that is wiped on drop.
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    pub(crate) const NONE: Self = Self(Vec::new());

    pub(crate) fn zeros(len: usize) -> Self {
        Self(alloc::vec![0; len])
    }

    /// The first `used` bytes. What is cut off was written to, too: it stays behind in the
    /// allocation, wiped.
    pub(crate) fn cut(mut self, used: usize) -> Vec<u8> {
        if let Some(rest) = self.0.get_mut(used..) {
            wipe(rest);
        }
        self.0.truncate(used);
        core::mem::take(&mut self.0)
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
        wipe(&mut self.0);
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    optimization_barrier(bytes);
}
