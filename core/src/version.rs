//! What this build is.

use alloc::string::String;

/// `strongroom X.Y.Z format 1 aes=BACKEND`. All but BACKEND is the same in every host: `soft`,
/// `aes-ni`, `vaes`, `armv8`, or `boring` where the core has no AES. A backend of `soft` on a desktop means 10 to 30 times slower work.
#[must_use]
pub fn version() -> String {
    let mut text = String::from(concat!("strongroom ", env!("CARGO_PKG_VERSION"), " format 1 aes="));
    text.push_str(aes_backend());
    text
}

#[cfg(all(feature = "aes", feature = "os", target_arch = "x86_64", not(aes_backend = "soft")))]
fn aes_backend() -> &'static str {
    let aes = std::is_x86_feature_detected!("aes");
    if aes && std::is_x86_feature_detected!("vaes") {
        "vaes"
    } else if aes {
        "aes-ni"
    } else {
        "soft"
    }
}

#[cfg(all(feature = "aes", feature = "os", target_arch = "aarch64", not(aes_backend = "soft")))]
fn aes_backend() -> &'static str {
    if std::arch::is_aarch64_feature_detected!("aes") { "armv8" } else { "soft" }
}

/// Outside: only an agent's BoringCrypto answers its steps.
#[cfg(not(feature = "aes"))]
fn aes_backend() -> &'static str {
    "boring"
}

#[cfg(all(
    feature = "aes",
    not(all(feature = "os", any(target_arch = "x86_64", target_arch = "aarch64"), not(aes_backend = "soft")))
))]
fn aes_backend() -> &'static str {
    "soft"
}
