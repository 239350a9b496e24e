import { entries, members, text } from "./check.js";
import { fail } from "./error.js";
import type { RowKey } from "./store.js";
import type { ActiveRow, UsageRow, WrapRow } from "./types.js";

// The core's rules for rows once more, because a store has no core: a row that no host reads must never
// get into a file that several of them use. A test compares the two.

/**
 * A copy of a wrap row that every host reads. Throws `ROW_INCONSISTENT` for one with members missing,
 * unknown, misspelt or at odds; `BAD_INPUT` and `LIMIT` for a string in it; `LIMIT` for a blob over 6,144 bytes.
 */
export function plainRow(value: unknown): WrapRow {
  const found = own(value);
  const isOrgDek = plainMember(found.get("purpose"), "token") === "org-dek";
  const row = plain(found, isOrgDek ? ORG_ROW : RECORD_ROW);
  const { purpose, owner, reader, provider } = row;
  const isLocal = provider === "local";
  const fits =
    row.v === 1 &&
    (isOrgDek || purpose === "record-dek" || purpose === "share") &&
    (owner === reader) === (purpose !== "share") &&
    isVersion(row.version) &&
    isRef(row.dekRef) &&
    (isLocal ? !isOrgDek && isRef(row.keyId) : provider === "aws-kms") &&
    isBase64(row.blob as string);
  if (!fits) fail("ROW_INCONSISTENT");
  if ((row.blob as string).length > MAX_BLOB) fail("LIMIT");
  return row as unknown as WrapRow;
}

/** A copy of an `active` row, likewise. */
export function plainActive(value: unknown): ActiveRow {
  const active = plain(own(value), ACTIVE_ROW);
  const fits = isRef(active.dekRef) && isVersion(active.version) && STATES.includes(active.state) && active.rev !== 0;
  if (!fits) fail("ROW_INCONSISTENT");
  return active as unknown as ActiveRow;
}

/** A copy of a `usage` row, as it is stored. */
export function plainUsage(value: unknown): UsageRow {
  const found = own(value);
  const usage = plain(found, found.has("inactiveSince") ? INACTIVE_ROW : USAGE_ROW);
  if (!isRef(usage.dekRef) || usage.inactiveSince === 0) fail("ROW_INCONSISTENT");
  return usage as unknown as UsageRow;
}

/** A dek_ref (base64url). Throws `BAD_INPUT`. */
export function plainRef(value: unknown): string {
  return isRef(value) ? (value as string) : fail("BAD_INPUT");
}

/** The usage row after seals were reserved. Throws `BAD_INPUT` for no seals, `PRECONDITION_FAILED` above the limit. */
export function reserved(row: UsageRow, count: unknown, limit: unknown): UsageRow {
  if (!isWhole(count) || !isWhole(limit) || count === 0) fail("BAD_INPUT");
  if (row.reserved + count > limit) fail("PRECONDITION_FAILED");
  return { ...row, reserved: row.reserved + count };
}

/** The usage row with the second noted, unless one is noted. Throws `BAD_INPUT` for none. */
export function inactive(row: UsageRow, at: unknown): UsageRow {
  if (!isWhole(at) || at === 0) fail("BAD_INPUT");
  return row.inactiveSince === undefined ? { ...row, inactiveSince: at } : row;
}

/** {@link plainRef} of a deletion that was stored. */
export function storedUsageKey(value: unknown): string {
  const key = plain(own(value), USAGE_KEY);
  return isRef(key.dekRef) ? (key.dekRef as string) : fail("ROW_INCONSISTENT");
}

/** What a row, or a part of one, is found by. */
export function plainKey(value: unknown): RowKey {
  const [dekRef, reader, keyId] = members(value, ["dekRef", "reader", "keyId"]);
  return { dekRef: text(dekRef), reader: text(reader), keyId: text(keyId) };
}

