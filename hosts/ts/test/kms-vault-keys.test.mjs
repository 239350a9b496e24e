import assert from "node:assert/strict";
import { test } from "node:test";

import { StrongroomError } from "../build/error.js";
import { MemoryStore } from "../build/store.js";
import { api, AT, CMKS, cmkOf, codeOf, hesitant, rotated, session, TestKms, tick, utf8 } from "./support.mjs";

const RECORD = { scope: "record" };
const dekOf = (envelope) => api.inspect(envelope).dekRef;

test("without an active DEK nothing is sealed, and nobody mints one by accident", async () => {
  const { vault, kms } = session();
  assert.equal(await codeOf(vault.seal(AT, utf8("x"))), "NO_ACTIVE_DEK");
  assert.equal(await codeOf(vault.seal(AT, utf8("x"), RECORD)), "NO_ACTIVE_DEK");
  assert.equal(await codeOf(vault.seal({ ...AT, record: "" }, utf8("x"), RECORD)), "BAD_INPUT");
  assert.equal(await codeOf(vault.seal({ ...AT, table: "t".repeat(1_025) }, utf8("x"), RECORD)), "LIMIT");
  assert.equal(await codeOf(vault.generateRecordDek("hosts", "h-1")), "NO_ACTIVE_DEK");
  assert.equal((await vault.sealMany([{ binding: AT, plaintext: utf8("x") }]))[0].error.code, "NO_ACTIVE_DEK");
  assert.equal(kms.calls.length, 0);
});

test("both rows are stored before anything is sealed under a new DEK", async () => {
  const store = new MemoryStore();
  for (const method of ["putIfAbsent", "compareAndSetActive"]) {
    const failing = hesitant(store, (called) => {
      if (called === method) throw new Error("disk");
    });
    const { vault } = session({ store: failing });
    assert.equal(await codeOf(vault.rotate()), "STORE_UNAVAILABLE");
    assert.equal(await codeOf(vault.seal(AT, utf8("x"))), "NO_ACTIVE_DEK");
    assert.deepEqual(vault.vault.status(), []);
  }
  const { vault } = session({ store });
  assert.equal((await vault.rotate()).version, 1);
  assert.equal((await store.rowsByOwner("acme")).length, 2);
  await vault.seal(AT, utf8("x"));
});

test("rotation goes on by one version and one rev, and the new DEK seals", async () => {
  const { vault, store } = await rotated();
  const old = await vault.seal(AT, utf8("old"));
  const active = await vault.rotate();
  assert.deepEqual({ version: active.version, rev: active.rev }, { version: 2, rev: 2 });
  assert.deepEqual(await store.active("acme"), active);
  assert.equal(dekOf(await vault.seal(AT, utf8("new"))), active.dekRef);
  assert.deepEqual(await vault.open(AT, old), utf8("old"));
});

test("rotating at once in one session is one new version", async () => {
  const { vault, kms } = await rotated();
  const actives = await Promise.all([vault.rotate(), vault.rotate(), vault.rotate()]);
  assert.ok(actives.every(({ version }) => version === 2));
  assert.equal(kms.count("GenerateDataKey"), 1);
});

test("of many processes that rotate at once one wins and all seal under its DEK", async () => {
  const kms = new TestKms();
  const store = new MemoryStore();
  for (const version of [1, 2, 3]) {
    const sessions = Array.from({ length: 6 }, () => session({ kms, store: hesitant(store) }).vault);
    const actives = await Promise.all(sessions.map((vault) => vault.rotate()));
    const winner = await store.active("acme");
    assert.ok(winner.version >= version);
    for (const vault of sessions) assert.equal(dekOf(await vault.seal(AT, utf8("x"))).length, 43);
    const last = actives.filter(({ dekRef }) => dekRef === winner.dekRef);
    assert.ok(last.length >= 1);
  }
});

