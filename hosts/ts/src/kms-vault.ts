import { text, whole, wipe } from "./check.js";
import { bindingCopy, bytesCopy, sealOptionsCopy } from "./copies.js";
import { isGone, type Errand } from "./dek-source.js";
import { StrongroomError, translate } from "./error.js";
import type { FieldStore } from "./field-store.js";
import { copies, inChunks, isRefused, wipeAll, type ItemCopy } from "./kms-vault-batch.js";
import type { KmsVaultOptions } from "./kms-vault-options.js";
import { KmsSession, type KmsVaultApi } from "./kms-session.js";
import { rewrapLocal, wrapLocal } from "./local-wraps.js";
import { promote, type PromoteReport } from "./promote.js";
import { retire, type RetireReport } from "./retire.js";
import { revoke, type RevokeReport } from "./revoke.js";
import { rotate, rotateIfDue, rotationDue, type RotationCause } from "./rotation.js";
import { share, wrapForPreview } from "./share.js";
import { shred, survivors, type Survivors } from "./shred.js";
import { isWorthAnother } from "./seal-readiness.js";
import type {
  ActiveRow, BatchResult, Binding, OpenItem, ResealOptions, SealItem, SealOptions, WrapRow,
} from "./types.js";
import type { Vault } from "./vault.js";

export type { KmsVaultApi } from "./kms-session.js";
export type { KmsVaultOptions } from "./kms-vault-options.js";
export type { PromoteReport } from "./promote.js";
export type { RetireReport } from "./retire.js";
export type { RevokeReport } from "./revoke.js";
export type { RotationCause } from "./rotation.js";
export { reactivate, type ShreddedKey, type SurvivingShare, type Survivors } from "./shred.js";

/** How packages export {@link KmsVault}. */
export interface KmsVaultFactory<V extends Vault> {
  /** Throws `UNKNOWN_OPTION`, `BAD_INPUT` (also without `cmks`), `LIMIT`. */
  create(options: KmsVaultOptions): KmsVault<V>;
}

/** Makes `KmsVault` over the vault of a package. */
export function bindKmsVault<V extends Vault>(api: KmsVaultApi<V>): { KmsVault: KmsVaultFactory<V> } {
  class Bound extends KmsVault<V> {
    static create(options: KmsVaultOptions): KmsVault<V> {
      return new Bound(new KmsSession(api, options));
    }
  }
  Object.defineProperty(Bound, "name", { value: "KmsVault" });
  return { KmsVault: Bound };
}

/**
 * A vault for one org's session that fetches its DEKs itself: which are missing, their rows from the
 * store, the KMS's answers, then the work.
 *
 * However many callers wait for a DEK, it is one flight and at most one KMS call; 500 envelopes under
 * two DEKs are two calls, and none when they are held. A throttled or unreachable KMS is asked again,
 * with growing random pauses, up to a limit; `KMS_DENIED` is final. A store that fails is
 * `STORE_UNAVAILABLE`. Every method rejects with a {@link StrongroomError}: those of `Vault` and of the
 * KMS and store groups.
 */
export class KmsVault<V extends Vault> {
  /** The vault inside, for everything that needs no KMS: status, keychain entries, tombstones. */
  readonly vault: V;
  readonly #session: KmsSession<V>;

  /** @internal Packages bind the vault: see `bindKmsVault`. */
  constructor(session: KmsSession<V>) {
    this.#session = session;
    this.vault = session.vault;
  }

  /** Has every DEK that these envelopes need held. Rejects with the first one's error that could not be had. */
  async ready(envelopes: readonly Uint8Array[]): Promise<void> {
    await this.#session.ready(envelopes, this.#session.source.begin());
  }

