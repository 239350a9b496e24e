// How a batch crosses to the core: one buffer there, one back. In this process only, never stored.
//
//   request, per item   4 x (u32 n | n bytes: org, table, record, field) | u8 has revision | u64 revision |
//                       u8 scope | u8 padded | u32 n | n bytes value
//   reply, per item     u32 error number (0 = ok) | u32 n | n bytes

import { bytes, room, wipe } from "./check.js";
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
  const utf8 = encoder();
  const parts = converted.map((item) => (item instanceof StrongroomError ? item : attempt(() => split(item, utf8))));

  let length = 0;
  let sent = 0;
  for (const part of parts) {
    if (part instanceof StrongroomError) continue;
    length += part.length;
    sent++;
  }
  const frame = room(length);
  const out = room(length + grows * sent);
  try {
    write(frame, parts);
    run(frame, out);
    return decode(parts, out);
  } finally {
    wipe(frame);
    wipe(out);
  }
}

/** An item in bytes. */
interface Parts {
  readonly item: FrameItem;
  readonly names: readonly Uint8Array[];
  readonly value: Uint8Array;
  readonly length: number;
}

function split(item: FrameItem, utf8: (text: string) => Uint8Array): Parts {
  const value = bytes(item.value);
  const [org, table, record, field] = item.binding;
  const names = [utf8(org), utf8(table), utf8(record), utf8(field)];
  return { item, names, value, length: names.reduce((sum, name) => sum + 4 + name.length, FIXED + value.length) };
}

function write(frame: Uint8Array<ArrayBuffer>, parts: readonly (Parts | StrongroomError)[]): void {
  const view = new DataView(frame.buffer);
  let at = 0;
  for (const part of parts) {
    if (part instanceof StrongroomError) continue;
    const { item, names, value } = part;
    for (const name of names) {
      view.setUint32(at, name.length);
      frame.set(name, at + 4);
      at += 4 + name.length;
    }
    const revision = item.binding[4];
    view.setUint8(at, revision === undefined ? 0 : 1);
    view.setBigUint64(at + 1, revision ?? 0n);
    view.setUint8(at + 9, item.scope);
    view.setUint8(at + 10, item.padded ? 1 : 0);
    view.setUint32(at + 11, value.length);
    frame.set(value, at + FIXED);
    at += FIXED + value.length;
  }
}

/** Encodes each text once: in a batch most of them are the same. */
function encoder(): (text: string) => Uint8Array {
  const utf8 = new TextEncoder();
  const known = new Map<string, Uint8Array>();
  return (text) => {
    let encoded = known.get(text);
    if (!encoded) known.set(text, (encoded = utf8.encode(text)));
    return encoded;
  };
}

function decode(parts: readonly unknown[], out: Uint8Array): BatchResult[] {
  const view = new DataView(out.buffer);
  let at = 0;
  return parts.map((part) => {
    if (part instanceof StrongroomError) return { ok: false, error: part };
    const number = view.getUint32(at);
    const start = at + 8;
    at = start + view.getUint32(at + 4);
    if (number !== 0) return { ok: false, error: new StrongroomError(nameOf(number)) };
    // A copy: a view would show every other item's bytes through its `buffer`.
    return { ok: true, value: out.slice(start, at) };
  });
}

/** What `work` gives, or the error that it throws. */
export function attempt<T>(work: () => T): T | StrongroomError {
  try {
    return work();
  } catch (thrown) {
    return translate(thrown);
  }
}

declare class TextEncoder {
  encode(text: string): Uint8Array;
}

// u8 has revision, u64 revision, u8 scope, u8 padded, u32 length
const FIXED = 1 + 8 + 1 + 1 + 4;
