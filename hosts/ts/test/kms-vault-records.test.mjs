// Records that get a DEK of their own, are shared, and shared no more.
import assert from "node:assert/strict";
import { test } from "node:test";

import { MemoryFieldStore } from "../build/field-store.js";
import { api, AT, CMKS, cmkOf, codeOf, dying, rotated, session, utf8 } from "./support.mjs";

const ORGS = { ...CMKS, initech: [cmkOf("initech")] };
const fieldOf = (at) => ({ ...AT, field: `f${at}`, ...(at % 2 && { revision: BigInt(at) }) });
const dekOf = (envelope) => api.inspect(envelope).dekRef;

/** An org with one record of so many fields under its org DEK. */
async function world(count = 6) {
  const { vault, kms, store } = await rotated({ cmks: ORGS });
  const fields = new MemoryFieldStore();
  for (let at = 0; at < count; at++) await fields.put(fieldOf(at), await vault.seal(fieldOf(at), utf8(`v${at}`)));
  const host = (org = "acme", over = store, options = {}) => session({ org, kms, store: over, cmks: ORGS, ...options }).vault;
  return { vault, kms, store, fields, host };
}

/** One whose record is shared with two orgs. */
async function shared(count) {
  const made = await world(count);
  await made.vault.promote(AT.table, AT.record, made.fields);
  for (const reader of ["globex", "initech"]) await made.vault.share(AT.table, AT.record, reader, cmkOf(reader));
  made.kms.calls.length = 0;
  return made;
}

/** Every field opens once with its value, and has a row of its DEK. */
async function assertWhole({ fields, store, host }, count, org = "acme") {
  const found = await fields.fields("acme", AT.table, AT.record);
  assert.equal(found.length, count);
  const vault = host(org);
  for (const { binding, envelope } of found) {
    assert.deepEqual(await vault.open(binding, envelope), utf8(`v${binding.field.slice(1)}`));
    assert.ok((await store.rows(dekOf(envelope), "acme")).length > 0, "a row that an envelope needs is gone");
  }
}

test("promoting makes one DEK and moves every field under it, once", async () => {
  const made = await world(5);
  assert.deepEqual(await made.vault.promote(AT.table, AT.record, made.fields), { version: 1, resealed: 5, kept: 0 });
  assert.deepEqual(await made.vault.promote(AT.table, AT.record, made.fields), { version: 1, resealed: 0, kept: 5 });
  assert.equal(made.kms.calls.length, 0);
  assert.equal(new Set((await made.fields.fields("acme", AT.table, AT.record)).map(({ envelope }) => dekOf(envelope))).size, 1);
  await assertWhole(made, 5);
});

test("sharing a record of forty fields with five orgs is five calls", async () => {
  const readers = ["globex", "initech", "umbrella", "hooli", "wonka"];
  const cmks = Object.fromEntries(["acme", ...readers].map((org) => [org, [cmkOf(org)]]));
  const { vault, kms, store } = await rotated({ cmks });
  const fields = new MemoryFieldStore();
  for (let at = 0; at < 40; at++) await fields.put(fieldOf(at), await vault.seal(fieldOf(at), utf8(`v${at}`)));
  await vault.promote(AT.table, AT.record, fields);
  for (const reader of readers) await vault.share(AT.table, AT.record, reader, cmkOf(reader));
  assert.equal(kms.calls.length, 5);
  const host = (org) => session({ org, kms, store, cmks }).vault;
  await assertWhole({ fields, store, host }, 40, "wonka");
});

