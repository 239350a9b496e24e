import assert from "node:assert/strict";
import { test } from "node:test";

import { MemoryStore } from "../build/store.js";
import { StrongroomError } from "../build/error.js";
import {
  api, AT, CMKS, cmkOf, codeOf, hesitant, KmsVault, rotated, session, TestKms, tick, utf8,
} from "./support.mjs";

test("what one session seals another opens, after one call", async () => {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("secret"));
  assert.equal(kms.calls.length, 0);
  const second = session({ kms, store }).vault;
  assert.deepEqual(await second.open(AT, envelope), utf8("secret"));
  assert.deepEqual(await second.open(AT, envelope), utf8("secret"));
  assert.equal(kms.count("Decrypt"), 1);
});

test("however many callers wait for a DEK, it is one call", async () => {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("secret"));
  const cold = session({ kms, store: hesitant(store) }).vault;
  const opened = await Promise.all(Array.from({ length: 200 }, () => cold.open(AT, envelope)));
  assert.ok(opened.every((value) => Buffer.from(value).equals(utf8("secret"))));
  assert.equal(kms.calls.length, 1);
});

test("five hundred envelopes under two DEKs are two calls cold and none warm", async () => {
  const { vault, kms, store } = await rotated();
  const items = [];
  for (let at = 0; at < 500; at++) {
    if (at === 250) await vault.rotate();
    const binding = { ...AT, record: `h-${at}` };
    items.push({ binding, envelope: await vault.seal(binding, utf8(`secret ${at}`)) });
  }
  kms.calls.length = 0;
  const cold = session({ kms, store }).vault;
  for (const expected of [2, 2]) {
    const results = await cold.openMany(items);
    assert.ok(results.every(({ ok, value }, at) => ok && Buffer.from(value).equals(utf8(`secret ${at}`))));
    assert.equal(kms.count("Decrypt"), expected);
  }
});

test("hundreds of record DEKs under one org DEK are one call", async () => {
  const { vault, kms, store } = await rotated();
  const items = [];
  for (let at = 0; at < 300; at++) {
    const binding = { ...AT, record: `h-${at}` };
    await vault.generateRecordDek(AT.table, binding.record);
    items.push({ binding, envelope: await vault.seal(binding, utf8(`${at}`), { scope: "record" }) });
  }
  const cold = session({ kms, store: hesitant(store) }).vault;
  const results = await cold.openMany(items);
  assert.ok(results.every(({ ok }) => ok));
  assert.equal(kms.calls.length, 1);
});

test("denied is final: one call, no retry, no other row, however many wait", async () => {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("secret"));
  const [row] = await store.rowsByOwner("acme");
  await store.putIfAbsent({ ...row, keyId: cmkOf("acme", 1) });
  kms.denied = ({ op }) => op === "Decrypt";
  const cmks = { ...CMKS, acme: [cmkOf("acme"), cmkOf("acme", 1)] };
  const cold = session({ kms, store, cmks }).vault;
  const codes = await Promise.all(Array.from({ length: 50 }, () => codeOf(cold.open(AT, envelope))));
  assert.deepEqual(new Set(codes), new Set(["KMS_DENIED"]));
  assert.equal(kms.calls.length, 1);
});

test("a denied org DEK is asked for once for all the record DEKs under it", async () => {
  const { vault, kms, store } = await rotated();
  const items = [];
  for (let at = 0; at < 40; at++) {
    const binding = { ...AT, record: `h-${at}` };
    await vault.generateRecordDek(AT.table, binding.record);
    items.push({ binding, envelope: await vault.seal(binding, utf8("x"), { scope: "record" }) });
  }
  kms.denied = () => true;
  const results = await session({ kms, store: hesitant(store) }).vault.openMany(items);
  assert.deepEqual(new Set(results.map(({ error }) => error?.code)), new Set(["KMS_DENIED"]));
  assert.equal(kms.calls.length, 1);
});

test("throttled and unreachable are asked again, up to the limit", async () => {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("secret"));
  const down = () => {
    throw new Error("socket hang up");
  };
  kms.faults = ["ThrottlingException", "LimitExceededException", down, "InternalException"];
  const cold = session({ kms, store }).vault;
  assert.deepEqual(await cold.open(AT, envelope), utf8("secret"));
  assert.equal(kms.calls.length, 5);

  kms.faults = Array(9).fill("ThrottlingException");
  assert.equal(await codeOf(session({ kms, store }).vault.open(AT, envelope)), "KMS_THROTTLED");
  assert.equal(kms.calls.length, 10);
  kms.faults = Array(9).fill(down);
  assert.equal(await codeOf(session({ kms, store, tries: 2 }).vault.open(AT, envelope)), "KMS_UNAVAILABLE");
  assert.equal(kms.calls.length, 12);
});

