// What many hosts on one store owe each other: freshness, the seal budget, rotation when due.
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { MemoryStore } from "../build/store.js";
import { AT, CMKS, cmkOf, codeOf, hesitant, KmsVault, rotated, session, TestKms, utf8 } from "./support.mjs";

const dekOf = (envelope) => Buffer.from(envelope.subarray(4, 36)).toString("base64url");
const usageOf = async (store) => (await store.usage((await store.active("acme")).dekRef))?.reserved ?? 0;

/** Runs with a clock of `Date` that the test moves. */
async function withClock(run) {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    await run((seconds) => mock.timers.setTime(Date.now() + seconds * 1_000));
  } finally {
    mock.timers.reset();
  }
}

test("numbers out of their range make no vault", () => {
  const create = (options) => codeOf(() => KmsVault.create({ org: "acme", cmks: CMKS, kms: new TestKms(), store: new MemoryStore(), ...options }));
  const refused = [
    ["activeMaxAge", 0, "BAD_INPUT"], ["activeMaxAge", 3_601, "LIMIT"], ["activeMaxAge", 1.5, "BAD_INPUT"],
    ["rotateAfter", 0, "BAD_INPUT"], ["rotateAfterSeals", 0, "BAD_INPUT"], ["rotateAfterSeals", "1", "BAD_INPUT"],
    ["fleetSealLimit", 0, "BAD_INPUT"], ["fleetSealLimit", 2 ** 32 + 1, "LIMIT"],
    ["denialTtl", -1, "BAD_INPUT"], ["denialTtl", 301, "LIMIT"], ["denialTtl", null, "BAD_INPUT"],
  ];
  return Promise.all(refused.map(async ([name, value, code]) => assert.equal(await create({ [name]: value }), code, `${name} ${value}`)));
});

test("a host stops sealing under a version that another replaced, once the row is too old", () =>
  withClock(async (pass) => {
    const { vault, kms, store } = await rotated();
    const other = session({ kms, store, activeMaxAge: 60 }).vault;
    const before = dekOf(await other.seal(AT, utf8("x")));
    const { dekRef } = await vault.rotate();
    pass(59);
    assert.equal(dekOf(await other.seal(AT, utf8("x"))), before);
    pass(2);
    assert.equal(dekOf(await other.seal(AT, utf8("x"))), dekRef);
  }));

test("a tombstone ends sealing and opening on every host, once the row is too old", () =>
  withClock(async (pass) => {
    const { vault, kms, store } = await rotated();
    const envelope = await vault.seal(AT, utf8("x"));
    const active = await store.active("acme");
    await store.compareAndSetActive({ ...active, state: "tombstoned", rev: active.rev + 1 });
    assert.deepEqual(await vault.open(AT, envelope), utf8("x"));
    pass(301);
    assert.equal(await codeOf(vault.open(AT, envelope)), "ORG_TOMBSTONED");
    assert.equal(await codeOf(vault.seal(AT, utf8("x"))), "ORG_TOMBSTONED");
    assert.equal(kms.calls.length, 0);
  }));

test("a reader follows the owner's tombstone, and not its rotation", () =>
  withClock(async (pass) => {
    const { vault, kms, store } = await rotated();
    await vault.generateRecordDek(AT.table, AT.record);
    const envelope = await vault.seal(AT, utf8("x"), { scope: "record" });
    await vault.share(AT.table, AT.record, "globex", cmkOf("globex"));
    const reader = session({ org: "globex", kms, store }).vault;
    assert.deepEqual(await reader.open(AT, envelope), utf8("x"));
    await vault.rotate();
    pass(301);
    assert.deepEqual(await reader.open(AT, envelope), utf8("x"));
    const active = await store.active("acme");
    await store.compareAndSetActive({ ...active, state: "tombstoned", rev: active.rev + 1 });
    pass(301);
    assert.equal(await codeOf(reader.open(AT, envelope)), "ORG_TOMBSTONED");
  }));