test("the loser of a race takes the winner's row and succeeds", async () => {
  const { store, kms, vault } = await rotated();
  let winner;
  const racing = hesitant(store, () => {});
  racing.compareAndSetActive = async (active) => {
    winner ??= await vault.rotate();
    return store.compareAndSetActive(active);
  };
  const loser = session({ kms, store: racing }).vault;
  assert.deepEqual(await loser.rotate(), winner);
  assert.equal(dekOf(await loser.seal(AT, utf8("x"))), winner.dekRef);
  assert.equal((await store.active("acme")).rev, 2);
});

test("a write that got through although its answer was lost counts as won", async () => {
  const store = new MemoryStore();
  const lossy = hesitant(store);
  lossy.compareAndSetActive = async (active) => {
    await store.compareAndSetActive(active);
    throw new Error("connection reset");
  };
  const { vault, kms } = session({ store: lossy });
  const active = await vault.rotate();
  assert.deepEqual(await store.active("acme"), active);
  assert.equal(dekOf(await vault.seal(AT, utf8("x"))), active.dekRef);
  assert.equal(kms.calls.length, 1);
});

test("minting is retried when throttled and final when denied", async () => {
  const { vault, kms } = session();
  kms.faults = ["ThrottlingException", "ThrottlingException"];
  await vault.rotate();
  assert.equal(kms.calls.length, 3);
  kms.denied = () => true;
  assert.equal(await codeOf(vault.rotate()), "KMS_DENIED");
  assert.equal(kms.calls.length, 4);
  await vault.seal(AT, utf8("still under the old one"));
});

test("a tombstone that another process wrote is seen at the next rotation", async () => {
  const { vault, store } = await rotated();
  const active = await store.active("acme");
  await store.compareAndSetActive({ ...active, state: "tombstoned", rev: active.rev + 1 });
  assert.equal(await codeOf(vault.rotate()), "ORG_TOMBSTONED");
  assert.equal(await codeOf(vault.seal(AT, utf8("x"))), "ORG_TOMBSTONED");
});

test("an older active row than a version already seen is refused", async () => {
  const { vault, kms, store } = await rotated();
  await vault.rotate();
  const envelope = await vault.seal(AT, utf8("x"));
  const old = (await store.rowsByOwner("acme")).find(({ version }) => version === 1);
  const rolledBack = { ...hesitant(store), active: async () => ({ org: "acme", dekRef: old.dekRef, version: 1, state: "active", rev: 9 }) };
  const fooled = session({ kms, store: rolledBack }).vault;
  await fooled.open(AT, envelope);
  assert.equal(await codeOf(fooled.seal(AT, utf8("x"))), "ACTIVE_ROLLBACK");
  const warned = session({ kms, store: rolledBack, minVersions: { acme: 2 } }).vault;
  assert.equal(await codeOf(warned.seal(AT, utf8("x"))), "ACTIVE_ROLLBACK");
});

test("a record DEK that ran out is fetched again while sealing and opening", async () => {
  const { vault } = await rotated({ ttl: 2 });
  await vault.generateRecordDek("hosts", "h-1");
  const envelope = await vault.seal(AT, utf8("x"), RECORD);
  await tick(3_100);
  assert.deepEqual(vault.vault.status(), []);
  assert.deepEqual(await vault.open(AT, envelope), utf8("x"));
  await tick(3_100);
  const results = await vault.sealMany([
    { binding: AT, plaintext: utf8("a") },
    { binding: AT, plaintext: utf8("b"), options: RECORD },
  ]);
  assert.deepEqual(results.map(({ ok }) => ok), [true, true]);
  assert.equal(dekOf(results[1].value), dekOf(envelope));
});

test("a record is sealed under the highest version of its DEK, whoever made it", async () => {
  const { vault, kms, store } = await rotated();
  const first = await vault.generateRecordDek("hosts", "h-1");
  const second = await vault.generateRecordDek("hosts", "h-1");
  assert.deepEqual([first.version, second.version], [1, 2]);
  const cold = session({ kms, store }).vault;
  assert.equal(dekOf(await cold.seal(AT, utf8("x"), RECORD)), second.dekRef);
  assert.equal(await codeOf(cold.seal({ ...AT, record: "h-2" }, utf8("x"), RECORD)), "NO_ACTIVE_DEK");
});

