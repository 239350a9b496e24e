//! The vault's lock: the operating system's where there is one, else a spinning one.

#[cfg(all(feature = "os", not(all(target_arch = "wasm32", target_os = "unknown"))))]
mod inner {
    use crate::Error;

    pub(crate) type Guard<'a, T> = std::sync::MutexGuard<'a, T>;

    pub(crate) struct Lock<T>(std::sync::Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value))
        }

        /// A call that panicked inside may have left the state half-changed: nothing goes on with it.
        pub(crate) fn lock(&self) -> Result<Guard<'_, T>, Error> {
            self.0.lock().map_err(|_| Error::Internal)
        }
    }
}

#[cfg(not(all(feature = "os", not(all(target_arch = "wasm32", target_os = "unknown")))))]
mod inner {
    use crate::Error;

    pub(crate) type Guard<'a, T> = spin::MutexGuard<'a, T>;

    pub(crate) struct Lock<T>(spin::Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(spin::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> Result<Guard<'_, T>, Error> {
            Ok(self.0.lock())
        }
    }
}

pub(crate) use inner::{Guard, Lock};
