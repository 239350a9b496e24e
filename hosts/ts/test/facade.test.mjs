import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";

import { bind } from "../build/bind.js";
import { ERRORS, StrongroomError, nameOf } from "../build/error.js";
import { api, AT, codeOf, raw, utf8 } from "./support.mjs";

const GOOD_ROW = {
  v: 1, purpose: "org-dek", owner: "acme", reader: "acme", version: 1, created: 1, dekRef: "A".repeat(43),
  provider: "aws-kms", keyId: "arn:aws:kms:us-east-1:000000000000:key/1", blob: "AQ==",
};

/** A backend that only records what reaches it. */
function recording() {
  const calls = [];
  const backend = {};
  for (const name of Object.keys(raw)) {
    backend[name] = (...args) => {
      calls.push([name, ...args]);
      if (name === "vaultNew") return 7;
      if (name === "sealedLength") return args[0] + 68;
      if (name === "seal" || name === "open") return 0;
      if (name.endsWith("Frame")) return 0;
      return name === "missing" ? new Uint8Array() : "{}";
    };
  }
  const { Vault } = bind(backend);
  const vault = new Vault();
  calls.length = 0;
  return { vault, calls, Vault };
}

/** Values that are no bytes, each of its own kind. */
function notBytes() {
  const detached = utf8("detached");
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const shrunk = new Uint8Array(new ArrayBuffer(8, { maxByteLength: 8 }), 4, 4);
  shrunk.buffer.resize(2);
  const spoofed = Object.create(Uint8Array.prototype, { length: { value: 3 }, buffer: { value: new ArrayBuffer(3) } });
  return {
    shared: new Uint8Array(new SharedArrayBuffer(8)),
    detached, shrunk, spoofed,
    tagged: { [Symbol.toStringTag]: "Uint8Array", length: 3, byteLength: 3, buffer: new ArrayBuffer(3) },
    proxied: new Proxy(utf8("x"), {}),
    int8: new Int8Array(8), clamped: new Uint8ClampedArray(8), words: new Uint16Array(8),
    view: new DataView(new ArrayBuffer(8)), buffer: new ArrayBuffer(8), list: [1, 2, 3], text: "abc", null: null, none: undefined, number: 5,
  };
}

test("only Uint8Arrays on memory of their own are bytes", async () => {
  const { vault, calls } = recording();
  for (const [kind, value] of Object.entries(notBytes())) {
    assert.equal(await codeOf(() => vault.seal(AT, value)), "BAD_INPUT", `seal ${kind}`);
    assert.equal(await codeOf(() => vault.open(AT, value)), "BAD_INPUT", `open ${kind}`);
    assert.equal(await codeOf(() => vault.missing([value])), "BAD_INPUT", `missing ${kind}`);
    assert.equal(await codeOf(() => vault.wrapLocal("acme", value, 1)), "BAD_INPUT", `dekRef ${kind}`);
    const [result] = vault.sealMany([{ binding: AT, plaintext: value }]);
    assert.equal(result.error.code, "BAD_INPUT", `sealMany ${kind}`);
  }
  assert.ok(calls.every(([name, , frame]) => name === "sealFrame" && frame.length === 0));
});

test("what a Uint8Array says about itself is not asked", () => {
  const { vault, calls } = recording();
  const lying = Object.defineProperties(utf8("four"), {
    length: { value: 1_000_000 }, byteLength: { value: 0 }, byteOffset: { value: 9 }, buffer: { value: new ArrayBuffer(1) },
  });
  vault.seal(AT, lying);
  const passed = calls.find(([name]) => name === "seal")[7];
  assert.equal(passed.length, 4);
  assert.equal(Buffer.from(passed).toString(), "four");
});

test("Buffers, parts of buffers and arrays of another realm are bytes", () => {
  const { vault, calls } = recording();
  const foreign = vm.runInNewContext("Uint8Array.of(1, 2)");
  const part = new Uint8Array(Uint8Array.of(0, 1, 2, 3).buffer, 1, 2);
  for (const value of [foreign, part, Buffer.from([1, 2])]) {
    calls.length = 0;
    vault.seal(AT, value);
    assert.deepEqual([...calls.find(([name]) => name === "seal")[7]], [1, 2]);
  }
});