test("what can't be promoted is refused and changes nothing", async () => {
  const { vault, fields, store, host } = await world(2);
  const rows = (await store.rowsByOwner("acme")).length;
  assert.equal(await codeOf(vault.promote("", AT.record, fields)), "BAD_INPUT");
  assert.equal(await codeOf(vault.promote(AT.table, AT.record)), "BAD_INPUT");
  assert.equal(await codeOf(session().vault.promote(AT.table, AT.record, fields)), "NO_ACTIVE_DEK");
  assert.equal((await store.rowsByOwner("acme")).length, rows);
  const lying = { fields: async () => [{ binding: { ...AT, record: "h-2" }, envelope: new Uint8Array(68) }] };
  assert.equal(await codeOf(vault.promote(AT.table, AT.record, lying)), "ROW_INCONSISTENT");
  const broken = { fields: async () => [{ binding: AT, envelope: new Uint8Array(68) }] };
  assert.equal(await codeOf(vault.promote(AT.table, AT.record, broken)), "NOT_AN_ENVELOPE");
  const down = { fields: async () => { throw new Error("down"); } };
  assert.equal(await codeOf(host().promote(AT.table, AT.record, down)), "STORE_UNAVAILABLE");
});

test("fields that change all the time are given up on after ten rounds", async () => {
  const { vault, fields } = await world(1);
  let tries = 0;
  const busy = {
    fields: (...at) => fields.fields(...at),
    replace: () => { tries++; throw Object.assign(new Error(), { name: "StrongroomError", code: "PRECONDITION_FAILED" }); },
  };
  assert.equal(await codeOf(vault.promote(AT.table, AT.record, busy)), "PRECONDITION_FAILED");
  assert.equal(tries, 10);
});

test("two hosts that promote at once lose no field and no row", async () => {
  for (let round = 0; round < 5; round++) {
    const made = await world(6);
    const outcomes = await Promise.all([made.vault, made.host()].map((vault) => vault.promote(AT.table, AT.record, made.fields)));
    assert.ok(outcomes.every(({ version }) => version <= 2));
    await assertWhole(made, 6);
  }
});

test("a promotion that dies at any of its writes is finished by a second run", async () => {
  for (const isDone of [false, true]) {
    for (let n = 1; n <= 6; n++) {
      const made = await world(6);
      const fields = dying(made.fields, ["replace"], n, isDone);
      assert.equal(await codeOf(made.host().promote(AT.table, AT.record, fields)), "STORE_UNAVAILABLE");
      const report = await made.host().promote(AT.table, AT.record, made.fields);
      assert.equal(report.resealed, isDone ? 6 - n : 7 - n);
      await assertWhole(made, 6);
    }
    const made = await world(3);
    const store = dying(made.store, ["putIfAbsent"], 1, isDone);
    assert.equal(await codeOf(made.host("acme", store).promote(AT.table, AT.record, made.fields)), "STORE_UNAVAILABLE");
    await made.host().promote(AT.table, AT.record, made.fields);
    await assertWhole(made, 3);
  }
});

test("revoking shuts one reader out and leaves the others in", async () => {
  const made = await shared(4);
  const report = await made.vault.revoke(AT.table, AT.record, "globex", made.fields);
  assert.ok(Math.abs(report.cachedUntil - 43_200 - Date.now() / 1_000) < 10);
  assert.deepEqual({ ...report, cachedUntil: 0 }, { version: 2, resealed: 4, readers: ["initech"], deleted: 3, cachedUntil: 0 });
  assert.equal(made.kms.count("Encrypt"), 1);
  await assertWhole(made, 4);
  await assertWhole(made, 4, "initech");
  const [{ binding, envelope }] = await made.fields.fields("acme", AT.table, AT.record);
  assert.equal(await codeOf(made.host("globex").open(binding, envelope)), "UNKNOWN_DEK");
  assert.deepEqual(await made.store.rowsByReader("globex"), []);
});

test("a second revocation changes nothing, and shares with nobody", async () => {
  const made = await shared(3);
  await made.vault.revoke(AT.table, AT.record, "globex", made.fields);
  made.kms.calls.length = 0;
  const report = await made.host().revoke(AT.table, AT.record, "globex", made.fields);
  assert.deepEqual([report.version, report.resealed, report.deleted, report.readers], [2, 0, 0, ["initech"]]);
  assert.equal(made.kms.count("Encrypt"), 0);
});

