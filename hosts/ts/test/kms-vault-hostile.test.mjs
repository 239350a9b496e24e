// KmsVault between calls that overlap, callers that change their minds, and stores that lie.
import assert from "node:assert/strict";
import { test } from "node:test";

import { MemoryStore } from "../build/store.js";
import { api, AT, STORE_METHODS, cmkOf, codeOf, ENDPOINT, hesitant, KmsVault, rotated, session, TestKms, tick, utf8 } from "./support.mjs";

const RECORD = { scope: "record" };
const OTHER = { ...AT, record: "h-2" };
const dekOf = (envelope) => api.inspect(envelope).dekRef;
const turns = async (count) => {
  for (let at = 0; at < count; at++) await null;
};
/** A store whose methods of `changes` stand in front of another's. */
const over = (store, changes) => ({
  ...Object.fromEntries(STORE_METHODS.map((method) => [method, (...args) => store[method](...args)])),
  ...changes,
});
const storedRefs = async (store) => (await store.rowsByOwner("acme")).map(({ dekRef }) => dekRef);

test("no envelope gets out under a record DEK whose row is not stored, however the calls overlap", async () => {
  const kinds = {
    seal: (vault) => vault.seal(AT, utf8("y"), RECORD),
    sealMany: async (vault) => {
      const [result] = await vault.sealMany([{ binding: AT, plaintext: utf8("y"), options: RECORD }]);
      if (!result.ok) throw result.error;
      return result.value;
    },
    reseal: (vault, envelope) => vault.reseal(AT, envelope),
    rebind: (vault, envelope) => vault.rebind(AT, { ...AT, field: "other" }, envelope),
  };
  for (const [kind, work] of Object.entries(kinds)) {
    for (let later = 0; later < 40; later++) {
      const memory = new MemoryStore();
      let broken = false;
      const store = over(memory, {
        putIfAbsent: async (row) => {
          if (broken) throw new Error("disk");
          await memory.putIfAbsent(row);
        },
      });
      const { vault } = await rotated({ store });
      await vault.generateRecordDek(AT.table, AT.record);
      const first = await vault.seal(AT, utf8("x"), RECORD);
      broken = true;
      const generating = codeOf(vault.generateRecordDek(AT.table, AT.record));
      await turns(later);
      const working = work(vault, first).catch((thrown) => thrown.code);
      const [made, outcome] = [await generating, await working];
      assert.equal(made, "STORE_UNAVAILABLE");
      if (typeof outcome === "string") assert.equal(outcome, "STORE_UNAVAILABLE", `${kind} ${later}`);
      else assert.ok((await storedRefs(memory)).includes(dekOf(outcome)), `${kind} ${later}`);
      broken = false;
      const sealed = await work(vault, first);
      assert.ok((await storedRefs(memory)).includes(dekOf(sealed)), kind);
      vault.close();
    }
  }
});

test("the row of a DEK that is made while others seal is stored once for all of them", async () => {
  const memory = new MemoryStore();
  let puts = 0;
  const store = over(memory, {
    putIfAbsent: async (row) => {
      puts++;
      await tick(5);
      await memory.putIfAbsent(row);
    },
  });
  const { vault } = await rotated({ store });
  await vault.generateRecordDek(AT.table, AT.record);
  await vault.seal(AT, utf8("x"), RECORD);
  puts = 0;
  const generating = vault.generateRecordDek(AT.table, AT.record);
  const sealing = [];
  for (let at = 0; at < 60; at++) {
    sealing.push(vault.seal(AT, utf8("y"), RECORD));
    await null;
  }
  await generating;
  await Promise.all(sealing);
  assert.equal(puts, 1);
});

