// What the tests share: the real core behind the facade, a KMS that lives in the test and counts, and
// stores that are slow or fail.
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";

import { bindWithCache } from "../build/cache.js";
import { bindResumable } from "../build/resume.js";
import { MemoryStore } from "../build/store.js";

export const raw = createRequire(import.meta.url)("../../../bindings-node/native-loader.cjs");
export const api = bindWithCache(raw);
export const { KmsVault } = bindResumable(api);

export const ENDPOINT = "https://kms-fips.us-east-1.amazonaws.com/";
export const cmkOf = (org, at = 0) =>
  `arn:aws:kms:us-east-1:000000000000:key/${Buffer.from(`${org}-${at}`).toString("hex")}`;
export const CMKS = { acme: [cmkOf("acme")], globex: [cmkOf("globex")] };
export const AT = { org: "acme", table: "hosts", record: "h-1", field: "password" };
export const utf8 = (text) => new TextEncoder().encode(text);
export const tick = (ms = 1) => new Promise((done) => setTimeout(done, ms));

/** Like the KMS: a blob opens under its CMK and its context only. Counts every call. */
export class TestKms {
  calls = [];
  /** Answered first, one a call: error names, or functions that may throw. */
  faults = [];
  /** Operations that are refused for ever. */
  denied = () => false;
  delay = 1;
  /** CMKs that wait for their deletion. */
  shredded = new Set();
  running = 0;
  most = 0;
  #deks = new Map();

  async send(request, plaintext) {
    this.calls.push({ op: request.op, ...request.params });
    this.most = Math.max(this.most, ++this.running);
    try {
      await tick(this.delay);
      const fault = this.faults.shift();
      if (typeof fault === "function") return fault(request);
      if (fault) return { endpoint: ENDPOINT, error: fault };
      if (this.denied(request)) return { endpoint: ENDPOINT, error: "AccessDeniedException" };
      return { endpoint: ENDPOINT, ...this.#answer(request, plaintext) };
    } finally {
      this.running--;
    }
  }

  count(op) {
    return this.calls.filter((call) => call.op === op).length;
  }

  #answer({ op, params }, plaintext) {
    const { KeyId, EncryptionContext } = params;
    if (this.shredded.has(KeyId)) return { error: "KMSInvalidStateException" };
    if (op === "ScheduleKeyDeletion") {
      this.shredded.add(KeyId);
      return { KeyId };
    }
    const context = JSON.stringify([KeyId, Object.entries(EncryptionContext).sort()]);
    if (op === "Decrypt") {
      const kept = this.#deks.get(Buffer.from(params.CiphertextBlob).toString("hex"));
      if (kept?.context !== context) return { error: "InvalidCiphertextException" };
      return { KeyId, Plaintext: Uint8Array.from(kept.dek) };
    }
    const CiphertextBlob = new Uint8Array(randomBytes(64));
    const dek = op === "Encrypt" ? Uint8Array.from(plaintext) : new Uint8Array(randomBytes(32));
    this.#deks.set(Buffer.from(CiphertextBlob).toString("hex"), { dek, context });
    if (op === "Encrypt") return { KeyId, CiphertextBlob };
    return { KeyId, CiphertextBlob, Plaintext: Uint8Array.from(dek) };
  }
}

/** Every method of a row store. */
export const STORE_METHODS = [
  "rows", "rowsByOwner", "rowsByReader", "putIfAbsent", "active", "compareAndSetActive", "delete",
  "usage", "reserve", "markInactive", "deleteUsage",
];

/** A store that takes its time and fails on command: `fail(method, args)` throws what it likes. */
export function hesitant(store, fail = () => {}) {
  const wrapped = { calls: [] };
  for (const method of STORE_METHODS) {
    wrapped[method] = async (...args) => {
      wrapped.calls.push(method);
      await tick(Math.random() * 3);
      fail(method, args);
      return store[method](...args);
    };
  }
  return wrapped;
}

/**
 * A store whose n-th call of a method is the last: it fails before or after it took effect, and so does
 * everything after it.
 */
export function dying(target, methods, n, isDone) {
  let left = n;
  const dead = () => new Error("killed");
  return new Proxy(target, {
    get(inner, name) {
      const method = inner[name];
      if (typeof method !== "function") return method;
      return async (...args) => {
        if (left === 0) throw dead();
        if (!methods.includes(name) || --left > 0) return method.apply(inner, args);
        if (isDone) await method.apply(inner, args);
        throw dead();
      };
    },
  });
}

/** A KmsVault over its own or a given KMS and store. */
export function session({ org = "acme", kms = new TestKms(), store = new MemoryStore(), ...options } = {}) {
  const vault = KmsVault.create({ org, cmks: CMKS, kms, store, backoffMs: 1, ...options });
  return { vault, kms, store };
}

/** One that has rotated once and counts from here. */
export async function rotated(options) {
  const made = session(options);
  await made.vault.rotate();
  made.kms.calls.length = 0;
  return made;
}

/** The code that a call throws or rejects with. */
export async function codeOf(call) {
  try {
    await (typeof call === "function" ? call() : call);
  } catch (thrown) {
    return thrown.code ?? `${thrown}`;
  }
  return "nothing thrown";
}
