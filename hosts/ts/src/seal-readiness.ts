import { fail, StrongroomError } from "./error.js";
import { Flights } from "./flights.js";
import { storeError, type WrapStore } from "./store.js";
import type { DekSource, Errand } from "./dek-source.js";
import type { ActiveRow, WrapRow } from "./types.js";
import type { Vault } from "./vault.js";

/**
 * Has the vault ready to seal: the org's active DEK, or the highest version of a record's, as the
 * store says. What the store says is believed for a minute, so that another process's rotation or
 * tombstone is seen then.
 */
export class SealReadiness {
  readonly #vault: Vault;
  readonly #org: string;
  readonly #store: WrapStore;
  readonly #source: DekSource;
  readonly #flights = new Flights<unknown>();
  /** When the org's `active` row, or a record's rows, were read last. */
  readonly #read = new Map<string, number>();
  /** Rows that could not be stored yet. Nothing may be sealed under their DEKs: it would be lost. */
  readonly #unstored = new Map<string, WrapRow>();

  constructor(vault: Vault, org: string, store: WrapStore, source: DekSource) {
    this.#vault = vault;
    this.#org = org;
    this.#store = store;
    this.#source = source;
  }

  /** Has the active DEK held and set; NO_ACTIVE_DEK if the org has none. */
  async org(errand: Errand): Promise<void> {
    if (this.#isFresh(ORG)) return;
    await this.#flights.join(ORG, async () => {
      const active = await this.stored();
      if (!active) fail("NO_ACTIVE_DEK");
      await this.adopt(active, errand);
    });
  }

  /** Has the highest version of a record's DEK held; NO_ACTIVE_DEK if the record has none. */
  async record(table: string, record: string, errand: Errand): Promise<string> {
    const name = recordName(table, record);
    await this.storeAgain(table, record);
    const rows = (await this.rows(table, record)).filter((row) => row.reader === this.#org);
    const highest = rows.reduce<WrapRow | undefined>((best, row) => (best && best.version >= row.version ? best : row), undefined);
    if (!highest) fail("NO_ACTIVE_DEK");
    if (!this.#source.holds(highest.dekRef)) await this.#source.hold(highest.dekRef, errand);
    this.#remember(name);
    return highest.dekRef;
  }

  /** {@link record}, unless the store was asked a moment ago. */
  async recordSoon(table: string, record: string, errand: Errand): Promise<void> {
    const name = recordName(table, record);
    if (this.#isFresh(name) && !this.#unstored.has(name)) return;
    await this.#flights.join(name, () => this.record(table, record, errand));
  }

  /** A record's rows for all readers. */
  async rows(table: string, record: string): Promise<WrapRow[]> {
    try {
      return await this.#store.rowsByOwner(this.#org, { table, record });
    } catch (thrown) {
      throw storeError(thrown);
    }
  }

  /** Stores a row of a DEK made here, or keeps it for the next attempt. */
  async store(table: string, record: string, row: WrapRow): Promise<void> {
    const name = recordName(table, record);
    this.#unstored.set(name, row);
    try {
      await this.#store.putIfAbsent(row);
    } catch (thrown) {
      throw storeError(thrown);
    }
    if (this.#unstored.get(name) === row) this.#unstored.delete(name);
  }

  /** Stores what could not be stored before. */
  async storeAgain(table: string, record: string): Promise<void> {
    const row = this.#unstored.get(recordName(table, record));
    if (row) await this.store(table, record, row);
  }

  /** The org's `active` row in the store now. */
  async stored(): Promise<ActiveRow | undefined> {
    try {
      return await this.#store.active(this.#org);
    } catch (thrown) {
      throw storeError(thrown);
    }
  }

  /** Says to the vault which row is in the store, and has its DEK held. */
  async adopt(active: ActiveRow, errand: Errand): Promise<void> {
    if (active.state === "active" && !this.#source.holds(active.dekRef)) await this.#source.hold(active.dekRef, errand);
    this.set(active);
  }

  /** Says to the vault which row is in the store. */
  set(active: ActiveRow): void {
    this.#vault.setActive(active);
    this.#remember(ORG);
  }

  /** Believes nothing read before. */
  forget(): void {
    this.#read.clear();
  }

  /** Lets nobody join what is going on now either. */
  cancel(): void {
    this.#flights.clear();
    this.forget();
  }

  #remember(name: string): void {
    if (this.#read.size >= MAX_REMEMBERED) this.#read.clear();
    this.#read.set(name, Date.now());
  }

  #isFresh(name: string): boolean {
    const age = Date.now() - (this.#read.get(name) ?? -Infinity);
    return age >= 0 && age < MAX_AGE;
  }
}

/** Whether reading the store again can make a refused seal work. */
export function isStale(thrown: unknown): boolean {
  return thrown instanceof StrongroomError && STALE.has(thrown.code);
}

function recordName(table: string, record: string): string {
  return JSON.stringify([table, record]);
}

/** No record's name: those begin with a bracket. */
const ORG = "";
const STALE: ReadonlySet<string> = new Set(["UNKNOWN_DEK", "NO_ACTIVE_DEK", "EXPIRED", "CLOCK_ROLLBACK", "ACTIVE_ROLLBACK"]);
/** Milliseconds. */
const MAX_AGE = 60_000;
/** As many as a vault holds DEKs. */
const MAX_REMEMBERED = 4_096;
