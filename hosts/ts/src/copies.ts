// What only the loop and the stores need of the conversions. A file of its own, because a page that
// imports neither loads everything that stands in the others.

import { bytes, members, room, wipe } from "./check.js";
import { binding, PLAINTEXT, sealOptions } from "./convert.js";
import type { Binding, SealOptions } from "./types.js";

declare function btoa(binary: string): string;

/** A copy of `bytes`, for work that goes on after the caller could have changed or wiped them. */
export function bytesCopy(value: unknown): Uint8Array {
  const view = bytes(value);
  const copy = room(view.length);
  copy.set(view);
  return copy;
}

/** A binding's own copy, for work that goes on after the caller could have changed it. */
export function bindingCopy(value: unknown): Binding {
  const [org, table, record, field, revision] = binding(value);
  return { org, table, record, field, revision };
}

/** The same for the options of a seal or a reseal. */
export function sealOptionsCopy(value: unknown): SealOptions {
  const { scope, padded } = sealOptions(value);
  return { scope: scope === undefined ? undefined : scope === 0 ? "org" : "record", padded };
}

/** Wipes the DEK in a reply that nobody takes. */
export function wipeReply(value: unknown): void {
  try {
    wipe(members(value, PLAINTEXT)[0]);
  } catch {
    // No reply, or one whose DEK can't be read: there is nothing to wipe.
  }
}

/** Encodes as base64url without padding. */
export function toBase64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}
