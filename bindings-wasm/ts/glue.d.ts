// What wasm-bindgen makes of the Rust crates, as far as it is used, and what
// scripts/build.mjs sets.
declare module '#glue' {
  export function initSync(options: { module: BufferSource | WebAssembly.Module }): {
    readonly memory: WebAssembly.Memory;
  };
  /** Does one operation. Throws an error's number. */
  export function call(op: number, args: Uint8Array): Uint8Array;
  export function sealedLength(length: number, padded: boolean): number;
}

/** `sha256-...` of the module beside the entry. */
declare const WASM_INTEGRITY: string;
declare const REPORTS_INTEGRITY: string;
/** The module itself. */
declare const WASM_BASE64: string;
