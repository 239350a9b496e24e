//! The one table of errors: number, name and text are the same in every host.

use core::fmt;

macro_rules! errors {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $text:literal;)*) => {
        /// Everything that can go wrong, in every host under the same number and name.
        ///
        /// Numbers and names are never reused. No text holds a key, a value, a binding or an offset.
        // Its number as it is: 0 is left for what isn't an error, and the machine code of every
        // call that may fail is a word shorter than with a byte.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u32)]
        pub enum Error {
            $($(#[$doc])* $variant = $number,)*
        }

        impl Error {
            /// Every error, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number that crosses the C ABI. Never 0.
            #[must_use]
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// The name that crosses into JavaScript and Go.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// A text for people. Match on the number or the name, never on this.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

errors! {
    /// An argument is missing, of a wrong type or outside its range.
    BadInput = 1, "BAD_INPUT", "an argument is missing or not allowed";
    /// A limit of the specification or of an option is exceeded.
    Limit = 2, "LIMIT", "a limit is exceeded";
    /// An option that this version does not know.
    UnknownOption = 3, "UNKNOWN_OPTION", "unknown option";

    /// The bytes or text do not begin as an envelope does.
    NotAnEnvelope = 10, "NOT_AN_ENVELOPE", "not an envelope";
    /// A format version that this version does not read.
    UnsupportedVersion = 11, "UNSUPPORTED_VERSION", "unsupported format version";
    /// A suite that this version does not know.
    UnsupportedSuite = 12, "UNSUPPORTED_SUITE", "unsupported suite";
    /// The bytes break their format.
    Malformed = 13, "MALFORMED", "not well-formed";
    /// Bytes are missing at the end.
    Truncated = 14, "TRUNCATED", "truncated";

    /// The DEK that a `dek_ref` names is not in the vault.
    UnknownDek = 20, "UNKNOWN_DEK", "this DEK is not in the vault";
    /// The org or record has no DEK to seal under.
    NoActiveDek = 21, "NO_ACTIVE_DEK", "no active DEK to seal under";
    /// A DEK is not the one that its row, entry or reply claims.
    KeyMismatch = 22, "KEY_MISMATCH", "the DEK does not match its reference";
    /// A row contradicts itself, the caller or the DEK it names.
    RowInconsistent = 23, "ROW_INCONSISTENT", "the row is inconsistent";
    /// The DEK has served as many seals as it may.
    BudgetExhausted = 24, "BUDGET_EXHAUSTED", "the seal budget of the DEK is exhausted";
    /// An older DEK version than one already seen, or a fork.
    ActiveRollback = 25, "ACTIVE_ROLLBACK", "the active DEK was rolled back or forked";
    /// The org was shredded.
    OrgTombstoned = 26, "ORG_TOMBSTONED", "the org is tombstoned";
    /// The DEK's time in this vault is over.
    Expired = 27, "EXPIRED", "the DEK has expired";
    /// A clock went back.
    ClockRollback = 28, "CLOCK_ROLLBACK", "a clock went back";

    /// Wrong binding or changed bytes. Telling them apart would help an attacker.
    AuthFailed = 30, "AUTH_FAILED", "authentication failed";
    /// The generator of random bytes failed.
    RngFailure = 31, "RNG_FAILURE", "the random generator failed";

    /// The KMS refused. Final: no retry, no fall-back.
    KmsDenied = 40, "KMS_DENIED", "the KMS denied the request";
    /// The CMK is pending deletion or in another state in which it does not work.
    KmsPendingDeletion = 41, "KMS_PENDING_DELETION", "the CMK is pending deletion";
    /// The KMS asks for fewer requests.
    KmsThrottled = 42, "KMS_THROTTLED", "the KMS throttled the request";
    /// The KMS could not be reached or failed.
    KmsUnavailable = 43, "KMS_UNAVAILABLE", "the KMS is unavailable";
    /// A CMK that is not the one asked for, or not listed for its org.
    KeyIdUnexpected = 44, "KEY_ID_UNEXPECTED", "not the expected CMK";
    /// An endpoint that is not allowed.
    EndpointPolicy = 45, "ENDPOINT_POLICY", "this KMS endpoint is not allowed";

    /// A conditional write met another state. Raised by stores and loops, never by the core.
    PreconditionFailed = 50, "PRECONDITION_FAILED", "the store holds another state";
    /// The store could not be read or written. Raised by stores and loops, never by the core.
    StoreUnavailable = 51, "STORE_UNAVAILABLE", "the store is unavailable";

    /// A fault of ours: a caught panic.
    Internal = 255, "INTERNAL", "internal error";
}

impl Error {
    /// The error of that number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|error| error.number() == number)
    }

    /// The error of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|error| error.name() == name)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn numbers_and_names_are_unique_and_find_their_error() {
        for (at, error) in Error::ALL.iter().enumerate() {
            assert_eq!(Error::from_number(error.number()), Some(*error));
            assert_eq!(Error::from_name(error.name()), Some(*error));
            for other in &Error::ALL[..at] {
                assert!(other.number() < error.number());
                assert_ne!(other.name(), error.name());
            }
        }
    }

    #[test]
    fn texts_are_lower_case_without_a_full_stop() {
        for error in Error::ALL {
            assert!(!error.text().ends_with('.'));
            assert!(error.text().len() > 3);
        }
    }

    #[test]
    fn numbers_outside_the_table_name_no_error() {
        for number in [0, 4, 9, 15, 19, 29, 32, 46, 52, 254, 256, u32::MAX] {
            assert_eq!(Error::from_number(number), None);
        }
    }
}