test("a denial after a throttling ends the retries", async () => {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("secret"));
  kms.faults = ["ThrottlingException", "AccessDeniedException"];
  assert.equal(await codeOf(session({ kms, store }).vault.open(AT, envelope)), "KMS_DENIED");
  assert.equal(kms.calls.length, 2);
});

test("a key that is going away, a wrong key and a wrong endpoint are final", async () => {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("secret"));
  const endpoint = "https://kms.us-east-1.amazonaws.com";
  const cases = [
    ["KMSInvalidStateException", "KMS_PENDING_DELETION"],
    [({ params }) => ({ endpoint, KeyId: params.KeyId, Plaintext: new Uint8Array(32) }), "ENDPOINT_POLICY"],
    [() => ({ endpoint: endpoint.replace("kms", "kms-fips"), KeyId: cmkOf("x"), Plaintext: new Uint8Array(32) }), "KEY_ID_UNEXPECTED"],
    [() => { throw new StrongroomError("ENDPOINT_POLICY"); }, "ENDPOINT_POLICY"],
    [() => null, "BAD_INPUT"],
  ];
  for (const [fault, code] of cases) {
    kms.calls.length = 0;
    kms.faults = [fault];
    assert.equal(await codeOf(session({ kms, store }).vault.open(AT, envelope)), code);
    assert.equal(kms.calls.length, 1);
  }
});

test("a failed flight is not remembered: the next call asks again", async () => {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("secret"));
  const cold = session({ kms, store, denialTtl: 0 }).vault;
  kms.faults = ["AccessDeniedException"];
  assert.equal(await codeOf(cold.open(AT, envelope)), "KMS_DENIED");
  assert.deepEqual(await cold.open(AT, envelope), utf8("secret"));
});

test("in a batch each item has its own result and its DEK's own reason", async () => {
  const { vault, kms, store } = await rotated();
  const good = await vault.seal(AT, utf8("one"));
  await vault.rotate();
  const denied = await vault.seal(AT, utf8("two"));
  const [, { blob }] = await store.rowsByOwner("acme");
  kms.denied = ({ params }) => Buffer.from(params.CiphertextBlob ?? []).toString("base64") === blob;
  const cold = session({ kms, store }).vault;
  const results = await cold.openMany([
    { binding: AT, envelope: good },
    { binding: AT, envelope: denied },
    { binding: { ...AT, field: "other" }, envelope: good },
    { binding: { ...AT, org: "\ud800" }, envelope: good },
    { binding: AT, envelope: utf8("plain") },
    null,
    { binding: AT, envelope: good },
  ]);
  assert.deepEqual(
    results.map(({ ok, error }) => (ok ? "ok" : error.code)),
    ["ok", "KMS_DENIED", "AUTH_FAILED", "BAD_INPUT", "NOT_AN_ENVELOPE", "BAD_INPUT", "ok"],
  );
});

test("at most sixteen calls run at once", async () => {
  const { vault, kms, store } = await rotated();
  const envelopes = [];
  for (let at = 0; at < 40; at++) {
    envelopes.push(await vault.seal(AT, utf8("x")));
    await vault.rotate();
  }
  kms.most = 0;
  kms.delay = 5;
  const cold = session({ kms, store }).vault;
  await cold.ready(envelopes);
  assert.equal(kms.most, 16);
  assert.equal(cold.vault.missing(envelopes).length, 0);
});

test("more than ten thousand items are over the limit", async () => {
  const { vault } = await rotated();
  const items = Array(10_001).fill({ binding: AT, envelope: new Uint8Array(), plaintext: new Uint8Array() });
  assert.equal(await codeOf(vault.openMany(items)), "LIMIT");
  assert.equal(await codeOf(vault.sealMany(items)), "LIMIT");
});

test("an unknown DEK is no call, and a store that fails is not a missing row", async () => {
  const { vault, kms } = await rotated();
  const envelope = await vault.seal(AT, utf8("secret"));
  assert.equal(await codeOf(session({ kms }).vault.open(AT, envelope)), "UNKNOWN_DEK");
  const broken = hesitant(new MemoryStore(), () => {
    throw new Error("disk");
  });
  const failing = session({ kms, store: broken }).vault;
  assert.equal(await codeOf(failing.open(AT, envelope)), "STORE_UNAVAILABLE");
  assert.equal(await codeOf(failing.seal(AT, utf8("x"))), "STORE_UNAVAILABLE");
  assert.equal(await codeOf(failing.rotate()), "STORE_UNAVAILABLE");
  assert.equal(kms.count("Decrypt"), 0);
});

