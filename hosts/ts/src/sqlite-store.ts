import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

import { bindingCopy, bytesCopy } from "./copies.js";
import { fail, StrongroomError } from "./error.js";
import { isEqual, type FieldStore, type StoredField } from "./field-store.js";
import { fieldAt, isSameRow, storedActive, storedUsage, storedWrap } from "./stored.js";
import { inactive, plainActive, plainKey, plainRef, plainRow, reserved } from "./rows.js";
import type { RecordPlace, RowKey, WrapStore } from "./store.js";
import type { ActiveRow, Binding, UsageRow, WrapRow } from "./types.js";

/**
 * A {@link WrapStore} and a {@link FieldStore} in one SQLite file, which several processes of one machine, in
 * Node, Go or Rust, may use at once. It needs `node:sqlite`, which Node has from version 22.13 on.
 *
 * Methods reject with `STORE_UNAVAILABLE` where the file can't be read or written, is locked for longer than
 * 5 s, or holds something that no store wrote there. Node runs SQLite in the calling thread: a locked file
 * holds the process up for that time.
 */
export class SqliteStore implements WrapStore, FieldStore {
  readonly #database: Database;

  /**
   * Opens a file, or makes it with mode 0600.
   *
   * Throws `STORE_UNAVAILABLE` for a file that can't be opened, is another program's database, or is of a layout
   * that this release doesn't know; an `Error` that says so where Node has no `node:sqlite`.
   */
  constructor(path: string) {
    const { DatabaseSync } = load();
    this.#database = unlessBroken(() => {
      const file = resolve(path);
      // By us, because SQLite would make it for everybody; its other files get this one's mode.
      closeSync(openSync(file, "a", 0o600));
      const database = new DatabaseSync(file);
      try {
        prepare(database);
      } catch (thrown) {
        database.close();
        throw thrown;
      }
      return database;
    });
  }

  /** Lets the file go. Later calls reject with `STORE_UNAVAILABLE`. */
  close(): void {
    unlessBroken(() => this.#database.close());
  }

  async rows(dekRef: string, reader: string): Promise<WrapRow[]> {
    return this.#find((row) => row.dekRef === dekRef && row.reader === reader, "dek_ref = ? AND reader = ?", dekRef, reader);
  }

  async rowsByOwner(owner: string, at?: RecordPlace): Promise<WrapRow[]> {
    if (!at) return this.#find((row) => row.owner === owner, "owner = ?", owner);
    const { table, record } = at;
    const isAsked = (row: WrapRow) => row.owner === owner && row.table === table && row.record === record;
    return this.#find(isAsked, "owner = ? AND tbl = ? AND record = ?", owner, table, record);
  }

  async rowsByReader(reader: string): Promise<WrapRow[]> {
    return this.#find((row) => row.reader === reader, "reader = ?", reader);
  }

  async putIfAbsent(row: WrapRow): Promise<void> {
    const copy = plainRow(row);
    const { dekRef, reader, keyId, owner, table, record } = copy;
    this.#write(() => {
      const found = this.#all("SELECT row FROM strongroom_wraps WHERE dek_ref = ? AND reader = ? AND key_id = ?", dekRef, reader, keyId)[0];
      if (found) {
        if (!isSameRow(storedWrap(found["row"]), copy)) fail("PRECONDITION_FAILED");
        return;
      }
      this.#run(
        "INSERT INTO strongroom_wraps (dek_ref, reader, key_id, owner, tbl, record, row) VALUES (?, ?, ?, ?, ?, ?, ?)",
        dekRef, reader, keyId, owner, table ?? null, record ?? null, JSON.stringify(copy),
      );
    });
  }

  async active(org: string): Promise<ActiveRow | undefined> {
    return unlessBroken(() => {
      const found = this.#all("SELECT rev, row FROM strongroom_active WHERE org = ?", org)[0];
      return found && storedActive(found["row"], org, Number(found["rev"]));
    });
  }

  async compareAndSetActive(active: ActiveRow): Promise<void> {
    const copy = plainActive(active);
    this.#write(() => {
      const before = this.#all("SELECT rev FROM strongroom_active WHERE org = ?", copy.org)[0];
      if (Number(before?.["rev"] ?? 0) !== copy.rev - 1) fail("PRECONDITION_FAILED");
      this.#run("INSERT OR REPLACE INTO strongroom_active (org, rev, row) VALUES (?, ?, ?)", copy.org, copy.rev, JSON.stringify(copy));
    });
  }

  async delete(row: RowKey): Promise<void> {
    const { dekRef, reader, keyId } = plainKey(row);
    this.#write(() => this.#run("DELETE FROM strongroom_wraps WHERE dek_ref = ? AND reader = ? AND key_id = ?", dekRef, reader, keyId));
  }

  async usage(dekRef: string): Promise<UsageRow | undefined> {
    return unlessBroken(() => this.#usageOf(plainRef(dekRef)));
  }

  async reserve(dekRef: string, count: number, limit: number): Promise<number> {
    return this.#changeUsage(dekRef, (row) => reserved(row, count, limit)).reserved;
  }

  async markInactive(dekRef: string, at: number): Promise<UsageRow> {
    return this.#changeUsage(dekRef, (row) => inactive(row, at));
  }

  async deleteUsage(dekRef: string): Promise<void> {
    const ref = plainRef(dekRef);
    this.#write(() => this.#run("DELETE FROM strongroom_usage WHERE dek_ref = ?", ref));
  }

  async fields(owner: string, table: string, record: string): Promise<StoredField[]> {
    return this.#fields("org = ? AND tbl = ? AND record = ? ORDER BY field, revision", owner, table, record);
  }

  /** Stores an envelope, in the place of whatever was there. */
  async put(binding: Binding, envelope: Uint8Array): Promise<void> {
    const [place, copy] = [placeOf(bindingCopy(binding)), bytesCopy(envelope)];
    this.#write(() => this.#put(place, copy));
  }

  async replace(binding: Binding, old: Uint8Array, envelope: Uint8Array): Promise<void> {
    const [place, before, copy] = [placeOf(bindingCopy(binding)), bytesCopy(old), bytesCopy(envelope)];
    this.#write(() => {
      const where = "org = ? AND tbl = ? AND record = ? AND field = ? AND revision = ?";
      const found = this.#all(`SELECT envelope FROM strongroom_fields WHERE ${where}`, ...place)[0];
      if (!found || !isEqual(found["envelope"] as Uint8Array, before)) fail("PRECONDITION_FAILED");
      this.#put(place, copy);
    });
  }

  async *all(owner: string): AsyncGenerator<StoredField> {
    for (let last = ["", "", "", ""]; ; ) {
      const page = this.#fields(
        "org = ? AND (tbl, record, field, revision) > (?, ?, ?, ?) ORDER BY tbl, record, field, revision LIMIT 256", owner, ...last,
      );
      yield* page;
      const end = page.at(-1);
      if (!end) return;
      last = placeOf(end.binding).slice(1);
    }
  }

  /** Rows in the order in which they were put. A row says itself what it is: columns that say otherwise are damage. */
  #find(isAsked: (row: WrapRow) => boolean, where: string, ...values: string[]): WrapRow[] {
    return unlessBroken(() =>
      this.#all(`SELECT row FROM strongroom_wraps WHERE ${where} ORDER BY seq`, ...values).map(({ row }) => {
        const found = storedWrap(row);
        return isAsked(found) ? found : fail("STORE_UNAVAILABLE");
      }),
    );
  }

  #usageOf(dekRef: string): UsageRow | undefined {
    const found = this.#all("SELECT reserved, inactive_since FROM strongroom_usage WHERE dek_ref = ?", dekRef)[0];
    return found && storedUsage(dekRef, Number(found["reserved"]), found["inactive_since"] === null ? undefined : Number(found["inactive_since"]));
  }

  #changeUsage(dekRef: string, change: (row: UsageRow) => UsageRow): UsageRow {
    const ref = plainRef(dekRef);
    return this.#write(() => {
      const row = change(this.#usageOf(ref) ?? { dekRef: ref, reserved: 0 });
      this.#run(
        "INSERT OR REPLACE INTO strongroom_usage (dek_ref, reserved, inactive_since) VALUES (?, ?, ?)",
        ref, row.reserved, row.inactiveSince ?? null,
      );
      return row;
    });
  }

  #fields(where: string, ...values: string[]): StoredField[] {
    return unlessBroken(() =>
      this.#all(`SELECT org, tbl, record, field, revision, envelope FROM strongroom_fields WHERE ${where}`, ...values).map(
        ({ org, tbl, record, field, revision, envelope }) => fieldAt(org, tbl, record, field, revision, envelope),
      ),
    );
  }

  #put(place: string[], envelope: Uint8Array): void {
    this.#run(
      `INSERT INTO strongroom_fields (org, tbl, record, field, revision, envelope) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET envelope = excluded.envelope`,
      ...place, envelope,
    );
  }

  #all(sql: string, ...values: Value[]): Record<string, unknown>[] {
    return all(this.#database, sql, ...values);
  }

  #run(sql: string, ...values: Value[]): void {
    this.#database.prepare(sql).run(...values);
  }

  #write<T>(change: () => T): T {
    return unlessBroken(() => inTransaction(this.#database, change));
  }
}

