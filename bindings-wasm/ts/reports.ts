// Envelopes and wrap rows as plain objects, for pages that show them: a module of its own.
import { initSync, reportEnvelope as envelopeOf, reportRow as rowOf, type EnvelopeReport, type RowReport } from '#reports-glue';

import { bytes } from '../../hosts/ts/src/check.js';
import { toJson } from '../../hosts/ts/src/json.js';
import type { WrapRow } from '../../hosts/ts/src/types.js';
import { Instance } from './instance.js';

export { StrongroomError, type ErrorName } from '../../hosts/ts/src/error.js';
export type { EnvelopeReport, RowReport };

const instance = new Instance();
let loading: Promise<void> | undefined;

/** Loads the module of this entry, which lies beside this file; like the main entry's `init`. */
export function init(): Promise<void> {
  return (loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw error;
  }));
}

/** What an envelope says of itself, all of it unverified. Throws the format errors. */
export function reportEnvelope(envelope: Uint8Array): EnvelopeReport {
  const sealed = bytes(envelope);
  return instance.enter(() => envelopeOf(sealed));
}

/** What a wrap row says, read strictly. It is storage's word. Throws the errors of reading a row. */
export function reportRow(row: WrapRow): RowReport {
  const json = toJson(row);
  return instance.enter(() => rowOf(json));
}

async function load(): Promise<void> {
  const response = await fetch(new URL('./reports.wasm', import.meta.url), { integrity: REPORTS_INTEGRITY });
  if (!response.ok) throw new Error(`reports.wasm: HTTP status ${response.status}`);
  instance.start(initSync({ module: await WebAssembly.compile(await response.arrayBuffer()) }).memory);
}