test("a getter that detaches the bytes comes too late", async () => {
  const { vault, calls } = recording();
  const plaintext = utf8("secret");
  const options = { get padded() { structuredClone(plaintext.buffer, { transfer: [plaintext.buffer] }); return true; } };
  assert.equal(await codeOf(() => vault.seal(AT, plaintext, options)), "BAD_INPUT");
  assert.deepEqual(calls, []);
  const first = utf8("first");
  const evil = { binding: AT, get plaintext() { structuredClone(first.buffer, { transfer: [first.buffer] }); return utf8("x"); } };
  const results = vault.sealMany([{ binding: AT, plaintext: first }, evil]);
  assert.equal(results[0].error.code, "BAD_INPUT");
});

test("members are read once and only if they are the object's own", async () => {
  const { vault, calls } = recording();
  let reads = 0;
  const counted = { ...AT, get record() { reads++; return "h-1"; } };
  vault.open(counted, utf8("x"));
  assert.equal(reads, 1);
  assert.deepEqual(calls[0].slice(2, 7), ["acme", "hosts", "h-1", "password", undefined]);
  assert.equal(await codeOf(() => vault.open(Object.create(AT), utf8("x"))), "BAD_INPUT");
  class Place { get org() { return "acme"; } }
  assert.equal(await codeOf(() => vault.open(Object.assign(new Place(), { table: "t", record: "r", field: "f" }), utf8("x"))), "BAD_INPUT");
  const hidden = Object.defineProperties({}, Object.fromEntries(Object.entries(AT).map(([name, value]) => [name, { value }])));
  vault.open(hidden, utf8("x"));
  try {
    Object.prototype.revision = 5n;
    calls.length = 0;
    vault.open(AT, utf8("x"));
    assert.equal(calls[0][6], undefined);
  } finally {
    delete Object.prototype.revision;
  }
});

test("a binding is exactly its members, of their types", async () => {
  const { vault, calls } = recording();
  const wrong = [
    null, undefined, "acme", [], [AT], 5, () => AT,
    { ...AT, org: undefined }, { ...AT, org: null }, { ...AT, record: 5 }, { ...AT, table: new String("hosts") },
    { ...AT, field: "\ud800" }, { ...AT, field: "x\udc00" }, { ...AT, org: "\udc00\ud800" },
    { ...AT, revision: 1 }, { ...AT, revision: null }, { ...AT, revision: -1n }, { ...AT, revision: 1n << 64n }, { ...AT, revision: "1" },
    { ...AT, more: 1 }, { ...AT, more: null }, { ...AT, [Symbol("org")]: "x" }, { ...AT, ["__proto__"]: "x" },
    { get org() { throw new Error("mine"); } }, new Proxy(AT, { ownKeys() { throw new Error("mine"); } }), Proxy.revocable({}, {}).proxy,
  ];
  for (const binding of wrong) {
    const value = utf8("x");
    assert.equal(await codeOf(() => vault.seal(binding, value)), "BAD_INPUT");
    assert.equal(await codeOf(() => vault.open(binding, value)), "BAD_INPUT");
    assert.equal(await codeOf(() => vault.rebind(AT, binding, value)), "BAD_INPUT");
    assert.equal(await codeOf(() => vault.rebind(binding, AT, value)), "BAD_INPUT");
    assert.equal(vault.openMany([{ binding, envelope: value }])[0].error.code, "BAD_INPUT");
  }
  assert.ok(calls.every(([name]) => name === "openFrame"));
  vault.open({ ...AT, more: undefined, revision: undefined }, utf8("x"));
  vault.open({ ...AT, revision: (1n << 64n) - 1n, org: "\ud83d\udd11" }, utf8("x"));
});

