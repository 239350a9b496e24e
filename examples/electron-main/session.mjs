// What a signed-in user works with in this process: one org's vault and how it asks the KMS.
import { KMSClient } from '@aws-sdk/client-kms';
import { KmsVault } from '@strongroom/node';
import { awsKms } from '@strongroom/node/aws-kms';

/**
 * Opens an org's session, with no DEK held yet.
 *
 * `org`, `cmks` (org to key ARNs) and `credentials` come from the sign-in and never from rows or from
 * a window. `dangerEndpoint` is for a local KMS in development, on loopback only.
 */
export function openSession({ org, cmks, credentials, region = 'us-east-1', dangerEndpoint, store, manifest }) {
  const kms = countedKms({ credentials, region, dangerEndpoint });
  const vault = KmsVault.create({ org, cmks, kms, store, region, dangerEndpoint });
  return { org, vault, manifest, kms, close: () => vault.close() };
}

/** Asks the KMS with these credentials, and counts how often. */
export function countedKms({ credentials, region = 'us-east-1', dangerEndpoint }) {
  const where = dangerEndpoint === undefined ? { useFipsEndpoint: true } : { endpoint: dangerEndpoint };
  const client = new KMSClient({ region, credentials, maxAttempts: 1, ...where });
  const adapter = awsKms(client, { dangerEndpoint });
  return {
    calls: 0,
    send(request, plaintext) {
      this.calls += 1;
      return adapter.send(request, plaintext);
    },
  };
}

/** The credentials that the local KMS takes for an org's. */
export function localCredentials(org) {
  return { accessKeyId: `sr-${Buffer.from(org).toString('base64url')}`, secretAccessKey: 'local' };
}
