import { fromBase64 } from "./base64.js";
import { bytes, entries, items, members, text, wipe } from "./check.js";
import { bindingCopy, sealOptionsCopy } from "./convert.js";
import { DekSource, isGone, type Errand } from "./dek-source.js";
import { fail, StrongroomError, translate } from "./error.js";
import { Flights } from "./flights.js";
import { Asker, type Kms, type RetryOptions } from "./kms.js";
import { isStale, SealReadiness } from "./seal-readiness.js";
import { storeError, type WrapStore } from "./store.js";
import type {
  ActiveRow, BatchResult, Binding, KmsRequest, OpenItem, ResealOptions, Scope, SealItem, SealOptions,
  UntrustedHeader, VaultOptions, WrapRow,
} from "./types.js";
import type { Vault } from "./vault.js";

/** What a {@link KmsVault} is made of. The vault's own options stand beside these. */
export interface KmsVaultOptions extends Omit<VaultOptions, "cmks">, RetryOptions {
  /** The org of the session, from the host's own knowledge and never from a row. */
  readonly org: string;
  /**
   * Which CMKs (key ARNs) wrap for each org: the session's own org, whose first CMK mints, and every
   * org that is shared with. From the host's own knowledge: rows that name another are refused.
   */
  readonly cmks: Readonly<Record<string, readonly string[]>>;
  /** Asks the KMS as this org. */
  readonly kms: Kms;
  /** Where rows are kept. */
  readonly store: WrapStore;
}

/** How packages export {@link KmsVault}. */
export interface KmsVaultFactory<V extends Vault> {
  /** Throws `UNKNOWN_OPTION`, `BAD_INPUT` (also without `cmks`), `LIMIT`. */
  create(options: KmsVaultOptions): KmsVault<V>;
}