test("a row that storage changed is refused before any call, and a good one beside it is used", async () => {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("secret"));
  const [row] = await store.rowsByOwner("acme");
  const thief = { ...row, keyId: cmkOf("thief") };
  const only = new MemoryStore();
  await only.putIfAbsent(thief);
  assert.equal(await codeOf(session({ kms, store: only }).vault.open(AT, envelope)), "KEY_ID_UNEXPECTED");
  assert.equal(kms.calls.length, 0);
  await only.putIfAbsent(row);
  assert.deepEqual(await session({ kms, store: only }).vault.open(AT, envelope), utf8("secret"));
});

test("local rows that name each other as KEK end in an error and no call", async () => {
  const { vault, kms, store } = await rotated();
  const first = await vault.generateRecordDek("hosts", "h-1");
  const second = await vault.generateRecordDek("hosts", "h-2");
  const envelope = await vault.seal(AT, utf8("x"), { scope: "record" });
  const circle = new MemoryStore();
  await circle.putIfAbsent({ ...first, keyId: second.dekRef });
  await circle.putIfAbsent({ ...second, keyId: first.dekRef });
  kms.calls.length = 0;
  assert.notEqual(await codeOf(session({ kms, store: circle }).vault.open(AT, envelope)), "nothing thrown");
  assert.equal(kms.calls.length, 0);
  assert.equal((await store.rowsByOwner("acme")).length, 3);
});

test("a session of another org is refused the owner's rows without a call", async () => {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("secret"));
  const other = session({ org: "globex", kms, store }).vault;
  assert.equal(await codeOf(other.open(AT, envelope)), "UNKNOWN_DEK");
  const lying = { ...store, rows: async () => store.rowsByOwner("acme") };
  assert.equal(await codeOf(session({ org: "globex", kms, store: lying }).vault.open(AT, envelope)), "ROW_INCONSISTENT");
  assert.equal(kms.calls.length, 0);
});

test("after sign-out nothing that was under way brings a DEK in", async () => {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("secret"));
  for (const wait of [0, 2, 6]) {
    kms.delay = 25;
    const cold = session({ kms, store: hesitant(store) }).vault;
    const [opening, sealing] = [codeOf(cold.open(AT, envelope)), codeOf(cold.seal(AT, utf8("x")))];
    await tick(wait);
    cold.signOut();
    assert.deepEqual(await Promise.all([opening, sealing]), ["UNKNOWN_DEK", "UNKNOWN_DEK"]);
    assert.deepEqual(cold.vault.status(), []);
    assert.deepEqual(await cold.open(AT, envelope), utf8("secret"));
    cold.close();
    assert.equal(await codeOf(cold.open(AT, envelope)), "BAD_INPUT");
    cold.close();
  }
});

test("a KmsVault can't be made without cmks, org, kms or store, or with unknown options", async () => {
  const good = { org: "acme", cmks: CMKS, kms: new TestKms(), store: new MemoryStore() };
  KmsVault.create(good).close();
  for (const name of Object.keys(good)) {
    assert.equal(await codeOf(() => KmsVault.create({ ...good, [name]: undefined })), "BAD_INPUT", name);
    assert.equal(await codeOf(() => KmsVault.create({ ...good, [name]: null })), "BAD_INPUT", name);
    assert.equal(await codeOf(() => KmsVault.create(Object.create(good))), "BAD_INPUT", name);
  }
  assert.equal(await codeOf(() => KmsVault.create({ ...good, cmk: "x" })), "UNKNOWN_OPTION");
  for (const tries of [0, 21, 1.5, "3", null]) {
    assert.equal(await codeOf(() => KmsVault.create({ ...good, tries })), "BAD_INPUT");
  }
  const twice = { acme: CMKS.acme, globex: CMKS.acme };
  assert.equal(await codeOf(() => KmsVault.create({ ...good, cmks: twice })), "BAD_INPUT");
  const unlisted = session({ cmks: { globex: CMKS.globex } }).vault;
  assert.equal(await codeOf(unlisted.rotate()), "KEY_ID_UNEXPECTED");
});

test("the vault inside is the package's own", () => {
  const { vault } = session();
  assert.ok(vault.vault instanceof api.Vault);
});
