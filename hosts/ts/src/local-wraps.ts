import { fromBase64 } from "./base64.js";
import { fail } from "./error.js";
import { now, type KmsSession } from "./kms-session.js";
import { highestOf } from "./rows.js";
import { ofStore } from "./store.js";
import type { Errand } from "./dek-source.js";
import type { WrapRow } from "./types.js";
import type { Vault } from "./vault.js";

/** Makes and stores a row of a record's newest DEK that this org can read, under the org's active DEK. */
export async function wrapLocal<V extends Vault>(
  session: KmsSession<V>, owner: string, table: string, record: string,
): Promise<WrapRow> {
  session.judgeRecord(table, record, owner);
  const errand = session.source.begin();
  await session.readiness.freshen(owner, errand);
  const rows = (await session.readiness.rows(table, record, owner)).filter((row) => row.reader === session.org);
  const version = highestOf(rows, session.org);
  if (version === 0) fail("NO_ACTIVE_DEK");
  let failure: unknown;
  for (const dekRef of new Set(rows.filter((row) => row.version === version).map((row) => row.dekRef))) {
    try {
      await hold(session, dekRef, errand);
    } catch (thrown) {
      failure ??= thrown;
      continue;
    }
    return wrapUnderActive(session, dekRef, errand);
  }
  throw failure;
}

/** Makes the local rows that are lacking under the org's active DEK, and gives how many. */
export async function rewrapLocal<V extends Vault>(session: KmsSession<V>): Promise<number> {
  const errand = session.source.begin();
  const active = (await session.readiness.orgAnew(errand)).dekRef;
  const rows = await localRows(session);
  const current = new Set(rows.filter((row) => row.keyId === active).map((row) => row.dekRef));
  let [made, failure]: [number, unknown] = [0, undefined];
  for (const dekRef of new Set(rows.map((row) => row.dekRef))) {
    if (current.has(dekRef)) continue;
    try {
      await hold(session, dekRef, errand);
      await wrapUnderActive(session, dekRef, errand);
      made++;
    } catch (thrown) {
      session.source.check(errand);
      failure ??= thrown;
    }
  }
  if (failure !== undefined) throw failure;
  return made;
}

/** The local rows of this org as a reader. */
export async function localRows<V extends Vault>(session: KmsSession<V>): Promise<WrapRow[]> {
  const rows = await ofStore(() => session.store.rowsByReader(session.org));
  return rows.filter((row) => row?.reader === session.org && row.provider === "local");
}

async function hold<V extends Vault>(session: KmsSession<V>, dekRef: string, errand: Errand): Promise<void> {
  if (!session.source.holds(dekRef)) await session.source.hold(dekRef, errand);
}

async function wrapUnderActive<V extends Vault>(session: KmsSession<V>, dekRef: string, errand: Errand): Promise<WrapRow> {
  const { org, readiness, store, vault } = session;
  const find = async (kek: string) => {
    const rows = await ofStore(() => store.rows(dekRef, org));
    return rows.find((row) => row?.dekRef === dekRef && row.provider === "local" && row.keyId === kek);
  };
  const found = await find(await readiness.org(errand));
  if (found) return found;
  const row = await session.wrapping(
    () => readiness.org(errand),
    () => {
      session.source.check(errand);
      return vault.wrapLocal(org, fromBase64(dekRef), now());
    },
  );
  return session.putOrFind(row, () => find(row.keyId));
}