/** What {@link bindKmsVault} needs of a package. */
export interface KmsVaultApi<V extends Vault> {
  readonly Vault: new (options?: VaultOptions) => V;
  inspect(envelope: Uint8Array): UntrustedHeader;
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
    const [org, listed, kms, store, tries, backoffMs, ...rest] = members(options, OPTIONS, "UNKNOWN_OPTION");
    const cmks = cmksCopy(listed);
    const asker = new Asker(kms as Kms, { tries, backoffMs } as RetryOptions);
    if (typeof store !== "object" || store === null) fail("BAD_INPUT");
    this.#org = text(org);
    this.#cmks = cmks[this.#org] ?? [];
    this.#store = store as WrapStore;
    this.#api = api;
    const others = Object.fromEntries(VAULT_OPTIONS.map((name, at) => [name, rest[at]]));
    this.vault = new api.Vault({ ...others, cmks } as VaultOptions);
    this.#source = new DekSource(this.vault, this.#org, this.#cmks, this.#store, asker);
    this.#readiness = new SealReadiness(this.vault, this.#org, this.#store, this.#source);
  }

  /** Has every DEK that these envelopes need held. Rejects with the first one's error that could not be had. */
  async ready(envelopes: readonly Uint8Array[]): Promise<void> {
    await this.#ready(envelopes, this.#source.begin());
  }

  /** Seals one value: under the org's active DEK, or for scope `record` under the record's highest version. */
  async seal(at: Binding, plaintext: Uint8Array, options?: SealOptions): Promise<Uint8Array> {
    const place = bindingCopy(at);
    const how = sealOptionsCopy(options);
    const value = bytes(plaintext);
    const errand = this.#source.begin();
    return this.#sealing(
      () => this.#prepare(how.scope ?? "org", place, errand),
      () => this.vault.seal(place, value, how),
    );
  }

  /** {@link seal} for up to 10,000 values. Each has its own result, in the order of the items. */
  async sealMany(list: readonly SealItem[]): Promise<BatchResult[]> {
    const read = copies(list, (item) => {
      const [binding, plaintext, options] = members(item, ["binding", "plaintext", "options"], "BAD_INPUT");
      return { binding: bindingCopy(binding), plaintext: bytes(plaintext), options: sealOptionsCopy(options) };
    });
    const errand = this.#source.begin();
    return this.#inChunks(read, async (chunk) => {
      const results = await this.#sealChunk(chunk, errand);
      const again = chunk.filter((_, at) => isRefused(results[at], isStale));
      if (again.length === 0) return results;
      this.#readiness.forget();
      const second = (await this.#sealChunk(again, errand))[Symbol.iterator]();
      return results.map((result) => (isRefused(result, isStale) ? (second.next().value as BatchResult) : result));
    });
  }

  /** Opens one envelope. A reader of a share gives the owner's binding. */
  async open(at: Binding, envelope: Uint8Array): Promise<Uint8Array> {
    const place = bindingCopy(at);
    const sealed = bytes(envelope);
    await this.#ready([sealed], this.#source.begin());
    return this.vault.open(place, sealed);
  }

  /** {@link open} for up to 10,000 envelopes. Each has its own result, in the order of the items. */
  async openMany(list: readonly OpenItem[]): Promise<BatchResult[]> {
    const read = copies(list, (item) => {
      const [binding, envelope] = members(item, ["binding", "envelope"], "BAD_INPUT");
      return { binding: bindingCopy(binding), envelope: bytes(envelope) };
    });
    const errand = this.#source.begin();
    return this.#inChunks(read, async (chunk) => {
      const failures = await this.#source.fetch(chunk.map((item) => item.envelope), errand);
      const results = this.vault.openMany(chunk);
      return results.map((result, at) => {
        if (!isRefused(result, isGone)) return result;
        const failure = failures.get(this.#api.inspect((chunk[at] as OpenItem).envelope).dekRef);
        return failure ? { ok: false, error: failure } : result;
      });
    });
  }

  /** Opens and seals again at the same place, under the newest DEK of its kind unless the options say otherwise. */
  async reseal(at: Binding, envelope: Uint8Array, options?: ResealOptions): Promise<Uint8Array> {
    const place = bindingCopy(at);
    const how = sealOptionsCopy(options);
    const sealed = bytes(envelope);
    const errand = this.#source.begin();
    return this.#sealing(
      async () => this.#prepare(how.scope ?? (await this.#scopeOf(sealed, errand)), place, errand),
      () => this.vault.reseal(place, sealed, how),
    );
  }

  /** Opens at one place and seals at another of the same org; a record envelope only within its record. */
  async rebind(from: Binding, to: Binding, envelope: Uint8Array): Promise<Uint8Array> {
    const [source, target] = [bindingCopy(from), bindingCopy(to)];
    const sealed = bytes(envelope);
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
    return this.#rotations.join("", async () => {
      const before = await this.#readiness.stored();
      if (before) this.vault.setActive(before);
      const cmk = this.#cmks[0] ?? fail("KEY_ID_UNEXPECTED");
      const request = this.vault.mintRequest(this.#org, cmk, (before?.version ?? 0) + 1, now());
      const { row, active } = await this.#source.ask(request, (reply) => this.vault.admitMinted(request.id, reply), errand);
      await this.#put(row);
      const winner = await this.#activate(active);
      if (winner.dekRef === active.dekRef) this.#readiness.set(winner);
      else await this.#readiness.adopt(winner, errand);
      return winner;
    });
  }

  /** Makes the next version of a record's own DEK and stores its row. */
  async generateRecordDek(table: string, record: string): Promise<WrapRow> {
    const place = { table: text(table), record: text(record) };
    const errand = this.#source.begin();
    return this.#generations.join(JSON.stringify([table, record]), async () => {
      await this.#readiness.storeAgain(place.table, place.record);
      const rows = await this.#readiness.rows(place.table, place.record);
      const version = rows.reduce((highest, row) => Math.max(highest, row.version), 0) + 1;
      const row = await this.#sealing(
        () => this.#readiness.org(errand),
        () => this.vault.generateRecordDek(this.#org, place.table, place.record, version, now()),
      );
      await this.#readiness.store(place.table, place.record, row);
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

  /** Wipes every DEK; work going on now brings none in afterwards. Returns the keychain entries to delete. */
  signOut(): string[] {
    this.#source.cancel();
    this.#rotations.clear();
    this.#generations.clear();
    this.#readiness.cancel();
    return this.vault.signOut();
  }

  /** Wipes everything and ends the vault. May be called twice. */
  close(): void {
    this.#source.cancel();
    this.vault.close();
  }

  async #ready(envelopes: readonly Uint8Array[], errand: Errand): Promise<void> {
    const failures = await this.#source.fetch(envelopes, errand);
    for (const failure of failures.values()) throw failure;
  }

  async #sealChunk(chunk: readonly SealCopy[], errand: Errand): Promise<BatchResult[]> {
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
    // What is not ready is not sealed, even if the vault could: a DEK may be held whose row is not stored.
    const ready = chunk.filter((_, at) => !failures.has(names[at] as string));
    const results = this.vault.sealMany(ready)[Symbol.iterator]();
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

  /** Prepares and works; what the vault refuses because the store has moved on is tried once more. */
  async #sealing<T>(prepare: () => Promise<void>, work: () => T): Promise<T> {
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
    const { dekRef } = this.#api.inspect(envelope);
    return this.vault.status().find((held) => held.dekRef === dekRef)?.kind ?? fail("UNKNOWN_DEK");
  }

  /** Writes the `active` row. The answer is the row that is there afterwards: this one or the winner's. */
  async #activate(active: ActiveRow): Promise<ActiveRow> {
    try {
      await this.#store.compareAndSetActive(active);
      return active;
    } catch (thrown) {
      // The write may have got through although the answer didn't.
      const stored = await this.#readiness.stored();
      const lost = thrown instanceof StrongroomError && thrown.code === "PRECONDITION_FAILED";
      if (stored && (lost || stored.dekRef === active.dekRef)) return stored;
      throw storeError(thrown);
    }
  }

  async #wrap(
    table: string, record: string, reader: string, cmk: string, makeRequest: (dekRef: Uint8Array) => KmsRequest,
  ): Promise<WrapRow> {
    const errand = this.#source.begin();
    return this.#generations.join(JSON.stringify([table, record, reader, cmk]), async () => {
      const dekRef = await this.#readiness.record(table, record, errand);
      const rows = await this.#readiness.rows(table, record);
      const stored = rows.find((row) => row.dekRef === dekRef && row.reader === reader && row.keyId === cmk);
      if (stored) return stored;
      const request = makeRequest(fromBase64(dekRef));
      const plaintext = this.vault.takeRequestPlaintext(request.id);
      try {
        const admit = this.vault.admitShared.bind(this.vault, request.id);
        const row = await this.#source.ask(request, admit, errand, plaintext);
        await this.#put(row);
        return row;
      } finally {
        wipe(plaintext);
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

  /** Works the items off in pieces whose DEKs the vault can hold at once. */
  async #inChunks<T>(
    read: readonly (T | StrongroomError)[],
    work: (chunk: readonly T[]) => Promise<BatchResult[]>,
  ): Promise<BatchResult[]> {
    const results: BatchResult[] = [];
    for (let start = 0; start < read.length; start += CHUNK) {
      const part = read.slice(start, start + CHUNK);
      const done = await work(part.filter((item): item is T => !(item instanceof StrongroomError)));
      const next = done[Symbol.iterator]();
      for (const item of part) {
        if (item instanceof StrongroomError) results.push({ ok: false, error: item });
        else results.push(next.next().value as BatchResult);
      }
    }
    return results;
  }
}

