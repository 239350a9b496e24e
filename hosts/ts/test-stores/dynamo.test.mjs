import assert from "node:assert/strict";
import { test } from "node:test";

import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";

import { DynamoStore } from "../build/dynamo-store.js";
import { testFieldStore } from "../build/field-store-contract.js";
import { testStore } from "../build/store-contract.js";

const endpoint = process.env.STRONGROOM_DYNAMODB;
assert.ok(endpoint, "STRONGROOM_DYNAMODB names no DynamoDB Local");
const clientOf = (url) => new DynamoDBClient({
  endpoint: url, region: "us-east-1", maxAttempts: 2, credentials: { accessKeyId: "local", secretAccessKey: "local" },
});
const client = clientOf(endpoint);
const unavailable = { code: "STORE_UNAVAILABLE" };
const dekRef = "A".repeat(43);
const rowOf = (owner, keyId = "k") => ({ v: 1, purpose: "org-dek", owner, reader: owner, version: 1, created: 1, provider: "aws-kms", dekRef, keyId, blob: "AQ==" });
const active = { org: "acme", dekRef, version: 1, state: "active", rev: 1 };
const at = { org: "acme", table: "t", record: "r", field: "f" };

let made = 0;
const newTable = async () => {
  const table = `node-${process.pid}-${++made}`;
  await new DynamoStore(client, table).createTable();
  return table;
};
const fresh = async () => new DynamoStore(client, await newTable());

testStore("DynamoDB", fresh);
testFieldStore("DynamoDB", fresh);

const calls = {
  rows: (store) => store.rows(dekRef, "acme"),
  owned: (store) => store.rowsByOwner("acme"),
  readable: (store) => store.rowsByReader("acme"),
  active: (store) => store.active("acme"),
  usage: (store) => store.usage(dekRef),
  fields: (store) => store.fields("acme", "t", "r"),
};
const readAll = async (store) => { for (const call of Object.values(calls)) await call(store); };

test("an endpoint out of reach and a missing table are unavailable", async () => {
  for (const store of [new DynamoStore(clientOf("http://127.0.0.1:1"), "t"), new DynamoStore(client, "no-such-table")]) {
    for (const call of [
      ...Object.values(calls), () => store.putIfAbsent(rowOf("acme")), () => store.delete(rowOf("acme")), () => store.compareAndSetActive(active),
      () => store.reserve(dekRef, 1, 2), () => store.markInactive(dekRef, 1), () => store.deleteUsage(dekRef),
      () => store.put(at, Uint8Array.of(1)), () => store.replace(at, Uint8Array.of(1), Uint8Array.of(2)), () => store.all("acme").next(),
    ]) await assert.rejects(call(store), unavailable);
  }
});

test("of clients that race none reserves too much, and one row is put", async () => {
  const table = await newTable();
  const stores = Array.from({ length: 4 }, () => new DynamoStore(clientOf(endpoint), table));
  const sums = await Promise.all(stores.map(async (store) => {
    await store.putIfAbsent(rowOf("acme"));
    for (let sum = 0; ; sum += 3) {
      try {
        await store.reserve(dekRef, 3, 100);
      } catch (thrown) {
        assert.equal(thrown.code, "PRECONDITION_FAILED");
        return sum;
      }
    }
  }));
  assert.equal(sums.reduce((sum, each) => sum + each), 99);
  assert.equal((await stores[0].rows(dekRef, "acme")).length, 1);
});

test("lists longer than a page are read whole, and an envelope that no item holds is refused", async () => {
  const store = await fresh();
  const long = "x".repeat(1_024);
  await store.put({ org: long, table: long, record: long, field: long }, new Uint8Array(390_000));
  await assert.rejects(store.put(at, new Uint8Array(390_001)), { code: "LIMIT" });
  for (let field = 0; field < 12; field++) await store.put({ ...at, field: `${field}` }, new Uint8Array(200_000));
  assert.equal((await store.fields("acme", "t", "r")).length, 12);
  let count = 0;
  for await (const _ of store.all("acme")) count++;
  assert.equal(count, 12);
});

test("names of any characters are kept apart", async () => {
  const store = await fresh();
  const names = ["#", "/", "a#b", "🔑", " ", "-", "a\0b", "x".repeat(1_024)];
  for (const name of names) await store.putIfAbsent(rowOf(name, `k#${name}`));
  for (const name of names) {
    for (const found of [await store.rows(dekRef, name), await store.rowsByOwner(name), await store.rowsByReader(name)]) {
      assert.deepEqual(found, [rowOf(name, `k#${name}`)]);
    }
  }
});

test("an item that no store wrote, or that was moved, is an error and no answer", async () => {
  const [evil, good, one] = [JSON.stringify(rowOf("evil")), JSON.stringify(rowOf("acme")), { N: "1" }];
  const named = (field, envelope) => ({ org: { S: "acme" }, tbl: { S: "t" }, record: { S: "r" }, field: { S: field }, envelope });
  for (const [pk, sk, item] of [
    [`wrap#${dekRef}`, "YWNtZQ#aw", { row: { S: "{}" }, stored: one }],
    [`wrap#${dekRef}`, "YWNtZQ#aw", { row: { S: evil }, stored: one }],
    [`wrap#${dekRef}`, "YWNtZQ#aw", { row: { S: good } }],
    ["owner#YWNtZQ", `##${dekRef}#YWNtZQ#aw`, { row: { S: evil }, stored: one }],
    ["reader#YWNtZQ", `${dekRef}#aw`, { row: { S: evil }, stored: one }],
    ["active#YWNtZQ", "-", { row: { S: JSON.stringify({ ...active, org: "evil" }) }, rev: one }],
    ["active#YWNtZQ", "-", { row: { S: JSON.stringify(active) }, rev: { N: "2" } }],
    [`usage#${dekRef}`, "-", { reserved: { N: "-1" } }],
    [`usage#${dekRef}`, "-", { reserved: { S: "1" } }],
    [`usage#${dekRef}`, "-", { inactiveSince: { N: "0" } }],
    ["fields#YWNtZQ#dA#cg", "Zg#", named("f", { S: "x" })],
    ["fields#YWNtZQ#dA#cg", "Zg#01", named("f", { B: Uint8Array.of(1) })],
    ["fields#YWNtZQ#dA#cg", "Zg#", named("g", { B: Uint8Array.of(1) })],
    ["fields#YWNtZQ#dA#cg", "Zg", named("f", { B: Uint8Array.of(1) })],
  ]) {
    const table = await newTable();
    const store = new DynamoStore(client, table);
    await readAll(store);
    await client.send(new PutItemCommand({ TableName: table, Item: { pk: { S: pk }, sk: { S: sk }, ...item } }));
    await assert.rejects(readAll(store), unavailable, `${pk} ${sk}`);
  }
});