test("what can't be revoked is refused and deletes nothing", async () => {
  const made = await shared(2);
  const rows = (await made.store.rowsByOwner("acme")).length;
  for (const reader of ["", "acme"]) assert.equal(await codeOf(made.vault.revoke(AT.table, AT.record, reader, made.fields)), "BAD_INPUT");
  assert.equal(await codeOf(made.vault.revoke(AT.table, "", "globex", made.fields)), "BAD_INPUT");
  assert.equal(await codeOf(made.vault.revoke(AT.table, AT.record, "globex", null)), "BAD_INPUT");
  assert.equal(await codeOf(made.vault.revoke(AT.table, "h-9", "globex", made.fields)), "NO_ACTIVE_DEK");
  const unlisted = made.host("acme", made.store, { cmks: { acme: CMKS.acme, globex: CMKS.globex } });
  assert.equal(await codeOf(unlisted.revoke(AT.table, AT.record, "globex", made.fields)), "KEY_ID_UNEXPECTED");
  made.kms.denied = ({ op }) => op === "Encrypt";
  assert.equal(await codeOf(made.host().revoke(AT.table, AT.record, "globex", made.fields)), "KMS_DENIED");
  assert.equal((await made.store.rowsByOwner("acme")).length, rows);
  await assertWhole(made, 2);
  await assertWhole(made, 2, "globex");
});

test("a reader can't revoke or promote the owner's record", async () => {
  const made = await shared(2);
  const reader = made.host("globex");
  await reader.rotate();
  assert.equal(await codeOf(reader.revoke(AT.table, AT.record, "initech", made.fields)), "NO_ACTIVE_DEK");
  await reader.promote(AT.table, AT.record, made.fields);
  await assertWhole(made, 2);
  assert.equal((await made.store.rowsByReader("initech")).length, 1);
});

test("a revocation that dies at any of its writes is finished by a second run", async () => {
  const deaths = [];
  for (const isDone of [false, true]) {
    for (let n = 1; n <= 5; n++) deaths.push(["fields", "replace", n, isDone]);
    for (let n = 1; n <= 2; n++) deaths.push(["store", "putIfAbsent", n, isDone]);
    for (let n = 1; n <= 3; n++) deaths.push(["store", "delete", n, isDone]);
    deaths.push(["store", "reserve", 1, isDone]);
  }
  for (const [where, method, n, isDone] of deaths) {
    const made = await shared(5);
    const death = `${method} ${n} ${isDone}`;
    const store = where === "store" ? dying(made.store, [method], n, isDone) : made.store;
    const fields = where === "fields" ? dying(made.fields, [method], n, isDone) : made.fields;
    assert.equal(await codeOf(made.host("acme", store).revoke(AT.table, AT.record, "globex", fields)), "STORE_UNAVAILABLE", death);
    await assertWhole(made, 5);
    const report = await made.host().revoke(AT.table, AT.record, "globex", made.fields);
    assert.deepEqual(report.readers, ["initech"], death);
    await assertWhole(made, 5);
    await assertWhole(made, 5, "initech");
    assert.deepEqual(await made.store.rowsByReader("globex"), [], death);
    const versions = new Set((await made.store.rowsByOwner("acme", AT)).map(({ version }) => version));
    for (const { envelope } of await made.fields.fields("acme", AT.table, AT.record)) {
      assert.equal((await made.store.rows(dekOf(envelope), "globex")).length, 0);
    }
    assert.ok(versions.size >= 1);
  }
});

test("after a failed revocation the same vault can finish it", async () => {
  const made = await shared(3);
  made.kms.faults = ["AccessDeniedException"];
  assert.equal(await codeOf(made.vault.revoke(AT.table, AT.record, "globex", made.fields)), "KMS_DENIED");
  const stranded = await codeOf(made.vault.seal(AT, utf8("x"), { scope: "record" }));
  assert.equal(stranded, "KMS_DENIED", "sealed under a DEK whose rows aren't stored");
  const report = await made.vault.revoke(AT.table, AT.record, "globex", made.fields);
  assert.deepEqual([report.version, report.readers], [3, ["initech"]]);
  await assertWhole(made, 3);
});

