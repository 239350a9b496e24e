//! The core for browsers, behind one door: [`call`] takes an operation's number and its
//! arguments as bytes, and gives its answer as bytes. The TypeScript beside the module
//! (`ts/raw.ts`) packs, unpacks, and offers the operations by name.
//!
//! One door, because every further exported function would cost each page that loads the
//! module its own glue on both sides. An error is thrown as its number. A panic is a trap,
//! after which that TypeScript lets nothing more into the module; so no message of a panic
//! is ever made, and the module carries none of std's formatting.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod args;
#[cfg(feature = "hazmat")]
mod hazmat;
mod ops;
mod secret;
mod slab;

use js_sys::Uint8Array;
use strongroom::Error;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use args::Args;
use secret::Secret;

/// Does one operation.
///
/// The arguments may hold plaintext and DEKs, and so may the answer: what the module keeps
/// of either is wiped, and the answer lies in memory that JavaScript owns.
///
/// # Errors
/// The number of the error.
#[wasm_bindgen]
pub fn call(op: u32, args: &Uint8Array) -> Result<Uint8Array, JsValue> {
    let mut args = Secret::copy(args);
    let answer = ops::run(op, Args::new(args.as_mut_slice()));
    answer.map(|answer| Uint8Array::from(answer.as_slice())).map_err(thrown)
}

/// How long the envelope of a plaintext will be. Not an operation, because each seal asks.
///
/// # Errors
/// The number of `LIMIT` above what the module can hold.
#[wasm_bindgen(js_name = sealedLength)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a whole number from 0 to 2^53-1"
)]
pub fn sealed_length(len: f64, padded: bool) -> Result<f64, JsValue> {
    let sealed = u32::try_from(len as u64).map(|len| strongroom::sealed_len(len as usize, padded));
    sealed.map(|sealed| sealed as f64).map_err(|_| thrown(Error::Limit))
}

fn thrown(error: Error) -> JsValue {
    JsValue::from_f64(error.number().into())
}

#[cfg(target_arch = "wasm32")]
mod without_std {
    use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};

    #[global_allocator]
    static ALLOCATOR: WasmDynamicTalc = new_wasm_dynamic_allocator();

    #[panic_handler]
    fn trap(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}
