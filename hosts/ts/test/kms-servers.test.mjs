import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { DisableKeyCommand, ScheduleKeyDeletionCommand } from "@aws-sdk/client-kms";
import { MemoryStore } from "../build/store.js";
import { createCmk, kmsOf, localKms, moto } from "./kms-servers.mjs";
import { api, AT, codeOf, KmsVault, utf8 } from "./support.mjs";

for (const [name, start] of [["the local KMS", localKms], ["moto", moto]]) {
  describe(name, () => {
    let server, cmks, store;
    const session = (org, options) =>
      KmsVault.create({ org, cmks, store, kms: kmsOf(server.endpoint, org).kms, dangerEndpoint: server.endpoint, backoffMs: 1, ...options });

    before(async () => {
      server = await start();
      cmks = { acme: [await createCmk(server.endpoint, "acme")], globex: [await createCmk(server.endpoint, "globex")] };
      store = new MemoryStore();
    });
    after(() => server.stop());

    test("mints, unwraps, wraps for a preview and shares", async () => {
      const owner = session("acme");
      await owner.rotate();
      await owner.generateRecordDek(AT.table, AT.record);
      const own = await owner.seal(AT, utf8("own"));
      const shared = await owner.seal(AT, utf8("shared"), { scope: "record" });
      await owner.share(AT.table, AT.record, "globex", cmks.globex[0]);
      await owner.wrapForPreview(AT.table, AT.record);
      assert.deepEqual(await session("acme").open(AT, own), utf8("own"));
      assert.deepEqual(await session("globex").open(AT, shared), utf8("shared"));
      assert.equal(await codeOf(session("globex").open(AT, own)), "UNKNOWN_DEK");
    });

    test("each pair of the encryption context that is changed, dropped or added is refused", async () => {
      const rows = await store.rowsByOwner("acme");
      const byPurpose = rows.filter(({ provider }) => provider === "aws-kms");
      assert.deepEqual(byPurpose.map(({ purpose }) => purpose).sort(), ["org-dek", "record-dek", "share"]);
      let refusals = 0;
      for (const row of byPurpose) {
        const { kms } = kmsOf(server.endpoint, row.reader);
        const vault = new api.Vault({ cmks, dangerEndpoint: server.endpoint });
        const request = vault.unwrapRequest(row.reader, row);
        const context = request.params.EncryptionContext;
        const others = [{ ...context, extra: "x" }, { ...context, "strongroom-": "x" }, {}];
        for (const key of Object.keys(context)) {
          const { [key]: value, ...dropped } = context;
          others.push(dropped, { ...context, [key]: `${value}x` }, { ...dropped, [`${key}x`]: value });
        }
        for (const EncryptionContext of others) {
          const reply = await kms.send({ ...request, params: { ...request.params, EncryptionContext } });
          assert.equal(await codeOf(() => vault.admit(row.reader, row, reply)), "KMS_DENIED", JSON.stringify(EncryptionContext));
          assert.equal(reply.Plaintext, undefined);
          refusals++;
        }
        assert.equal(vault.status().length, 0);
        vault.admit(row.reader, row, await kms.send(request));
        vault.close();
      }
      assert.ok(refusals >= 3 * 5 * 3);
    });

    test("another CMK than the one that wrapped is refused", async () => {
      const row = (await store.rowsByOwner("acme")).find(({ purpose }) => purpose === "org-dek");
      const other = { ...row, keyId: await createCmk(server.endpoint, "acme") };
      const vault = new api.Vault({ dangerEndpoint: server.endpoint });
      const reply = await kmsOf(server.endpoint, "acme").kms.send(vault.unwrapRequest("acme", other));
      assert.equal(await codeOf(() => vault.admit("acme", other, reply)), "KMS_DENIED");
    });

    test("a blob with one byte changed is refused", async () => {
      const row = (await store.rowsByOwner("acme")).find(({ purpose }) => purpose === "org-dek");
      const vault = new api.Vault({ dangerEndpoint: server.endpoint });
      const request = vault.unwrapRequest("acme", row);
      const CiphertextBlob = Uint8Array.from(request.params.CiphertextBlob);
      CiphertextBlob[CiphertextBlob.length - 1] ^= 1;
      const reply = await kmsOf(server.endpoint, "acme").kms.send({ ...request, params: { ...request.params, CiphertextBlob } });
      assert.equal(await codeOf(() => vault.admit("acme", row, reply)), "KMS_DENIED");
    });
  });
}