test("nothing is sealed under a record DEK whose row could not be stored, until it is", async () => {
  let broken = false;
  const store = hesitant(new MemoryStore(), (method) => {
    if (broken && method === "putIfAbsent") throw new Error("disk");
  });
  const { vault, kms } = await rotated({ store });
  broken = true;
  assert.equal(await codeOf(vault.generateRecordDek("hosts", "h-1")), "STORE_UNAVAILABLE");
  assert.equal(await codeOf(vault.seal(AT, utf8("x"), RECORD)), "STORE_UNAVAILABLE");
  const [result] = await vault.sealMany([{ binding: AT, plaintext: utf8("x"), options: RECORD }]);
  assert.equal(result.error?.code, "STORE_UNAVAILABLE");
  broken = false;
  const envelope = await vault.seal(AT, utf8("x"), RECORD);
  assert.deepEqual(await session({ kms, store }).vault.open(AT, envelope), utf8("x"));
});

test("a shared record opens for the reader, and nothing else does", async () => {
  const { vault, kms, store } = await rotated();
  await vault.generateRecordDek("hosts", "h-1");
  const shared = await vault.seal(AT, utf8("shared"), RECORD);
  const own = await vault.seal(AT, utf8("own"));
  kms.calls.length = 0;
  const row = await vault.share("hosts", "h-1", "globex", cmkOf("globex"));
  assert.deepEqual(kms.calls.map(({ op, KeyId }) => [op, KeyId]), [["Encrypt", cmkOf("globex")]]);
  assert.deepEqual(await vault.share("hosts", "h-1", "globex", cmkOf("globex")), row);
  assert.equal(kms.calls.length, 1);

  const reader = session({ org: "globex", kms, store }).vault;
  assert.deepEqual(await reader.open(AT, shared), utf8("shared"));
  assert.equal(await codeOf(reader.open(AT, own)), "UNKNOWN_DEK");
  assert.equal(await codeOf(reader.open({ ...AT, org: "globex" }, shared)), "AUTH_FAILED");
  assert.equal(await codeOf(reader.seal(AT, utf8("x"), RECORD)), "NO_ACTIVE_DEK");
  assert.equal(await codeOf(reader.reseal(AT, shared)), "NO_ACTIVE_DEK");
});

test("what can't be shared asks no KMS", async () => {
  const { vault, kms } = await rotated();
  assert.equal(await codeOf(vault.share("hosts", "h-1", "globex", cmkOf("globex"))), "NO_ACTIVE_DEK");
  await vault.generateRecordDek("hosts", "h-1");
  kms.calls.length = 0;
  assert.equal(await codeOf(vault.share("hosts", "h-1", "globex", cmkOf("initech"))), "KEY_ID_UNEXPECTED");
  assert.equal(await codeOf(vault.share("hosts", "h-1", "initech", cmkOf("globex"))), "KEY_ID_UNEXPECTED");
  assert.equal(await codeOf(vault.share("hosts", "h-1", "acme", cmkOf("acme", 1))), "BAD_INPUT");
  assert.equal(await codeOf(vault.share("hosts", "h-1", "globex", "alias/globex")), "BAD_INPUT");
  assert.equal(kms.calls.length, 0);
});

test("the DEK of an Encrypt request is given again on a retry and wiped afterwards", async () => {
  const { vault, kms } = await rotated();
  await vault.generateRecordDek("hosts", "h-1");
  const seen = [];
  const send = kms.send.bind(kms);
  kms.send = (request, plaintext) => {
    if (plaintext) seen.push([plaintext, Buffer.from(plaintext).toString("hex")]);
    return send(request, plaintext);
  };
  kms.faults = ["ThrottlingException"];
  await vault.wrapForPreview("hosts", "h-1");
  kms.faults = ["AccessDeniedException"];
  assert.equal(await codeOf(vault.share("hosts", "h-1", "globex", cmkOf("globex"))), "KMS_DENIED");
  assert.equal(seen.length, 3);
  assert.equal(seen[0][1], seen[1][1]);
  assert.notEqual(seen[0][1], "00".repeat(32));
  assert.ok(seen.every(([buffer]) => buffer.every((byte) => byte === 0)));
});

