//! Clocks and randomness: what the core needs of the world.

use crate::Error;

/// Where a vault gets its clocks and its random bytes. Feature `os` brings the operating system's;
/// without it, the crate's user implements this.
pub trait Platform: Send + Sync {
    /// The wall clock, in unix seconds.
    fn wall(&self) -> u64;

    /// A clock that only goes forward, in seconds from any beginning.
    fn mono(&self) -> u64;

    /// Fills `bytes` from a cryptographic generator, for every IV anew.
    ///
    /// # Errors
    /// Any error means that nothing is sealed: the vault answers [`Error::RngFailure`].
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error>;
}

/// The operating system's clocks and generator; in wasm the JavaScript engine's.
#[cfg(feature = "os")]
#[derive(Debug)]
pub struct OsPlatform {
    #[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
    start: std::time::Instant,
}

#[cfg(all(feature = "os", not(all(target_arch = "wasm32", target_os = "unknown"))))]
mod native {
    use super::{OsPlatform, Platform};
    use crate::Error;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    impl OsPlatform {
        /// Begins its monotonic clock now.
        #[must_use]
        pub fn new() -> Self {
            Self { start: Instant::now() }
        }
    }

    impl Platform for OsPlatform {
        fn wall(&self) -> u64 {
            // Before 1970 counts as 1970: the vault sees a step back and ends what it holds.
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
        }

        fn mono(&self) -> u64 {
            self.start.elapsed().as_secs()
        }

        fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
            getrandom::fill(bytes).map_err(|_| Error::RngFailure)
        }
    }
}

#[cfg(all(feature = "os", target_arch = "wasm32", target_os = "unknown"))]
mod engine {
    use super::{OsPlatform, Platform};
    use crate::Error;
    use wasm_bindgen::prelude::wasm_bindgen;

    // An engine without `performance.now` leaves the wall clock to end DEKs.
    #[wasm_bindgen(inline_js = "
        export const clock = (mono) => (mono ? (globalThis.performance?.now() ?? 0) : Date.now()) / 1e3;
        export const random = (bytes) => {
            try {
                crypto.getRandomValues(bytes);
                return true;
            } catch {
                return false;
            }
        };
    ")]
    extern "C" {
        fn clock(mono: bool) -> f64;
        fn random(bytes: &mut [u8]) -> bool;
    }

    /// What the engine gives in one call, in bytes.
    const AT_ONCE: usize = 65_536;

    impl OsPlatform {
        /// The engine's clocks.
        #[must_use]
        pub fn new() -> Self {
            Self {}
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, which is what is wanted"
    )]
    impl Platform for OsPlatform {
        fn wall(&self) -> u64 {
            clock(false) as u64
        }

        fn mono(&self) -> u64 {
            clock(true) as u64
        }

        fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
            if bytes.chunks_mut(AT_ONCE).all(random) { Ok(()) } else { Err(Error::RngFailure) }
        }
    }
}

#[cfg(feature = "os")]
impl Default for OsPlatform {
    fn default() -> Self {
        Self::new()
    }
}
