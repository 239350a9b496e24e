//! The core for browsers, behind one door: [`call`] takes an operation's number and its
//! arguments as bytes, and gives its answer as bytes. The TypeScript beside the module
//! (`ts/raw.ts`) packs, unpacks, and offers the operations by name.
//!
//! One door, because every further exported function would cost each page that loads the
//! module its own glue on both sides, and so would every value that is more than a number:
//! bytes lie in one buffer of the module's, [`room`], which JavaScript writes and reads in
//! place. A panic is a trap, after which that TypeScript lets nothing more into the module; so
//! no message of a panic is ever made, and the module carries none of std's formatting.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod args;
#[cfg(feature = "hazmat")]
mod hazmat;
mod ops;
mod secret;
mod slab;

use spin::Mutex;
use wasm_bindgen::prelude::wasm_bindgen;

use secret::Secret;

/// The arguments of the next call, or the answer of the last one.
static BUFFER: Mutex<Secret> = Mutex::new(Secret::NONE);

/// Puts other bytes into the buffer, and gives those that were there.
#[inline(never)]
fn exchange(bytes: Secret) -> Secret {
    core::mem::replace(&mut *BUFFER.lock(), bytes)
}

/// Wipes and drops what is in the buffer, makes it `len` bytes long, and says where it lies.
/// JavaScript writes the arguments there, and asks for no bytes once it has read an answer.
#[wasm_bindgen]
pub fn room(len: usize) -> *const u8 {
    // First, so that the old and the new buffer are never there at once.
    drop(exchange(Secret::NONE));
    exchange(Secret::zeros(len));
    answer()
}

/// Does one operation on the arguments in the buffer, and leaves its answer there. Says how long
/// that is, or the error as its number, negative. The arguments are wiped.
#[wasm_bindgen]
#[expect(clippy::cast_precision_loss, reason = "no buffer has 2^53 bytes")]
pub fn call(op: u32) -> f64 {
    let args = exchange(Secret::NONE);
    match ops::run(op, &args::unpack(args.as_slice())) {
        Ok(answer) => {
            let len = answer.len();
            exchange(answer.into());
            len as f64
        }
        Err(error) => -f64::from(error.number()),
    }
}

/// Where the answer lies.
#[wasm_bindgen]
pub fn answer() -> *const u8 {
    BUFFER.lock().as_slice().as_ptr()
}

#[cfg(target_arch = "wasm32")]
mod without_std {
    use talc::cell::TalcSyncCell;
    use talc::wasm::{WasmBinning, WasmGrowAndClaim};

    // Of talc's two ways to more memory the one with less code.
    #[global_allocator]
    static ALLOCATOR: TalcSyncCell<WasmGrowAndClaim, WasmBinning> = TalcSyncCell::new_wasm(WasmGrowAndClaim);

    #[panic_handler]
    fn trap(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}
