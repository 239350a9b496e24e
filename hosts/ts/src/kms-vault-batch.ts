import { bytes, items, MAX_BYTES, members, wipe } from "./check.js";
import { bindingCopy, bytesCopy, sealOptionsCopy } from "./copies.js";
import { fail, StrongroomError } from "./error.js";
import { attempt } from "./frame.js";
import type { BatchResult, Binding, SealOptions } from "./types.js";

/** One item of a batch, the caller's bytes copied. */
export interface ItemCopy {
  readonly binding: Binding;
  readonly value: Uint8Array;
  readonly options: SealOptions;
}

/**
 * Own copies of a batch's items; one that can't be converted is its own error. More bytes than a batch
 * may have are LIMIT before any is copied.
 *
 * @param name what an item calls its bytes
 */
export function copies(list: unknown, name: "plaintext" | "envelope"): (ItemCopy | StrongroomError)[] {
  const names = name === "plaintext" ? (["binding", name, "options"] as const) : (["binding", name] as const);
  // In this order: converting may run the caller's code, which may detach another item's buffer.
  const read = items(list).map((item) =>
    attempt(() => {
      const [binding, value, options] = members(item, names, "BAD_INPUT");
      return { binding: bindingCopy(binding), value, options: sealOptionsCopy(options) };
    }),
  );
  const views = read.map((item) => keep(item, ({ value }) => bytes(value)));
  const length = views.reduce((sum, item) => (item instanceof StrongroomError ? sum : sum + item.value.length), 0);
  if (length > MAX_BYTES) fail("LIMIT");
  return views.map((item) => keep(item, ({ value }) => bytesCopy(value)));
}

function keep<T extends { value: unknown }>(
  item: T | StrongroomError,
  convert: (item: T) => Uint8Array,
): (Omit<T, "value"> & { value: Uint8Array }) | StrongroomError {
  return item instanceof StrongroomError ? item : attempt(() => ({ ...item, value: convert(item) }));
}

/** Wipes the copies. */
export function wipeAll(read: readonly (ItemCopy | StrongroomError)[]): void {
  for (const item of read) if (!(item instanceof StrongroomError)) wipe(item.value);
}

/** Works the items off in pieces whose DEKs the vault can hold at once. Results stand in the items' order. */
export async function inChunks(
  read: readonly (ItemCopy | StrongroomError)[],
  work: (chunk: readonly ItemCopy[]) => Promise<BatchResult[]>,
): Promise<BatchResult[]> {
  const results: BatchResult[] = [];
  for (let start = 0; start < read.length; start += CHUNK) {
    const part = read.slice(start, start + CHUNK);
    const done = await work(part.filter((item): item is ItemCopy => !(item instanceof StrongroomError)));
    const next = done[Symbol.iterator]();
    for (const item of part) {
      if (item instanceof StrongroomError) results.push({ ok: false, error: item });
      else results.push(next.next().value as BatchResult);
    }
  }
  return results;
}

/** Whether an item failed, and for this reason. */
export function isRefused(result: BatchResult | undefined, reason: (error: unknown) => boolean): boolean {
  return result !== undefined && !result.ok && reason(result.error);
}

/** Half of what a vault holds at once, so that one piece never drives out its own DEKs. */
const CHUNK = 2_048;