/** {@link plainKey} as strictly as the rows, for a key that was stored. */
export function storedKey(value: unknown): RowKey {
  const key = plain(own(value), ROW_KEY);
  if (!isRef(key.dekRef)) fail("ROW_INCONSISTENT");
  return key as unknown as RowKey;
}

/** The highest version with a row for a reader; 0 without any. */
export function highestOf(rows: readonly WrapRow[], reader: string): number {
  return rows.reduce((highest, row) => (row.reader === reader ? Math.max(highest, row.version) : highest), 0);
}

/** The next version of a DEK. */
export function nextVersion(version: number): number {
  return version < MAX_VERSION ? version + 1 : fail("LIMIT");
}

/** What a member must be. A `name` is a string of the core's, a `token` is judged by its spelling. */
type Shape = Readonly<Record<string, "name" | "keyId" | "token" | "whole">>;

/** An object's own members. */
function own(value: unknown): Map<unknown, unknown> {
  return typeof value === "object" && value !== null ? new Map(entries(value)) : fail("BAD_INPUT");
}

/** An object of these members, which must be all that there are and of these types. */
function plain(found: Map<unknown, unknown>, shape: Shape): Record<string, unknown> {
  const names = Object.keys(shape);
  if (found.size !== names.length || !names.every((name) => found.has(name))) fail("ROW_INCONSISTENT");
  return Object.fromEntries(Array.from(found, ([name, member]) => [name, plainMember(member, shape[name as string])]));
}

function plainMember(member: unknown, kind: Shape[string] | undefined): string | number {
  if (kind === "whole") return isWhole(member) ? member : fail("ROW_INCONSISTENT");
  if (typeof member !== "string") fail("ROW_INCONSISTENT");
  const checked = text(member);
  if (kind === "token") return checked;
  if (checked === "") fail("BAD_INPUT");
  const limit = kind === "keyId" ? MAX_KEY_ID : MAX_TEXT;
  if (checked.length > limit || new TextEncoder().encode(checked).length > limit) fail("LIMIT");
  return checked;
}

/** Also -0 is none: JSON would spell it so. */
function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && !Object.is(value, -0) && (value as number) >= 0;
}

function isVersion(value: unknown): boolean {
  return typeof value === "number" && value >= 1 && value <= MAX_VERSION;
}

/** Base64url of 32 bytes in its one spelling. */
function isRef(value: unknown): boolean {
  return typeof value === "string" && /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(value);
}

/** Base64 of one byte or more in its one spelling. Piece by piece, so that no length takes a deep stack. */
function isBase64(blob: string): boolean {
  const end = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)$/;
  return blob.length % 4 === 0 && end.test(blob.slice(-4)) && !/[^A-Za-z0-9+/]/.test(blob.slice(0, -4));
}

declare class TextEncoder {
  encode(text: string): Uint8Array;
}

const ORG_ROW: Shape = {
  v: "whole", purpose: "token", owner: "name", reader: "name", version: "whole", created: "whole",
  dekRef: "token", provider: "token", keyId: "keyId", blob: "token",
};
const RECORD_ROW: Shape = { ...ORG_ROW, table: "name", record: "name" };
const ACTIVE_ROW: Shape = { org: "name", dekRef: "token", version: "whole", state: "token", rev: "whole" };
const USAGE_ROW: Shape = { dekRef: "token", reserved: "whole" };
const INACTIVE_ROW: Shape = { ...USAGE_ROW, inactiveSince: "whole" };
const USAGE_KEY: Shape = { dekRef: "token" };
const ROW_KEY: Shape = { dekRef: "token", reader: "name", keyId: "keyId" };
const STATES: readonly unknown[] = ["active", "tombstoned"];
const MAX_VERSION = 2 ** 32 - 1;
/** Bytes of UTF-8. */
const MAX_TEXT = 1_024;
const MAX_KEY_ID = 2_048;
/** 6,144 bytes in base64. */
const MAX_BLOB = 8_192;