test("after sign-out or close the KMS is asked no more and the call says so", async () => {
  for (const end of ["signOut", "close"]) {
    const { vault, store } = await rotated();
    const envelope = await vault.seal(AT, utf8("secret"));
    let ended = false;
    const after = [];
    const kms = {
      async send({ op }) {
        if (ended) after.push(op);
        throw new Error("net");
      },
    };
    const cold = session({ kms, store, tries: 10, backoffMs: 20 }).vault;
    const opening = codeOf(cold.open(AT, envelope));
    const minting = codeOf(cold.rotate());
    await tick(10);
    cold[end]();
    ended = true;
    assert.deepEqual([await opening, await minting], ["UNKNOWN_DEK", "UNKNOWN_DEK"]);
    assert.deepEqual(after, []);
  }
});

test("a call that waits for its turn at the KMS is not made after sign-out", async () => {
  const { vault, store } = await rotated();
  const items = [];
  for (let at = 0; at < 20; at++) {
    await vault.rotate();
    items.push({ binding: AT, envelope: await vault.seal(AT, utf8("x")) });
  }
  const kms = new TestKms();
  kms.delay = 200;
  const cold = session({ kms, store }).vault;
  const opening = cold.openMany(items);
  await tick(5);
  const begun = kms.calls.length;
  cold.signOut();
  const results = await opening;
  assert.equal(begun, 16);
  assert.equal(kms.calls.length, begun);
  assert.ok(results.every(({ error }) => error?.code === "UNKNOWN_DEK"));
});

test("the DEK of an Encrypt request is wiped and sent nowhere once the session ends", async () => {
  for (const end of ["signOut", "close"]) {
    const { vault, kms } = await rotated({ tries: 10, backoffMs: 20 });
    await vault.generateRecordDek(AT.table, AT.record);
    const seen = [];
    kms.send = async (request, plaintext) => {
      seen.push(plaintext);
      throw new Error("net");
    };
    const sharing = codeOf(vault.share(AT.table, AT.record, "globex", cmkOf("globex")));
    await tick(10);
    const begun = seen.length;
    vault[end]();
    assert.ok(begun > 0 && seen.every((plaintext) => plaintext.every((byte) => byte === 0)), end);
    assert.equal(await sharing, "UNKNOWN_DEK");
    assert.equal(seen.length, begun);
  }
});

test("a call of before sign-out makes no DEK in the session after it", async () => {
  const memory = new MemoryStore();
  let hold;
  const store = over(memory, {
    rowsByOwner: async (...args) => {
      await hold;
      return memory.rowsByOwner(...args);
    },
  });
  const { vault } = await rotated({ store });
  let release;
  hold = new Promise((done) => (release = done));
  const generating = codeOf(vault.generateRecordDek(AT.table, AT.record));
  await tick();
  vault.signOut();
  await vault.seal(AT, utf8("a new session"));
  release();
  assert.equal(await generating, "UNKNOWN_DEK");
  assert.deepEqual(vault.vault.status().map(({ kind }) => kind), ["org"]);
  assert.equal((await memory.rowsByOwner("acme", AT)).length, 0);
});

test("a denied KEK is asked for once, whenever the rows of the next record come", async () => {
  const { vault, store } = await rotated();
  const items = [];
  for (const record of ["h-1", "h-2"]) {
    const binding = { ...AT, record };
    await vault.generateRecordDek(AT.table, record);
    items.push({ binding, envelope: await vault.seal(binding, utf8("x"), RECORD) });
  }
  const second = dekOf(items[1].envelope);
  for (let later = 0; later < 60; later++) {
    let calls = 0;
    const kms = { send: async () => (calls++, { endpoint: ENDPOINT, error: "AccessDeniedException" }) };
    const slow = over(store, {
      rows: async (dekRef, reader) => {
        if (dekRef === second) await turns(later);
        return store.rows(dekRef, reader);
      },
    });
    const cold = session({ kms, store: slow }).vault;
    const results = await cold.openMany(items);
    assert.ok(results.every(({ error }) => error?.code === "KMS_DENIED"));
    assert.equal(calls, 1, `${later} turns later`);
  }
});

