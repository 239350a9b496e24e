// A vault that goes on where the last one stopped, by a keychain that may be absent, locked, or fail midway.
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { StrongroomError } from "../build/error.js";
import { readEntry, writeEntry } from "../build/keychain-entry.js";
import { MemoryStore } from "../build/store.js";
import { AT, CMKS, cmkOf, codeOf, hesitant, KmsVault, rotated, tick, utf8 } from "./support.mjs";

/** A keychain in memory; `fail(method, account)` throws what it likes. */
class FakeKeychains {
  services = new Map();
  fail = () => {};
  calls = [];

  async open(service) {
    this.fail("open", service);
    const held = this.services.get(service) ?? new Map();
    this.services.set(service, held);
    const call = (method, work) => async (account, secret) => {
      await tick(Math.random());
      this.calls.push(method);
      this.fail(method, account, service);
      return work(account, secret);
    };
    return {
      get: call("get", (account) => held.get(account)?.slice()),
      set: call("set", (account, secret) => void held.set(account, secret.slice())),
      delete: call("delete", (account) => void held.delete(account)),
      accounts: call("accounts", () => [...held.keys()]),
    };
  }

  accounts(service = "product") {
    return [...(this.services.get(service)?.keys() ?? [])].sort();
  }

  text(account, service = "product") {
    return Buffer.from(this.services.get(service).get(account)).toString();
  }
}

/** An org, its envelope, and how to resume. */
async function world() {
  const { vault, kms, store } = await rotated();
  const envelope = await vault.seal(AT, utf8("x"));
  const keychain = new FakeKeychains();
  const warnings = [];
  const resume = (options) =>
    KmsVault.resume({
      org: "acme", cmks: CMKS, kms, store, backoffMs: 1, keychain, service: "product", session: "s-1",
      onWarning: (message) => warnings.push(message), ...options,
    });
  const dekRef = (await store.active("acme")).dekRef;
  return { vault, kms, store, envelope, keychain, warnings, resume, account: `dek.${dekRef}` };
}

/** One whose keychain holds the DEK. */
async function warmed() {
  const made = await world();
  const first = await made.resume();
  await first.open(AT, made.envelope);
  await tick(20);
  first.close();
  made.kms.calls.length = 0;
  return made;
}

test("a resumed vault opens without a call and without rows from the store", async () => {
  const { kms, store, envelope, warnings, resume, keychain, account } = await warmed();
  assert.deepEqual(keychain.accounts(), [account, "session"]);
  const watched = hesitant(store);
  const vault = await resume({ store: watched });
  assert.deepEqual(await vault.open(AT, envelope), utf8("x"));
  assert.equal(kms.calls.length, 0);
  assert.deepEqual(watched.calls.filter((method) => method !== "active"), []);
  assert.deepEqual(warnings, []);
  vault.close();
});

test("an entry ends when its DEK does, and the accounts say what they should", async () => {
  const { keychain, account } = await warmed();
  const { expires, rows, entry } = JSON.parse(keychain.text(account));
  assert.ok(Math.abs(expires - 43_200 - Date.now() / 1_000) < 10);
  assert.equal(`dek.${rows[0].dekRef}`, account);
  assert.equal(Buffer.from(entry, "base64").subarray(0, 2).toString("hex"), "f743");
  const known = JSON.parse(keychain.text("session"));
  assert.deepEqual([known.org, known.session], ["acme", "s-1"]);
});

test("sign-out leaves nothing in the keychain but the versions", async () => {
  const { envelope, resume, keychain, kms } = await warmed();
  const vault = await resume();
  await vault.seal(AT, utf8("y"));
  await tick(10);
  const signingOut = vault.signOut();
  assert.deepEqual(vault.vault.status(), [], "wiped before anything is awaited");
  await signingOut;
  assert.deepEqual(keychain.accounts(), []);
  assert.deepEqual(keychain.accounts("product.versions"), [Buffer.from("acme").toString("base64url")]);
  assert.deepEqual(await vault.open(AT, envelope), utf8("x"));
  assert.equal(kms.calls.length, 1);
  vault.close();
});

test("a sign-out overtakes no entry that is being written", async () => {
  const { envelope, resume, keychain } = await world();
  for (let round = 0; round < 10; round++) {
    const vault = await resume();
    await vault.open(AT, envelope);
    await vault.signOut();
    await tick(10);
    assert.deepEqual(keychain.accounts(), []);
    vault.close();
  }
});

test("a sign-out that can't empty the keychain says so, and has wiped the vault", async () => {
  for (const method of ["delete", "accounts"]) {
    const { resume, keychain, warnings } = await warmed();
    const vault = await resume();
    keychain.fail = (called) => {
      if (called === method) throw new Error("locked");
    };
    assert.equal(await codeOf(vault.signOut()), "STORE_UNAVAILABLE");
    assert.deepEqual(vault.vault.status(), []);
    assert.ok(warnings.length > 0);
    vault.close();
  }
  const { resume, keychain } = await warmed();
  const vault = await resume();
  // It says that it deleted.
  keychain.services.get("product").delete = () => true;
  assert.equal(await codeOf(vault.signOut()), "STORE_UNAVAILABLE");
  vault.close();
});

