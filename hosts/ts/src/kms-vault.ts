import { fromBase64 } from "./base64.js";
import { bytesCopy, text, wipe } from "./check.js";
import { bindingCopy, sealOptionsCopy } from "./convert.js";
import { DekSource, isGone, type Errand } from "./dek-source.js";
import { fail, StrongroomError, translate } from "./error.js";
import { Flights } from "./flights.js";
import { copies, inChunks, isRefused, wipeAll, type ItemCopy } from "./kms-vault-batch.js";
import { readOptions, type KmsVaultOptions } from "./kms-vault-options.js";
import { nextVersion } from "./rows.js";
import { isStale, SealReadiness } from "./seal-readiness.js";
import { storeError, type WrapStore } from "./store.js";
import type {
  ActiveRow, BatchResult, Binding, KmsReply, KmsRequest, OpenItem, ResealOptions, Scope, SealItem, SealOptions,
  UntrustedHeader, VaultOptions, WrapRow,
} from "./types.js";
import type { Vault } from "./vault.js";

export type { KmsVaultOptions } from "./kms-vault-options.js";

/** How packages export {@link KmsVault}. */
export interface KmsVaultFactory<V extends Vault> {
  /** Throws `UNKNOWN_OPTION`, `BAD_INPUT` (also without `cmks`), `LIMIT`. */
  create(options: KmsVaultOptions): KmsVault<V>;
}

/** What {@link bindKmsVault} needs of a package. */
export interface KmsVaultApi<V extends Vault> {
  readonly Vault: new (options?: VaultOptions) => V;
  inspect(envelope: Uint8Array): UntrustedHeader;
  kmsContext(row: WrapRow): Record<string, string>;
}

