import { fail, StrongroomError } from "./error.js";
import { Flights } from "./flights.js";
import { plainActive, plainRow } from "./rows.js";
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
  readonly #storing = new Flights<void>();
  /** When the org's `active` row, or a record's rows, were read last. */
  readonly #read = new Map<string, number>();
  /** Rows, by DEK, that are not stored yet. What is sealed under their DEKs may not get out: it could be lost. */
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

  /** Has the highest version of a record's DEK held and gives its row; NO_ACTIVE_DEK if the record has none. */
  async record(table: string, record: string, errand: Errand): Promise<WrapRow> {
    await this.storeAgain(table, record);
    const rows = (await this.rows(table, record)).filter((row) => row.reader === this.#org);
    const highest = rows.reduce<WrapRow | undefined>((best, row) => (best && best.version >= row.version ? best : row), undefined);
    if (!highest) fail("NO_ACTIVE_DEK");
    if (!this.#source.holds(highest.dekRef)) await this.#source.hold(highest.dekRef, errand);
    this.#remember(recordName(table, record));
    return highest;
  }

  /** {@link record}, unless the store was asked a moment ago. */
  async recordSoon(table: string, record: string, errand: Errand): Promise<void> {
    const name = recordName(table, record);
    if (this.#isFresh(name) && this.#unstoredOf(table, record).length === 0) return;
    await this.#flights.join(name, () => this.record(table, record, errand));
  }

  /** A record's rows for all readers. */
  async rows(table: string, record: string): Promise<WrapRow[]> {
    let found: unknown;
    try {
      found = await this.#store.rowsByOwner(this.#org, { table, record });
    } catch (thrown) {
      throw storeError(thrown);
    }
    if (!Array.isArray(found)) fail("STORE_UNAVAILABLE");
    // Storage's word only: what the core would not read, or speaks of another record, is passed over.
    return found.flatMap((row: unknown) => readable(row)).filter(
      (row) => row.owner === this.#org && row.table === table && row.record === record,
    );
  }

  /** Notes a row of a DEK made here. Call it in the same step, before anything can be sealed under the DEK. */
  made(row: WrapRow): void {
    this.#unstored.set(row.dekRef, row);
  }

  /** Whether all DEKs made here have their rows stored. */
  get isSettled(): boolean {
    return this.#unstored.size === 0;
  }

  /** Has the row of this DEK stored, if it was made here and is not. What can't be is tried again next time. */
  async settle(dekRef: string): Promise<void> {
    const row = this.#unstored.get(dekRef);
    if (!row) return;
    await this.#storing.join(dekRef, async () => {
      try {
        await this.#store.putIfAbsent(row);
      } catch (thrown) {
        throw storeError(thrown);
      }
      this.#unstored.delete(dekRef);
    });
  }

  /** Stores what could not be stored before of a record. */
  async storeAgain(table: string, record: string): Promise<void> {
    for (const { dekRef } of this.#unstoredOf(table, record)) await this.settle(dekRef);
  }

  /** The org's `active` row in the store now. */
  async stored(): Promise<ActiveRow | undefined> {
    let found: unknown;
    try {
      found = await this.#store.active(this.#org);
    } catch (thrown) {
      throw storeError(thrown);
    }
    if (found === undefined || found === null) return undefined;
    const active = plainActive(found);
    // Of another org: it would end or change what the session does with that one.
    if (active.org !== this.#org) fail("ROW_INCONSISTENT");
    return active;
  }

  /** Says to the vault which row is in the store, and has its DEK held. */
  async adopt(active: ActiveRow, errand: Errand): Promise<void> {
    if (active.state === "active" && !this.#source.holds(active.dekRef)) await this.#source.hold(active.dekRef, errand);
    this.set(active, errand);
  }

  /** Says to the vault which row is in the store. */
  set(active: ActiveRow, errand: Errand): void {
    this.#source.check(errand);
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

  #unstoredOf(table: string, record: string): WrapRow[] {
    if (this.isSettled) return [];
    return [...this.#unstored.values()].filter((row) => row.table === table && row.record === record);
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

/** The row, if the core would read it. */
function readable(row: unknown): WrapRow[] {
  try {
    return [plainRow(row)];
  } catch {
    return [];
  }
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
