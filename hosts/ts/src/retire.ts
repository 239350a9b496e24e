import { fail } from "./error.js";
import { now, type KmsSession } from "./kms-session.js";
import { MAX_TTL } from "./kms-vault-options.js";
import { localRows } from "./local-wraps.js";
import { judgeFields } from "./promote.js";
import { ofStore } from "./store.js";
import type { Errand } from "./dek-source.js";
import type { FieldStore } from "./field-store.js";
import type { ActiveRow, WrapRow } from "./types.js";
import type { Vault } from "./vault.js";

/** What retiring a version found. */
export interface RetireReport {
  /** Whether the version's rows are gone. */
  readonly retired: boolean;
  /** The version's DEKs (base64url): one, and those that lost a race when it was made. */
  readonly dekRefs: readonly string[];
  /** How many envelopes, and how many local rows, need the version. It stays for any. */
  readonly envelopes: number;
  readonly localWraps: number;
  /** The unix second before which no inventory may begin, if that time hasn't come. */
  readonly notBefore?: number;
}

/** Deletes what belongs to a version of the org's DEK, if nothing needs it. */
export async function retire<V extends Vault>(
  session: KmsSession<V>, version: number, fields: FieldStore,
): Promise<RetireReport> {
  judgeFields(fields);
  const errand = session.source.begin();
  const active = await session.readiness.orgAnew(errand);
  session.source.check(errand);
  if (version === 0 || version >= active.version) fail("BAD_INPUT");
  const rows = await versionRows(session, version, active);
  const dekRefs = [...new Set(rows.map((row) => row.dekRef))];
  const notBefore = await inactiveFrom(session, dekRefs);
  if (now() < notBefore) return { retired: false, dekRefs, envelopes: 0, localWraps: 0, notBefore };
  const envelopes = await inventory(session, dekRefs, fields);
  const { redundant, needed } = await judgeLocal(session, dekRefs, active, errand);
  if (envelopes + needed > 0) return { retired: false, dekRefs, envelopes, localWraps: needed };
  // In this order, so that a run which is cut off leaves what the next one finds.
  for (const row of [...redundant, ...rows]) await ofStore(() => session.store.delete(row));
  for (const dekRef of dekRefs) await ofStore(() => session.store.deleteUsage(dekRef));
  return { retired: true, dekRefs, envelopes: 0, localWraps: 0 };
}

/** The rows of a version of the org's DEK, those that lost a race too. */
async function versionRows<V extends Vault>(session: KmsSession<V>, version: number, active: ActiveRow): Promise<WrapRow[]> {
  const { org, store } = session;
  const owned = await ofStore(() => store.rowsByOwner(org));
  const rows = owned.filter(
    (row) => row?.purpose === "org-dek" && row.owner === org && row.reader === org && row.version === version,
  );
  // Storage's word: that the active DEK is of an older version is a lie.
  if (rows.some((row) => row.dekRef === active.dekRef)) fail("ROW_INCONSISTENT");
  return rows;
}

/** The unix second from which an inventory may prove anything. Where nobody noted it, this notes it. */
async function inactiveFrom<V extends Vault>(session: KmsSession<V>, dekRefs: readonly string[]): Promise<number> {
  const { store } = session;
  let from = 0;
  for (const dekRef of dekRefs) {
    const noted = (await ofStore(() => store.usage(dekRef)))?.inactiveSince;
    const since = noted ?? (await ofStore(() => store.markInactive(dekRef, now()))).inactiveSince;
    from = Math.max(from, (since ?? now()) + INACTIVE_FOR);
  }
  return from;
}

/** Counts the envelopes that need one of the DEKs. One that can't be read proves nothing, and ends this. */
async function inventory<V extends Vault>(
  session: KmsSession<V>, dekRefs: readonly string[], fields: FieldStore,
): Promise<number> {
  const found = fields.all(session.org)[Symbol.asyncIterator]();
  let count = 0;
  for (;;) {
    const next = await ofStore(() => found.next());
    if (next.done) return count;
    if (dekRefs.includes(session.api.inspect(next.value.envelope).dekRef)) count++;
  }
}

/**
 * Looks through this org's local rows under the DEKs. One is redundant if the same DEK comes in by another
 * row under the active DEK, which is tried here and now.
 */
async function judgeLocal<V extends Vault>(
  session: KmsSession<V>, dekRefs: readonly string[], active: ActiveRow, errand: Errand,
): Promise<{ redundant: WrapRow[]; needed: number }> {
  const rows = await localRows(session);
  const current = new Map(rows.filter((row) => row.keyId === active.dekRef).map((row) => [row.dekRef, row]));
  const redundant: WrapRow[] = [];
  let needed = 0;
  for (const row of rows.filter((old) => dekRefs.includes(old.keyId))) {
    const again = current.get(row.dekRef);
    session.source.check(errand);
    if (again && comesIn(session, again)) redundant.push(row);
    else needed++;
  }
  return { redundant, needed };
}

function comesIn<V extends Vault>(session: KmsSession<V>, row: WrapRow): boolean {
  try {
    session.vault.admit(session.org, row);
    return true;
  } catch {
    return false;
  }
}

/**
 * Seconds for which a DEK must have been inactive: no vault holds one longer than 43,200 s, and none goes
 * by an `active` row that it read more than 3,600 s ago.
 */
const INACTIVE_FOR = MAX_TTL + 3_600;