interface SealCopy {
  readonly binding: Binding;
  readonly plaintext: Uint8Array;
  readonly options: SealOptions;
}

/** Own copies of a batch's items; one that can't be converted is its own error. */
function copies<T>(list: unknown, copy: (item: unknown) => T): (T | StrongroomError)[] {
  return items(list).map((item) => {
    try {
      return copy(item);
    } catch (thrown) {
      return translate(thrown);
    }
  });
}

function cmksCopy(value: unknown): Record<string, string[]> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail("BAD_INPUT");
  const copy: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const [org, list] of entries(value)) copy[text(org)] = items(list).map(text);
  return copy;
}

function isRefused(result: BatchResult | undefined, reason: (error: unknown) => boolean): boolean {
  return result !== undefined && !result.ok && reason(result.error);
}

function scopeName({ options, binding }: SealCopy): string {
  return options.scope === "record" ? JSON.stringify([binding.table, binding.record]) : "";
}

/** Unix seconds. */
function now(): number {
  return Math.floor(Date.now() / 1_000);
}

const VAULT_OPTIONS = ["ttl", "session", "region", "sealLimit", "fieldLimit", "minVersions", "dangerEndpoint"] as const;
const OPTIONS = ["org", "cmks", "kms", "store", "tries", "backoffMs", ...VAULT_OPTIONS] as const;

/** Half of what a vault holds at once, so that one piece never drives out its own DEKs. */
const CHUNK = 2_048;
