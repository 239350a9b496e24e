// A KMS that lives in the test, so that the test knows every DEK, and a session that asks it.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { KmsVault, MemoryStore, readManifest } from '@strongroom/node';

const ENDPOINT = 'https://kms-fips.us-east-1.amazonaws.com';
const PRODUCT = new URL('../../product/fields.json', import.meta.url);

class TestKms {
  deks = new Map();

  async send({ op, params }) {
    const { KeyId } = params;
    if (op === 'Decrypt') {
      const dek = this.deks.get(Buffer.from(params.CiphertextBlob).toString('hex'));
      return { endpoint: ENDPOINT, KeyId, Plaintext: Uint8Array.from(dek) };
    }
    const CiphertextBlob = new Uint8Array(randomBytes(64));
    const dek = new Uint8Array(randomBytes(32));
    this.deks.set(Buffer.from(CiphertextBlob).toString('hex'), dek);
    return { endpoint: ENDPOINT, KeyId, CiphertextBlob, Plaintext: Uint8Array.from(dek) };
  }
}

/** A session as `openSession` makes it, of an org that has its first DEK. */
export async function testSession(org, key) {
  const kms = new TestKms();
  const cmks = { [org]: [`arn:aws:kms:us-east-1:000000000000:key/${key}`] };
  const vault = KmsVault.create({ org, cmks, kms, store: new MemoryStore() });
  await vault.rotate();
  return { org, vault, kms, manifest: readManifest(readFileSync(PRODUCT)), close: () => vault.close() };
}