test("no envelope gets out under a DEK whose own row waits for the readers' rows", async () => {
  const made = await shared(2);
  made.kms.delay = 30;
  const revoking = made.vault.revoke(AT.table, AT.record, "globex", made.fields);
  await new Promise((done) => setTimeout(done, 10));
  const envelope = await made.vault.seal(AT, utf8("x"), { scope: "record" });
  assert.ok((await made.store.rows(dekOf(envelope), "acme")).length > 0);
  await revoking;
  assert.deepEqual(await made.host().open(AT, envelope), utf8("x"));
});

test("two hosts that revoke at once for two readers shut both out", async () => {
  for (let round = 0; round < 4; round++) {
    const made = await shared(4);
    const [one, other] = [made.vault, made.host()];
    await Promise.all([one.revoke(AT.table, AT.record, "globex", made.fields), other.revoke(AT.table, AT.record, "initech", made.fields)].map((call) => call.catch(() => undefined)));
    await one.revoke(AT.table, AT.record, "globex", made.fields);
    await one.revoke(AT.table, AT.record, "initech", made.fields);
    await assertWhole(made, 4);
    assert.deepEqual(await made.store.rowsByReader("globex"), []);
    assert.deepEqual(await made.store.rowsByReader("initech"), []);
  }
});

test("a reader's own wrap opens a share without the KMS unwrapping it", async () => {
  const made = await shared(1);
  const reader = made.host("globex");
  await reader.rotate();
  const row = await reader.wrapLocal("acme", AT.table, AT.record);
  assert.deepEqual([row.provider, row.purpose, row.reader], ["local", "share", "globex"]);
  assert.deepEqual(await reader.wrapLocal("acme", AT.table, AT.record), row);
  made.kms.calls.length = 0;
  await assertWhole(made, 1, "globex");
  assert.equal(made.kms.calls.length, 1, "its own org DEK only");
});

test("what this org can't read can't be wrapped", async () => {
  const made = await shared(1);
  const stranger = made.host("globex");
  assert.equal(await codeOf(stranger.wrapLocal("acme", AT.table, AT.record)), "NO_ACTIVE_DEK");
  await stranger.rotate();
  assert.equal(await codeOf(stranger.wrapLocal("acme", AT.table, "h-9")), "NO_ACTIVE_DEK");
  assert.equal(await codeOf(stranger.wrapLocal("", AT.table, AT.record)), "BAD_INPUT");
  await made.vault.revoke(AT.table, AT.record, "globex", made.fields);
  assert.equal(await codeOf(made.host("globex").wrapLocal("acme", AT.table, AT.record)), "NO_ACTIVE_DEK");
});

test("after a rotation every record DEK is wrapped anew, once", async () => {
  const { vault, store } = await rotated();
  for (const record of ["a", "b", "c"]) await vault.generateRecordDek(AT.table, record);
  assert.equal(await vault.rewrapLocal(), 0);
  const { dekRef } = await vault.rotate();
  assert.equal(await vault.rewrapLocal(), 3);
  assert.equal(await vault.rewrapLocal(), 0);
  assert.equal((await store.rowsByReader("acme")).filter(({ keyId }) => keyId === dekRef).length, 3);
});

test("one that can't be wrapped anew keeps no other from it", async () => {
  const { vault, store } = await rotated();
  for (const record of ["a", "b", "c"]) await vault.generateRecordDek(AT.table, record);
  const { dekRef } = await vault.rotate();
  const [broken] = (await store.rowsByReader("acme")).filter(({ provider }) => provider === "local");
  await store.delete(broken);
  await store.putIfAbsent({ ...broken, blob: Buffer.alloc(96).toString("base64") });
  await vault.signOut();
  assert.notEqual(await codeOf(vault.rewrapLocal()), "nothing thrown");
  assert.equal((await store.rowsByReader("acme")).filter(({ keyId }) => keyId === dekRef).length, 2);
  assert.equal(await codeOf(session().vault.rewrapLocal()), "NO_ACTIVE_DEK");
});
