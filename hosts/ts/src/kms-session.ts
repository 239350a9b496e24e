import { DekLives } from "./dek-lives.js";
import { DekSource, type DekCache, type Errand } from "./dek-source.js";
import { fail, StrongroomError } from "./error.js";
import { Flights, Turn } from "./flights.js";
import { readOptions, type Limits, type ReadOptions } from "./kms-vault-options.js";
import { SealBudget } from "./seal-budget.js";
import { isWorthAnother, SealReadiness } from "./seal-readiness.js";
import { ofStore, type WrapStore } from "./store.js";
import type { ActiveRow, Binding, ResealOptions, Scope, UntrustedHeader, VaultOptions, WrapRow } from "./types.js";
import type { Vault } from "./vault.js";

/** What the loop needs of a package. */
export interface KmsVaultApi<V extends Vault> {
  readonly Vault: new (options?: VaultOptions) => V;
  assertFipsEndpoint(endpoint: string, region: string): void;
  inspect(envelope: Uint8Array): UntrustedHeader;
  kmsContext(row: WrapRow): Record<string, string>;
}

/** What all work of one `KmsVault` shares: its vault, its store, and who may do what when. */
export class KmsSession<V extends Vault> {
  readonly vault: V;
  readonly org: string;
  /** The org's own CMKs. */
  readonly cmks: readonly string[];
  /** Every org's. */
  readonly listed: ReadOptions["listed"];
  readonly store: WrapStore;
  readonly limits: Limits;
  readonly lives: DekLives;
  readonly source: DekSource;
  readonly readiness: SealReadiness;
  readonly budget: SealBudget;
  readonly rotations = new Flights<ActiveRow>();
  readonly generations = new Flights<WrapRow>();
  /** Of who makes a record DEK: two at once would make one version twice. */
  readonly #making = new Turn();

  /** What is to end with the vault. */
  onClose: () => void = () => undefined;

  /** @param cache where DEKs rest outside of the vault */
  constructor(readonly api: KmsVaultApi<V>, options: unknown, readonly cache: DekCache = NO_CACHE) {
    const read = readOptions(options);
    this.org = read.org;
    this.cmks = read.cmks;
    this.listed = read.listed;
    this.store = read.store;
    this.limits = read.limits;
    this.vault = new api.Vault(read.vault);
    this.lives = new DekLives(read.limits.ttl, read.limits.denialTtl);
    this.source = new DekSource(this.vault, this.org, this.cmks, this.store, read.asker, this.lives, cache);
    this.readiness = new SealReadiness(this.vault, this.org, this.store, this.source, read.limits.activeMaxAge);
    this.budget = new SealBudget(this.store, read.limits.fleetSealLimit);
  }

  /** Ends all work going on. */
  cancel(): void {
    this.source.cancel();
    this.rotations.clear();
    this.generations.clear();
    this.readiness.cancel();
    this.#making.clear();
  }

  /** Works while nobody else in this session makes a record DEK. */
  making<T>(work: () => Promise<T>): Promise<T> {
    return this.#making.take(work);
  }

  /** Has every DEK that these envelopes need held, and rejects with the first one's error that can't be had. */
  async ready(envelopes: readonly Uint8Array[], errand: Errand): Promise<void> {
    const failures = await this.source.fetch(envelopes, errand);
    for (const failure of failures.values()) throw failure;
  }

  /** Opens and seals again at the same place. */
  async reseal(place: Binding, sealed: Uint8Array, how: ResealOptions, errand: Errand): Promise<Uint8Array> {
    await this.readiness.freshen(place.org, errand);
    return this.sealing(
      async () => {
        await this.ready([sealed], errand);
        const scope = how.scope ?? this.source.kind(this.api.inspect(sealed).dekRef);
        return this.prepare(scope, place, errand);
      },
      () => this.vault.reseal(place, sealed, how),
      errand,
    );
  }

  /** Has the DEK to seal under held, and gives its dek_ref. */
  async prepare(scope: Scope, place: Binding, errand: Errand): Promise<string> {
    // What rotates now is about to be the newest; if it fails, the one before still seals.
    await this.rotations.running("")?.catch(() => undefined);
    try {
      if (scope === "org") return await this.readiness.org(errand);
      return await this.readiness.recordSoon(place.table, place.record, errand);
    } catch (thrown) {
      this.judge(place);
      throw thrown;
    }
  }