test("options are exactly theirs, and an unknown one is named so", async () => {
  const { vault, Vault } = recording();
  const value = utf8("x");
  for (const options of [null, 5, "padded", [], { scope: "Org" }, { scope: null }, { scope: 1 }, { padded: 1 }, { padded: null }]) {
    assert.equal(await codeOf(() => vault.seal(AT, value, options)), "BAD_INPUT");
    assert.equal(await codeOf(() => vault.reseal(AT, value, options)), "BAD_INPUT");
  }
  for (const options of [{ pad: true }, { iv: value }, { [Symbol()]: 1 }, { ["__proto__"]: {} }]) {
    assert.equal(await codeOf(() => vault.seal(AT, value, options)), "UNKNOWN_OPTION");
    assert.equal(await codeOf(() => vault.reseal(AT, value, options)), "UNKNOWN_OPTION");
  }
  vault.seal(AT, value, Object.create({ scope: "other", iv: 1 }));
  for (const options of [{ seal_limit: 5 }, { TTL: 5 }, { toString: 5 }, { ["__proto__"]: 1 }, { [Symbol("ttl")]: 1 }]) {
    assert.equal(await codeOf(() => new Vault(options)), "UNKNOWN_OPTION");
  }
  for (const options of [null, [], "x", 5, true]) assert.equal(await codeOf(() => new Vault(options)), "BAD_INPUT");
  new Vault({ ttl: undefined, more: undefined });
});

test("options reach the core in its own spelling, faults and all", async () => {
  const { calls, Vault } = recording();
  new Vault({ ttl: 5, sealLimit: 6, fieldLimit: 7, minVersions: { acme: 1 }, dangerEndpoint: "u", session: "s", region: "r", cmks: { ["__proto__"]: ["k"] } });
  assert.equal(
    calls[0][1],
    '{"ttl":5,"seal_limit":6,"field_limit":7,"min_versions":{"acme":1},"danger_endpoint":"u","session":"s","region":"r","cmks":{"__proto__":["k"]}}',
  );
  const inCore = async (options) => codeOf(() => new api.Vault(options));
  for (const ttl of [null, "5", NaN, Infinity, 1.5, -1, 0, 5n, true, [5], { valueOf: () => 5 }, new Number(5)]) {
    assert.equal(await inCore({ ttl }), "BAD_INPUT", `ttl ${String(ttl)}`);
  }
  assert.equal(await inCore({ ttl: 43_201 }), "LIMIT");
  for (const region of [null, 5, "", "\ud800", "US", new String("us-east-1")]) assert.equal(await inCore({ region }), "BAD_INPUT");
  for (const cmks of [null, [], "x", { acme: "arn" }, { acme: [null] }, { acme: [, "x"] }, { "\ud800": [] }, { acme: { 0: "x", length: 1 } }]) {
    assert.equal(await inCore({ cmks }), "BAD_INPUT");
  }
});

test("numbers are whole, safe and not negative", async () => {
  const { vault, calls } = recording();
  for (const number of [-1, 1.5, NaN, Infinity, 2 ** 53, "1", 1n, null, undefined, true, new Number(1)]) {
    assert.equal(await codeOf(() => vault.mintRequest("acme", "k", number, 1)), "BAD_INPUT");
    assert.equal(await codeOf(() => vault.generateRecordDek("acme", "t", "r", 1, number)), "BAD_INPUT");
    assert.equal(await codeOf(() => vault.takeRequestPlaintext(number)), "BAD_INPUT");
    assert.equal(await codeOf(() => vault.shredRequest("acme", "k", number)), "BAD_INPUT");
  }
  assert.deepEqual(calls, []);
});

test("strings are strings and well-formed", async () => {
  const { vault, calls } = recording();
  for (const text of [null, undefined, 5, "\ud800", "a\udfff", new String("acme"), ["acme"], { toString: () => "acme" }]) {
    for (const call of [
      () => vault.mintRequest(text, "k", 1, 1), () => vault.mintRequest("acme", text, 1, 1), () => vault.tombstone(text),
      () => vault.admit(text, GOOD_ROW), () => vault.unwrapRequest(text, GOOD_ROW), () => vault.shareRequest(utf8("x"), text, "k", 1),
    ]) assert.equal(await codeOf(call), "BAD_INPUT");
    assert.equal(await codeOf(() => api.fromText(text)), "BAD_INPUT");
    assert.equal(await codeOf(() => api.assertFipsEndpoint(text, "us-east-1")), "BAD_INPUT");
  }
  assert.deepEqual(calls, []);
});