test("a preview that is denied the org DEK opens its record and nothing else", async () => {
  const { vault, kms, store } = await rotated();
  await vault.generateRecordDek("hosts", "h-1");
  const record = await vault.seal(AT, utf8("record"), RECORD);
  const other = await vault.seal(AT, utf8("other"));
  await vault.wrapForPreview("hosts", "h-1");
  kms.denied = ({ params }) => params.EncryptionContext["strongroom-purpose"] === "org-dek";
  const preview = session({ kms, store }).vault;
  assert.deepEqual(await preview.open(AT, record), utf8("record"));
  assert.equal(await codeOf(preview.open(AT, other)), "KMS_DENIED");
});

test("reseal goes to the newest DEK of the envelope's kind, cold too", async () => {
  const { vault, kms, store } = await rotated();
  await vault.generateRecordDek("hosts", "h-1");
  const [org, record] = [await vault.seal(AT, utf8("o"), { padded: true }), await vault.seal(AT, utf8("r"), RECORD)];
  const active = await vault.rotate();
  const newest = await vault.generateRecordDek("hosts", "h-1");
  for (const by of [vault, session({ kms, store }).vault]) {
    const resealed = await by.reseal(AT, org);
    assert.deepEqual([dekOf(resealed), api.inspect(resealed).padded], [active.dekRef, true]);
    assert.equal(dekOf(await by.reseal(AT, record)), newest.dekRef);
    assert.equal(dekOf(await by.reseal(AT, org, RECORD)), newest.dekRef);
    assert.deepEqual(await by.open(AT, resealed), utf8("o"));
    assert.equal(await codeOf(by.reseal({ ...AT, field: "x" }, org)), "AUTH_FAILED");
  }
});

test("rebind moves a value within its org, a record's value within its record", async () => {
  const { vault, kms, store } = await rotated();
  await vault.generateRecordDek("hosts", "h-1");
  const [org, record] = [await vault.seal(AT, utf8("o")), await vault.seal(AT, utf8("r"), RECORD)];
  const by = session({ kms, store }).vault;
  const there = { ...AT, record: "h-2" };
  assert.deepEqual(await by.open(there, await by.rebind(AT, there, org)), utf8("o"));
  const field = { ...AT, field: "other" };
  assert.deepEqual(await by.open(field, await by.rebind(AT, field, record)), utf8("r"));
  assert.equal(await codeOf(by.rebind(AT, there, record)), "BAD_INPUT");
  assert.equal(await codeOf(by.rebind(AT, { ...AT, org: "globex" }, org)), "BAD_INPUT");
  assert.equal(await codeOf(by.rebind(there, AT, org)), "AUTH_FAILED");
});

test("what a caller changes after the call is not what is sealed or opened", async () => {
  const { vault } = session();
  const binding = { ...AT };
  const options = { padded: true };
  const rotating = vault.rotate();
  const sealing = vault.seal(binding, utf8("x"), options);
  const item = { binding, plaintext: utf8("y"), options };
  const sealingMany = vault.sealMany([item]);
  binding.field = "changed";
  options.padded = false;
  item.binding = undefined;
  await rotating;
  const envelopes = [await sealing, (await sealingMany)[0].value];
  for (const envelope of envelopes) {
    await vault.open(AT, envelope);
    assert.equal(api.inspect(envelope).padded, true);
  }
});

test("an error of a store that is one of ours is passed on", async () => {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("x"));
  const limited = hesitant(store, () => {
    throw new StrongroomError("LIMIT");
  });
  assert.equal(await codeOf(session({ kms, store: limited, cmks: CMKS }).vault.open(AT, envelope)), "LIMIT");
});
