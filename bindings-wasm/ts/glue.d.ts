// What wasm-bindgen makes of the Rust crates, as far as it is used, and what
// scripts/build.mjs sets.
declare module '#glue' {
  export function initSync(options: { module: BufferSource | WebAssembly.Module }): {
    readonly memory: WebAssembly.Memory;
  };
  /** Wipes the buffer that bytes cross in, makes it that long, and says where it lies. */
  export function room(length: number): number;
  /** Does one operation on the arguments in the buffer. The length of its answer, or an error's negative number. */
  export function call(op: number): number;
  /** Where the answer lies. */
  export function answer(): number;
}

/** `sha256-...` of the module beside the entry. */
declare const WASM_INTEGRITY: string;
declare const REPORTS_INTEGRITY: string;
/** The module itself. */
declare const WASM_BASE64: string;