/** Makes the tables in an empty file, and refuses a file that isn't ours. */
function prepare(database: Database): void {
  database.exec("PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL");
  for (const ends = Date.now() + PATIENCE; ; ) {
    // SQLite doesn't wait by itself where two processes switch to WAL at once.
    try {
      database.exec("PRAGMA journal_mode = WAL");
      break;
    } catch (thrown) {
      if ((thrown as { errcode?: number }).errcode !== BUSY || Date.now() > ends) throw thrown;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
  inTransaction(database, () => {
    const sql = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) AS objects FROM pragma_application_id, pragma_user_version";
    const { application_id, user_version, objects } = all(database, sql)[0] ?? {};
    if (application_id === 0 && user_version === 0 && objects === 0) database.exec(SCHEMA);
    else if (application_id !== APPLICATION || user_version !== 1) fail("STORE_UNAVAILABLE");
  });
}

/** No other process can come between what a change reads and writes. */
function inTransaction<T>(database: Database, change: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = change();
    database.exec("COMMIT");
    return result;
  } catch (thrown) {
    try {
      database.exec("ROLLBACK");
    } catch {
      // SQLite has ended it already.
    }
    throw thrown;
  }
}

function all(database: Database, sql: string, ...values: Value[]): Record<string, unknown>[] {
  return database.prepare(sql).all(...values);
}

