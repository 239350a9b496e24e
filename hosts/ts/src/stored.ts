import { fail } from "./error.js";
import type { StoredField } from "./field-store.js";
import { plainActive, plainRow, plainUsage } from "./rows.js";
import { JsonNumber, readJson, type JsonValue } from "./strict-json.js";
import type { ActiveRow, UsageRow, WrapRow } from "./types.js";

// What the stores in databases read back. Whatever no store wrote is STORE_UNAVAILABLE, never an answer.

/** A stored wrap row. */
export function storedWrap(text: unknown): WrapRow {
  return unlessDamaged(() => plainRow(plainValue(text)));
}

/** A stored `active` row, which must be the org's and of that `rev`. */
export function storedActive(text: unknown, org: string, rev: number): ActiveRow {
  const row = unlessDamaged(() => plainActive(plainValue(text)));
  return row.org === org && row.rev === rev ? row : fail("STORE_UNAVAILABLE");
}

/** A stored `usage` row. */
export function storedUsage(dekRef: string, reserved: number, inactiveSince: number | undefined): UsageRow {
  return unlessDamaged(() => plainUsage({ dekRef, reserved, ...(inactiveSince !== undefined && { inactiveSince }) }));
}

/** A stored field. `revision` is "" where the binding has none. */
export function fieldAt(org: unknown, table: unknown, record: unknown, field: unknown, revision: unknown, envelope: unknown): StoredField {
  const names = [org, table, record, field].every((name) => typeof name === "string");
  if (!names || typeof revision !== "string" || !/^(|0|[1-9]\d{0,19})$/.test(revision) || !(envelope instanceof Uint8Array)) fail("STORE_UNAVAILABLE");
  if (revision !== "" && BigInt(revision) >= 2n ** 64n) fail("STORE_UNAVAILABLE");
  const place = { org, table, record, field } as { org: string; table: string; record: string; field: string };
  return { binding: { ...place, ...(revision !== "" && { revision: BigInt(revision) }) }, envelope: envelope.slice() };
}

/** Whether two rows say the same: the order of members is no difference. */
export function isSameRow(one: WrapRow, other: WrapRow): boolean {
  const spelled = (row: WrapRow) => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
  return spelled(one) === spelled(other);
}

function unlessDamaged<T>(read: () => T): T {
  try {
    return read();
  } catch {
    return fail("STORE_UNAVAILABLE");
  }
}

function plainValue(text: unknown): unknown {
  return typeof text === "string" ? plain(readJson(text)) : fail("STORE_UNAVAILABLE");
}

function plain(value: JsonValue): unknown {
  return value instanceof Map ? Object.fromEntries(Array.from(value, ([name, member]) => [name, member instanceof JsonNumber ? whole(member) : member])) : value;
}

/** NaN, which no row has, for another spelling than that of rows. */
function whole({ spelling }: JsonNumber): number {
  return /^(?:0|[1-9]\d*)$/.test(spelling) ? Number(spelling) : NaN;
}
