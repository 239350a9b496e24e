import assert from "node:assert/strict";
import { test } from "node:test";

import type { FieldStore, StoredField } from "./field-store.js";
import type { Binding } from "./types.js";

/** A {@link FieldStore} into which a test can put fields. */
export interface PutFieldStore extends FieldStore {
  put(binding: Binding, envelope: Uint8Array): Promise<void>;
}

/**
 * Registers, with `node:test`, what every {@link FieldStore} must do.
 *
 * @param name stands before each test's name
 * @param make gives an empty store
 */
export function testFieldStore(name: string, make: () => PutFieldStore | Promise<PutFieldStore>): void {
  const check = (sentence: string, run: (store: PutFieldStore) => Promise<void>) =>
    test(`${name}: ${sentence}`, async () => run(await make()));

  check("an empty store has no field", async (store) => {
    assert.deepEqual(await store.fields("acme", "hosts", "h-1"), []);
    assert.deepEqual(await everything(store, "acme"), []);
  });

  check("a record's fields are found, and no other's", async (store) => {
    await store.put(at("h-1", "a"), utf8("1"));
    await store.put(at("h-1", "b"), utf8("2"));
    await store.put(at("h-2", "a"), utf8("3"));
    await store.put({ ...at("h-1", "a"), org: "globex" }, utf8("4"));
    await store.put({ ...at("sh-1", "a"), table: "host" }, utf8("5"));
    assert.deepEqual(spelled(await store.fields("acme", "hosts", "h-1")), ["a=1", "b=2"]);
    assert.deepEqual(spelled(await store.fields("globex", "hosts", "h-1")), ["a=4"]);
    const none: [string, string, string][] = [["acme", "hosts", "h-"], ["acme", "Hosts", "h-1"], ["ACME", "hosts", "h-1"], ["acme", "hosts", "h-11"]];
    for (const place of none) assert.deepEqual(await store.fields(...place), []);
    assert.deepEqual(spelled(await everything(store, "acme")), ["a=1", "a=3", "a=5", "b=2"]);
    assert.deepEqual(await everything(store, "acm"), []);
  });

  check("revisions of a field, and none, are fields of their own", async (store) => {
    const revisions = [undefined, 0n, 1n, 2n ** 64n - 1n];
    for (const revision of revisions) await store.put(revised(revision), utf8(`r${revision}`));
    await store.replace(revised(1n), utf8("r1"), utf8("new"));
    const found = await store.fields("acme", "hosts", "h-1");
    assert.deepEqual(found.map(({ binding, envelope }) => `${binding.revision}=${text(envelope)}`).sort(), [
      "0=r0", "18446744073709551615=r18446744073709551615", "1=new", "undefined=rundefined",
    ]);
  });

  check("an envelope is replaced only where exactly the old one stands", async (store) => {
    await store.put(at("h-1", "a"), utf8("older"));
    await store.put(at("h-1", "a"), utf8("old"));
    for (const old of ["", "ol", "old ", "olD", "older", "new"]) await refused(store.replace(at("h-1", "a"), utf8(old), utf8("new")));
    await refused(store.replace(at("h-1", "b"), utf8("old"), utf8("new")));
    await refused(store.replace({ ...at("h-1", "a"), revision: 0n }, utf8("old"), utf8("new")));
    assert.deepEqual(spelled(await store.fields("acme", "hosts", "h-1")), ["a=old"]);
    await store.replace(at("h-1", "a"), utf8("old"), utf8("new"));
    await refused(store.replace(at("h-1", "a"), utf8("old"), utf8("new")));
    assert.deepEqual(spelled(await store.fields("acme", "hosts", "h-1")), ["a=new"]);
  });

  check("names of any characters are kept apart", async (store) => {
    const names = ["a", "a/b", "a#b", "a%", "a_", "á", "a\u0301", "'; --", "🔑", "x".repeat(1_024), "a\0b", " "];
    for (const of of names) await store.put({ org: "acme", table: of, record: of, field: of }, utf8("1"));
    for (const of of names) assert.deepEqual(spelled(await store.fields("acme", of, of)), [`${of}=1`]);
    assert.equal((await everything(store, "acme")).length, names.length);
  });

  check("envelopes are any bytes, and what a caller does with them afterwards changes nothing", async (store) => {
    const old = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    await store.put(at("h-1", "a"), old);
    const young = new Uint8Array(80_000).fill(0xf7);
    await store.replace(at("h-1", "a"), old.slice(), young);
    old.fill(0);
    young.fill(0);
    const [found] = (await store.fields("acme", "hosts", "h-1")) as [StoredField];
    assert.deepEqual([found.envelope.length, new Set(found.envelope)], [80_000, new Set([0xf7])]);
    found.envelope.fill(1);
    const [again] = (await store.fields("acme", "hosts", "h-1")) as [StoredField];
    assert.equal(again.envelope[0], 0xf7);
  });

  check("of many who replace at once one wins", async (store) => {
    await store.put(at("h-1", "a"), utf8("start"));
    const calls = Array.from({ length: 8 }, (_, by) => store.replace(at("h-1", "a"), utf8("start"), utf8(`${by}`)));
    const outcomes = await Promise.allSettled(calls);
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
  });
}

async function everything(store: FieldStore, owner: string): Promise<StoredField[]> {
  const found: StoredField[] = [];
  for await (const field of store.all(owner)) found.push(field);
  return found;
}

async function refused(call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (thrown: { code?: string }) => thrown.code === "PRECONDITION_FAILED");
}

const at = (record: string, field: string): Binding => ({ org: "acme", table: "hosts", record, field });
const revised = (revision: bigint | undefined): Binding => ({ ...at("h-1", "a"), ...(revision !== undefined && { revision }) });
const utf8 = (value: string) => new TextEncoder().encode(value);
const text = (value: Uint8Array) => new TextDecoder().decode(value);
const spelled = (found: readonly StoredField[]) => found.map(({ binding, envelope }) => `${binding.field}=${text(envelope)}`).sort();