test("a caller that joined a denied call does not ask again either", async () => {
  const { vault, store } = await rotated();
  const items = [];
  for (const record of ["h-1", "h-2"]) {
    const binding = { ...AT, record };
    await vault.generateRecordDek(AT.table, record);
    items.push({ binding, envelope: await vault.seal(binding, utf8("x"), RECORD) });
  }
  const org = await vault.seal(AT, utf8("x"));
  for (let later = 0; later < 60; later++) {
    let calls = 0;
    let answer;
    const answered = new Promise((done) => (answer = done));
    const kms = {
      send: async () => {
        calls++;
        await tick();
        answer();
        await turns(20);
        return { endpoint: ENDPOINT, error: "AccessDeniedException" };
      },
    };
    const slow = over(store, {
      rows: async (dekRef, reader) => {
        if (dekRef === dekOf(items[1].envelope)) await answered.then(() => turns(later));
        return store.rows(dekRef, reader);
      },
    });
    const cold = session({ kms, store: slow }).vault;
    const opening = codeOf(cold.open(AT, org));
    await cold.openMany(items);
    assert.equal(await opening, "KMS_DENIED");
    assert.equal(calls, 1, `${later} turns later`);
  }
});

test("a caller may wipe its plaintext, and reuse its envelope's buffer, as soon as it has called", async () => {
  const { vault } = await rotated();
  const secret = utf8("hunter2");
  const wiped = async (work) => {
    const value = utf8("hunter2");
    const result = work(value);
    value.fill(0);
    return result;
  };
  const envelope = await wiped((value) => vault.seal(AT, value));
  assert.deepEqual(await vault.open(AT, envelope), secret);
  const [result] = await wiped((plaintext) => vault.sealMany([{ binding: AT, plaintext }]));
  assert.deepEqual(await vault.open(AT, result.value), secret);

  const reused = async (work) => {
    const copy = envelope.slice();
    const result = work(copy);
    copy.fill(0);
    return result;
  };
  assert.deepEqual(await reused((copy) => vault.open(AT, copy)), secret);
  const [opened] = await reused((copy) => vault.openMany([{ binding: AT, envelope: copy }]));
  assert.deepEqual(opened.value, secret);
  assert.deepEqual(await vault.open(AT, await reused((copy) => vault.reseal(AT, copy))), secret);
  const there = { ...AT, field: "other" };
  assert.deepEqual(await vault.open(there, await reused((copy) => vault.rebind(AT, there, copy))), secret);
});

test("the copies of plaintexts are wiped, whatever the outcome", async () => {
  const handed = [];
  class Watched extends api.Vault {
    seal(at, plaintext, options) {
      handed.push(plaintext);
      return super.seal(at, plaintext, options);
    }
    sealMany(list) {
      handed.push(...list.map(({ plaintext }) => plaintext));
      return super.sealMany(list);
    }
  }
  const { bindKmsVault } = await import("../build/kms-vault.js");
  const watched = bindKmsVault({ ...api, Vault: Watched }).KmsVault;
  const vault = watched.create({
    org: "acme", cmks: { acme: [cmkOf("acme")] }, kms: new TestKms(), store: new MemoryStore(), fieldLimit: 100,
  });
  await vault.rotate();
  const long = new Uint8Array(200).fill(7);
  await vault.seal(AT, utf8("hunter2"));
  assert.equal(await codeOf(vault.seal(AT, long)), "LIMIT");
  await vault.sealMany([{ binding: AT, plaintext: utf8("hunter2") }, { binding: AT, plaintext: long }]);
  assert.equal(handed.length, 4);
  assert.ok(handed.every((plaintext) => plaintext.every((byte) => byte === 0)));
  assert.ok(long.every((byte) => byte === 7));
});

