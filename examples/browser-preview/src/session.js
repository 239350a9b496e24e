// One org's session in this page: its vault, which asks the KMS itself. DEKs are in this page's
// memory and nowhere else; they are gone with the page.
import { KMSClient } from '@aws-sdk/client-kms';
import { init } from '@strongroom/wasm';
import { awsKms } from '@strongroom/wasm/aws-kms';
import { KmsVault, readManifest } from '@strongroom/wasm/kms-vault';

import { ServedRows } from './rows.js';
import { json, text } from './server.js';

/**
 * Signs in, with no DEK held yet. What the server says of the session stands in for a product's sign-in:
 * the org, its key ARNs and temporary credentials, and for a local KMS its URL.
 */
export async function openSession() {
  const [signedIn, manifest] = await Promise.all([json('/session.json'), text('/fields.json'), init()]);
  const { org, cmks, region, credentials, dangerEndpoint } = signedIn;
  const where = dangerEndpoint === undefined ? { useFipsEndpoint: true } : { endpoint: dangerEndpoint };
  const client = new KMSClient({ region, credentials, maxAttempts: 1, ...where });
  const kms = counted(awsKms(client, { dangerEndpoint }));
  const vault = KmsVault.create({ org, cmks, kms, store: new ServedRows(org), region, dangerEndpoint });
  return { org, kms, vault, manifest: readManifest(manifest) };
}

function counted(kms) {
  return {
    calls: 0,
    send(request, plaintext) {
      this.calls += 1;
      return kms.send(request, plaintext);
    },
  };
}