test("a store that can't be read stops sealing, and opening goes on", () =>
  withClock(async (pass) => {
    const inner = new MemoryStore();
    let isDown = false;
    const store = hesitant(inner, () => {
      if (isDown) throw new Error("down");
    });
    const { vault } = await rotated({ store });
    const envelope = await vault.seal(AT, utf8("x"));
    isDown = true;
    pass(301);
    assert.equal(await codeOf(vault.seal(AT, utf8("x"))), "STORE_UNAVAILABLE");
    assert.deepEqual(await vault.open(AT, envelope), utf8("x"));
    assert.deepEqual((await vault.openMany([{ binding: AT, envelope }]))[0].value, utf8("x"));
    isDown = false;
    await vault.seal(AT, utf8("x"));
  }));

for (const limit of [1, 1_023, 1_024, 1_025, 3_000]) {
  test(`of ${limit} seals none is too many, whoever makes them`, async () => {
    const { vault, kms, store } = await rotated({ fleetSealLimit: limit });
    const other = session({ kms, store, fleetSealLimit: limit }).vault;
    let made = 0;
    for (let at = 0; made <= limit; at++) {
      const batch = Array.from({ length: 700 }, () => ({ binding: AT, plaintext: utf8("x") }));
      const results = (await Promise.all([vault.sealMany(batch), other.sealMany(batch)])).flat();
      made += results.filter(({ ok }) => ok).length;
      if (results.every(({ ok, error }) => !ok && error.code === "BUDGET_EXHAUSTED")) break;
      assert.ok(at < 10, "never exhausted");
    }
    assert.equal(made, limit);
    assert.equal(await usageOf(store), limit);
    assert.equal(await codeOf(vault.seal(AT, utf8("x"))), "BUDGET_EXHAUSTED");
    assert.equal(await codeOf(vault.generateRecordDek("t", "r")), "BUDGET_EXHAUSTED");
    await vault.rotate();
    await vault.seal(AT, utf8("x"));
  });
}

test("seals are reserved before they are made, in blocks that grow", async () => {
  const store = hesitant(new MemoryStore());
  const { vault } = await rotated({ store });
  const batch = Array.from({ length: 1_024 }, () => ({ binding: AT, plaintext: utf8("x") }));
  const sums = [];
  for (let at = 0; at < 4; at++) {
    await vault.sealMany(batch);
    sums.push(await usageOf(store));
  }
  assert.deepEqual(sums, [1_024, 3_072, 3_072, 7_168]);
});

test("without a reservation nothing is sealed", async () => {
  let isDown = true;
  const store = hesitant(new MemoryStore(), (method) => {
    if (isDown && method === "reserve") throw new Error("down");
  });
  const { vault } = await rotated({ store });
  assert.equal(await codeOf(vault.seal(AT, utf8("x"))), "STORE_UNAVAILABLE");
  assert.equal((await vault.sealMany([{ binding: AT, plaintext: utf8("x") }]))[0].error.code, "STORE_UNAVAILABLE");
  assert.equal(vault.vault.status()[0].seals, 0);
  isDown = false;
  await vault.seal(AT, utf8("x"));
});

test("a failed seal gives its reservation back", async () => {
  const { vault, store } = await rotated({ fleetSealLimit: 1 });
  assert.equal(await codeOf(vault.seal({ ...AT, field: "" }, utf8("x"))), "BAD_INPUT");
  await vault.seal(AT, utf8("x"));
  assert.equal(await usageOf(store), 1);
});

test("the winner of a rotation notes since when the old version is inactive", async () => {
  const { vault, kms, store } = await rotated();
  const before = await store.active("acme");
  await Promise.all([vault.rotate(), session({ kms, store }).vault.rotate()]);
  const { inactiveSince } = await store.usage(before.dekRef);
  assert.ok(Math.abs(inactiveSince - Date.now() / 1_000) < 10);
  const { dekRef } = await store.active("acme");
  assert.equal((await store.usage(dekRef))?.inactiveSince, undefined);
});