test("the highest versions seen come back, are only raised, and refuse an older row", async () => {
  const { vault: other, store, resume, keychain } = await world();
  const old = await store.active("acme");
  await other.rotate();
  const first = await resume();
  await first.seal(AT, utf8("x"));
  await tick(20);
  await first.signOut();
  first.close();
  const account = Buffer.from("acme").toString("base64url");
  assert.equal(keychain.text(account, "product.versions"), '{"version":2}');
  const rolledBack = hesitant(store);
  rolledBack.active = async () => old;
  const shown = await resume({ store: rolledBack });
  assert.equal(await codeOf(shown.seal(AT, utf8("x"))), "ACTIVE_ROLLBACK");
  shown.close();
  const told = await resume({ minVersions: { acme: 1, globex: 7 } });
  await told.seal(AT, utf8("x"));
  await tick(20);
  assert.equal(keychain.text(account, "product.versions"), '{"version":2}');
  told.close();
});

test("without a keychain everything stays in memory, with a warning", async () => {
  const absent = { keychain: undefined };
  const locked = { keychain: { open: async () => { throw new Error("locked"); } } };
  for (const options of [absent, locked]) {
    const { envelope, kms, resume, warnings } = await world();
    for (let round = 1; round <= 2; round++) {
      const vault = await resume(options);
      assert.deepEqual(await vault.open(AT, envelope), utf8("x"));
      assert.equal(kms.calls.length, round);
      await vault.signOut();
      vault.close();
    }
    assert.ok(warnings.some((message) => message.includes("memory only")));
    assert.ok(warnings.some((message) => message.includes("versions")), "not told that versions aren't kept");
  }
});

test("a keychain that fails midway stops no work, and is warned of", async () => {
  for (const method of ["get", "set", "accounts", "delete"]) {
    for (const from of [0, 1, 2, 3]) {
      const { envelope, resume, keychain, warnings } = await warmed();
      let left = from;
      keychain.fail = (called) => {
        if (called === method && left-- <= 0) throw new Error("gone");
      };
      const vault = await resume();
      assert.deepEqual(await vault.open(AT, envelope), utf8("x"));
      await vault.seal(AT, utf8("y"));
      await vault.rotate();
      await vault.signOut().catch(() => undefined);
      await tick(10);
      if (from === 0) assert.ok(warnings.length > 0, method);
      vault.close();
    }
  }
});

test("an entry that is too large for the keychain stays in memory without a warning", async () => {
  const { envelope, resume, keychain, warnings } = await world();
  keychain.fail = (method, account) => {
    if (method === "set" && account.startsWith("dek.")) throw new StrongroomError("LIMIT");
  };
  const vault = await resume();
  await vault.open(AT, envelope);
  await tick(20);
  assert.deepEqual([keychain.accounts(), warnings], [["session"], []]);
  vault.close();
});

test("entries of another session or org are neither taken in nor left", async () => {
  for (const options of [{ session: "s-2" }, { org: "globex" }]) {
    const { resume, keychain } = await warmed();
    const vault = await resume(options);
    assert.deepEqual(vault.vault.status(), []);
    assert.deepEqual(keychain.accounts(), ["session"]);
    vault.close();
  }
});

test("a tombstoned org's entry is not taken in, and deleted", async () => {
  const { store, resume, keychain } = await warmed();
  const active = await store.active("acme");
  await store.compareAndSetActive({ ...active, state: "tombstoned", rev: active.rev + 1 });
  const vault = await resume();
  await tick(20);
  assert.deepEqual(vault.vault.status(), []);
  assert.deepEqual(keychain.accounts(), ["session"]);
  vault.close();
});

test("while the store can't be read nothing is taken in, and nothing lost", async () => {
  const { store, resume, keychain, account } = await warmed();
  const down = hesitant(store, (method) => {
    if (method === "active") throw new Error("down");
  });
  const vault = await resume({ store: down });
  assert.deepEqual(vault.vault.status(), []);
  assert.deepEqual(keychain.accounts(), [account, "session"]);
  vault.close();
});

