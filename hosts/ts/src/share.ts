import { fromBase64 } from "./base64.js";
import { fail } from "./error.js";
import { now, type KmsSession } from "./kms-session.js";
import type { Errand } from "./dek-source.js";
import type { KmsReply, WrapRow } from "./types.js";
import type { Vault } from "./vault.js";

/** For whom a DEK is wrapped, and by which CMK. Without a reader it is for the owner. */
interface WrapTarget {
  readonly reader?: string;
  readonly cmk: string;
}

/** Lets another org open a record, by its highest version. */
export async function share<V extends Vault>(
  session: KmsSession<V>, table: string, record: string, reader: string, cmk: string,
): Promise<WrapRow> {
  return wrap(session, table, record, { reader, cmk });
}

/** Wraps a record's DEK by the org's own CMK. */
export async function wrapForPreview<V extends Vault>(
  session: KmsSession<V>, table: string, record: string,
): Promise<WrapRow> {
  return wrap(session, table, record, { cmk: session.cmks[0] ?? fail("KEY_ID_UNEXPECTED") });
}

async function wrap<V extends Vault>(
  session: KmsSession<V>, table: string, record: string, target: WrapTarget,
): Promise<WrapRow> {
  session.judgeRecord(table, record);
  const errand = session.source.begin();
  return session.generations.join(JSON.stringify([table, record, target.reader ?? null, target.cmk]), async () => {
    const newest = await session.readiness.record(table, record, errand);
    return wrapDek(session, newest, target, errand);
  });
}

/** Wraps a record DEK that is held by a CMK and stores the row, unless there is one. */
export async function wrapDek<V extends Vault>(
  session: KmsSession<V>, dek: WrapRow, target: WrapTarget, errand: Errand,
): Promise<WrapRow> {
  const { vault, source } = session;
  const { cmk, reader = session.org } = target;
  const find = async () => {
    const rows = await session.readiness.rows(dek.table ?? "", dek.record ?? "");
    return rows.find((row) => row.dekRef === dek.dekRef && row.reader === reader && row.keyId === cmk);
  };
  const stored = await find();
  if (stored) return stored;
  source.check(errand);
  const ref = fromBase64(dek.dekRef);
  const isShare = target.reader !== undefined;
  const request = isShare ? vault.shareRequest(ref, reader, cmk, now()) : vault.wrapRequest(ref, cmk, now());
  // The row names the record, and is storage's word; the request names it too, and is the core's.
  const claimed = session.api.kmsContext({ ...dek, provider: "aws-kms" });
  if (request.params.EncryptionContext?.[RESOURCE] !== claimed[RESOURCE]) fail("ROW_INCONSISTENT");
  const plaintext = vault.takeRequestPlaintext(request.id);
  const admit = (reply: KmsReply) => vault.admitShared(request.id, reply);
  const row = await source.ask(request, admit, errand, plaintext);
  return session.putOrFind(row, find);
}

/** Where a request's encryption context names the record. */
const RESOURCE = "strongroom-resource";