test("a rotation is due by use or age, and one of many hosts does it", () =>
  withClock(async (pass) => {
    const { vault, kms, store } = await rotated({ rotateAfterSeals: 1_000, rotateAfter: 1_000 });
    const others = Array.from({ length: 4 }, () => session({ kms, store, rotateAfterSeals: 1_000, rotateAfter: 1_000 }).vault);
    assert.equal(await vault.rotationDue(), undefined);
    assert.equal(await vault.rotateIfDue(), undefined);
    await vault.seal(AT, utf8("x"));
    assert.equal(await others[0].rotationDue(), "use");
    const causes = await Promise.all(others.map((other) => other.rotateIfDue()));
    assert.deepEqual(causes.filter(Boolean), ["use"]);
    assert.equal((await store.active("acme")).version, 2);
    pass(1_001);
    assert.equal(await vault.rotateIfDue(), "age");
    assert.equal((await store.active("acme")).version, 3);
    assert.equal(await vault.rotateIfDue(), undefined);
  }));

test("no rotation is due where there is no DEK, or no store to ask", async () => {
  assert.equal(await codeOf(session().vault.rotationDue()), "NO_ACTIVE_DEK");
  assert.equal(await codeOf(session().vault.rotateIfDue()), "NO_ACTIVE_DEK");
  const store = hesitant(new MemoryStore(), (method) => {
    if (method === "usage") throw new Error("down");
  });
  const { vault } = await rotated({ store });
  assert.equal(await codeOf(vault.rotationDue()), "STORE_UNAVAILABLE");
});

test("after a crash at any write of a rotation a second run finishes", async () => {
  for (const method of ["putIfAbsent", "compareAndSetActive", "markInactive"]) {
    for (const isDone of [false, true]) {
      const inner = new MemoryStore();
      const { vault, kms } = await rotated({ store: inner });
      const envelope = await vault.seal(AT, utf8("x"));
      let isArmed = true;
      const store = hesitant(inner, (called, args) => {
        if (!isArmed || called !== method) return;
        isArmed = false;
        if (isDone) void inner[called](...args);
        throw new Error("killed");
      });
      await session({ kms, store }).vault.rotate().catch(() => undefined);
      const second = session({ kms, store: inner }).vault;
      await second.rotate();
      const active = await inner.active("acme");
      assert.ok((await inner.rows(active.dekRef, "acme")).length > 0, method);
      assert.deepEqual(await second.open(AT, envelope), utf8("x"));
      assert.equal(dekOf(await second.seal(AT, utf8("y"))), active.dekRef);
    }
  }
});

test("while two hosts rotate and seal, no envelope gets out whose DEK's row isn't stored", async () => {
  const inner = new MemoryStore();
  const { vault, kms } = await rotated({ store: hesitant(inner) });
  const other = session({ kms, store: hesitant(inner) }).vault;
  const sealing = async (by) => {
    const envelopes = [];
    for (let at = 0; at < 40; at++) {
      const envelope = await by.seal(AT, utf8(`${at}`));
      assert.ok((await inner.rows(dekOf(envelope), "acme")).length > 0, "a DEK whose row isn't stored");
      envelopes.push(envelope);
    }
    return envelopes;
  };
  const rotating = async (by) => {
    for (let at = 0; at < 5; at++) await by.rotate();
  };
  const [mine, theirs] = await Promise.all([sealing(vault), sealing(other), rotating(vault), rotating(other)]);
  const third = session({ kms, store: inner }).vault;
  for (const envelope of [...mine, ...theirs]) await third.open(AT, envelope);
  const { version } = await inner.active("acme");
  assert.ok(version > 5 && version <= 11, `version ${version}`);
});

test("after ten rotations old envelopes open, their bytes unchanged", async () => {
  const { vault, kms, store } = await rotated();
  const envelopes = [];
  for (let at = 0; at < 10; at++) {
    envelopes.push(await vault.seal(AT, utf8(`${at}`)));
    await vault.rotate();
  }
  const cold = session({ kms, store }).vault;
  for (const [at, envelope] of envelopes.entries()) assert.deepEqual(await cold.open(AT, envelope), utf8(`${at}`));
  assert.equal(new Set(envelopes.map(dekOf)).size, 10);
});