  /**
   * Seals one value: under the org's active DEK, or for scope `record` under the record's highest version.
   * The plaintext is copied before this returns, so its caller may wipe it at once.
   */
  async seal(at: Binding, plaintext: Uint8Array, options?: SealOptions): Promise<Uint8Array> {
    const place = bindingCopy(at);
    const how = sealOptionsCopy(options);
    const value = bytesCopy(plaintext);
    const errand = this.#session.source.begin();
    try {
      return await this.#session.sealing(
        () => this.#session.prepare(how.scope ?? "org", place, errand),
        () => this.vault.seal(place, value, how),
        errand,
      );
    } finally {
      wipe(value);
    }
  }

  /** {@link seal} for up to 10,000 values. Each has its own result, in the order of the items. */
  async sealMany(list: readonly SealItem[]): Promise<BatchResult[]> {
    const read = copies(list, "plaintext");
    const errand = this.#session.source.begin();
    try {
      return await inChunks(read, async (chunk) => {
        let results = await this.#sealChunk(chunk, errand);
        for (let tries = 1; ; tries++) {
          const isDue = (result: BatchResult | undefined) => isRefused(result, (reason) => isWorthAnother(reason, tries));
          const again = chunk.filter((_, at) => isDue(results[at]));
          if (again.length === 0) return results;
          this.#session.readiness.forget();
          const next = (await this.#sealChunk(again, errand))[Symbol.iterator]();
          results = results.map((result) => (isDue(result) ? (next.next().value as BatchResult) : result));
        }
      });
    } finally {
      wipeAll(read);
    }
  }

  /** Opens one envelope. A reader of a share gives the owner's binding. */
  async open(at: Binding, envelope: Uint8Array): Promise<Uint8Array> {
    const place = bindingCopy(at);
    const sealed = bytesCopy(envelope);
    const errand = this.#session.source.begin();
    await this.#session.readiness.freshen(place.org, errand);
    await this.#session.ready([sealed], errand);
    const value = this.vault.open(place, sealed);
    this.#session.source.used(this.#session.source.refOf(sealed), errand);
    return value;
  }

  /** {@link open} for up to 10,000 envelopes. Each has its own result, in the order of the items. */
  async openMany(list: readonly OpenItem[]): Promise<BatchResult[]> {
    const read = copies(list, "envelope");
    const errand = this.#session.source.begin();
    return inChunks(read, async (chunk) => {
      const owners = [...new Set(chunk.map((item) => item.binding.org))];
      await Promise.all(owners.map((owner) => this.#session.readiness.freshen(owner, errand)));
      const failures = await this.#session.source.fetch(chunk.map((item) => item.value), errand);
      const results = this.vault.openMany(chunk.map(({ binding, value }) => ({ binding, envelope: value })));
      return results.map((result, at) => {
        const { value } = chunk[at] as ItemCopy;
        if (result.ok) this.#session.source.used(this.#session.source.refOf(value), errand);
        if (!isRefused(result, isGone)) return result;
        const failure = failures.get(this.#session.api.inspect(value).dekRef);
        return failure ? { ok: false, error: failure } : result;
      });
    });
  }

  /** Opens and seals again at the same place, under the newest DEK of its kind unless the options say otherwise. */
  async reseal(at: Binding, envelope: Uint8Array, options?: ResealOptions): Promise<Uint8Array> {
    const place = bindingCopy(at);
    const how = sealOptionsCopy(options);
    const sealed = bytesCopy(envelope);
    return this.#session.reseal(place, sealed, how, this.#session.source.begin());
  }

  /** Opens at one place and seals at another of the same org; a record envelope only within its record. */
  async rebind(from: Binding, to: Binding, envelope: Uint8Array): Promise<Uint8Array> {
    const [source, target] = [bindingCopy(from), bindingCopy(to)];
    const sealed = bytesCopy(envelope);
    const errand = this.#session.source.begin();
    await this.#session.readiness.freshen(source.org, errand);
    const prepare = async () => {
      await this.#session.ready([sealed], errand);
      const scope = this.#session.source.kind(this.#session.api.inspect(sealed).dekRef);
      // At the source: a record's value can't leave its record, which the vault then says.
      return this.#session.prepare(scope, source, errand);
    };
    return this.#session.sealing(prepare, () => this.vault.rebind(source, target, sealed), errand);
  }

  /**
   * Makes a new version of the org's DEK active, its first one too. Envelopes of older versions stay
   * readable. Who loses the race against another process takes that one's row and succeeds.
   */
  async rotate(): Promise<ActiveRow> {
    return rotate(this.#session);
  }

  /**
   * Why the active DEK should be replaced, if it should: it is older than `rotateAfter`, or all processes
   * together have reserved `rotateAfterSeals` seals under it. `NO_ACTIVE_DEK` before the first rotation.
   */
  async rotationDue(): Promise<RotationCause | undefined> {
    return rotationDue(this.#session);
  }

  /** Rotates if that is due and says why it was. For those who come later than another process it isn't due any more. */
  async rotateIfDue(): Promise<RotationCause | undefined> {
    return rotateIfDue(this.#session);
  }

  /** Makes the next version of a record's own DEK and stores its row. */
  async generateRecordDek(table: string, record: string): Promise<WrapRow> {
    const session = this.#session;
    const [of, name] = [text(table), text(record)];
    session.judgeRecord(of, name);
    const errand = session.source.begin();
    return session.generations.join(JSON.stringify([of, name]), () =>
      session.making(() => session.makeRecordDek(of, name, errand)),
    );
  }

  /**
   * Lets another org open this record: wraps the highest version of its DEK by the reader's CMK, which
   * `cmks` must list for the reader. No envelope changes. Shared already: the stored row, without a call.
   */
  async share(table: string, record: string, reader: string, readerCmk: string): Promise<WrapRow> {
    return share(this.#session, text(table), text(record), text(reader), text(readerCmk));
  }

  /** Wraps a record's DEK by the org's own CMK, so that a preview can hold this DEK and nothing else. */
  async wrapForPreview(table: string, record: string): Promise<WrapRow> {
    return wrapForPreview(this.#session, text(table), text(record));
  }

  /**
   * Makes a row of a record's newest DEK, of those that this org can read, under the org's own active DEK:
   * after a rotation, or for a reader of a share, which then opens the record without asking the KMS for
   * it. A row that is there already is given. `NO_ACTIVE_DEK` where there is no active DEK or no row.
   */
  async wrapLocal(owner: string, table: string, record: string): Promise<WrapRow> {
    return wrapLocal(this.#session, text(owner), text(table), text(record));
  }

  /**
   * Makes the local rows that are lacking after a rotation: for each DEK with a row under an older DEK of
   * this org and none under the active one. Gives how many; the first error comes after all were tried.
   */
  async rewrapLocal(): Promise<number> {
    return rewrapLocal(this.#session);
  }

  /**
   * Gives a record a DEK of its own, if it has none, and moves its fields under it, so that the record can
   * be shared. Each field by compare-and-set: a run that was cut off is finished by another, and two at
   * once do no harm. `PRECONDITION_FAILED` if fields still change after ten rounds.
   */
  async promote(table: string, record: string, fields: FieldStore): Promise<PromoteReport> {
    return promote(this.#session, text(table), text(record), fields);
  }

  /**
   * Ends a reader's share of a record: makes the next version of the record's DEK, wraps it for the readers
   * that remain, moves every field under it, and deletes the rows of older versions once no field needs
   * them. A run that was cut off is finished by another.
   *
   * Nothing that another host sealed under the old version may be on its way to the field store
   * meanwhile: it would be lost with the rows. After a run that failed before the new version's own row was
   * stored, this vault seals nothing for the record until another run. `KEY_ID_UNEXPECTED` for a reader that remains without a
   * CMK in `cmks`, `PRECONDITION_FAILED` if fields still change after ten rounds; no row is deleted then.
   */
  async revoke(table: string, record: string, reader: string, fields: FieldStore): Promise<RevokeReport> {
    return revoke(this.#session, text(table), text(record), text(reader), fields);
  }

  /**
   * Deletes the rows of an older version of the org's DEK, if an inventory of the fields proves that no
   * envelope needs it, and of the store that no local row does: {@link reseal} and {@link rewrapLocal} come
   * before. The inventory begins no sooner than thirteen hours after the version was noted as inactive.
   *
   * @param fields all of the org's fields: what another store holds under the version is lost
   */
  async retire(version: number, fields: FieldStore): Promise<RetireReport> {
    return retire(this.#session, whole(version), fields);
  }

  /**
   * Ends the org: has its CMKs destroyed in 7 to 30 days, tombstones the `active` row, and the vault,
   * which refuses everything from then on. A run that was cut off is finished by another. Until the keys
   * are destroyed it can be called off: CancelKeyDeletion and EnableKey at the KMS, then `reactivate`.
   */
  async shred(days: number): Promise<Survivors> {
    return shred(this.#session, whole(days));
  }

  /** What of the org is there besides its own: see {@link shred}. Reads the store only, before and after. */
  async survivors(): Promise<Survivors> {
    return survivors(this.#session);
  }

  /**
   * Wipes every DEK, before this returns. Work going on now asks the KMS no more and brings none in
   * afterwards; it rejects with `UNKNOWN_DEK`. Then empties the keychain, if there is one, and reads back
   * that nothing is left: `STORE_UNAVAILABLE` otherwise. Resolves to the DEKs (base64url) that were held.
   */
  async signOut(): Promise<string[]> {
    this.#session.cancel();
    const held = this.vault.signOut();
    await this.#session.cache.empty();
    return held;
  }

  /** Wipes everything and ends the vault, and work going on as {@link signOut} does. May be called twice. */
  close(): void {
    this.#session.cancel();
    this.#session.onClose();
    this.vault.close();
  }

  async #sealChunk(chunk: readonly ItemCopy[], errand: Errand): Promise<BatchResult[]> {
    const groups = new Map<string, ItemCopy[]>();
    for (const item of chunk) {
      const name = scopeName(item);
      const group = groups.get(name);
      if (group) group.push(item);
      else groups.set(name, [item]);
    }
    const seats = new Map<ItemCopy, string | StrongroomError>();
    await Promise.all(Array.from(groups.values(), (group) => this.#seat(group, seats, errand)));
    // What has no seat is not sealed, even if the vault could.
    const seated = chunk.filter((item) => !(seats.get(item) instanceof StrongroomError));
    const sealed = this.vault.sealMany(seated.map(({ value, ...rest }) => ({ ...rest, plaintext: value })));
    const settled = await Promise.all(
      sealed.map((result, at) => this.#settledResult(result, seats.get(seated[at] as ItemCopy) as string, errand)),
    );
    const results = settled[Symbol.iterator]();
    return chunk.map((item) => {
      const seat = seats.get(item);
      return seat instanceof StrongroomError ? { ok: false, error: seat } : (results.next().value as BatchResult);
    });
  }

  /** Prepares items of one scope and reserves their seals: each one's DEK, or why it can't be sealed. */
  async #seat(group: readonly ItemCopy[], seats: Map<ItemCopy, string | StrongroomError>, errand: Errand): Promise<void> {
    const [first] = group as [ItemCopy];
    try {
      const dekRef = await this.#session.prepare(first.options.scope ?? "org", first.binding, errand);
      const got = await this.#session.budget.take(dekRef, group.length);
      group.forEach((item, at) => seats.set(item, at < got ? dekRef : new StrongroomError("BUDGET_EXHAUSTED")));
    } catch (thrown) {
      for (const item of group) seats.set(item, translate(thrown));
    }
  }

  async #settledResult(result: BatchResult, taken: string, errand: Errand): Promise<BatchResult> {
    if (!result.ok) {
      this.#session.budget.giveBack(taken, 1);
      return result;
    }
    try {
      const dekRef = this.#session.source.refOf(result.value);
      await this.#session.settled(taken, dekRef);
      this.#session.source.used(dekRef, errand);
      return result;
    } catch (thrown) {
      return { ok: false, error: translate(thrown) };
    }
  }
}

function scopeName({ options, binding }: ItemCopy): string {
  return options.scope === "record" ? JSON.stringify([binding.table, binding.record]) : "";
}
