//! Refuses to load on a CPU that lacks what this build was compiled for.
//!
//! Shipped x86-64 builds are compiled with the AES instructions switched on, so the
//! standard detection macros are constants in them; the CPU itself is asked instead.

/// Compares the CPU with the features that the compiler was allowed to use.
///
/// # Errors
/// A text that names the first missing feature.
#[cfg(target_arch = "x86_64")]
pub(crate) fn check() -> Result<(), &'static str> {
    use core::arch::x86_64::__cpuid;

    let leaf = __cpuid(1).ecx;
    // Bits of leaf 1, register ECX: Intel SDM volume 2A, table 3-10.
    let needed = [
        (cfg!(target_feature = "aes"), 25, "this build needs a CPU with AES-NI"),
        (cfg!(target_feature = "pclmulqdq"), 1, "this build needs a CPU with PCLMULQDQ"),
        (cfg!(target_feature = "ssse3"), 9, "this build needs a CPU with SSSE3"),
        (cfg!(target_feature = "sse4.1"), 19, "this build needs a CPU with SSE4.1"),
        // AVX counts only where the operating system keeps its registers (OSXSAVE).
        (cfg!(target_feature = "avx"), 27, "this build needs an OS with AVX support"),
        (cfg!(target_feature = "avx"), 28, "this build needs a CPU with AVX"),
    ];
    for (compiled, bit, text) in needed {
        if compiled && (leaf >> bit) & 1 == 0 {
            return Err(text);
        }
    }
    Ok(())
}

/// Builds for other architectures use no more than what every such CPU has.
///
/// # Errors
/// None.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn check() -> Result<(), &'static str> {
    Ok(())
}
