// One session over the OS keychain: the KMS's blobs are the DEKs, turned over, and its calls are counted.
import { randomBytes } from 'node:crypto';

import { JsonLinesStore, KmsVault } from '@strongroom/node';
import { osKeychain } from '@strongroom/node/keychain';

export const AT = { org: 'acme', table: 'hosts', record: 'h-1', field: 'password' };
const CMK = 'arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000001';

const turned = (bytes) => Uint8Array.from(bytes, (byte) => byte ^ 0xa5);

/** A vault that was resumed, what it warned of, and how often it asked the KMS. */
export async function session({ rows, service = 'node.product', id = 's-1' }) {
  const kms = {
    calls: 0,
    async send({ op, endpoint, params }) {
      this.calls += 1;
      const KeyId = params.KeyId;
      if (op !== 'GenerateDataKey') return { endpoint, KeyId, Plaintext: turned(params.CiphertextBlob) };
      const Plaintext = new Uint8Array(randomBytes(32));
      return { endpoint, KeyId, CiphertextBlob: turned(Plaintext), Plaintext };
    },
  };
  const warnings = [];
  const store = new JsonLinesStore(rows);
  const vault = await KmsVault.resume({
    org: 'acme', cmks: { acme: [CMK] }, kms, store, keychain: osKeychain(), service, session: id,
    onWarning: (message) => warnings.push(message),
  });
  return { vault, kms, store, warnings };
}