function unlessBroken<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    throw thrown instanceof StrongroomError ? thrown : new StrongroomError("STORE_UNAVAILABLE");
  }
}

/** A field's primary key. */
function placeOf({ org, table, record, field, revision }: Binding): string[] {
  return [org, table, record, field, revision?.toString() ?? ""];
}

function load(): Sqlite {
  try {
    return createRequire(resolve("strongroom.js"))(MODULE) as Sqlite;
  } catch {
    throw new Error(`SqliteStore needs ${MODULE}, which Node has from 22.13 on; this is ${process.version}`);
  }
}

type Value = string | number | null | Uint8Array;

interface Sqlite {
  DatabaseSync: new (path: string) => Database;
}

interface Database {
  exec(sql: string): void;
  prepare(sql: string): { all(...values: Value[]): Record<string, unknown>[]; run(...values: Value[]): unknown };
  close(): void;
}

/** Not a literal: the types of the oldest Node don't know it. */
const MODULE: string = "node:sqlite";
const PATIENCE = 5_000;
const BUSY = 5;
const APPLICATION = 0x73723031;
const SCHEMA = `
CREATE TABLE strongroom_wraps (seq INTEGER PRIMARY KEY AUTOINCREMENT, dek_ref TEXT NOT NULL, reader TEXT NOT NULL, key_id TEXT NOT NULL, owner TEXT NOT NULL, tbl TEXT, record TEXT, row TEXT NOT NULL, UNIQUE (dek_ref, reader, key_id)) STRICT;
CREATE INDEX strongroom_wraps_owner ON strongroom_wraps (owner, tbl, record);
CREATE INDEX strongroom_wraps_reader ON strongroom_wraps (reader);
CREATE TABLE strongroom_active (org TEXT PRIMARY KEY, rev INTEGER NOT NULL, row TEXT NOT NULL) STRICT;
CREATE TABLE strongroom_usage (dek_ref TEXT PRIMARY KEY, reserved INTEGER NOT NULL, inactive_since INTEGER) STRICT;
CREATE TABLE strongroom_fields (org TEXT NOT NULL, tbl TEXT NOT NULL, record TEXT NOT NULL, field TEXT NOT NULL, revision TEXT NOT NULL, envelope BLOB NOT NULL, PRIMARY KEY (org, tbl, record, field, revision)) STRICT;
PRAGMA application_id = 0x73723031;
PRAGMA user_version = 1;
`;
