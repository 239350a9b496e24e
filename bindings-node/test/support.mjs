// What the tests share: a KMS that lives in the test, and vaults that have been through it.
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export const require = createRequire(import.meta.url);
export const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
export const TEST_BUILD = fileURLToPath(new URL('../../target/hazmat/node', import.meta.url));
export const ADDON = 'strongroom.linux-x64-gnu.node';

export const strongroom = require('@strongroom/node');
export const raw = require('../native-loader.cjs');

export const ENDPOINT = 'https://kms-fips.us-east-1.amazonaws.com';
export const CMK = 'arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000001';
export const NOW = Math.floor(Date.now() / 1000);
export const AT = { org: 'o1', table: 'hosts', record: 'r1', field: 'password' };

export const utf8 = (text) => new TextEncoder().encode(text);

/** Answers a request as the KMS would. Blobs are names of DEKs that only this object knows. */
export class TestKms {
  #deks = new Map();

  answer({ op, params }, plaintext) {
    const KeyId = params.KeyId;
    if (op === 'Decrypt') {
      const kept = this.#deks.get(Buffer.from(params.CiphertextBlob).toString('hex'));
      return { endpoint: ENDPOINT, KeyId, Plaintext: Uint8Array.from(kept) };
    }
    const CiphertextBlob = new Uint8Array(randomBytes(64));
    const dek = op === 'Encrypt' ? Uint8Array.from(plaintext) : new Uint8Array(randomBytes(32));
    this.#deks.set(Buffer.from(CiphertextBlob).toString('hex'), dek);
    if (op === 'Encrypt') return { endpoint: ENDPOINT, KeyId, CiphertextBlob };
    return { endpoint: ENDPOINT, KeyId, CiphertextBlob, Plaintext: Uint8Array.from(dek) };
  }
}

/** A vault with an active org DEK, its KMS and its rows. */
export function ready({ org = AT.org, options, Vault = strongroom.Vault, kms = new TestKms() } = {}) {
  const vault = new Vault(options);
  const request = vault.mintRequest(org, CMK, 1, NOW);
  const { row, active } = vault.admitMinted(request.id, kms.answer(request));
  vault.setActive(active);
  return { vault, kms, row, active };
}

/** A call that must throw: gives the error's code. */
export function codeOf(call) {
  try {
    call();
  } catch (error) {
    return error.code ?? `${error}`;
  }
  return 'nothing thrown';
}
