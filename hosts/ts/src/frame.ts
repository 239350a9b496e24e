// How a batch crosses to the core: one buffer there, one back. In this process only, never stored.
//
//   request, per item   4 x (u32 n | n bytes: org, table, record, field) | u8 has revision | u64 revision |
//                       u8 scope | u8 padded | u32 n | n bytes value
//   reply, per item     u32 error number (0 = ok) | u32 n | n bytes

import { bytes, wipe } from "./check.js";
import { nameOf, StrongroomError, translate } from "./error.js";
import type { BindingParts } from "./convert.js";
import type { RawScope } from "./raw.js";
import type { BatchResult } from "./types.js";

/** One item with everything but its bytes converted. */
export interface FrameItem {
  readonly binding: BindingParts;
  readonly scope: RawScope;
  readonly padded: boolean;
  readonly value: unknown;
}

/**
 * Sends the items through `run` in one frame. An item that can't be converted has its own error in
 * its place and takes no part.
 *
 * @param grows how many bytes an answer can be longer than the item's part of the frame
 */
export function batch(
  list: readonly unknown[],
  convert: (item: unknown) => FrameItem,
  grows: number,
  run: (frame: Uint8Array, out: Uint8Array) => number,
): BatchResult[] {
  // In this order: converting may run the caller's code, which may detach another item's buffer.
  const converted = list.map((item) => attempt(() => convert(item)));
  const encoded = converted.map((item) => (item instanceof StrongroomError ? item : attempt(() => encode(item))));
  const sent = encoded.filter((item): item is Encoded => !(item instanceof StrongroomError));

  const frame = new Uint8Array(sent.reduce((sum, part) => sum + part.head.length + part.value.length, 0));
  let end = 0;
  for (const { head, value } of sent) {
    frame.set(head, end);
    frame.set(value, end + head.length);
    end += head.length + value.length;
  }
  const out = new Uint8Array(frame.length + grows * sent.length);
  try {
    run(frame, out);
    return decode(encoded, out);
  } finally {
    wipe(frame);
    wipe(out);
  }
}

interface Encoded {
  readonly head: Uint8Array;
  readonly value: Uint8Array;
}

function encode(item: FrameItem): Encoded {
  const value = bytes(item.value);
  const [org, table, record, field, revision] = item.binding;
  const parts = [org, table, record, field].map((part) => new TextEncoder().encode(part));
  const head = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, FIXED));
  const view = new DataView(head.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    head.set(part, at + 4);
    at += 4 + part.length;
  }
  view.setUint8(at, revision === undefined ? 0 : 1);
  view.setBigUint64(at + 1, revision ?? 0n);
  view.setUint8(at + 9, item.scope);
  view.setUint8(at + 10, item.padded ? 1 : 0);
  view.setUint32(at + 11, value.length);
  return { head, value };
}

function decode(encoded: readonly unknown[], out: Uint8Array): BatchResult[] {
  const view = new DataView(out.buffer);
  let at = 0;
  return encoded.map((item) => {
    if (item instanceof StrongroomError) return { ok: false, error: item };
    const number = view.getUint32(at);
    const start = at + 8;
    at = start + view.getUint32(at + 4);
    if (number !== 0) return { ok: false, error: new StrongroomError(nameOf(number)) };
    // A copy: a view would show every other item's bytes through its `buffer`.
    return { ok: true, value: out.slice(start, at) };
  });
}

function attempt<T>(work: () => T): T | StrongroomError {
  try {
    return work();
  } catch (thrown) {
    return translate(thrown);
  }
}

declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
}

// u8 has revision, u64 revision, u8 scope, u8 padded, u32 length
const FIXED = 1 + 8 + 1 + 1 + 4;
