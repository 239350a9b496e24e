import { fail, StrongroomError } from "./error.js";
import { now, type KmsSession } from "./kms-session.js";
import { MAX_TTL } from "./kms-vault-options.js";
import { judgeFields, resealFields, ROUNDS } from "./promote.js";
import { highestOf } from "./rows.js";
import { wrapDek } from "./share.js";
import { ofStore } from "./store.js";
import type { Errand } from "./dek-source.js";
import type { FieldStore } from "./field-store.js";
import type { Draft } from "./seal-readiness.js";
import type { WrapRow } from "./types.js";
import type { Vault } from "./vault.js";

/** What a revocation did, and what it could not undo. */
export interface RevokeReport {
  /** The record DEK's version under which every field now stands. */
  readonly version: number;
  /** How many fields were moved. */
  readonly resealed: number;
  /** The orgs with which the record is still shared, in order. */
  readonly readers: readonly string[];
  /** How many rows of older versions were deleted. */
  readonly deleted: number;
  /**
   * The unix second until which the old DEK may live in a vault or a keychain of the reader. What the
   * reader has read it may keep for ever.
   */
  readonly cachedUntil: number;
}

/** Ends a reader's share of a record. */
export async function revoke<V extends Vault>(
  session: KmsSession<V>, table: string, record: string, reader: string, fields: FieldStore,
): Promise<RevokeReport> {
  judgeFields(fields);
  if (reader === "" || reader === session.org) fail("BAD_INPUT");
  session.judgeRecord(table, record);
  const errand = session.source.begin();
  let resealed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await session.making(() => shutOut(session, table, record, reader, errand));
    const moved = await resealFields(session, table, record, fields, errand);
    resealed += moved.resealed;
    const rows = await session.readiness.rows(table, record);
    const version = highestOf(rows, session.org);
    const readers = readersAt(rows, version, session.org);
    // Another host that revoked for somebody else may have shared anew with this one.
    if (readers.has(reader) || version !== moved.version) continue;
    const older = rows.filter((row) => row.version < version);
    for (const row of older) await ofStore(() => session.store.delete(row));
    return {
      version, resealed, readers: [...readers.keys()].sort(), deleted: older.length, cachedUntil: now() + MAX_TTL,
    };
  }
  throw new StrongroomError("PRECONDITION_FAILED");
}

/**
 * Makes a new version of a record's DEK if the reader has a row of the highest: first the rows of the
 * readers that remain, then the own one. That one makes the version known; what is there before it is
 * nobody's loss.
 */
async function shutOut<V extends Vault>(
  session: KmsSession<V>, table: string, record: string, reader: string, errand: Errand,
): Promise<void> {
  await session.readiness.storeAgain(table, record);
  const rows = await session.readiness.rows(table, record);
  const highest = highestOf(rows, session.org);
  if (highest === 0) fail("NO_ACTIVE_DEK");
  const remaining = readersAt(rows, highest, session.org);
  if (!remaining.delete(reader)) return;
  const cmks = Array.from(remaining, ([org, named]) => [org, cmkOf(session, org, named)] as const);
  const version = session.readiness.nextVersion(rows, table, record);
  let draft: Draft | undefined;
  const wrapped = session.wrapping(
    () => session.readiness.org(errand),
    () => {
      const row = session.generate(table, record, version, errand);
      draft = session.readiness.draft(row);
      return row;
    },
  );
  await wrapped.catch((thrown: unknown) => {
    draft?.finish(thrown);
    throw thrown;
  });
  if (!draft) fail("INTERNAL");
  const { row } = draft;
  await session.readiness.publish(draft, () => shareAll(session, row, cmks, errand));
}

/** Wraps a DEK for its readers. One that is tombstoned has nothing to read with. */
async function shareAll<V extends Vault>(
  session: KmsSession<V>, dek: WrapRow, cmks: readonly (readonly [string, string])[], errand: Errand,
): Promise<void> {
  const outcomes = await Promise.allSettled(cmks.map(([reader, cmk]) => wrapDek(session, dek, { reader, cmk }, errand)));
  for (const outcome of outcomes) {
    const isLoss = outcome.status === "rejected" && (outcome.reason as StrongroomError).code !== "ORG_TOMBSTONED";
    if (isLoss) throw outcome.reason;
  }
}

/** The readers with a row of that version, and the key ids of their rows. */
function readersAt(rows: readonly WrapRow[], version: number, owner: string): Map<string, string[]> {
  const readers = new Map<string, string[]>();
  for (const row of rows) {
    if (row.version !== version || row.reader === owner) continue;
    readers.set(row.reader, [...(readers.get(row.reader) ?? []), row.keyId]);
  }
  return readers;
}

/** The CMK for a reader: one that its rows name and `cmks` lists, or else the first that it lists. */
function cmkOf<V extends Vault>(session: KmsSession<V>, reader: string, named: readonly string[]): string {
  const listed = session.listed[reader] ?? [];
  return named.find((keyId) => listed.includes(keyId)) ?? listed[0] ?? fail("KEY_ID_UNEXPECTED");
}
