// Versions that are retired, orgs that are shredded, DEKs that are refreshed or denied.
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { MemoryFieldStore } from "../build/field-store.js";
import { reactivate } from "../build/kms-vault.js";
import { AT, CMKS, cmkOf, codeOf, dying, hesitant, rotated, session, tick, utf8 } from "./support.mjs";

const ENOUGH = 43_200 + 3_600;

/** Runs with a clock of `Date` that the test moves. */
async function withClock(run) {
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    await run((seconds) => mock.timers.setTime(Date.now() + seconds * 1_000));
  } finally {
    mock.timers.reset();
  }
}

/** An org with a field, and a record DEK, under version 1 of its DEK, and version 2 active. */
async function aged() {
  const { vault, kms, store } = await rotated();
  const fields = new MemoryFieldStore();
  await fields.put(AT, await vault.seal(AT, utf8("x")));
  await vault.generateRecordDek(AT.table, "h-2");
  const first = (await store.active("acme")).dekRef;
  await vault.rotate();
  return { vault, kms, store, fields, first };
}

test("a version is retired when it was inactive for long enough and nothing needs it", () =>
  withClock(async (pass) => {
    const { vault, kms, store, fields, first } = await aged();
    const early = await vault.retire(1, fields);
    assert.deepEqual([early.retired, early.dekRefs, early.notBefore], [false, [first], Math.floor(Date.now() / 1_000) + ENOUGH]);
    pass(ENOUGH - 1);
    assert.equal((await vault.retire(1, fields)).retired, false);
    pass(1);
    assert.deepEqual(await vault.retire(1, fields), { retired: false, dekRefs: [first], envelopes: 1, localWraps: 1 });
    const [{ binding, envelope }] = await fields.fields("acme", AT.table, AT.record);
    await fields.replace(binding, envelope, await vault.reseal(binding, envelope));
    assert.deepEqual(await vault.retire(1, fields), { retired: false, dekRefs: [first], envelopes: 0, localWraps: 1 });
    await vault.rewrapLocal();
    assert.equal((await vault.retire(1, fields)).retired, true);
    assert.deepEqual(await store.rows(first, "acme"), []);
    assert.equal(await store.usage(first), undefined);
    assert.equal((await store.rowsByReader("acme")).filter(({ keyId }) => keyId === first).length, 0);
    const second = session({ kms, store }).vault;
    await second.seal({ ...AT, record: "h-2" }, utf8("y"), { scope: "record" });
    const [moved] = await fields.fields("acme", AT.table, AT.record);
    assert.deepEqual(await second.open(AT, moved.envelope), utf8("x"));
  }));

test("what nobody noted as inactive is noted, and no inventory begins", async () => {
  const { vault, store, fields, first } = await aged();
  await store.deleteUsage(first);
  const never = { all: () => assert.fail("an inventory began") };
  const report = await vault.retire(1, never);
  assert.ok(report.notBefore - ENOUGH <= Date.now() / 1_000);
  assert.ok((await store.usage(first)).inactiveSince > 0);
  assert.equal((await store.rows(first, "acme")).length, 1);
  assert.equal((await vault.retire(1, fields)).retired, false);
});

test("what can't be retired is refused and deletes nothing", () =>
  withClock(async (pass) => {
    const { vault, store, fields, first } = await aged();
    pass(ENOUGH);
    for (const version of [0, 2, 3]) assert.equal(await codeOf(vault.retire(version, fields)), "BAD_INPUT", version);
    for (const version of [1.5, -1, "1"]) assert.equal(await codeOf(vault.retire(version, fields)), "BAD_INPUT", version);
    assert.equal(await codeOf(vault.retire(1)), "BAD_INPUT");
    const broken = new MemoryFieldStore();
    await broken.put(AT, utf8("no envelope"));
    assert.equal(await codeOf(vault.retire(1, broken)), "NOT_AN_ENVELOPE");
    const down = { async *all() { throw new Error("down"); } };
    assert.equal(await codeOf(vault.retire(1, down)), "STORE_UNAVAILABLE");
    assert.equal((await store.rows(first, "acme")).length, 1);
    assert.equal(await codeOf(session().vault.retire(1, fields)), "NO_ACTIVE_DEK");
  }));

test("a local row under the active DEK that doesn't open proves nothing", () =>
  withClock(async (pass) => {
    const { vault, store, first } = await aged();
    await vault.rewrapLocal();
    const { dekRef } = await store.active("acme");
    const again = (await store.rowsByReader("acme")).find(({ keyId }) => keyId === dekRef);
    await store.delete(again);
    await store.putIfAbsent({ ...again, blob: Buffer.alloc(96).toString("base64") });
    pass(ENOUGH);
    assert.deepEqual(await vault.retire(1, new MemoryFieldStore()), { retired: false, dekRefs: [first], envelopes: 0, localWraps: 1 });
    assert.equal((await store.rows(first, "acme")).length, 1);
  }));

