import assert from "node:assert/strict";
import { test } from "node:test";

import type { WrapStore } from "./store.js";
import type { ActiveRow, WrapRow } from "./types.js";

/**
 * Registers, with `node:test`, what every {@link WrapStore} must do. Call it in a test file of your own.
 *
 * @param name stands before each test's name
 * @param make gives an empty store
 */
export function testStore(name: string, make: () => WrapStore | Promise<WrapStore>): void {
  const check = (sentence: string, run: (store: WrapStore) => Promise<void>) =>
    test(`${name}: ${sentence}`, async () => run(await make()));

  check("an empty store has no rows", async (store) => {
    assert.deepEqual(await store.rows(ref(1), "acme"), []);
    assert.deepEqual(await store.rowsByOwner("acme"), []);
    assert.deepEqual(await store.rowsByOwner("acme", PLACE), []);
    assert.deepEqual(await store.rowsByReader("acme"), []);
    assert.equal(await store.active("acme"), undefined);
  });

  check("a row is found by its DEK and reader, its owner and its reader", async (store) => {
    const row = orgDek(1);
    await store.putIfAbsent(row);
    assert.deepEqual(await store.rows(ref(1), "acme"), [row]);
    assert.deepEqual(await store.rowsByOwner("acme"), [row]);
    assert.deepEqual(await store.rowsByReader("acme"), [row]);
  });

  check("a row is found under no other DEK, reader, owner or record", async (store) => {
    await store.putIfAbsent(orgDek(1));
    assert.deepEqual(await store.rows(ref(2), "acme"), []);
    assert.deepEqual(await store.rows(ref(1), "globex"), []);
    assert.deepEqual(await store.rows(ref(1), "Acme"), []);
    assert.deepEqual(await store.rowsByOwner("globex"), []);
    assert.deepEqual(await store.rowsByOwner("acme", PLACE), []);
    assert.deepEqual(await store.rowsByReader("globex"), []);
  });

  check("a record's rows are found for all readers, and no other record's", async (store) => {
    const [own, shared, other] = [recordDek(1), share(1, "globex"), { ...recordDek(2), record: "h-2" }];
    for (const row of [own, shared, other]) await store.putIfAbsent(row);
    same(await store.rowsByOwner("acme", PLACE), [own, shared]);
    same(await store.rowsByOwner("acme"), [own, shared, other]);
    same(await store.rowsByReader("globex"), [shared]);
    assert.deepEqual(await store.rowsByOwner("acme", { table: "hosts", record: "h-" }), []);
    assert.deepEqual(await store.rowsByOwner("globex", PLACE), []);
  });

  check("names that run together are two names", async (store) => {
    await store.putIfAbsent({ ...recordDek(1), table: "a", record: "bc" });
    assert.deepEqual(await store.rowsByOwner("acme", { table: "ab", record: "c" }), []);
    await store.putIfAbsent({ ...recordDek(2), table: '"],["', record: "," });
    assert.equal((await store.rowsByOwner("acme", { table: '"],["', record: "," })).length, 1);
  });

  check("one DEK has several rows for one reader", async (store) => {
    const [one, two] = [orgDek(1), { ...orgDek(1), keyId: `${CMK}2`, blob: "Ag==" }];
    await store.putIfAbsent(one);
    await store.putIfAbsent(two);
    same(await store.rows(ref(1), "acme"), [one, two]);
  });

  check("the identical row again is success and stays one row", async (store) => {
    await store.putIfAbsent(orgDek(1));
    await store.putIfAbsent(Object.fromEntries(Object.entries(orgDek(1)).reverse()) as unknown as WrapRow);
    assert.deepEqual(await store.rows(ref(1), "acme"), [orgDek(1)]);
  });

  check("another row in a row's place is refused and changes nothing", async (store) => {
    await store.putIfAbsent(recordDek(1));
    const { table: _, record: __, ...orgRow } = recordDek(1);
    const others = [
      { ...recordDek(1), blob: "Ag==" },
      { ...recordDek(1), created: 2 },
      { ...recordDek(1), version: 2 },
      { ...recordDek(1), record: "h-2" },
      { ...orgRow, purpose: "org-dek" as const },
    ];
    for (const other of others) await refused(store.putIfAbsent(other), "PRECONDITION_FAILED");
    assert.deepEqual(await store.rowsByOwner("acme"), [recordDek(1)]);
  });

  check("what is no row is refused", async (store) => {
    const { blob: _, ...short } = orgDek(1);
    const none = [
      short, { ...orgDek(1), more: "x" }, { ...orgDek(1), version: "1" }, { ...orgDek(1), table: "hosts" },
      { ...orgDek(1), v: 2 }, { ...orgDek(1), purpose: "other" }, { ...orgDek(1), owner: null }, {},
    ];
    for (const row of none) await refused(store.putIfAbsent(row as WrapRow), "ROW_INCONSISTENT");
    await refused(store.putIfAbsent({ ...orgDek(1), owner: "\ud800" }), "BAD_INPUT");
    assert.deepEqual(await store.rowsByReader("acme"), []);
  });

  check("a row that the core would not read is refused", async (store) => {
    const none: object[] = [
      { version: 0 }, { version: 2 ** 32 }, { version: 1.5 }, { created: -1 }, { created: -0 }, { created: 2 ** 53 },
      { dekRef: "x" }, { dekRef: `${ref(1)}=` }, { dekRef: `${"A".repeat(42)}B` }, { provider: "gcp-kms" },
      { blob: "" }, { blob: "AQ" }, { blob: "AQ=" }, { blob: "AR==" }, { blob: "A-==" }, { blob: "AQ==\n" },
      { reader: "globex" }, { provider: "local", keyId: ref(2) },
    ];
    for (const fault of none) await refused(store.putIfAbsent({ ...orgDek(1), ...fault }), "ROW_INCONSISTENT");
    await refused(store.putIfAbsent({ ...recordDek(1), provider: "local" }), "ROW_INCONSISTENT");
    await refused(store.putIfAbsent(share(1, "acme")), "ROW_INCONSISTENT");
    for (const fault of [{ keyId: "" }, { table: "" }, { record: "" }]) {
      await refused(store.putIfAbsent({ ...recordDek(1), ...fault }), "BAD_INPUT");
    }
    const long = "\u00e9".repeat(513);
    const blob = `${"AAAA".repeat(2_048)}AQ==`;
    for (const fault of [{ owner: long, reader: long }, { table: long }, { keyId: long.repeat(2) }, { blob }]) {
      await refused(store.putIfAbsent({ ...recordDek(1), ...fault }), "LIMIT");
    }
    assert.deepEqual(await store.rowsByOwner("acme"), []);
  });

  check("rows at the limits are kept", async (store) => {
    const long = "\u00e9".repeat(512);
    const widest = { ...recordDek(1), owner: long, reader: long, table: long, record: long, keyId: long + long };
    const rows = [
      { ...widest, version: 2 ** 32 - 1, created: Number.MAX_SAFE_INTEGER, blob: "AAAA".repeat(2_048) },
      { ...recordDek(2), provider: "local" as const, keyId: ref(1), created: 0 },
    ];
    for (const row of rows) await store.putIfAbsent(row);
    assert.deepEqual([...(await store.rowsByOwner(long)), ...(await store.rowsByOwner("acme"))], rows);
  });

  check("a row that was handed out or in can't be changed from outside", async (store) => {
    const row = { ...orgDek(1) } as { -readonly [name in keyof WrapRow]: WrapRow[name] };
    await store.putIfAbsent(row);
    row.blob = "Ag==";
    const [found] = (await store.rows(ref(1), "acme")) as [typeof row];
    found.keyId = "other";
    assert.deepEqual(await store.rows(ref(1), "acme"), [orgDek(1)]);
  });

  check("a deleted row is found in no way", async (store) => {
    await store.putIfAbsent(recordDek(1));
    await store.putIfAbsent(share(1, "globex"));
    await store.delete(recordDek(1));
    assert.deepEqual(await store.rows(ref(1), "acme"), []);
    assert.deepEqual(await store.rowsByReader("acme"), []);
    assert.deepEqual(await store.rowsByOwner("acme", PLACE), [share(1, "globex")]);
  });

  check("deleting a row that isn't there succeeds and takes no other", async (store) => {
    await store.delete(orgDek(1));
    await store.putIfAbsent(orgDek(1));
    await store.delete({ ...orgDek(1), keyId: "other" });
    await store.delete({ ...orgDek(1), reader: "globex" });
    await store.delete(orgDek(2));
    assert.deepEqual(await store.rows(ref(1), "acme"), [orgDek(1)]);
  });

  check("another row may take a deleted one's place", async (store) => {
    await store.putIfAbsent(orgDek(1));
    await store.delete({ dekRef: ref(1), reader: "acme", keyId: CMK });
    await store.putIfAbsent({ ...orgDek(1), blob: "Ag==" });
    assert.deepEqual(await store.rows(ref(1), "acme"), [{ ...orgDek(1), blob: "Ag==" }]);
  });

  check("the first active row has rev 1", async (store) => {
    for (const rev of [2, 3, Number.MAX_SAFE_INTEGER]) {
      await refused(store.compareAndSetActive(active(1, rev)), "PRECONDITION_FAILED");
    }
    assert.equal(await store.active("acme"), undefined);
    await store.compareAndSetActive(active(1, 1));
    assert.deepEqual(await store.active("acme"), active(1, 1));
  });

  check("each active row is one rev above the stored one", async (store) => {
    for (const rev of [1, 2, 3]) await store.compareAndSetActive(active(rev, rev));
    for (const rev of [1, 2, 3, 5]) {
      await refused(store.compareAndSetActive(active(4, rev)), "PRECONDITION_FAILED");
    }
    assert.deepEqual(await store.active("acme"), active(3, 3));
  });

  check("the same active row again is refused", async (store) => {
    await store.compareAndSetActive(active(1, 1));
    await refused(store.compareAndSetActive(active(1, 1)), "PRECONDITION_FAILED");
  });

  check("each org has its own active row, and no wrap row is one", async (store) => {
    await store.putIfAbsent(orgDek(1));
    await store.compareAndSetActive({ ...active(1, 1), org: "globex" });
    assert.equal(await store.active("acme"), undefined);
    await store.compareAndSetActive(active(1, 1));
    await store.delete(orgDek(1));
    assert.deepEqual(await store.active("acme"), active(1, 1));
  });

  check("a tombstone is an active row like any other", async (store) => {
    await store.compareAndSetActive(active(1, 1));
    await store.compareAndSetActive({ ...active(1, 2), state: "tombstoned" });
    assert.deepEqual(await store.active("acme"), { ...active(1, 2), state: "tombstoned" });
  });

  check("what is no active row is refused", async (store) => {
    const { state: _, ...short } = active(1, 1);
    const none = [short, { ...active(1, 1), rev: 0 }, { ...active(1, 1), rev: "1" }, { ...active(1, 1), more: 1 },
      { ...active(1, 1), state: "paused" }, { ...active(1, 1), version: 0 }, { ...active(1, 1), version: 2 ** 32 },
      { ...active(1, 1), dekRef: "x" }, { ...active(1, 1), rev: 1.5 }];
    for (const row of none) await refused(store.compareAndSetActive(row as ActiveRow), "ROW_INCONSISTENT");
    await refused(store.compareAndSetActive({ ...active(1, 1), org: "" }), "BAD_INPUT");
    await refused(store.compareAndSetActive({ ...active(1, 1), org: "o".repeat(1_025) }), "LIMIT");
    assert.equal(await store.active("acme"), undefined);
  });

  check("a DEK that nobody reserved under has no usage row", async (store) => {
    await store.putIfAbsent(orgDek(1));
    await store.compareAndSetActive(active(1, 1));
    assert.equal(await store.usage(ref(1)), undefined);
  });

  check("seals are summed up for each DEK, up to the limit itself", async (store) => {
    assert.equal(await store.reserve(ref(1), 1_024, 2 ** 32), 1_024);
    assert.equal(await store.reserve(ref(1), 2_048, 2 ** 32), 3_072);
    assert.equal(await store.reserve(ref(2), 7, 7), 7);
    assert.deepEqual(await store.usage(ref(1)), { dekRef: ref(1), reserved: 3_072 });
    assert.equal(await store.usage(ref(3)), undefined);
    assert.equal(await store.reserve(ref(3), Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
  });

  check("a sum above the limit is refused and changes nothing", async (store) => {
    await refused(store.reserve(ref(1), 6, 5), "PRECONDITION_FAILED");
    assert.equal(await store.usage(ref(1)), undefined);
    await store.reserve(ref(1), 4, 5);
    for (const count of [2, 5, Number.MAX_SAFE_INTEGER]) await refused(store.reserve(ref(1), count, 5), "PRECONDITION_FAILED");
    await refused(store.reserve(ref(1), 1, 3), "PRECONDITION_FAILED");
    assert.deepEqual(await store.usage(ref(1)), { dekRef: ref(1), reserved: 4 });
    assert.equal(await store.reserve(ref(1), 1, 5), 5);
  });

  check("no seals, and numbers that are none, are bad input", async (store) => {
    for (const [count, limit] of [[0, 5], [-1, 5], [1.5, 5], [1, 2 ** 53], [NaN, 5], ["1", 5], [1n, 5]]) {
      await refused(store.reserve(ref(1), count as number, limit as number), "BAD_INPUT");
    }
    for (const at of [0, -1, 1.5, 2 ** 53, "1"]) await refused(store.markInactive(ref(1), at as number), "BAD_INPUT");
    for (const dekRef of ["", "x", ref(1).slice(1), `${ref(1)}=`]) await refused(store.reserve(dekRef, 1, 5), "BAD_INPUT");
    assert.equal(await store.usage(ref(1)), undefined);
  });

  check("since when a DEK is inactive is noted once, and reserving leaves it alone", async (store) => {
    for (const at of [500, 400, 600]) {
      assert.deepEqual(await store.markInactive(ref(1), at), { dekRef: ref(1), reserved: 0, inactiveSince: 500 });
    }
    await store.reserve(ref(1), 3, 9);
    assert.deepEqual(await store.usage(ref(1)), { dekRef: ref(1), reserved: 3, inactiveSince: 500 });
  });

  check("a deleted usage row is gone, and only that one", async (store) => {
    await store.reserve(ref(1), 3, 9);
    await store.reserve(ref(2), 4, 9);
    await store.putIfAbsent(orgDek(1));
    await store.deleteUsage(ref(1));
    await store.deleteUsage(ref(1));
    assert.equal(await store.usage(ref(1)), undefined);
    assert.deepEqual(await store.usage(ref(2)), { dekRef: ref(2), reserved: 4 });
    await store.delete(orgDek(1));
    assert.deepEqual(await store.usage(ref(2)), { dekRef: ref(2), reserved: 4 });
  });

  check("of many who reserve at once none is lost and the limit holds", async (store) => {
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, () => store.reserve(ref(1), 3, 60)));
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 20);
    assert.deepEqual(await store.usage(ref(1)), { dekRef: ref(1), reserved: 60 });
  });

  check("of many who put different rows in one place one wins", async (store) => {
    const puts = Array.from({ length: 8 }, (_, at) => store.putIfAbsent({ ...orgDek(1), created: at + 1 }));
    const outcomes = await Promise.allSettled(puts);
    const winners = outcomes.flatMap(({ status }, at) => (status === "fulfilled" ? [at + 1] : []));
    assert.equal(winners.length, 1);
    assert.deepEqual(await store.rows(ref(1), "acme"), [{ ...orgDek(1), created: winners[0] }]);
  });

  check("of many who set the next active row one wins", async (store) => {
    const sets = Array.from({ length: 8 }, (_, at) => store.compareAndSetActive({ ...active(1, 1), dekRef: ref(at) }));
    const outcomes = await Promise.allSettled(sets);
    const winners = outcomes.flatMap(({ status }, at) => (status === "fulfilled" ? [at] : []));
    assert.equal(winners.length, 1);
    assert.equal((await store.active("acme"))?.dekRef, ref(winners[0] as number));
  });
}

async function refused(call: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(call, (thrown: { code?: string }) => thrown.code === code);
}

/** The same rows in any order. */
function same(found: WrapRow[], wanted: WrapRow[]): void {
  const sorted = (rows: WrapRow[]) => rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort();
  assert.deepEqual(sorted(found), sorted(wanted));
}

function ref(seed: number): string {
  return `${String.fromCharCode(65 + seed)}${"A".repeat(42)}`;
}

function orgDek(seed: number): WrapRow {
  return {
    v: 1, purpose: "org-dek", owner: "acme", reader: "acme", version: 1, created: 1,
    dekRef: ref(seed), provider: "aws-kms", keyId: CMK, blob: "AQ==",
  };
}

function recordDek(seed: number): WrapRow {
  return { ...orgDek(seed), purpose: "record-dek", ...PLACE };
}

function share(seed: number, reader: string): WrapRow {
  return { ...recordDek(seed), purpose: "share", reader };
}

function active(version: number, rev: number): ActiveRow {
  return { org: "acme", dekRef: ref(version), version, state: "active", rev };
}

const PLACE = { table: "hosts", record: "h-1" };
const CMK = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000001";
