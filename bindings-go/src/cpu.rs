//! The release archive is built for processors with AES instructions. On another one it must
//! refuse, not die of an illegal instruction in the middle of somebody's process.

use strongroom::Error;

/// [`Error::Internal`] where an instruction set is missing that the compiler was allowed to use.
#[cfg(target_arch = "x86_64")]
pub(crate) fn check() -> Result<(), Error> {
    // The detection macro answers "yes" at compile time for what the build demands, so the
    // processor itself is asked. Leaf 1, ECX (Intel SDM, volume 2, CPUID).
    const PCLMULQDQ: u32 = 1 << 1;
    const SSSE3: u32 = 1 << 9;
    const SSE4_1: u32 = 1 << 19;
    const AES: u32 = 1 << 25;
    const AVX: u32 = 1 << 28;
    let needed = [
        (cfg!(target_feature = "pclmulqdq"), PCLMULQDQ),
        (cfg!(target_feature = "ssse3"), SSSE3),
        (cfg!(target_feature = "sse4.1"), SSE4_1),
        (cfg!(target_feature = "aes"), AES),
        (cfg!(target_feature = "avx"), AVX),
    ];
    let present = std::arch::x86_64::__cpuid(1).ecx;
    let lacking = |&(demanded, bit): &(bool, u32)| demanded && present & bit == 0;
    if needed.iter().any(lacking) { Err(Error::Internal) } else { Ok(()) }
}

/// Other targets are built for their baseline.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn check() -> Result<(), Error> {
    Ok(())
}