/** Makes `KmsVault` over the vault of a package. */
export function bindKmsVault<V extends Vault>(api: KmsVaultApi<V>): { KmsVault: KmsVaultFactory<V> } {
  class Bound extends KmsVault<V> {
    static create(options: KmsVaultOptions): KmsVault<V> {
      return new Bound(api, options);
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
  readonly #api: KmsVaultApi<V>;
  readonly #org: string;
  readonly #cmks: readonly string[];
  readonly #store: WrapStore;
  readonly #source: DekSource;
  readonly #readiness: SealReadiness;
  readonly #rotations = new Flights<ActiveRow>();
  readonly #generations = new Flights<WrapRow>();

  /** @internal Packages bind the vault: see `bindKmsVault`. */
  constructor(api: KmsVaultApi<V>, options: KmsVaultOptions) {
    const read = readOptions(options);
    this.#org = read.org;
    this.#cmks = read.cmks;
    this.#store = read.store;
    this.#api = api;
    this.vault = new api.Vault(read.vault);
    this.#source = new DekSource(this.vault, this.#org, this.#cmks, this.#store, read.asker);
    this.#readiness = new SealReadiness(this.vault, this.#org, this.#store, this.#source);
  }

  /** Has every DEK that these envelopes need held. Rejects with the first one's error that could not be had. */
  async ready(envelopes: readonly Uint8Array[]): Promise<void> {
    await this.#ready(envelopes, this.#source.begin());
  }

  /**
   * Seals one value: under the org's active DEK, or for scope `record` under the record's highest version.
   * The plaintext is copied before this returns, so its caller may wipe it at once.
   */
  async seal(at: Binding, plaintext: Uint8Array, options?: SealOptions): Promise<Uint8Array> {
    const place = bindingCopy(at);
    const how = sealOptionsCopy(options);
    const value = bytesCopy(plaintext);
    const errand = this.#source.begin();
    try {
      return await this.#sealing(
        () => this.#prepare(how.scope ?? "org", place, errand),
        () => this.vault.seal(place, value, how),
      );
    } finally {
      wipe(value);
    }
  }

  /** {@link seal} for up to 10,000 values. Each has its own result, in the order of the items. */
  async sealMany(list: readonly SealItem[]): Promise<BatchResult[]> {
    const read = copies(list, "plaintext");
    const errand = this.#source.begin();
    try {
      return await inChunks(read, async (chunk) => {
        const results = await this.#sealChunk(chunk, errand);
        const again = chunk.filter((_, at) => isRefused(results[at], isStale));
        if (again.length === 0) return results;
        this.#readiness.forget();
        const second = (await this.#sealChunk(again, errand))[Symbol.iterator]();
        return results.map((result) => (isRefused(result, isStale) ? (second.next().value as BatchResult) : result));
      });
    } finally {
      wipeAll(read);
    }
  }

  /** Opens one envelope. A reader of a share gives the owner's binding. */
  async open(at: Binding, envelope: Uint8Array): Promise<Uint8Array> {
    const place = bindingCopy(at);
    const sealed = bytesCopy(envelope);
    await this.#ready([sealed], this.#source.begin());
    return this.vault.open(place, sealed);
  }

  /** {@link open} for up to 10,000 envelopes. Each has its own result, in the order of the items. */
  async openMany(list: readonly OpenItem[]): Promise<BatchResult[]> {
    const read = copies(list, "envelope");
    const errand = this.#source.begin();
    return inChunks(read, async (chunk) => {
      const failures = await this.#source.fetch(chunk.map((item) => item.value), errand);
      const results = this.vault.openMany(chunk.map(({ binding, value }) => ({ binding, envelope: value })));
      return results.map((result, at) => {
        if (!isRefused(result, isGone)) return result;
        const failure = failures.get(this.#api.inspect((chunk[at] as ItemCopy).value).dekRef);
        return failure ? { ok: false, error: failure } : result;
      });
    });
  }

  /** Opens and seals again at the same place, under the newest DEK of its kind unless the options say otherwise. */
  async reseal(at: Binding, envelope: Uint8Array, options?: ResealOptions): Promise<Uint8Array> {
    const place = bindingCopy(at);
    const how = sealOptionsCopy(options);
    const sealed = bytesCopy(envelope);
    const errand = this.#source.begin();
    return this.#sealing(
      async () => this.#prepare(how.scope ?? (await this.#scopeOf(sealed, errand)), place, errand),
      () => this.vault.reseal(place, sealed, how),
    );
  }

  /** Opens at one place and seals at another of the same org; a record envelope only within its record. */
  async rebind(from: Binding, to: Binding, envelope: Uint8Array): Promise<Uint8Array> {
    const [source, target] = [bindingCopy(from), bindingCopy(to)];
    const sealed = bytesCopy(envelope);
    const errand = this.#source.begin();
    return this.#sealing(
      // At the source: a record's value can't leave its record, which the vault then says.
      async () => this.#prepare(await this.#scopeOf(sealed, errand), source, errand),
      () => this.vault.rebind(source, target, sealed),
    );
  }

  /**
   * Makes a new version of the org's DEK active, its first one too. Envelopes of older versions stay
   * readable. Who loses the race against another process takes that one's row and succeeds.
   */
  async rotate(): Promise<ActiveRow> {
    const errand = this.#source.begin();
    return this.#rotations.join("", () =>
      this.#readiness.alone(async () => {
        const before = await this.#readiness.stored();
        this.#source.check(errand);
        const told = before && (await this.#readiness.tell(before, errand));
        const cmk = this.#cmks[0] ?? fail("KEY_ID_UNEXPECTED");
        const request = this.vault.mintRequest(this.#org, cmk, nextVersion(told?.version ?? 0), now());
        const { row, active } = await this.#source.ask(request, (reply) => this.vault.admitMinted(request.id, reply), errand);
        await this.#put(row);
        const winner = await this.#activate(active);
        return this.#readiness.adopt(winner, errand, winner.dekRef === active.dekRef);
      }),
    );
  }

  /** Makes the next version of a record's own DEK and stores its row. */
  async generateRecordDek(table: string, record: string): Promise<WrapRow> {
    const place = { table: text(table), record: text(record) };
    this.#judgeRecord(place.table, place.record);
    const errand = this.#source.begin();
    return this.#generations.join(JSON.stringify([place.table, place.record]), async () => {
      await this.#readiness.storeAgain(place.table, place.record);
      const rows = await this.#readiness.rows(place.table, place.record);
      const version = nextVersion(rows.reduce((highest, row) => Math.max(highest, row.version), 0));
      const row = await this.#working(
        () => this.#readiness.org(errand),
        () => {
          this.#source.check(errand);
          const made = this.vault.generateRecordDek(this.#org, place.table, place.record, version, now());
          this.#readiness.made(made);
          return made;
        },
      );
      await this.#readiness.settle(row.dekRef);
      return row;
    });
  }

  /**
   * Lets another org open this record: wraps the highest version of its DEK by the reader's CMK, which
   * `cmks` must list for the reader. No envelope changes. Shared already: the stored row, without a call.
   */
  async share(table: string, record: string, reader: string, readerCmk: string): Promise<WrapRow> {
    const [org, cmk] = [text(reader), text(readerCmk)];
    return this.#wrap(text(table), text(record), org, cmk, (dekRef) =>
      this.vault.shareRequest(dekRef, org, cmk, now()),
    );
  }

  /** Wraps a record's DEK by the org's own CMK, so that a preview can hold this DEK and nothing else. */
  async wrapForPreview(table: string, record: string): Promise<WrapRow> {
    const cmk = this.#cmks[0] ?? fail("KEY_ID_UNEXPECTED");
    return this.#wrap(text(table), text(record), this.#org, cmk, (dekRef) =>
      this.vault.wrapRequest(dekRef, cmk, now()),
    );
  }

  /**
   * Wipes every DEK. Work going on now asks the KMS no more and brings none in afterwards; it rejects
   * with `UNKNOWN_DEK`. Returns the keychain entries to delete.
   */
  signOut(): string[] {
    this.#cancel();
    return this.vault.signOut();
  }

  /** Wipes everything and ends the vault, and work going on as {@link signOut} does. May be called twice. */
  close(): void {
    this.#cancel();
    this.vault.close();
  }

  #cancel(): void {
    this.#source.cancel();
    this.#rotations.clear();
    this.#generations.clear();
    this.#readiness.cancel();
  }

  async #ready(envelopes: readonly Uint8Array[], errand: Errand): Promise<void> {
    const failures = await this.#source.fetch(envelopes, errand);
    for (const failure of failures.values()) throw failure;
  }

  async #sealChunk(chunk: readonly ItemCopy[], errand: Errand): Promise<BatchResult[]> {
    const names = chunk.map((item) => scopeName(item));
    const distinct = new Map(chunk.map((item, at) => [names[at] as string, item]));
    const failures = new Map<string, StrongroomError>();
    await Promise.all(
      Array.from(distinct, async ([name, item]) => {
        try {
          await this.#prepare(item.options.scope ?? "org", item.binding, errand);
        } catch (thrown) {
          failures.set(name, translate(thrown));
        }
      }),
    );
    // What is not ready is not sealed, even if the vault could.
    const ready = chunk.filter((_, at) => !failures.has(names[at] as string));
    const sealed = this.vault.sealMany(ready.map(({ value, ...rest }) => ({ ...rest, plaintext: value })));
    const settled = this.#readiness.isSettled ? sealed : await Promise.all(sealed.map((result) => this.#settledResult(result)));
    const results = settled[Symbol.iterator]();
    return names.map((name) => {
      const error = failures.get(name);
      return error ? { ok: false, error } : (results.next().value as BatchResult);
    });
  }

  async #prepare(scope: Scope, place: Binding, errand: Errand): Promise<void> {
    // What rotates now is about to be the newest; if it fails, the one before still seals.
    await this.#rotations.running("")?.catch(() => undefined);
    try {
      if (scope === "org") await this.#readiness.org(errand);
      else await this.#readiness.recordSoon(place.table, place.record, errand);
    } catch (thrown) {
      this.#judge(place);
      throw thrown;
    }
  }

  /** Has the core judge a place: a store knows nothing of a record whose name is none, and can't say why. */
  #judge(place: Binding): void {
    try {
      this.vault.open(place, new Uint8Array());
    } catch (thrown) {
      if (!(thrown instanceof StrongroomError && thrown.code === "NOT_AN_ENVELOPE")) throw thrown;
    }
  }

  /** Refuses what is no record's name. */
  #judgeRecord(table: string, record: string): void {
    this.#judge({ org: this.#org, table, record, field: "*" });
  }

  /** {@link #working}, and the row of the envelope's DEK is stored before the envelope gets out. */
  async #sealing(prepare: () => Promise<void>, work: () => Uint8Array): Promise<Uint8Array> {
    const envelope = await this.#working(prepare, work);
    await this.#settled(envelope);
    return envelope;
  }

  /** A DEK can be made between a seal's preparation and the seal, which then is the record's highest. */
  async #settled(envelope: Uint8Array): Promise<void> {
    if (!this.#readiness.isSettled) await this.#readiness.settle(this.#api.inspect(envelope).dekRef);
  }

  async #settledResult(result: BatchResult): Promise<BatchResult> {
    if (!result.ok) return result;
    try {
      await this.#settled(result.value);
      return result;
    } catch (thrown) {
      return { ok: false, error: translate(thrown) };
    }
  }

  /** Prepares and works; what the vault refuses because the store has moved on is tried once more. */
  async #working<T>(prepare: () => Promise<void>, work: () => T): Promise<T> {
    await prepare();
    try {
      return work();
    } catch (thrown) {
      if (!isStale(thrown)) throw thrown;
    }
    this.#readiness.forget();
    await prepare();
    return work();
  }

  /** Has an envelope's DEK held and tells its kind. */
  async #scopeOf(envelope: Uint8Array, errand: Errand): Promise<Scope> {
    await this.#ready([envelope], errand);
    return this.#source.kind(this.#api.inspect(envelope).dekRef);
  }

  /** Writes the `active` row. The answer is the row that is there afterwards: this one or the winner's. */
  async #activate(active: ActiveRow): Promise<ActiveRow> {
    try {
      await this.#store.compareAndSetActive(active);
      return active;
    } catch (thrown) {
      const error = storeError(thrown);
      // The write may have got through although the answer didn't.
      const stored = await this.#readiness.stored();
      if (stored && (error.code === "PRECONDITION_FAILED" || stored.dekRef === active.dekRef)) return stored;
      throw error;
    }
  }

  async #wrap(
    table: string, record: string, reader: string, cmk: string, makeRequest: (dekRef: Uint8Array) => KmsRequest,
  ): Promise<WrapRow> {
    this.#judgeRecord(table, record);
    const errand = this.#source.begin();
    return this.#generations.join(JSON.stringify([table, record, reader, cmk]), async () => {
      const newest = await this.#readiness.record(table, record, errand);
      const find = async () => {
        const rows = await this.#readiness.rows(table, record);
        return rows.find((row) => row.dekRef === newest.dekRef && row.reader === reader && row.keyId === cmk);
      };
      const stored = await find();
      if (stored) return stored;
      this.#source.check(errand);
      const request = makeRequest(fromBase64(newest.dekRef));
      // The row names the record, and is storage's word; the request names it too, and is the core's.
      const claimed = this.#api.kmsContext({ ...newest, provider: "aws-kms" });
      if (request.params.EncryptionContext?.[RESOURCE] !== claimed[RESOURCE]) fail("ROW_INCONSISTENT");
      const plaintext = this.vault.takeRequestPlaintext(request.id);
      const admit = (reply: KmsReply) => this.vault.admitShared(request.id, reply);
      const row = await this.#source.ask(request, admit, errand, plaintext);
      try {
        await this.#put(row);
        return row;
      } catch (thrown) {
        if (!(thrown instanceof StrongroomError && thrown.code === "PRECONDITION_FAILED")) throw thrown;
        // Another process did the same a moment ago; its row serves as well.
        return (await find()) ?? fail("PRECONDITION_FAILED");
      }
    });
  }

  async #put(row: WrapRow): Promise<void> {
    try {
      await this.#store.putIfAbsent(row);
    } catch (thrown) {
      throw storeError(thrown);
    }
  }
}

function scopeName({ options, binding }: ItemCopy): string {
  return options.scope === "record" ? JSON.stringify([binding.table, binding.record]) : "";
}

/** Unix seconds. */
function now(): number {
  return Math.floor(Date.now() / 1_000);
}

/** Where a request's encryption context names the record. */
const RESOURCE = "strongroom-resource";
