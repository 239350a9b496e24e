import { StrongroomError, fail } from "./error.js";

// Captured when the module loads, so that nothing put on a prototype or on a value later is asked.
const isWellFormed = String.prototype.isWellFormed;
const { apply, getPrototypeOf, ownKeys } = Reflect;
const { hasOwn } = Object;
const { isArray } = Array;
const { isSafeInteger } = Number;
const Bytes = Uint8Array;
const typedArray = getPrototypeOf(Uint8Array.prototype) as Uint8Array;
const fill = typedArray.fill;
const keys = typedArray.keys;
const kindOf = getter(typedArray, Symbol.toStringTag);
const bufferOf = getter(typedArray, "buffer");
const offsetOf = getter(typedArray, "byteOffset");
const lengthOf = getter(typedArray, "length");
const bufferLengthOf = getter(ArrayBuffer.prototype, "byteLength");

/** An object's members in the order of `Names`. */
export type Members<Names extends readonly string[]> = { [at in keyof Names]: unknown };

/**
 * Reads each of an object's own members once. A member that is `undefined` is absent; one whose name
 * is not in `names` is refused with `unknown`, or passed over without being read if `unknown` is absent.
 */
export function members<const Names extends readonly string[]>(
  value: unknown,
  names: Names,
  unknown?: "BAD_INPUT" | "UNKNOWN_OPTION",
): Members<Names> {
  if (typeof value !== "object" || value === null) fail("BAD_INPUT");
  try {
    if (isArray(value)) fail("BAD_INPUT");
    const found: unknown[] = [];
    let own = 0;
    for (const name of names) {
      const isOwn = hasOwn(value, name);
      if (isOwn) own++;
      found.push(isOwn ? (value as Record<string, unknown>)[name] : undefined);
    }
    if (unknown && ownKeys(value).length > own) refuseOthers(value, names, unknown);
    return found as Members<Names>;
  } catch (thrown) {
    return notOurs(thrown);
  }
}

/** Refuses own members that are not in `names`, unless they are `undefined`. */
function refuseOthers(value: object, names: readonly unknown[], unknown: "BAD_INPUT" | "UNKNOWN_OPTION"): void {
  for (const name of ownKeys(value)) {
    if (!names.includes(name) && (value as Record<string | symbol, unknown>)[name] !== undefined) fail(unknown);
  }
}

/** Own members that are not `undefined`, each read once. */
export function entries(value: object): [string | symbol, unknown][] {
  return reading(() => {
    const found: [string | symbol, unknown][] = [];
    for (const name of ownKeys(value)) {
      const member = (value as Record<string | symbol, unknown>)[name];
      if (member !== undefined) found.push([name, member]);
    }
    return found;
  });
}

/** An array's items, each read once. Holes and inherited items are `undefined`. */
export function items(value: unknown): unknown[] {
  return reading(() => {
    if (!isArray(value)) fail("BAD_INPUT");
    const { length } = value;
    if (length > MAX_ITEMS) fail("LIMIT");
    const found: unknown[] = [];
    for (let at = 0; at < length; at++) found.push(hasOwn(value, at) ? value[at] : undefined);
    return found;
  });
}

/** A well-formed string. How long it may be is the core's to judge. */
export function text(value: unknown): string {
  return typeof value === "string" && apply(isWellFormed, value, []) ? value : fail("BAD_INPUT");
}

/** A whole number from 0 to 2^53-1. */
export function whole(value: unknown): number {
  return isSafeInteger(value) && (value as number) >= 0 ? (value as number) : fail("BAD_INPUT");
}

/** An unsigned 64-bit number, as a `bigint`. */
export function u64(value: unknown): bigint {
  return typeof value === "bigint" && value >= 0n && value >> 64n === 0n ? value : fail("BAD_INPUT");
}

/** A boolean. */
export function flag(value: unknown): boolean {
  return typeof value === "boolean" ? value : fail("BAD_INPUT");
}

/** `convert`, for a member that may be absent. */
export function optional<T>(value: unknown, convert: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : convert(value);
}

/**
 * A view of its own on a `Uint8Array`'s bytes, so that no property put on the caller's object can
 * lie about its length. Refuses every other type, shared memory, and buffers that are detached or
 * too short for the view. Convert bytes last: reading other arguments may run the caller's code.
 */
export function bytes(value: unknown): Uint8Array {
  try {
    if (kindOf(value) === "Uint8Array") {
      apply(keys, value, []); // throws if the buffer is detached or shrunk
      const buffer = bufferOf(value) as ArrayBuffer;
      bufferLengthOf(buffer); // throws if it is a SharedArrayBuffer
      return new Bytes(buffer, offsetOf(value) as number, lengthOf(value) as number);
    }
  } catch {
    // One answer for every reason.
  }
  return fail("BAD_INPUT");
}

/** Zeros; more than can be held in one piece is LIMIT. */
export function room(length: number): Uint8Array<ArrayBuffer> {
  if (length > MAX_BYTES) fail("LIMIT");
  try {
    return new Bytes(length);
  } catch {
    return fail("LIMIT");
  }
}

/** Overwrites a `Uint8Array` with zeros; whatever else it is given stays as it is. */
export function wipe(value: unknown): void {
  try {
    if (kindOf(value) === "Uint8Array") apply(fill, value, [0]);
  } catch {
    // Detached: there is nothing left to wipe.
  }
}

/** Runs what may run the caller's code (getters, proxies). */
function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    return notOurs(thrown);
  }
}

/** What the caller's own code threw is BAD_INPUT. */
function notOurs(thrown: unknown): never {
  if (thrown instanceof StrongroomError) throw thrown;
  return fail("BAD_INPUT");
}

function getter(prototype: object, name: string | symbol): (value: unknown) => unknown {
  const get = Object.getOwnPropertyDescriptor(prototype, name)?.get;
  return (value) => apply(get as () => unknown, value, []);
}

/** The most bytes of a batch, in every host. */
export const MAX_BYTES = 2 ** 32 - 1;

// The most items of a batch. The core says so too; this keeps a huge list from being copied first.
const MAX_ITEMS = 10_000;
