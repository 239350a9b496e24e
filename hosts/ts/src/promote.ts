import { fail, StrongroomError } from "./error.js";
import type { FieldStore, StoredField } from "./field-store.js";
import { isPrecondition, type KmsSession } from "./kms-session.js";
import { ofStore } from "./store.js";
import type { Errand } from "./dek-source.js";
import type { Vault } from "./vault.js";

/** What a promotion did. */
export interface PromoteReport {
  /** The record DEK's version under which every field now stands. */
  readonly version: number;
  /** How many fields were moved. */
  readonly resealed: number;
  /** How many stood there already. */
  readonly kept: number;
}

/** Makes a record's first DEK, if there is none, and moves the record's fields under the highest version. */
export async function promote<V extends Vault>(
  session: KmsSession<V>, table: string, record: string, fields: FieldStore,
): Promise<PromoteReport> {
  judgeFields(fields);
  session.judgeRecord(table, record);
  const errand = session.source.begin();
  await session.making(async () => {
    await session.readiness.storeAgain(table, record);
    const rows = await session.readiness.rows(table, record);
    // One that other readers only have is what a revocation left that was cut off.
    if (!rows.some((row) => row.reader === session.org)) await session.makeRecordDek(table, record, errand);
  });
  return resealFields(session, table, record, fields, errand);
}

/** Refuses what is no field store. */
export function judgeFields(fields: unknown): void {
  if (typeof fields !== "object" || fields === null) fail("BAD_INPUT");
}

/** Moves every field of a record that isn't under its highest version there, until a look finds none. */
export async function resealFields<V extends Vault>(
  session: KmsSession<V>, table: string, record: string, fields: FieldStore, errand: Errand,
): Promise<PromoteReport> {
  let resealed = 0;
  let failure: unknown = new StrongroomError("PRECONDITION_FAILED");
  for (let round = 0; round < ROUNDS; round++) {
    try {
      const { version, refs } = await highest(session, table, record, errand);
      const found = await ofStore(() => fields.fields(session.org, table, record));
      const behind = found.filter((field) => isBehind(session, field, table, record, refs));
      for (const field of behind) if (await moveField(session, field, fields, errand)) resealed++;
      if (behind.length === 0) return { version, resealed, kept: Math.max(found.length - resealed, 0) };
    } catch (thrown) {
      session.source.check(errand);
      // Another host may have moved the field and deleted the row since they were read.
      if (!(thrown instanceof StrongroomError && thrown.code === "UNKNOWN_DEK")) throw thrown;
      failure = thrown;
    }
  }
  throw failure;
}

/** A record's highest version that has a row for this org, and its DEKs: more than one where two hosts made it at once. */
async function highest<V extends Vault>(
  session: KmsSession<V>, table: string, record: string, errand: Errand,
): Promise<{ version: number; refs: Set<string> }> {
  const { version } = await session.readiness.record(table, record, errand);
  const rows = (await session.readiness.rows(table, record)).filter((row) => row.reader === session.org);
  for (const dekRef of new Set(rows.filter((row) => row.version === version).map((row) => row.dekRef))) {
    try {
      if (!session.source.holds(dekRef)) await session.source.hold(dekRef, errand);
    } catch (thrown) {
      if (!(thrown instanceof StrongroomError && thrown.code === "UNKNOWN_DEK")) throw thrown;
    }
  }
  const named = new Set(rows.map((row) => row.dekRef));
  // A DEK of which only storage says that it is of this version doesn't count.
  const proven = session.vault.status().filter(
    (held) => named.has(held.dekRef) && held.kind === "record" && held.org === session.org && held.version === version,
  );
  if (proven.length === 0) fail("ROW_INCONSISTENT");
  return { version, refs: new Set(proven.map((held) => held.dekRef)) };
}

function isBehind<V extends Vault>(
  session: KmsSession<V>, { binding, envelope }: StoredField, table: string, record: string, refs: ReadonlySet<string>,
): boolean {
  const isOfRecord = binding.org === session.org && binding.table === table && binding.record === record;
  if (!isOfRecord) fail("ROW_INCONSISTENT");
  return !refs.has(session.api.inspect(envelope).dekRef);
}

/** Reseals one field, unless another host was quicker. */
async function moveField<V extends Vault>(
  session: KmsSession<V>, { binding, envelope }: StoredField, fields: FieldStore, errand: Errand,
): Promise<boolean> {
  const resealed = await session.reseal(binding, envelope, { scope: "record" }, errand);
  try {
    await ofStore(() => fields.replace(binding, envelope, resealed));
    return true;
  } catch (thrown) {
    if (isPrecondition(thrown)) return false;
    throw thrown;
  }
}

/** How often a record's fields are looked through for what needs to be moved. */
export const ROUNDS = 10;
