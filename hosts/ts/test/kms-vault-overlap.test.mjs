// What happens between reading the `active` row and telling the vault of it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { MemoryStore } from "../build/store.js";
import { AT, STORE_METHODS, codeOf, rotated, session, tick, utf8 } from "./support.mjs";

/** A store whose answers about `active` go through `change`. */
function showing(store, change) {
  const shown = Object.create(store);
  for (const method of STORE_METHODS.filter((method) => method !== "active")) {
    shown[method] = (...args) => store[method](...args);
  }
  shown.active = async (org) => change(await store.active(org));
  return shown;
}

const dekOf = (envelope) => Buffer.from(envelope.subarray(4, 36)).toString("hex");

test("an active row that is overtaken by a newer DEK is read again", async () => {
  const { vault: other, kms, store } = await rotated();
  const [read, goOn] = [resolvers(), resolvers()];
  let isFirst = true;
  const slow = showing(store, async (row) => {
    if (isFirst) {
      isFirst = false;
      read.resolve();
      await goOn.promise;
    }
    return row;
  });
  const { vault } = session({ kms, store: slow });
  const sealing = vault.seal(AT, utf8("x"));
  await read.promise;
  // While the old row is on its way to the vault, a newer DEK comes in.
  await other.rotate();
  const newer = await other.seal(AT, utf8("y"));
  await vault.ready([newer]);
  goOn.resolve();
  assert.equal(dekOf(await sealing), dekOf(newer), "sealed under the older DEK");
});

test("who reads the active row waits for a rotation and takes nothing from it", async () => {
  const { vault, kms } = await rotated();
  vault.signOut();
  kms.delay = 30;
  const rotating = vault.rotate();
  await tick(5);
  const sealing = vault.seal(AT, utf8("x"));
  const { dekRef } = await rotating;
  assert.equal(dekOf(await sealing), Buffer.from(dekRef, "base64url").toString("hex"));
  assert.equal(kms.count("Decrypt"), 0, "the minted DEK was lost on the way");
});

test("a rotation waits for who is reading the active row, and neither fails", async () => {
  const { vault: other, kms, store } = await rotated();
  const { vault } = session({ kms, store: showing(store, async (row) => (await tick(20), row)) });
  const sealing = vault.seal(AT, utf8("x"));
  await tick(1);
  await vault.rotate();
  await sealing;
  assert.equal((await store.active("acme")).version, 2);
  await other.open(AT, await vault.seal(AT, utf8("y")));
});

test("a row that the store goes on giving is a rollback", async () => {
  const { kms, store, vault: other } = await rotated();
  const before = await store.active("acme");
  await other.rotate();
  let shown;
  const { vault } = session({ kms, store: showing(store, (row) => shown ?? row) });
  await vault.seal(AT, utf8("x"));
  shown = before;
  vault.signOut();
  assert.equal(await codeOf(vault.seal(AT, utf8("x"))), "ACTIVE_ROLLBACK");
  assert.equal(await codeOf(vault.rotate()), "ACTIVE_ROLLBACK");
  shown = undefined;
  await vault.seal(AT, utf8("x"));
});

test("a store that never gives the same old row twice is not asked for ever", async () => {
  const { kms, store, vault: other } = await rotated();
  const before = await store.active("acme");
  await other.rotate();
  let reads = 0;
  const lying = showing(store, () => ({ ...before, rev: ++reads }));
  const { vault } = session({ kms, store: lying, minVersions: { acme: 2 } });
  assert.equal(await codeOf(vault.seal(AT, utf8("x"))), "ACTIVE_ROLLBACK");
  assert.ok(reads > 1 && reads < 40, `read ${reads} times`);
});

test("a sign-out lets nobody of the next session wait for a store that hangs", async () => {
  const store = new MemoryStore();
  const { kms } = await rotated({ store });
  let isHanging = true;
  const { vault } = session({ kms, store: showing(store, (row) => (isHanging ? new Promise(() => undefined) : row)) });
  void vault.seal(AT, utf8("x")).catch(() => undefined);
  await tick(1);
  isHanging = false;
  vault.signOut();
  await vault.seal(AT, utf8("x"));
});

function resolvers() {
  const made = {};
  made.promise = new Promise((resolve) => void (made.resolve = resolve));
  return made;
}
