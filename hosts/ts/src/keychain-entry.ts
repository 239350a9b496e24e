import { fail } from "./error.js";
import { plainRow } from "./rows.js";
import type { WrapRow } from "./types.js";

/** What an account of the keychain says of a DEK. */
export interface CachedDek {
  /** Unix seconds. */
  readonly expires: number;
  /** The core's entry, which holds the DEK in clear: overwrite it. */
  readonly entry: Uint8Array;
  readonly rows: readonly WrapRow[];
}

// The entry is never a string, which nobody could overwrite: its base64 is made and read byte by byte.

/** `{"expires":…,"entry":"…","rows":[…]}` as bytes. Overwrite them. */
export function writeEntry({ expires, entry, rows }: CachedDek): Uint8Array {
  const encoder = new TextEncoder();
  const head = encoder.encode(`{"expires":${expires},"entry":"`);
  const tail = encoder.encode(`","rows":${JSON.stringify(rows)}}`);
  const length = Math.ceil(entry.length / 3) * 4;
  const out = new Uint8Array(head.length + length + tail.length);
  out.set(head);
  encode(entry, out.subarray(head.length, head.length + length));
  out.set(tail, head.length + length);
  return out;
}

/** Reads them. MALFORMED for what is no such text; rows that the core would not read are passed over. */
export function readEntry(secret: Uint8Array): CachedDek {
  const start = find(secret, MARK) + MARK.length;
  const end = secret.indexOf(QUOTE, start);
  if (start < MARK.length || end < 0) fail("MALFORMED");
  const { expires, rows } = readJsonSecret(join(secret.subarray(0, start), secret.subarray(end)));
  return { expires: secondOf(expires), entry: decode(secret.subarray(start, end)), rows: readRows(rows) };
}

/** When a secret that is a DEK's or the session's expires. MALFORMED if it says nothing of that. */
export function expiryOf(secret: Uint8Array): number {
  const start = find(secret, MARK) + MARK.length;
  const end = secret.indexOf(QUOTE, start);
  const isDek = start >= MARK.length && end >= 0;
  const plain = isDek ? join(secret.subarray(0, start), secret.subarray(end)) : secret;
  return secondOf(readJsonSecret(plain).expires);
}

/** A secret's members. MALFORMED if it is no JSON object. */
export function readJsonSecret(secret: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(secret));
  } catch {
    fail("MALFORMED");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail("MALFORMED");
  return value as Record<string, unknown>;
}

function secondOf(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : fail("MALFORMED");
}

function readRows(rows: unknown): WrapRow[] {
  if (!Array.isArray(rows)) fail("MALFORMED");
  return rows.flatMap((row: unknown) => {
    try {
      return [plainRow(row)];
    } catch {
      return [];
    }
  });
}

function encode(bytes: Uint8Array, out: Uint8Array): void {
  for (let at = 0, to = 0; at < bytes.length; at += 3, to += 4) {
    const [a, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const word = ((a ?? 0) << 16) | (b << 8) | c;
    for (let part = 0; part < 4; part++) {
      const isFilled = part <= bytes.length - at;
      out[to + part] = isFilled ? DIGITS.charCodeAt((word >> (18 - 6 * part)) & 63) : PAD;
    }
  }
}

function decode(text: Uint8Array): Uint8Array {
  if (text.length % 4 !== 0) fail("MALFORMED");
  const pads = text.length === 0 ? 0 : text[text.length - 2] === PAD ? 2 : text[text.length - 1] === PAD ? 1 : 0;
  const out = new Uint8Array((text.length / 4) * 3 - pads);
  for (let at = 0, to = 0; at < text.length; at += 4, to += 3) {
    let word = 0;
    for (let part = 0; part < 4; part++) {
      const isPad = at + part >= text.length - pads;
      const digit = isPad ? 0 : DIGITS.indexOf(String.fromCharCode(text[at + part] ?? 0));
      if (digit < 0) fail("MALFORMED");
      word = (word << 6) | digit;
    }
    for (let part = 0; part < 3 && to + part < out.length; part++) out[to + part] = (word >> (16 - 8 * part)) & 0xff;
  }
  return out;
}

function join(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const joined = new Uint8Array(head.length + tail.length);
  joined.set(head);
  joined.set(tail, head.length);
  return joined;
}

function find(bytes: Uint8Array, mark: Uint8Array): number {
  for (let at = 0; at + mark.length <= bytes.length; at++) {
    if (mark.every((byte, offset) => bytes[at + offset] === byte)) return at;
  }
  return -mark.length - 1;
}

const MARK = new TextEncoder().encode('"entry":"');
const QUOTE = 0x22;
const PAD = 0x3d;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
