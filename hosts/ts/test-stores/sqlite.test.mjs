import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { testFieldStore } from "../build/field-store-contract.js";
import { SqliteStore } from "../build/sqlite-store.js";
import { testStore } from "../build/store-contract.js";

const child = process.argv[2];
const dekRef = "A".repeat(43);
const row = { v: 1, purpose: "org-dek", owner: "acme", reader: "acme", version: 1, created: 1, provider: "aws-kms", dekRef, keyId: "key-1", blob: "AQ==" };
const active = { org: "acme", dekRef, version: 1, state: "active", rev: 1 };
const unavailable = { code: "STORE_UNAVAILABLE" };

if (child) await reserveAll(child);
else tests();

/** One of several processes: reserves one by one, as long as there is room. */
async function reserveAll(path) {
  const store = new SqliteStore(path);
  for (let sum = 0; ; sum++) {
    try {
      await store.reserve(dekRef, 1, 200);
    } catch (thrown) {
      assert.equal(thrown.code, "PRECONDITION_FAILED");
      return process.send(sum);
    }
  }
}

function tests() {
  const folder = mkdtempSync(join(tmpdir(), "strongroom-sqlite-"));
  after(() => rmSync(folder, { recursive: true }));
  let made = 0;
  const newPath = () => join(folder, `odd ?#%41 ${++made}.db`);
  const by = (path, sql) => {
    const database = new DatabaseSync(path);
    database.exec(sql);
    database.close();
  };
  const reads = async (store) => {
    await store.rows(dekRef, "acme");
    await store.rowsByOwner("acme");
    await store.rowsByReader("acme");
    await store.active("acme");
    await store.usage(dekRef);
    await store.fields("acme", "t", "r");
  };

  testStore("SQLite", () => new SqliteStore(newPath()));
  testFieldStore("SQLite", () => new SqliteStore(newPath()));

  test("the file is for its owner alone, and another store sees what is in it", async () => {
    const path = newPath();
    await new SqliteStore(path).putIfAbsent(row);
    for (const suffix of ["", "-wal", "-shm"]) assert.equal(statSync(path + suffix).mode & 0o777, 0o600);
    assert.deepEqual(await new SqliteStore(path).rows(dekRef, "acme"), [row]);
  });

  test("a file that is no store is refused", () => {
    for (const sql of [
      "PRAGMA user_version = 2", "PRAGMA user_version = 0", "PRAGMA application_id = 1", "PRAGMA application_id = 0",
      "PRAGMA application_id = 0; PRAGMA user_version = 0",
    ]) {
      const path = newPath();
      new SqliteStore(path).close();
      by(path, sql);
      assert.throws(() => new SqliteStore(path), unavailable, sql);
    }
    const text = newPath();
    writeFileSync(text, "no database\n".repeat(100));
    for (const path of [text, folder, "/nowhere/store.db"]) assert.throws(() => new SqliteStore(path), unavailable);
  });

  test("a locked file is unavailable and loses nothing", async () => {
    const path = newPath();
    const store = new SqliteStore(path);
    await store.reserve(dekRef, 5, 10);
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    await assert.rejects(store.reserve(dekRef, 1, 10), unavailable);
    assert.equal((await store.usage(dekRef)).reserved, 5);
    other.exec("ROLLBACK");
    assert.equal(await store.reserve(dekRef, 1, 10), 6);
  });

  test("a row that no store wrote, or that was moved, is an error and no answer", async () => {
    for (const sql of [
      "UPDATE strongroom_wraps SET row = '{}'",
      `UPDATE strongroom_wraps SET row = replace(row, '"acme"', '"globex"')`,
      "UPDATE strongroom_wraps SET row = replace(row, 'AAAA', 'BAAA')",
      "UPDATE strongroom_wraps SET row = replace(row, '\"version\":1', '\"version\":1.0')",
      "UPDATE strongroom_active SET row = ''",
      "UPDATE strongroom_active SET row = replace(row, 'acme', 'evil')",
      "UPDATE strongroom_active SET rev = 7",
      "UPDATE strongroom_usage SET reserved = -1",
      "UPDATE strongroom_usage SET inactive_since = 0",
      "UPDATE strongroom_fields SET revision = '01'",
      "UPDATE strongroom_fields SET revision = '18446744073709551616'",
      "DROP TABLE strongroom_usage",
    ]) {
      const path = newPath();
      const store = new SqliteStore(path);
      await store.putIfAbsent(row);
      await store.compareAndSetActive(active);
      await store.reserve(dekRef, 1, 2);
      await store.put({ org: "acme", table: "t", record: "r", field: "f" }, Uint8Array.of(1));
      await reads(store);
      by(path, sql);
      await assert.rejects(reads(store), unavailable, sql);
    }
  });

  test("a closed store is unavailable", async () => {
    const store = new SqliteStore(newPath());
    store.close();
    await assert.rejects(store.putIfAbsent(row), unavailable);
    await assert.rejects(store.rows(dekRef, "acme"), unavailable);
  });

  test("processes on one file reserve none too many", async () => {
    const path = newPath();
    const workers = Array.from({ length: 3 }, () => fork(fileURLToPath(import.meta.url), [path], { execArgv: [] }));
    const sums = await Promise.all(workers.map(async (worker) => (await once(worker, "message"))[0]));
    assert.equal(sums.reduce((sum, each) => sum + each), 200);
  });
}
