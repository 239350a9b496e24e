import { start } from './raw.js';

export * from './exports.js';

let loading: Promise<void> | undefined;

/**
 * Loads the module beside this file. Call it once before anything else; until then
 * every call is `BAD_INPUT`. More calls change nothing.
 *
 * Where a page has a Content-Security-Policy, it needs `script-src 'wasm-unsafe-eval'`
 * and a `connect-src` that allows this file's own place.
 *
 * Rejects with the browser's own error if the module can't be loaded, is another one
 * than this file was made with, or may not be compiled; it can then be called again.
 */
export function init(): Promise<void> {
  return (loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw error;
  }));
}

async function load(): Promise<void> {
  const response = await fetch(new URL('./strongroom.wasm', import.meta.url), { integrity: WASM_INTEGRITY });
  if (!response.ok) throw new Error(`strongroom.wasm: HTTP status ${response.status}`);
  start(await WebAssembly.compile(await response.arrayBuffer()));
}