test("what was tampered with in the keychain is not taken in", async () => {
  const damages = [
    (text) => text.replace(/"entry":"..../, '"entry":"AAAA'),
    (text) => text.replace('"reader":"acme"', '"reader":"globex"'),
    (text) => text.replace(/"rows":.*/, '"rows":[]}'),
    (text) => text.slice(0, -1),
    (text) => text.replace("entry", "enter"),
    (text) => text.replace(/"expires":\d+/, '"expires":1'),
    (text) => text.replace(/"expires":\d+/, '"expires":9007199254740991'),
    () => "",
    () => "null",
  ];
  for (const damage of damages) {
    const { resume, keychain, account, envelope, kms } = await warmed();
    keychain.services.get("product").set(account, utf8(damage(keychain.text(account))));
    const vault = await resume();
    await tick(10);
    assert.deepEqual(vault.vault.status(), [], damage);
    assert.deepEqual(keychain.accounts(), ["session"], damage);
    assert.deepEqual(await vault.open(AT, envelope), utf8("x"));
    assert.equal(kms.calls.length, 1);
    vault.close();
  }
  const { resume, keychain, account } = await warmed();
  const other = `dek.${Buffer.alloc(32, 7).toString("base64url")}`;
  keychain.services.get("product").set(other, utf8(keychain.text(account)));
  const vault = await resume();
  await tick(10);
  assert.deepEqual(keychain.accounts(), [account, "session"]);
  vault.close();
});

test("a denied refresh of a DEK from the keychain deletes its entry", async () => {
  const { envelope, kms, resume, keychain } = await warmed();
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  try {
    const vault = await resume({ activeMaxAge: 3_600 });
    mock.timers.setTime(Date.now() + 43_200 * 960);
    kms.denied = () => true;
    await vault.open(AT, envelope);
    await tick(30);
    assert.equal(await codeOf(vault.open(AT, envelope)), "KMS_DENIED");
    assert.deepEqual(keychain.accounts(), ["session"]);
    vault.close();
  } finally {
    mock.timers.reset();
  }
});

test("expired entries are deleted by a timer, which ends with the vault", async () => {
  const { resume, keychain, account } = await warmed();
  mock.timers.enable({ apis: ["setInterval", "Date"], now: Date.now() });
  try {
    const vault = await resume();
    keychain.services.get("product").set(account, utf8(keychain.text(account).replace(/"expires":\d+/, '"expires":1')));
    mock.timers.tick(59_000);
    await tick(20);
    assert.equal(keychain.accounts().length, 2);
    mock.timers.tick(1_000);
    await tick(20);
    assert.deepEqual(keychain.accounts(), ["session"]);
    vault.close();
    keychain.calls.length = 0;
    mock.timers.tick(120_000);
    await tick(20);
    assert.deepEqual(keychain.calls, []);
  } finally {
    mock.timers.reset();
  }
});

test("shredding empties the keychain", async () => {
  const { resume, keychain } = await warmed();
  const vault = await resume();
  await vault.shred(7);
  assert.deepEqual(keychain.accounts(), []);
  vault.close();
});

test("a reader's share is kept, and not taken in once its owner is tombstoned", async () => {
  const { vault, kms, store, keychain, resume } = await world();
  await vault.generateRecordDek(AT.table, AT.record);
  const envelope = await vault.seal(AT, utf8("x"), { scope: "record" });
  await vault.share(AT.table, AT.record, "globex", cmkOf("globex"));
  const first = await resume({ org: "globex" });
  await first.open(AT, envelope);
  await tick(20);
  first.close();
  kms.calls.length = 0;
  const second = await resume({ org: "globex" });
  assert.deepEqual(await second.open(AT, envelope), utf8("x"));
  assert.equal(kms.calls.length, 0);
  second.close();
  const active = await store.active("acme");
  await store.compareAndSetActive({ ...active, state: "tombstoned", rev: active.rev + 1 });
  const third = await resume({ org: "globex" });
  await tick(20);
  assert.deepEqual([third.vault.status(), keychain.accounts()], [[], ["session"]]);
  third.close();
});

test("what no vault can be resumed of asks no keychain", async () => {
  const { resume, keychain } = await world();
  const faults = [
    [{ service: "" }, "BAD_INPUT"], [{ service: undefined }, "BAD_INPUT"], [{ session: undefined }, "BAD_INPUT"],
    [{ keychain: {} }, "BAD_INPUT"], [{ onWarning: "loud" }, "BAD_INPUT"], [{ cmks: undefined }, "BAD_INPUT"],
    [{ other: 1 }, "UNKNOWN_OPTION"], [{ denialTtl: 301 }, "LIMIT"],
  ];
  for (const [options, code] of faults) assert.equal(await codeOf(resume(options)), code);
  assert.equal(await codeOf(KmsVault.resume(undefined)), "BAD_INPUT");
  assert.equal(await codeOf(() => KmsVault.create({ org: "acme", cmks: CMKS, kms: { send() {} }, store: new MemoryStore(), keychain })), "UNKNOWN_OPTION");
  assert.equal(keychain.services.size, 0);
});

test("an entry is read as it was written, whatever its length", () => {
  for (let length = 0; length < 70; length++) {
    const entry = Uint8Array.from({ length }, (_, at) => (at * 37 + length) & 0xff);
    const text = writeEntry({ expires: 9, entry, rows: [] });
    assert.equal(JSON.parse(Buffer.from(text).toString()).entry, Buffer.from(entry).toString("base64"));
    assert.deepEqual(readEntry(text), { expires: 9, entry, rows: [] });
  }
});
