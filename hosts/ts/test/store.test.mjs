import assert from "node:assert/strict";
import { fork, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { withLock } from "../build/file-lock.js";
import { JsonLinesStore } from "../build/jsonl-store.js";
import { testFieldStore } from "../build/field-store-contract.js";
import { MemoryFieldStore } from "../build/field-store.js";
import { testStore } from "../build/store-contract.js";
import { MemoryStore } from "../build/store.js";
import { api, codeOf } from "./support.mjs";

const folder = mkdtempSync(join(tmpdir(), "strongroom-store-"));
after(() => rmSync(folder, { recursive: true }));
let made = 0;
const newPath = () => join(folder, `${++made}.jsonl`);

testStore("memory", () => new MemoryStore());
testStore("JSON lines", () => new JsonLinesStore(newPath()));
testFieldStore("memory", () => new MemoryFieldStore());

const row = (at = 1) => ({
  v: 1, purpose: "org-dek", owner: "acme", reader: "acme", version: at, created: 1, provider: "aws-kms",
  dekRef: "A".repeat(43), keyId: `key-${at}`, blob: "AQ==",
});
const record = { ...row(), purpose: "record-dek", table: "hosts", record: "h-1" };
const active = (rev) => ({ org: "acme", dekRef: "A".repeat(43), version: 1, state: "active", rev });

test("a file is made by the first write, for its owner alone", async () => {
  const path = newPath();
  const store = new JsonLinesStore(path);
  assert.deepEqual(await store.rowsByOwner("acme"), []);
  assert.equal(existsSync(path), false);
  await store.putIfAbsent(row());
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("each change is one line, and what changes nothing writes nothing", async () => {
  const path = newPath();
  const store = new JsonLinesStore(path);
  await store.delete(row());
  await store.putIfAbsent(row());
  await store.putIfAbsent(row());
  await store.compareAndSetActive(active(1));
  await store.delete(row());
  await store.delete(row());
  const { dekRef } = row();
  await store.reserve(dekRef, 1_024, 2 ** 32);
  for (let times = 0; times < 2; times++) await store.markInactive(dekRef, 1_761_955_200);
  for (let times = 0; times < 2; times++) await store.deleteUsage(dekRef);
  assert.deepEqual(readFileSync(path, "utf8").split("\n"), [
    JSON.stringify({ wrap: row() }), JSON.stringify({ active: active(1) }),
    JSON.stringify({ delete: { dekRef, reader: "acme", keyId: "key-1" } }),
    `{"usage":{"dekRef":"${dekRef}","reserved":1024}}`,
    `{"usage":{"dekRef":"${dekRef}","reserved":1024,"inactiveSince":1761955200}}`,
    `{"delete_usage":{"dekRef":"${dekRef}"}}`, "",
  ]);
  assert.equal(existsSync(`${path}.lock`), false);
});

test("two stores on one file see each other's lines", async () => {
  const path = newPath();
  const [one, two] = [new JsonLinesStore(path), new JsonLinesStore(path)];
  await one.putIfAbsent(row(1));
  await two.putIfAbsent(row(2));
  await one.compareAndSetActive(active(1));
  assert.equal((await two.rowsByOwner("acme")).length, 2);
  assert.equal((await one.rowsByOwner("acme")).length, 2);
  assert.equal(await codeOf(two.compareAndSetActive(active(1))), "PRECONDITION_FAILED");
  await two.delete(row(1));
  assert.deepEqual(await one.rowsByOwner("acme"), [row(2)]);
});

test("a torn last line is passed over by readers and cut off by the next writer", async () => {
  const path = newPath();
  await new JsonLinesStore(path).putIfAbsent(row(1));
  const whole = readFileSync(path, "utf8");
  for (const torn of ['{"wrap":{"v":1,', '{"active":', JSON.stringify({ wrap: row(9) }), "\u{1f511}", "\0\0\0"]) {
    writeFileSync(path, whole + torn);
    const store = new JsonLinesStore(path);
    assert.deepEqual(await store.rowsByOwner("acme"), [row(1)]);
    assert.equal(readFileSync(path, "utf8"), whole + torn);
    await store.putIfAbsent(row(2));
    assert.equal(readFileSync(path, "utf8"), `${whole}${JSON.stringify({ wrap: row(2) })}\n`);
  }
});

test("a line that some other process is still writing is read when it is whole", async () => {
  const path = newPath();
  const store = new JsonLinesStore(path);
  await store.putIfAbsent(row(1));
  const line = `${JSON.stringify({ wrap: row(2) })}\n`;
  appendFileSync(path, line.slice(0, 40));
  assert.equal((await store.rowsByOwner("acme")).length, 1);
  appendFileSync(path, line.slice(40));
  assert.equal((await store.rowsByOwner("acme")).length, 2);
});

test("a damaged line is trouble in every call and nothing is written behind it", async () => {
  const damages = [
    "", "{}", "null", "[]", "x", '{"wrap":{}}', '{"wrap":null}', '{"active":{}}', '{"delete":{}}', '{"other":{}}',
    JSON.stringify({ wrap: row(2), active: active(1) }), JSON.stringify({ wrap: { ...row(2), more: 1 } }),
    JSON.stringify({ wrap: { ...row(1), blob: "Ag==" } }), JSON.stringify({ active: { ...active(1), rev: 0 } }),
    ...["-1", "1.0", "9007199254740992", '"1"', '1,"more":1', '1,"inactiveSince":0'].map(
      (count) => `{"usage":{"dekRef":"${row().dekRef}","reserved":${count}}}`,
    ),
    '{"usage":{}}', '{"delete_usage":{}}', `{"delete_usage":{"dekRef":"${row().dekRef}","more":1}}`, '{"delete_usage":{"dekRef":"A"}}',
  ];
  for (const damage of damages) {
    const path = newPath();
    await new JsonLinesStore(path).putIfAbsent(row(1));
    appendFileSync(path, `${damage}\n`);
    const before = readFileSync(path, "utf8");
    const store = new JsonLinesStore(path);
    for (const call of [
      store.rows(row().dekRef, "acme"), store.rowsByOwner("acme"), store.rowsByReader("acme"), store.active("acme"),
      store.putIfAbsent(row(3)), store.compareAndSetActive(active(1)), store.delete(row(1)),
    ]) assert.equal(await codeOf(call), "STORE_UNAVAILABLE", damage);
    assert.equal(readFileSync(path, "utf8"), before);
    assert.equal(existsSync(`${path}.lock`), false);
  }
  const path = newPath();
  writeFileSync(path, Buffer.concat([Buffer.from('{"wrap":"'), Buffer.of(0xff), Buffer.from('"}\n')]));
  assert.equal(await codeOf(new JsonLinesStore(path).active("acme")), "STORE_UNAVAILABLE");
});

test("a line that another host would not read is damage here too", async () => {
  const [wrap, set] = [JSON.stringify({ wrap: row(2) }), JSON.stringify({ active: active(1) })];
  const damages = [
    wrap.replace('"v":1', '"v":1.0'), wrap.replace('"v":1', '"v":1,"v":1'), wrap.replace("acme", "\\ud800"),
    wrap.replace('"created":1', '"created":-0'), wrap.replace('"created":1', '"created":1e0'), wrap.replace("AQ==", "AR=="),
    wrap.replace('{"wrap"', '{"wrap":null,"wrap"'), set.replace('"rev":1', '"rev":1.0'), set.replace("A".repeat(43), "A"),
    JSON.stringify({ delete: { dekRef: "x", reader: "acme", keyId: "key-1" } }),
    JSON.stringify({ delete: { ...row(1) } }), JSON.stringify({ wrap: [row(2)] }), JSON.stringify([{ wrap: row(2) }]),
  ];
  for (const damage of damages) {
    const path = newPath();
    writeFileSync(path, `${JSON.stringify({ wrap: row(1) })}\n${damage}\n`);
    assert.equal(await codeOf(new JsonLinesStore(path).rowsByOwner("acme")), "STORE_UNAVAILABLE", damage);
  }
});

test("a store takes exactly the rows that the core reads", async () => {
  const vault = new api.Vault();
  const values = [
    undefined, null, true, "", "x", "acme", "globex", "org-dek", "record-dek", "share", "local", "aws-kms", "\ud800", "e".repeat(1_025),
    "e".repeat(2_048), "e".repeat(2_049), "A".repeat(43), "B".repeat(43), `${"A".repeat(42)}E`, "A".repeat(44), "AA==", "AB==", "AAA=", "AAF=",
    "AAAA", "A+/8", "A-_8", "AA==AA==", "AAAA".repeat(2_048), `${"AAAA".repeat(2_048)}AA==`, "AAAA".repeat(2_049),
    0, -0, 1, 2, -1, 1.5, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, NaN, Infinity, 1n, [], {}, ["acme"],
  ];
  let taken = 0;
  const compare = async (good, names, put, core) => {
    for (const name of [...names, "more"]) {
      for (const value of values) {
        const one = { ...good, [name]: value };
        const [here, there] = [await codeOf(put(one)), await core(one)];
        // A store knows one format only and need not tell a later one from damage.
        const expected = there === "UNSUPPORTED_VERSION" ? "ROW_INCONSISTENT" : there;
        assert.equal(here, expected, `${name}: ${String(value).slice(0, 50)}`);
        if (here === "nothing thrown") taken++;
      }
    }
  };
  const read = async (row) => {
    const code = await codeOf(() => vault.admit("nobody", row));
    return code === "ROW_INCONSISTENT" && (await codeOf(() => api.kmsContext(row))) !== code ? "nothing thrown" : code;
  };
  const local = { ...record, provider: "local", keyId: "A".repeat(43) };
  for (const good of [row(), record, { ...record, purpose: "share", reader: "globex" }, local]) {
    await compare(good, [...Object.keys(row()), "table", "record"], (one) => new MemoryStore().putIfAbsent(one), read);
  }
  const fresh = (one) => codeOf(() => new api.Vault().setActive(one));
  const put = (one) => new MemoryStore().compareAndSetActive({ ...one });
  const revs = async (one) => ((await fresh(one)) === "nothing thrown" && one.rev !== 1 ? "PRECONDITION_FAILED" : fresh(one));
  await compare(active(1), Object.keys(active(1)), put, revs);
  assert.ok(taken > 50);
});

test("a file that was replaced or cut is read from its start", async () => {
  const path = newPath();
  const store = new JsonLinesStore(path);
  for (const at of [1, 2, 3]) await store.putIfAbsent(row(at));
  const other = newPath();
  await new JsonLinesStore(other).putIfAbsent(row(7));
  renameSync(other, path);
  assert.deepEqual(await store.rowsByOwner("acme"), [row(7)]);
  writeFileSync(path, "");
  assert.deepEqual(await store.rowsByOwner("acme"), []);
  rmSync(path);
  await store.putIfAbsent(row(4));
  assert.deepEqual(await store.rowsByOwner("acme"), [row(4)]);
});

test("a file that can't be read or written is trouble, not emptiness", async () => {
  for (const path of [folder, join(folder, "no", "such", "folder.jsonl")]) {
    const store = new JsonLinesStore(path);
    assert.equal(await codeOf(store.putIfAbsent(row())), "STORE_UNAVAILABLE", path);
  }
  assert.equal(await codeOf(new JsonLinesStore(folder).active("acme")), "STORE_UNAVAILABLE");
});

test("the lock of a process that died is broken, a living one's is waited for", async () => {
  const path = newPath();
  const store = new JsonLinesStore(path);
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  writeFileSync(`${path}.lock`, `${dead} 0123456789abcdef\n`);
  await store.putIfAbsent(row(1));

  writeFileSync(`${path}.lock`, "");
  utimesSync(`${path}.lock`, 1, 1);
  writeFileSync(`${path}.lock.break`, "");
  utimesSync(`${path}.lock.break`, 1, 1);
  await store.putIfAbsent(row(2));

  writeFileSync(`${path}.lock`, `${process.pid} 0123456789abcdef\n`);
  const waiting = store.putIfAbsent(row(3));
  const first = await Promise.race([waiting.then(() => "written"), new Promise((done) => setTimeout(done, 100, "waits"))]);
  assert.equal(first, "waits");
  assert.equal((await new JsonLinesStore(path).rowsByOwner("acme")).length, 2);
  rmSync(`${path}.lock`);
  await waiting;
  assert.equal((await store.rowsByOwner("acme")).length, 3);
  assert.deepEqual([existsSync(`${path}.lock`), existsSync(`${path}.lock.break`)], [false, false]);
});

test("a lock that is gone or another's after the work is no trouble and stays as it is", async () => {
  const path = newPath();
  await withLock(`${path}.lock`, async () => rmSync(`${path}.lock`));
  const theirs = `${process.pid} fedcba9876543210\n`;
  await withLock(`${path}.lock`, async () => writeFileSync(`${path}.lock`, theirs));
  assert.equal(readFileSync(`${path}.lock`, "utf8"), theirs);
});

test("a lock that a living process never gives back ends in trouble after ten seconds", async () => {
  const path = newPath();
  writeFileSync(`${path}.lock`, `${process.pid} 0123456789abcdef\n`);
  assert.equal(await codeOf(new JsonLinesStore(path).putIfAbsent(row())), "STORE_UNAVAILABLE");
});

test("processes that write at once lose nothing, and one of them wins each rev", async () => {
  const path = newPath();
  const worker = fileURLToPath(new URL("store.worker.mjs", import.meta.url));
  const reports = await Promise.all(
    Array.from({ length: 4 }, (_, at) => new Promise((done, broken) => {
      fork(worker, [path, String(at)]).once("message", done).once("error", broken)
        .once("exit", (code) => code && broken(new Error(`exit ${code}`)));
    })),
  );
  const store = new JsonLinesStore(path);
  assert.equal((await store.rowsByOwner("acme")).length, 4 * 15);
  assert.equal((await store.active("acme")).rev, reports.reduce((sum, { won }) => sum + won, 0));
  assert.ok(reports.every(({ won }) => won === 10));
});