describe("what only the local KMS enforces", () => {
  let server, cmks, store;
  const session = (org, options) =>
    KmsVault.create({ org, cmks, store, kms: kmsOf(server.endpoint, org).kms, dangerEndpoint: server.endpoint, backoffMs: 1, ...options });
  const lines = (operation) => server.log().filter((line) => line.operation === operation);

  before(async () => {
    server = await localKms();
    cmks = { acme: [await createCmk(server.endpoint, "acme")], globex: [await createCmk(server.endpoint, "globex")] };
    store = new MemoryStore();
    await session("acme").rotate();
  });
  after(() => server.stop());

  test("the log shows one call for many envelopes and many callers", async () => {
    const owner = session("acme");
    const items = [];
    for (let at = 0; at < 100; at++) {
      const binding = { ...AT, record: `h-${at}` };
      items.push({ binding, envelope: await owner.seal(binding, utf8("x")) });
    }
    const before = lines("Decrypt").length;
    const cold = session("acme");
    const all = await Promise.all([cold.openMany(items), ...items.map(({ binding, envelope }) => cold.open(binding, envelope))]);
    assert.ok(all[0].every(({ ok }) => ok));
    const calls = lines("Decrypt").slice(before);
    assert.equal(calls.length, 1);
    assert.deepEqual([calls[0].callerOrg, calls[0].keyId, calls[0].result], ["acme", cmks.acme[0], "ok"]);
    assert.deepEqual(calls[0].encryptionContext, api.kmsContext((await store.rowsByOwner("acme"))[0]));
  });

  test("the KMS denies another org's caller, and the log shows exactly one call", async () => {
    const envelope = await session("acme").seal(AT, utf8("x"));
    const before = lines("Decrypt").length;
    const thief = session("acme", { kms: kmsOf(server.endpoint, "globex").kms });
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(thief.open(AT, envelope))));
    assert.deepEqual(new Set(codes), new Set(["KMS_DENIED"]));
    const calls = lines("Decrypt").slice(before);
    assert.deepEqual(calls.map(({ callerOrg, result }) => [callerOrg, result]), [["globex", "AccessDeniedException"]]);
    assert.deepEqual(await session("acme").open(AT, envelope), utf8("x"));
  });

  test("a throttled KMS is asked again until the limit", async () => {
    const envelope = await session("acme").seal(AT, utf8("x"));
    await server.restart("--throttle-first", "3");
    const before = server.log().length;
    assert.deepEqual(await session("acme").open(AT, envelope), utf8("x"));
    assert.deepEqual(server.log().slice(before).map(({ result }) => result), [...Array(3).fill("ThrottlingException"), "ok"]);
    await server.restart("--throttle-first", "3");
    const again = server.log().length;
    assert.equal(await codeOf(session("acme", { tries: 3 }).open(AT, envelope)), "KMS_THROTTLED");
    assert.equal(server.log().length, again + 3);
    await server.restart();
  });

  test("a disabled CMK is a denial, one that is pending deletion says so", async () => {
    const envelope = await session("acme").seal(AT, utf8("x"));
    const { client } = kmsOf(server.endpoint, "acme");
    await client.send(new DisableKeyCommand({ KeyId: cmks.acme[0] }));
    assert.equal(await codeOf(session("acme").open(AT, envelope)), "KMS_DENIED");
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: cmks.acme[0], PendingWindowInDays: 7 }));
    assert.equal(await codeOf(session("acme").open(AT, envelope)), "KMS_PENDING_DELETION");
    assert.equal(await codeOf(session("acme").rotate()), "KMS_PENDING_DELETION");
  });

  test("a KMS that is down is unavailable, and the DEKs held go on until their end", async () => {
    const cmk = await createCmk(server.endpoint, "initech");
    const own = { org: "initech", cmks: { initech: [cmk] }, store: new MemoryStore(), tries: 2 };
    const warm = session("initech", own);
    await warm.rotate();
    const at = { ...AT, org: "initech" };
    const envelope = await warm.seal(at, utf8("x"));
    const cold = session("initech", own);
    await server.stop();
    assert.equal(await codeOf(cold.open(at, envelope)), "KMS_UNAVAILABLE");
    assert.deepEqual(await warm.open(at, envelope), utf8("x"));
    server = await localKms();
  });
});