test("a row's faults are seen by the core, not repaired on the way", async () => {
  const vault = new api.Vault();
  const code = (row) => codeOf(() => vault.unwrapRequest("acme", row));
  for (const row of [null, undefined, 5, "{}", [], [GOOD_ROW]]) assert.equal(await code(row), "BAD_INPUT");
  const { blob: _, ...short } = GOOD_ROW;
  for (const row of [
    {}, short, { ...short, blob: undefined }, { ...GOOD_ROW, version: 1.5 }, { ...GOOD_ROW, version: NaN }, { ...GOOD_ROW, created: 2 ** 53 },
    { ...GOOD_ROW, more: 1 }, { ...GOOD_ROW, more: null }, { ...GOOD_ROW, [Symbol("v")]: 1 }, { ...GOOD_ROW, ["__proto__"]: "x" },
    { ...GOOD_ROW, version: 1n }, { ...GOOD_ROW, purpose: "share" }, { ...GOOD_ROW, blob: "AQ" }, { ...GOOD_ROW, version: { valueOf: () => 1 } },
    Object.create(GOOD_ROW),
  ]) assert.equal(await code(row), "ROW_INCONSISTENT");
  assert.equal(await code({ ...GOOD_ROW, owner: "\ud800" }), "BAD_INPUT");
  assert.equal(await code({ ...GOOD_ROW, created: -0 }), "ROW_INCONSISTENT");
  assert.equal(await code({ ...GOOD_ROW, v: 2 }), "UNSUPPORTED_VERSION");
  assert.equal(await codeOf(() => vault.setActive({ org: "acme" })), "ROW_INCONSISTENT");
  assert.equal(await codeOf(() => api.kmsContext(null)), "BAD_INPUT");
  let reads = 0;
  vault.unwrapRequest("acme", { ...GOOD_ROW, get keyId() { reads++; return GOOD_ROW.keyId; } });
  assert.equal(reads, 1);
});

test("a reply's DEK is wiped, whatever else is wrong with the call", async () => {
  const { vault } = recording();
  const closed = new api.Vault();
  closed.close();
  const reply = { endpoint: "https://x", KeyId: "k" };
  const cases = [
    (Plaintext) => vault.admit("\ud800", GOOD_ROW, { ...reply, Plaintext }),
    (Plaintext) => vault.admit("acme", null, { ...reply, Plaintext }),
    (Plaintext) => vault.admit("acme", GOOD_ROW, { Plaintext }),
    (Plaintext) => vault.admit("acme", GOOD_ROW, { ...reply, KeyId: 5, Plaintext }),
    (Plaintext) => vault.admit("acme", GOOD_ROW, { ...reply, CiphertextBlob: "x", Plaintext }),
    (Plaintext) => vault.admitMinted(-1, { ...reply, Plaintext }),
    (Plaintext) => vault.admitShared("1", { ...reply, Plaintext }),
    (Plaintext) => closed.admit("acme", GOOD_ROW, { ...reply, Plaintext }),
    (Plaintext) => api.Vault.prototype.admit.call({}, "acme", GOOD_ROW, { ...reply, Plaintext }),
  ];
  for (const call of cases) {
    const dek = Uint8Array.from({ length: 32 }, () => 7);
    assert.equal(await codeOf(() => call(dek)), "BAD_INPUT");
    assert.ok(dek.every((byte) => byte === 0));
  }
  const shared = new Uint8Array(new SharedArrayBuffer(32)).fill(7);
  assert.equal(await codeOf(() => vault.admit("acme", GOOD_ROW, { ...reply, Plaintext: shared })), "BAD_INPUT");
  assert.ok(shared.every((byte) => byte === 0));
});

