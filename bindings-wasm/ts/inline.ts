import { start } from './raw.js';

export * from './exports.js';
export * from './loop.js';

/**
 * Compiles the module that this file carries. Call it, or {@link init}, once before
 * anything else; until then every call is `BAD_INPUT`. More calls change nothing.
 *
 * Fetches nothing. Throws the browser's own error if the page's Content-Security-Policy
 * lacks `script-src 'wasm-unsafe-eval'`; it can then be called again.
 */
export function initSync(): void {
  start(Uint8Array.from(atob(WASM_BASE64), (unit) => unit.charCodeAt(0)));
}

/** {@link initSync}, for code that is written for either entry. */
export async function init(): Promise<void> {
  initSync();
}
