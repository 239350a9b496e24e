import { fail, StrongroomError } from "./error.js";
import { isPrecondition, now, type KmsSession } from "./kms-session.js";
import { MAX_TTL } from "./kms-vault-options.js";
import { plainActive } from "./rows.js";
import { ofStore, storeError, type WrapStore } from "./store.js";
import { text } from "./check.js";
import type { Errand } from "./dek-source.js";
import type { ActiveRow, KmsReply, KmsRequest, WrapRow } from "./types.js";
import type { Vault } from "./vault.js";

/** What of a shredded org is still there, and until when. */
export interface Survivors {
  readonly org: string;
  /** The org's CMKs. */
  readonly keys: readonly ShreddedKey[];
  /** What other orgs can still read: each share, and each row under the reader's own DEK. Only they can end that. */
  readonly shares: readonly SurvivingShare[];
  /** The unix second until which a vault that saw nothing of this, or a keychain, may hold the org's DEKs. */
  readonly cachedUntil: number;
  /** The org's own rows, and those for it as a reader: useless, and to be deleted once nobody means to call it off. */
  readonly rows: readonly WrapRow[];
}

/** A CMK of a shredded org. */
export interface ShreddedKey {
  readonly keyId: string;
  /** The unix second, by this host's clock, from which the KMS has destroyed it; absent where another call asked for it. */
  readonly deletedAt?: number;
}

/** A row by which another org reads a record. */
export type SurvivingShare = Required<Pick<WrapRow, "table" | "record" | "reader" | "keyId" | "version" | "dekRef">>;

/** Has the org's CMKs destroyed, and tombstones its `active` row and the vault. */
export async function shred<V extends Vault>(session: KmsSession<V>, days: number): Promise<Survivors> {
  const errand = session.source.begin();
  const keys: ShreddedKey[] = [];
  for (const cmk of session.cmks) keys.push(await shredKey(session, cmk, days, errand));
  await session.readiness.alone(async () => {
    try {
      await writeState(session.store, session.org, "tombstoned");
    } catch (thrown) {
      if (!(thrown instanceof StrongroomError && thrown.code === "NO_ACTIVE_DEK")) throw thrown;
    }
    session.source.check(errand);
    session.vault.tombstone(session.org);
  });
  // What can't be deleted there is over in twelve hours, and the host is warned.
  await session.cache.empty().catch(() => undefined);
  return { ...(await survivors(session)), keys };
}

/** What of the org is there besides its own. Reads the store only. */
export async function survivors<V extends Vault>(session: KmsSession<V>): Promise<Survivors> {
  const { org, store } = session;
  const owned = await ofStore(() => store.rowsByOwner(org));
  const read = await ofStore(() => store.rowsByReader(org));
  const isShare = (row: WrapRow) => row.owner === org && row.reader !== org;
  const shares = owned.filter(isShare).map(({ table = "", record = "", reader, keyId, version, dekRef }) => ({
    table, record, reader, keyId, version, dekRef,
  }));
  const rows = new Map<string, WrapRow>();
  for (const row of [...owned, ...read]) {
    if (!isShare(row)) rows.set(JSON.stringify([row.dekRef, row.reader, row.keyId]), row);
  }
  const keys = session.cmks.map((keyId) => ({ keyId }));
  return { org, keys, shares, cachedUntil: now() + MAX_TTL, rows: [...rows.values()] };
}

/**
 * Calls a shredding off: after the product has had CancelKeyDeletion and EnableKey done for the org's
 * CMKs, it writes the org's tombstoned `active` row active again, of the same DEK and version, and gives
 * it. One that isn't tombstoned is given as it is. Vaults that saw the tombstone go on refusing; make new
 * ones. Rejects with `NO_ACTIVE_DEK` for an org without an `active` row.
 */
export async function reactivate(store: WrapStore, org: string): Promise<ActiveRow> {
  return writeState(store, text(org), "active");
}

async function writeState(store: WrapStore, org: string, state: ActiveRow["state"]): Promise<ActiveRow> {
  for (let tries = 1; ; tries++) {
    try {
      const stored = await store.active(org);
      if (!stored) fail("NO_ACTIVE_DEK");
      const active = plainActive(stored);
      if (active.org !== org) fail("ROW_INCONSISTENT");
      if (active.state === state) return active;
      const row = { ...active, state, rev: active.rev + 1 };
      await store.compareAndSetActive(row);
      return row;
    } catch (thrown) {
      const error = storeError(thrown);
      // Another host may have rotated meanwhile.
      if (!isPrecondition(error) || tries === MOST_TRIES) throw error;
    }
  }
}

async function shredKey<V extends Vault>(
  session: KmsSession<V>, cmk: string, days: number, errand: Errand,
): Promise<ShreddedKey> {
  const request = session.vault.shredRequest(session.org, cmk, days);
  try {
    return await session.source.ask(request, (reply) => judgeShred(session, request, reply, days), errand);
  } catch (thrown) {
    if (thrown instanceof StrongroomError && thrown.code === "KMS_PENDING_DELETION") return { keyId: cmk };
    throw thrown;
  }
}

/** Judges the answer as the core judges every other: from where the request was to go, about the CMK that was asked. */
function judgeShred<V extends Vault>(
  session: KmsSession<V>, request: KmsRequest, reply: KmsReply, days: number,
): ShreddedKey {
  if (request.fips) session.api.assertFipsEndpoint(reply.endpoint, request.region);
  else if (reply.endpoint !== request.endpoint) fail("ENDPOINT_POLICY");
  if (reply.error !== undefined) {
    if (DENIED.has(reply.error)) fail("KMS_DENIED");
    if (reply.error === "KMSInvalidStateException") fail("KMS_PENDING_DELETION");
    fail(THROTTLED.has(reply.error) ? "KMS_THROTTLED" : "KMS_UNAVAILABLE");
  }
  const { KeyId } = request.params;
  if (reply.KeyId !== KeyId) fail("KEY_ID_UNEXPECTED");
  return { keyId: KeyId, deletedAt: now() + days * 86_400 };
}

const DENIED: ReadonlySet<string> = new Set([
  "AccessDeniedException", "NotFoundException", "InvalidCiphertextException", "IncorrectKeyException", "DisabledException",
]);
const THROTTLED: ReadonlySet<string> = new Set(["ThrottlingException", "LimitExceededException"]);
/** Each try more needs a rotation of another host between a read and a write. */
const MOST_TRIES = 16;
