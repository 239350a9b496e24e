import { fail, type StrongroomError } from "./error.js";
import { fromOutside } from "./outside.js";
import { inactive, plainActive, plainKey, plainRef, plainRow, reserved } from "./rows.js";
import type { ActiveRow, UsageRow, WrapRow } from "./types.js";

/**
 * Where wrap rows, `active` rows and `usage` rows are kept. A store keeps members as they are, and refuses rows that
 * the core would not read.
 *
 * Every method rejects with `STORE_UNAVAILABLE` when the storage can't be reached or read; it never
 * answers as if rows were missing then. A store must be linearizable for one key: what
 * {@link putIfAbsent} and {@link compareAndSetActive} promise is what rotation rests on.
 */
export interface WrapStore {
  /** The rows of one DEK (base64url) for one reader. */
  rows(dekRef: string, reader: string): Promise<WrapRow[]>;
  /** An owner's rows for all readers, only those of one record if `at` is given. */
  rowsByOwner(owner: string, at?: RecordPlace): Promise<WrapRow[]>;
  /** The rows of all owners for one reader. */
  rowsByReader(reader: string): Promise<WrapRow[]>;
  /**
   * Stores a row under (dekRef, reader, keyId). The identical row already there is success; another
   * one is `PRECONDITION_FAILED`.
   */
  putIfAbsent(row: WrapRow): Promise<void>;
  /** The org's `active` row. */
  active(org: string): Promise<ActiveRow | undefined>;
  /** Writes an `active` row if the stored `rev` is one less, or none is stored and `rev` is 1; else `PRECONDITION_FAILED`. */
  compareAndSetActive(active: ActiveRow): Promise<void>;
  /** Removes the row under (dekRef, reader, keyId). One that isn't there is success. */
  delete(row: RowKey): Promise<void>;
  /** A DEK's `usage` row. */
  usage(dekRef: string): Promise<UsageRow | undefined>;
  /**
   * Adds seals to those reserved under a DEK, making the row where none is, and gives the sum. A sum above
   * `limit` is `PRECONDITION_FAILED` and changes nothing; no seals, or a number that is not whole and safe,
   * are `BAD_INPUT`. Of calls at once, in whatever process, none may be lost.
   */
  reserve(dekRef: string, count: number, limit: number): Promise<number>;
  /** Notes since when (unix seconds) a DEK isn't the active one, unless that is noted, and gives the row afterwards. */
  markInactive(dekRef: string, at: number): Promise<UsageRow>;
  /** Removes a DEK's `usage` row. One that isn't there is success. */
  deleteUsage(dekRef: string): Promise<void>;
}

/** A record of an owner. */
export interface RecordPlace {
  readonly table: string;
  readonly record: string;
}

/** What a stored wrap row is found by. */
export type RowKey = Pick<WrapRow, "dekRef" | "reader" | "keyId">;

/** Keeps everything in this process, for tests and for data that need not last. */
export class MemoryStore implements WrapStore {
  readonly #index = new RowIndex();

  async rows(dekRef: string, reader: string): Promise<WrapRow[]> {
    return this.#index.rows(dekRef, reader);
  }

  async rowsByOwner(owner: string, at?: RecordPlace): Promise<WrapRow[]> {
    return this.#index.rowsByOwner(owner, at);
  }

  async rowsByReader(reader: string): Promise<WrapRow[]> {
    return this.#index.rowsByReader(reader);
  }

