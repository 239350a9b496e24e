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
  /** Over when the last one that works alone is done. */
  #turn: Promise<unknown> = Promise.resolve();
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
    await this.#flights.join(ORG, () =>
      this.alone(async () => {
        const active = await this.stored();
        if (!active) fail("NO_ACTIVE_DEK");
        await this.adopt(active, errand);
      }),
    );
  }

  /**
   * Works while nobody else in this session is between reading the `active` row and telling the vault of
   * it: an older row told in between would discard a minted DEK, or be taken for a rollback.
   */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
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

  /**
   * {@link tell}, and the row's DEK is held before that.
   *
   * @param isMinted of this session's own rotation: the vault holds the DEK from then on
   */
  async adopt(active: ActiveRow, errand: Errand, isMinted = false): Promise<ActiveRow> {
    const told = await this.#say(active, errand, async (row) => {
      const isHeld = (isMinted && row === active) || row.state !== "active" || this.#source.holds(row.dekRef);
      if (!isHeld) await this.#source.hold(row.dekRef, errand);
    });
    this.#remember(ORG);
    return told;
  }

  /**
   * Says to the vault which row is in the store, and gives the row that was told. A DEK of a newer version
   * may have come in with an envelope since the row was read: then the store is read again. A row that it
   * still gives is a rollback.
   */
  async tell(active: ActiveRow, errand: Errand): Promise<ActiveRow> {
    return this.#say(active, errand, async () => undefined);
  }

  /** Believes nothing read before. */
  forget(): void {
    this.#read.clear();
  }

  /** Lets nobody join what is going on now either. */
  cancel(): void {
    this.#flights.clear();
    this.#turn = Promise.resolve();
    this.forget();
  }

  async #say(active: ActiveRow, errand: Errand, before: (row: ActiveRow) => Promise<void>): Promise<ActiveRow> {
    for (let row = active, tries = 1; ; tries++) {
      await before(row);
      this.#source.check(errand);
      try {
        this.#vault.setActive(row);
        return row;
      } catch (thrown) {
        if (!(thrown instanceof StrongroomError && thrown.code === "ACTIVE_ROLLBACK") || tries === MOST_TRIES) throw thrown;
        const again = await this.stored();
        if (!again || isSame(again, row)) throw thrown;
        row = again;
      }
    }
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

function isSame(one: ActiveRow, other: ActiveRow): boolean {
  return one.dekRef === other.dekRef && one.version === other.version && one.state === other.state && one.rev === other.rev;
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
/** Each try more needs one rotation more, read and overtaken; a store that never gives one row twice is lying. */
const MOST_TRIES = 8;