test("a reply's DEK is wiped even if another of its members can't be read", async () => {
  const { vault } = recording();
  for (const name of ["endpoint", "error", "KeyId", "CiphertextBlob"]) {
    const dek = Uint8Array.from({ length: 32 }, () => 7);
    const reply = { endpoint: "https://x", KeyId: "k", Plaintext: dek };
    Object.defineProperty(reply, name, { get() { throw new Error(name); } });
    assert.equal(await codeOf(() => vault.admit("acme", GOOD_ROW, reply)), "BAD_INPUT");
    assert.ok(dek.every((byte) => byte === 0), name);
  }
});

test("what an SDK's answer holds besides means nothing and is not read", () => {
  const { vault, calls } = recording();
  vault.admit("acme", GOOD_ROW, {
    endpoint: "https://x", KeyId: "k", $metadata: {}, KeyMaterialId: null, [Symbol()]: 1,
    get CiphertextForRecipient() { throw new Error("read"); },
  });
  assert.deepEqual(calls[0].slice(4), [true, "https://x", undefined, "k", undefined, undefined]);
});

test("a batch is a list of at most ten thousand", async () => {
  const { vault, calls } = recording();
  for (const list of [null, undefined, {}, "x", new Set(), { length: 1, 0: 1 }, new Uint8Array(3)]) {
    for (const method of ["sealMany", "openMany", "missing"]) assert.equal(await codeOf(() => vault[method](list)), "BAD_INPUT");
  }
  for (const method of ["sealMany", "openMany", "missing"]) {
    assert.equal(await codeOf(() => vault[method](Array(10_001))), "LIMIT");
  }
  assert.deepEqual(calls, []);
  assert.deepEqual(vault.openMany([, undefined]).map(({ error }) => error.code), ["BAD_INPUT", "BAD_INPUT"]);
  assert.equal(vault.sealMany([{ binding: AT, plaintext: utf8("x"), options: { iv: 1 } }])[0].error.code, "UNKNOWN_OPTION");
  assert.equal(vault.sealMany([{ binding: AT, plaintext: utf8("x"), more: 1 }])[0].error.code, "BAD_INPUT");
});

test("closed and foreign vaults are refused, and closing twice is fine", async () => {
  const vault = new api.Vault();
  vault.close();
  vault.close();
  for (const call of [() => vault.status(), () => vault.signOut(), () => vault.seal(AT, utf8("x")), () => vault.cacheExport(new Uint8Array(32))]) {
    assert.equal(await codeOf(call), "BAD_INPUT");
  }
  for (const other of [{}, null, undefined, 5, Object.create(api.Vault.prototype), new Proxy(new api.Vault(), {})]) {
    assert.equal(await codeOf(() => api.Vault.prototype.status.call(other)), "BAD_INPUT");
  }
  assert.throws(() => api.Vault(), TypeError);
  assert.equal(api.Vault.name, "Vault");
});

test("every error is ours, and what a backend throws besides is INTERNAL", async () => {
  for (const thrown of [new Error("x"), Object.assign(new Error("x"), { code: "toString" }), Object.assign(new Error(), { code: 5 }), null, "AUTH_FAILED", new RangeError()]) {
    const { Vault } = bind({ ...raw, vaultNew: () => { throw thrown; } });
    assert.throws(() => new Vault(), (error) => error instanceof StrongroomError && error.code === "INTERNAL" && error.number === 255);
  }
  const { Vault } = bind({ ...raw, vaultNew: () => { throw { code: "LIMIT" }; } });
  assert.throws(() => new Vault(), { name: "StrongroomError", code: "LIMIT", number: 2, message: ERRORS.LIMIT[1] });
});

test("the table of errors is the core's", () => {
  assert.deepEqual(Object.entries(ERRORS).map(([name, [number, text]]) => [number, name, text]), JSON.parse(raw.errorTable()));
  assert.equal(nameOf(30), "AUTH_FAILED");
  for (const number of [0, 4, 46, 254, 256, -1, NaN]) assert.equal(nameOf(number), "INTERNAL");
});

test("an opened value is alone in its buffer", () => {
  const vault = new api.Vault();
  assert.equal(vault.status().length, 0);
  const { vault: fake } = recording();
  assert.equal(fake.open(AT, new Uint8Array(200)).buffer.byteLength, 0);
});