  async putIfAbsent(row: WrapRow): Promise<void> {
    const copy = plainRow(row);
    if (!this.#index.holds(copy)) this.#index.put(copy);
  }

  async active(org: string): Promise<ActiveRow | undefined> {
    return this.#index.active(org);
  }

  async compareAndSetActive(active: ActiveRow): Promise<void> {
    const copy = plainActive(active);
    this.#index.expect(copy);
    this.#index.setActive(copy);
  }

  async delete(row: RowKey): Promise<void> {
    this.#index.delete(plainKey(row));
  }

  async usage(dekRef: string): Promise<UsageRow | undefined> {
    return this.#index.usage(plainRef(dekRef));
  }

  async reserve(dekRef: string, count: number, limit: number): Promise<number> {
    const row = reserved(this.#index.usageOrNew(plainRef(dekRef)), count, limit);
    this.#index.setUsage(row);
    return row.reserved;
  }

  async markInactive(dekRef: string, at: number): Promise<UsageRow> {
    const row = inactive(this.#index.usageOrNew(plainRef(dekRef)), at);
    this.#index.setUsage(row);
    return { ...row };
  }

  async deleteUsage(dekRef: string): Promise<void> {
    this.#index.deleteUsage(plainRef(dekRef));
  }
}

/** Rows in memory, found by what a store must find them by. */
export class RowIndex {
  readonly #byDek = new Map<string, Map<string, WrapRow>>();
  readonly #byOwner = new Map<string, Map<string, WrapRow>>();
  readonly #byReader = new Map<string, Map<string, WrapRow>>();
  readonly #active = new Map<string, ActiveRow>();
  readonly #usage = new Map<string, UsageRow>();

  rows(dekRef: string, reader: string): WrapRow[] {
    return copies(this.#byDek.get(name(dekRef, reader)));
  }

  rowsByOwner(owner: string, at?: RecordPlace): WrapRow[] {
    if (at) return copies(this.#byOwner.get(name(owner, at.table, at.record)));
    return copies(this.#byOwner.get(name(owner)));
  }

  rowsByReader(reader: string): WrapRow[] {
    return copies(this.#byReader.get(name(reader)));
  }

  /** Whether the identical row is there; another one in its place is PRECONDITION_FAILED. */
  holds(row: WrapRow): boolean {
    const found = this.#byDek.get(name(row.dekRef, row.reader))?.get(keyOf(row));
    if (found && !identical(found, row)) fail("PRECONDITION_FAILED");
    return found !== undefined;
  }

  /** Whether there is a row under this key. */
  has(key: RowKey): boolean {
    return this.#byDek.get(name(key.dekRef, key.reader))?.has(keyOf(key)) ?? false;
  }

  put(row: WrapRow): void {
    for (const [index, at] of this.#places(row)) {
      const rows = index.get(at) ?? new Map<string, WrapRow>();
      index.set(at, rows.set(keyOf(row), row));
    }
  }

  delete(key: RowKey): void {
    const row = this.#byDek.get(name(key.dekRef, key.reader))?.get(keyOf(key));
    if (!row) return;
    for (const [index, at] of this.#places(row)) {
      const rows = index.get(at);
      rows?.delete(keyOf(row));
      if (rows?.size === 0) index.delete(at);
    }
  }

  active(org: string): ActiveRow | undefined {
    const found = this.#active.get(org);
    return found && { ...found };
  }

  /** PRECONDITION_FAILED unless `active` may follow what is there. */
  expect(active: ActiveRow): void {
    if ((this.#active.get(active.org)?.rev ?? 0) !== active.rev - 1) fail("PRECONDITION_FAILED");
  }

  setActive(active: ActiveRow): void {
    this.#active.set(active.org, active);
  }

  usage(dekRef: string): UsageRow | undefined {
    const found = this.#usage.get(dekRef);
    return found && { ...found };
  }

  /** A DEK's `usage` row, or what it begins as. */
  usageOrNew(dekRef: string): UsageRow {
    return this.usage(dekRef) ?? { dekRef, reserved: 0 };
  }

  setUsage(row: UsageRow): void {
    this.#usage.set(row.dekRef, row);
  }

  deleteUsage(dekRef: string): void {
    this.#usage.delete(dekRef);
  }

  #places(row: WrapRow): [Map<string, Map<string, WrapRow>>, string][] {
    const places: [Map<string, Map<string, WrapRow>>, string][] = [
      [this.#byDek, name(row.dekRef, row.reader)],
      [this.#byOwner, name(row.owner)],
      [this.#byReader, name(row.reader)],
    ];
    if (row.table !== undefined && row.record !== undefined) {
      places.push([this.#byOwner, name(row.owner, row.table, row.record)]);
    }
    return places;
  }
}

/** Asks a store; what it throws is this package's error afterwards. */
export async function ofStore<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (thrown) {
    throw storeError(thrown);
  }
}

/** What a store threw, as this package's error. */
export function storeError(thrown: unknown): StrongroomError {
  return fromOutside(thrown, "STORE_UNAVAILABLE");
}

function identical(one: WrapRow, other: WrapRow): boolean {
  const [a, b] = [Object.entries(one), new Map<string, unknown>(Object.entries(other))];
  return a.length === b.size && a.every(([key, member]) => b.get(key) === member);
}

function copies(rows: Map<string, WrapRow> | undefined): WrapRow[] {
  return rows ? Array.from(rows.values(), (row) => ({ ...row })) : [];
}

function keyOf(row: RowKey): string {
  return name(row.dekRef, row.reader, row.keyId);
}

/** Injective: "a" + "bc" and "ab" + "c" are two names. */
function name(...parts: string[]): string {
  return JSON.stringify(parts);
}

