import { fail } from "./error.js";
import { isPrecondition, now, type KmsSession } from "./kms-session.js";
import { nextVersion } from "./rows.js";
import { ofStore, storeError } from "./store.js";
import type { Errand } from "./dek-source.js";
import type { ActiveRow } from "./types.js";
import type { Vault } from "./vault.js";

/** Why a rotation is due. */
export type RotationCause = "age" | "use";

/** Makes a new version of the org's DEK active, or takes the row of who was quicker. */
export async function rotate<V extends Vault>(session: KmsSession<V>): Promise<ActiveRow> {
  const errand = session.source.begin();
  return session.rotations.join("", () => rotateFrom(session, errand));
}

/** Why the active DEK should be replaced, if it should. */
export async function rotationDue<V extends Vault>(session: KmsSession<V>): Promise<RotationCause | undefined> {
  const { dekRef } = await session.readiness.orgAnew(session.source.begin());
  return causeOf(session, dekRef);
}

/** Rotates if that is due, unless another process has done it, and says why. */
export async function rotateIfDue<V extends Vault>(session: KmsSession<V>): Promise<RotationCause | undefined> {
  const errand = session.source.begin();
  const { dekRef } = await session.readiness.orgAnew(errand);
  const cause = await causeOf(session, dekRef);
  if (!cause) return undefined;
  let isDone = false;
  await session.rotations.join("", () => rotateFrom(session, errand, dekRef, () => (isDone = true)));
  return isDone ? cause : undefined;
}

/**
 * @param from the active DEK to rotate away from; any other is left alone
 * @param minted is called if a DEK was minted
 */
async function rotateFrom<V extends Vault>(
  session: KmsSession<V>, errand: Errand, from?: string, minted: () => void = () => undefined,
): Promise<ActiveRow> {
  const { readiness, source, vault, org } = session;
  return readiness.alone(async () => {
    const before = await readiness.stored();
    source.check(errand);
    if (before && from !== undefined && before.dekRef !== from) return readiness.adopt(before, errand);
    const told = before && (await readiness.tell(before, errand));
    const cmk = session.cmks[0] ?? fail("KEY_ID_UNEXPECTED");
    const request = vault.mintRequest(org, cmk, nextVersion(told?.version ?? 0), now());
    const { row, active } = await source.ask(request, (reply) => vault.admitMinted(request.id, reply), errand);
    await session.put(row);
    const winner = await activate(session, active);
    const isOurs = winner.dekRef === active.dekRef;
    if (isOurs && told) {
      // Where this is lost, retiring notes a later time and waits longer.
      await ofStore(() => session.store.markInactive(told.dekRef, now())).catch(() => undefined);
    }
    const adopted = await readiness.adopt(winner, errand, isOurs);
    if (isOurs) {
      minted();
      source.minted(row, errand);
    }
    return adopted;
  });
}

/** Writes the `active` row. The answer is the row that is there afterwards: this one or the winner's. */
async function activate<V extends Vault>(session: KmsSession<V>, active: ActiveRow): Promise<ActiveRow> {
  try {
    await session.store.compareAndSetActive(active);
    return active;
  } catch (thrown) {
    const error = storeError(thrown);
    // The write may have got through although the answer didn't.
    const stored = await session.readiness.stored();
    if (stored && (isPrecondition(error) || stored.dekRef === active.dekRef)) return stored;
    throw error;
  }
}

async function causeOf<V extends Vault>(session: KmsSession<V>, dekRef: string): Promise<RotationCause | undefined> {
  const { org, store, limits } = session;
  const rows = await ofStore(() => store.rows(dekRef, org));
  const created = rows.filter((row) => row?.dekRef === dekRef && row.purpose === "org-dek").map((row) => row.created);
  if (created.length === 0) fail("UNKNOWN_DEK");
  // Of several rows the oldest counts: a later wrap makes no DEK younger.
  if (now() - Math.min(...created) >= limits.rotateAfter) return "age";
  const usage = await ofStore(() => store.usage(dekRef));
  return usage && usage.reserved >= limits.rotateAfterSeals ? "use" : undefined;
}