test("a retirement that dies at any deletion is finished by a second run", () =>
  withClock(async (pass) => {
    for (const isDone of [false, true]) {
      for (const [method, n] of [["delete", 1], ["delete", 2], ["deleteUsage", 1]]) {
        const { vault, kms, store, first } = await aged();
        await vault.rewrapLocal();
        pass(ENOUGH);
        const dead = session({ kms, store: dying(store, [method], n, isDone) }).vault;
        assert.equal(await codeOf(dead.retire(1, new MemoryFieldStore())), "STORE_UNAVAILABLE");
        assert.equal((await session({ kms, store }).vault.retire(1, new MemoryFieldStore())).retired, true);
        assert.deepEqual(await store.rows(first, "acme"), []);
        await session({ kms, store }).vault.seal({ ...AT, record: "h-2" }, utf8("y"), { scope: "record" });
      }
    }
  }));

/** An org with a field and a shared record. */
async function doomed() {
  const cmks = { ...CMKS, acme: [cmkOf("acme"), cmkOf("acme", 1)] };
  const made = await rotated({ cmks });
  const envelope = await made.vault.seal(AT, utf8("x"));
  await made.vault.generateRecordDek(AT.table, "h-2");
  await made.vault.share(AT.table, "h-2", "globex", cmkOf("globex"));
  return { ...made, cmks, envelope };
}

test("shredding ends the org and says what survives", async () => {
  const { vault, kms, store, envelope, cmks } = await doomed();
  const report = await vault.shred(7);
  assert.deepEqual(report.keys.map(({ keyId }) => keyId), cmks.acme);
  for (const { deletedAt } of report.keys) assert.ok(Math.abs(deletedAt - 7 * 86_400 - Date.now() / 1_000) < 10);
  assert.deepEqual(report.shares.map(({ record, reader, keyId, version }) => [record, reader, keyId, version]), [["h-2", "globex", cmkOf("globex"), 1]]);
  assert.deepEqual(report.rows.map(({ purpose }) => purpose).sort(), ["org-dek", "record-dek"]);
  assert.ok(Math.abs(report.cachedUntil - 43_200 - Date.now() / 1_000) < 10);
  assert.equal((await store.active("acme")).state, "tombstoned");
  const fresh = session({ kms, store, cmks }).vault;
  for (const host of [vault, fresh]) {
    assert.equal(await codeOf(host.open(AT, envelope)), "ORG_TOMBSTONED");
    assert.equal(await codeOf(host.seal(AT, utf8("x"))), "ORG_TOMBSTONED");
    assert.equal(await codeOf(host.rotate()), "ORG_TOMBSTONED");
    assert.deepEqual((await host.survivors()).shares, report.shares);
  }
});

test("a shredding that dies anywhere is finished by a second run", async () => {
  for (const isDone of [false, true]) {
    for (const n of [1, 2]) {
      const { kms, store, cmks } = await doomed();
      assert.equal(await codeOf(session({ kms: dying(kms, ["send"], n, isDone), store, cmks, tries: 1 }).vault.shred(7)), "KMS_UNAVAILABLE");
      const report = await session({ kms, store, cmks }).vault.shred(7);
      assert.equal(report.keys.filter(({ deletedAt }) => deletedAt === undefined).length, isDone ? n : n - 1);
      assert.deepEqual(kms.shredded, new Set(cmks.acme));
    }
    const { kms, store, cmks } = await doomed();
    const dead = session({ kms, store: dying(store, ["compareAndSetActive"], 1, isDone), cmks }).vault;
    assert.equal(await codeOf(dead.shred(7)), "STORE_UNAVAILABLE");
    await session({ kms, store, cmks }).vault.shred(7);
    assert.equal((await store.active("acme")).state, "tombstoned");
  }
});

test("what the KMS refuses or answers wrongly shreds nothing", async () => {
  const answers = [
    ["AccessDeniedException", "KMS_DENIED"], ["ThrottlingException", "KMS_THROTTLED"], ["Whatever", "KMS_UNAVAILABLE"],
    [() => ({ endpoint: "https://kms.us-east-1.amazonaws.com/", KeyId: cmkOf("acme") }), "ENDPOINT_POLICY"],
    [({ endpoint }) => ({ endpoint, KeyId: cmkOf("globex") }), "KEY_ID_UNEXPECTED"],
    [({ endpoint }) => ({ endpoint }), "KEY_ID_UNEXPECTED"],
  ];
  for (const [fault, code] of answers) {
    const { kms, store, envelope, cmks } = await doomed();
    const { vault } = session({ kms, store, cmks, tries: 1 });
    kms.faults = [fault];
    assert.equal(await codeOf(vault.shred(7)), code);
    assert.deepEqual(await vault.open(AT, envelope), utf8("x"));
  }
  for (const days of [0, 6, 31, 7.5, "7"]) {
    const { vault, store } = await doomed();
    assert.equal(await codeOf(vault.shred(days)), "BAD_INPUT", days);
    assert.equal((await store.active("acme")).state, "active");
  }
});