  /** Has the core judge a place: a store knows nothing of a record whose name is none, and can't say why. */
  judge(place: Binding): void {
    try {
      this.vault.open(place, new Uint8Array());
    } catch (thrown) {
      if (!(thrown instanceof StrongroomError && thrown.code === "NOT_AN_ENVELOPE")) throw thrown;
    }
  }

  /** Refuses what is no record's name. */
  judgeRecord(table: string, record: string, org = this.org): void {
    this.judge({ org, table, record, field: "*" });
  }

  /**
   * Prepares, reserves a seal and makes an envelope; the row of the envelope's DEK is stored before the
   * envelope gets out. What the vault refuses because the store has moved on is tried once more.
   */
  async sealing(prepare: () => Promise<string>, work: () => Uint8Array, errand: Errand): Promise<Uint8Array> {
    const { made, taken } = await this.#working(prepare, work);
    const dekRef = this.source.refOf(made);
    await this.settled(taken, dekRef);
    this.source.used(dekRef, errand);
    return made;
  }

  /** Prepares, reserves a seal and makes a local row. */
  async wrapping(prepare: () => Promise<string>, work: () => WrapRow): Promise<WrapRow> {
    const { made, taken } = await this.#working(prepare, work);
    await this.budget.settle(taken, made.keyId);
    return made;
  }

  /** Before an envelope gets out: its DEK's seal is reserved, and its DEK's row stored. */
  async settled(taken: string, used: string): Promise<void> {
    await this.budget.settle(taken, used);
    // A DEK can be made between a seal's preparation and the seal, which then is the record's highest.
    if (!this.readiness.isSettled) await this.readiness.settle(used);
  }

  /** Makes the next version of a record's own DEK and stores its row. The making turn must be this call's. */
  async makeRecordDek(table: string, record: string, errand: Errand): Promise<WrapRow> {
    await this.readiness.storeAgain(table, record);
    const version = this.readiness.nextVersion(await this.readiness.rows(table, record), table, record);
    const row = await this.wrapping(
      () => this.readiness.org(errand),
      () => {
        const made = this.generate(table, record, version, errand);
        this.readiness.made(made);
        return made;
      },
    );
    await this.readiness.settle(row.dekRef);
    return row;
  }

  /** Has the vault make a record DEK. */
  generate(table: string, record: string, version: number, errand: Errand): WrapRow {
    this.source.check(errand);
    const row = this.vault.generateRecordDek(this.org, table, record, version, now());
    this.lives.born(row.dekRef, row.keyId);
    return row;
  }

  /** Stores a row. */
  async put(row: WrapRow): Promise<void> {
    await ofStore(() => this.store.putIfAbsent(row));
  }

  /** Stores a new row. Where another process did the same a moment ago, its row, if `find` finds it, serves as well. */
  async putOrFind(row: WrapRow, find: () => Promise<WrapRow | undefined>): Promise<WrapRow> {
    try {
      await this.put(row);
      return row;
    } catch (thrown) {
      if (!isPrecondition(thrown)) throw thrown;
      return (await find()) ?? fail("PRECONDITION_FAILED");
    }
  }

  async #working<T>(prepare: () => Promise<string>, work: () => T): Promise<{ made: T; taken: string }> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(prepare, work);
      } catch (thrown) {
        if (!(thrown instanceof Refused)) throw thrown;
        if (!isWorthAnother(thrown.reason, tries)) throw thrown.reason;
      }
      this.readiness.forget();
    }
  }

  async #once<T>(prepare: () => Promise<string>, work: () => T): Promise<{ made: T; taken: string }> {
    const taken = await prepare();
    await this.budget.takeOne(taken);
    try {
      return { made: work(), taken };
    } catch (thrown) {
      this.budget.giveBack(taken, 1);
      throw new Refused(thrown);
    }
  }
}

/** What the vault itself threw: only that is worth reading the store again. */
class Refused {
  constructor(readonly reason: unknown) {}
}

/** Unix seconds. */
export function now(): number {
  return Math.floor(Date.now() / 1_000);
}

/** Whether a store or the loop said that something else stands there. */
export function isPrecondition(thrown: unknown): boolean {
  return thrown instanceof StrongroomError && thrown.code === "PRECONDITION_FAILED";
}

const NO_CACHE: DekCache = {
  rowsOf: () => [], keep: () => undefined, drop: () => undefined, saw: () => undefined, empty: async () => undefined,
};