test("an active row of another org, or one that is none, is refused and changes nothing", async () => {
  const { vault, kms, store } = await rotated();
  const active = await store.active("acme");
  await vault.generateRecordDek(AT.table, AT.record);
  const rows = [
    { ...active, org: "globex", state: "tombstoned" }, { ...active, org: "globex" }, { ...active, version: "1" },
    { ...active, more: 1 }, { ...active, rev: 0 }, { ...active, dekRef: "x" }, { ...active, version: 2 ** 32 }, {},
  ];
  for (const row of rows) {
    const fooled = session({ kms, store: over(store, { active: async () => row }) }).vault;
    assert.equal(await codeOf(fooled.seal(AT, utf8("x"))), "ROW_INCONSISTENT");
    assert.equal(await codeOf(fooled.rotate()), "ROW_INCONSISTENT");
    assert.equal(await codeOf(fooled.generateRecordDek(AT.table, AT.record)), "ROW_INCONSISTENT");
    fooled.vault.mintRequest("globex", cmkOf("globex"), 1, 1);
    fooled.vault.mintRequest("acme", cmkOf("acme"), 1, 1);
  }
  for (const row of ["x", 5]) {
    const fooled = session({ kms, store: over(store, { active: async () => row }) }).vault;
    assert.equal(await codeOf(fooled.seal(AT, utf8("x"))), "BAD_INPUT");
  }
  assert.deepEqual(await store.active("acme"), active);
});

test("what a store answers that is no list of rows is an error of ours, and what is no row is passed over", async () => {
  const { vault, kms, store } = await rotated();
  const row = await vault.generateRecordDek(AT.table, AT.record);
  const calls = (by) => [
    by.seal(AT, utf8("x"), RECORD), by.generateRecordDek(AT.table, AT.record),
    by.share(AT.table, AT.record, "globex", cmkOf("globex")), by.wrapForPreview(AT.table, AT.record),
  ];
  for (const answer of [null, undefined, 5, "rows", {}, new Map()]) {
    const by = session({ kms, store: over(store, { rowsByOwner: async () => answer }) }).vault;
    for (const call of calls(by)) assert.equal(await codeOf(call), "STORE_UNAVAILABLE");
    const open = session({ kms, store: over(store, { rows: async () => answer }) }).vault;
    assert.equal(await codeOf(open.seal(AT, utf8("x"))), "STORE_UNAVAILABLE");
  }
  const noise = [null, 5, "row", {}, [row], { ...row, version: 2 ** 40 }, { ...row, version: "9" }, { ...row, version: 9, more: 1 }];
  const noisy = session({ kms, store: over(store, { rowsByOwner: async () => [...noise, row] }) }).vault;
  assert.equal(dekOf(await noisy.seal(AT, utf8("x"), RECORD)), row.dekRef);
  assert.equal((await noisy.generateRecordDek(AT.table, AT.record)).version, 2);
  const noisyRows = over(store, { rows: async (...args) => [...noise, ...(await store.rows(...args))] });
  await session({ kms, store: noisyRows }).vault.open(AT, await vault.seal(AT, utf8("x")));
});

test("a store can't have another record's DEK shared", async () => {
  const { vault, kms, store } = await rotated();
  await vault.generateRecordDek(AT.table, AT.record);
  const other = await vault.generateRecordDek(AT.table, OTHER.record);
  await vault.seal(OTHER, utf8("not shared"), RECORD);
  const lies = [[other], [{ ...other, record: AT.record }], [{ ...other, record: AT.record, version: 9 }]];
  kms.calls.length = 0;
  const before = await store.rowsByReader("globex");
  for (const rows of lies) {
    const fooled = session({ kms, store: over(store, { rowsByOwner: async () => rows }) }).vault;
    await fooled.seal(AT, utf8("x"));
    await fooled.vault.admit("acme", other);
    for (const call of [
      () => fooled.share(AT.table, AT.record, "globex", cmkOf("globex")),
      () => fooled.wrapForPreview(AT.table, AT.record),
    ]) assert.match(await codeOf(call), /^(ROW_INCONSISTENT|NO_ACTIVE_DEK)$/);
  }
  assert.equal(kms.count("Encrypt"), 0);
  assert.deepEqual(await store.rowsByReader("globex"), before);
});