test("a shredding can be called off for new vaults, and for none that saw it", async () => {
  const { vault, kms, store, envelope, cmks } = await doomed();
  const before = await store.active("acme");
  await vault.shred(7);
  kms.shredded.clear();
  assert.deepEqual(await reactivate(store, "acme"), { ...before, rev: before.rev + 2 });
  assert.deepEqual(await reactivate(store, "acme"), { ...before, rev: before.rev + 2 });
  assert.equal(await codeOf(vault.open(AT, envelope)), "ORG_TOMBSTONED");
  const fresh = session({ kms, store, cmks }).vault;
  assert.deepEqual(await fresh.open(AT, envelope), utf8("x"));
  await fresh.seal(AT, utf8("y"));
  assert.equal(await codeOf(reactivate(store, "globex")), "NO_ACTIVE_DEK");
  assert.equal(await codeOf(reactivate(dying(store, ["active"], 1, true), "acme")), "STORE_UNAVAILABLE");
});

test("a denied DEK isn't asked for again for a while, and a sign-out forgets that", () =>
  withClock(async (pass) => {
    const { vault, kms, store } = await rotated();
    const envelope = await vault.seal(AT, utf8("x"));
    kms.denied = () => true;
    const cold = session({ kms, store }).vault;
    for (let at = 0; at < 3; at++) assert.equal(await codeOf(cold.open(AT, envelope)), "KMS_DENIED");
    pass(29);
    assert.equal(await codeOf(cold.open(AT, envelope)), "KMS_DENIED");
    assert.equal(kms.calls.length, 1);
    pass(1);
    assert.equal(await codeOf(cold.open(AT, envelope)), "KMS_DENIED");
    assert.equal(kms.calls.length, 2);
    pass(-10);
    assert.equal(await codeOf(cold.open(AT, envelope)), "KMS_DENIED");
    assert.equal(kms.calls.length, 3, "a clock that went back prolongs nothing");
    await cold.signOut();
    kms.denied = () => false;
    assert.deepEqual(await cold.open(AT, envelope), utf8("x"));
  }));

/** A session with one DEK held; the clock of `Date` then stands where a refresh is due. */
async function due(pass, options) {
  const { kms, store, vault } = await rotated();
  const envelope = await vault.seal(AT, utf8("x"));
  const warm = session({ kms, store, activeMaxAge: 3_600, ...options }).vault;
  await warm.open(AT, envelope);
  assert.equal(kms.calls.length, 1);
  pass(43_200 * 0.79);
  await warm.open(AT, envelope);
  await tick(20);
  assert.equal(kms.calls.length, 1, "asked before 80 % of its time");
  pass(43_200 * 0.17);
  return { warm, kms, envelope };
}

test("a use past the soft end asks once in the background, whoever uses it", () =>
  withClock(async (pass) => {
    const { warm, kms, envelope } = await due(pass);
    for (const value of await Promise.all(Array.from({ length: 20 }, () => warm.open(AT, envelope)))) assert.deepEqual(value, utf8("x"));
    await tick(30);
    await warm.open(AT, envelope);
    await tick(30);
    assert.equal(kms.calls.length, 2);
  }));

test("a refresh that is denied drops the DEK at once", () =>
  withClock(async (pass) => {
    for (const error of ["AccessDeniedException", "KMSInvalidStateException"]) {
      const { warm, kms, envelope } = await due(pass);
      kms.faults = [error];
      await warm.open(AT, envelope);
      await tick(30);
      assert.match(await codeOf(warm.open(AT, envelope)), /KMS_DENIED|KMS_PENDING_DELETION/);
      assert.equal(kms.calls.length, 2);
    }
  }));

test("a refresh that can't reach the KMS leaves the DEK, and is tried again later", () =>
  withClock(async (pass) => {
    const { warm, kms, envelope } = await due(pass, { tries: 1 });
    kms.faults = ["ThrottlingException"];
    await warm.open(AT, envelope);
    await tick(30);
    assert.deepEqual(await warm.open(AT, envelope), utf8("x"));
    assert.equal(kms.calls.length, 2, "asked again at once");
    pass(600);
    await warm.open(AT, envelope);
    await tick(30);
    assert.equal(kms.calls.length, 3);
  }));

test("a sign-out ends a refresh, which brings nothing in", () =>
  withClock(async (pass) => {
    const { warm, kms, envelope } = await due(pass);
    kms.delay = 20;
    await warm.open(AT, envelope);
    await warm.signOut();
    await tick(60);
    assert.deepEqual(warm.vault.status(), []);
  }));

test("a record DEK is refreshed by its local row, after its KEK and by one call", () =>
  withClock(async (pass) => {
    const { vault, kms, store } = await rotated();
    const items = [];
    for (let at = 0; at < 5; at++) {
      const binding = { ...AT, record: `h-${at}` };
      await vault.generateRecordDek(AT.table, binding.record);
      items.push({ binding, envelope: await vault.seal(binding, utf8("x"), { scope: "record" }) });
    }
    const warm = session({ kms, store: hesitant(store) }).vault;
    await warm.openMany(items);
    pass(43_200 * 0.96);
    assert.ok((await warm.openMany(items)).every(({ ok }) => ok));
    await tick(60);
    assert.equal(kms.calls.length, 2);
  }));
