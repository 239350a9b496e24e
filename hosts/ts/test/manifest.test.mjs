import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { readManifest } from "../build/manifest.js";
import { codeOf } from "./support.mjs";

const cases = JSON.parse(readFileSync(new URL("../../../tests/manifest/cases.json", import.meta.url), "utf8"));

test("every shared case is read as it says", async () => {
  assert.ok(cases.read.length >= 103);
  for (const { id, comment, manifest, manifest_hex, result } of cases.read) {
    const forms = manifest_hex ? [Uint8Array.from(Buffer.from(manifest_hex, "hex"))] : [manifest, new TextEncoder().encode(manifest)];
    for (const form of forms) {
      const code = await codeOf(() => readManifest(form));
      assert.equal(code, result === "ok" ? "nothing thrown" : result, `${id}: ${comment}`);
    }
  }
});

test("every shared case is looked up as it says", async () => {
  assert.ok(cases.lookup.length >= 45);
  const manifest = readManifest(cases.lookup_manifest);
  for (const { id, comment, table, field, result, scope, padded } of cases.lookup) {
    const look = () => manifest.sealOptions(table, field);
    const bind = () => manifest.binding("acme", table, "r", field);
    if (result === "ok") {
      assert.deepEqual(look(), { scope, padded }, `${id}: ${comment}`);
      assert.deepEqual(bind(), { org: "acme", table, record: "r", field });
    } else {
      assert.equal(await codeOf(look), result, `${id}: ${comment}`);
      assert.equal(await codeOf(bind), result, `${id}: ${comment}`);
    }
  }
});

test("what is neither text nor bytes is refused, and so are names that are no strings", async () => {
  for (const value of [null, undefined, 5, {}, [], new ArrayBuffer(2), new String(cases.lookup_manifest)]) {
    assert.equal(await codeOf(() => readManifest(value)), "BAD_INPUT");
  }
  const manifest = readManifest(cases.lookup_manifest);
  for (const name of [null, undefined, 5, ["password"], { toString: () => "password" }]) {
    assert.equal(await codeOf(() => manifest.sealOptions("hosts", name)), "BAD_INPUT");
    assert.equal(await codeOf(() => manifest.sealOptions(name, "password")), "BAD_INPUT");
  }
});

test("text that nests without end is refused", async () => {
  for (const depth of [65, 100_000]) {
    assert.equal(await codeOf(() => readManifest(`{"format":1,"tables":${"[".repeat(depth)}${"]".repeat(depth)}}`)), "BAD_INPUT");
  }
});

test("a manifest can't be changed by who asks it", () => {
  const manifest = readManifest(cases.lookup_manifest);
  manifest.sealOptions("hosts", "password").scope = "org";
  assert.equal(manifest.sealOptions("hosts", "password").scope, "record");
  assert.deepEqual(manifest.binding("a", "hosts", "r", "note", 5n), { org: "a", table: "hosts", record: "r", field: "note", revision: 5n });
});