test("two processes that share a record at once both get the one row", async () => {
  const { vault, kms, store } = await rotated();
  await vault.generateRecordDek(AT.table, AT.record);
  const sharing = Array.from({ length: 4 }, () =>
    session({ kms, store: hesitant(store) }).vault.share(AT.table, AT.record, "globex", cmkOf("globex")),
  );
  const rows = await Promise.all(sharing);
  const stored = await store.rowsByReader("globex");
  assert.equal(stored.length, 1);
  for (const row of rows) assert.deepEqual(row, stored[0]);
});

test("a record that has no name can't be shared or given a DEK, and the answer says why", async () => {
  const { vault } = await rotated();
  const cold = session().vault;
  for (const [table, record, code] of [["", "h", "BAD_INPUT"], ["t", "", "BAD_INPUT"], ["t".repeat(1_025), "h", "LIMIT"], ["t", "h".repeat(1_025), "LIMIT"]]) {
    for (const by of [vault, cold]) {
      assert.equal(await codeOf(by.share(table, record, "globex", cmkOf("globex"))), code);
      assert.equal(await codeOf(by.wrapForPreview(table, record)), code);
      assert.equal(await codeOf(by.generateRecordDek(table, record)), code);
    }
  }
});

test("the last version is followed by none", async () => {
  const { vault, kms, store } = await rotated();
  const last = 2 ** 32 - 1;
  const row = await vault.generateRecordDek(AT.table, AT.record);
  const full = over(store, {
    active: async () => ({ ...(await store.active("acme")), version: last }),
    rowsByOwner: async () => [{ ...row, version: last }],
  });
  assert.equal(await codeOf(session({ kms, store: full }).vault.rotate()), "LIMIT");
  assert.equal(await codeOf(vault.generateRecordDek(AT.table, AT.record)), "nothing thrown");
  const fullRecord = over(store, { rowsByOwner: full.rowsByOwner });
  assert.equal(await codeOf(session({ kms, store: fullRecord }).vault.generateRecordDek(AT.table, AT.record)), "LIMIT");
});

test("a KmsVault can't be made without a CMK of its own", async () => {
  const good = { org: "acme", kms: new TestKms(), store: new MemoryStore() };
  for (const cmks of [{}, { acme: [] }, { acme: [], globex: [cmkOf("globex")] }]) {
    assert.equal(await codeOf(() => KmsVault.create({ ...good, cmks })), "BAD_INPUT");
  }
});

test("more bytes than a batch may have are over the limit and none is copied", async () => {
  const big = new Uint8Array(16 * 1_024 * 1_024);
  const { vault } = await rotated();
  const seals = Array(300).fill({ binding: AT, plaintext: big });
  const opens = Array(300).fill({ binding: AT, envelope: big });
  assert.equal(await codeOf(vault.sealMany(seals)), "LIMIT");
  assert.equal(await codeOf(vault.openMany(opens)), "LIMIT");
  const bare = new api.Vault();
  assert.equal(await codeOf(() => bare.sealMany(seals)), "LIMIT");
  assert.equal(await codeOf(() => bare.openMany(opens)), "LIMIT");
  assert.equal(await codeOf(() => bare.missing(Array(300).fill(big))), "LIMIT");
});

test("a warm reseal does not list what the vault holds", async () => {
  const { vault } = await rotated();
  await vault.generateRecordDek(AT.table, AT.record);
  const envelope = await vault.reseal(AT, await vault.seal(AT, utf8("x"), RECORD));
  let listed = 0;
  const status = vault.vault.status.bind(vault.vault);
  vault.vault.status = () => (listed++, status());
  for (let at = 0; at < 3; at++) assert.equal(dekOf(await vault.reseal(AT, envelope)), dekOf(envelope));
  assert.equal(listed, 0);
});
