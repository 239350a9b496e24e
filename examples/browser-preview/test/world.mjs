// A local KMS, two orgs and a few fields of each that were sealed in Node, for the page to open.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { JsonLinesStore, KmsVault, toText } from '@strongroom/node';
import { awsKms } from '@strongroom/node/aws-kms';

export const PASSWORD = { table: 'connectionProtocols', record: 'h-17', field: 'password.ssh' };

/** Starts everything. `options` are those that the page is served with, for org `northwind`. */
export async function startWorld() {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-preview-'));
  const port = await freePort();
  const serve = ['kms', 'serve', '--dir', join(folder, 'kms'), '--allow-origin', `http://127.0.0.1:${port}`];
  const kms = spawn(process.env.STRONGROOM_CLI, serve, { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await once(createInterface({ input: kms.stdout }), 'line');
  const { endpoint } = JSON.parse(line);

  const world = { cmks: {}, kms: endpoint, store: join(folder, 'store.jsonl'), exported: join(folder, 'export.jsonl') };
  const lines = [];
  for (const org of ['northwind', 'contoso']) lines.push(...(await sealSome(org, world)));
  // A password that somebody with the database moved to another host.
  lines.push({ ...lines.find(({ org, record }) => org === 'northwind' && record === PASSWORD.record), record: 'h-18' });
  writeFileSync(world.exported, lines.map((item) => `${JSON.stringify(item)}\n`).join(''));

  return {
    options: { ...world, org: 'northwind', port, manifest: fileURLToPath(new URL('../../product/fields.json', import.meta.url)) },
    folder,
    /** The KMS's log: what was asked, in order. */
    log: () => readFileSync(join(folder, 'kms/log.jsonl'), 'utf8').trim().split('\n').map(called),
    close() {
      kms.kill('SIGKILL');
      rmSync(folder, { recursive: true });
    },
  };
}

async function sealSome(org, { cmks, kms: dangerEndpoint, store }) {
  const credentials = { accessKeyId: `sr-${Buffer.from(org).toString('base64url')}`, secretAccessKey: 'local' };
  const client = new KMSClient({ region: 'us-east-1', credentials, endpoint: dangerEndpoint });
  const key = await client.send(new CreateKeyCommand({ Tags: [{ TagKey: 'strongroom-org', TagValue: org }] }));
  cmks[org] = [key.KeyMetadata.Arn];
  const kms = awsKms(client, { dangerEndpoint });
  const vault = KmsVault.create({ org, cmks: { [org]: cmks[org] }, kms, store: new JsonLinesStore(store), dangerEndpoint });
  await vault.rotate();
  await vault.generateRecordDek('procedures', 'p-1');
  const sealed = [];
  for (const [place, text, scope] of [
    [PASSWORD, `correct horse of ${org}`, 'org'],
    [{ table: 'procedures', record: 'p-1', field: 'body' }, '# Steps', 'record'],
  ]) {
    const envelope = await vault.seal({ org, ...place }, new TextEncoder().encode(text), { scope });
    sealed.push({ org, ...place, envelope: toText(envelope) });
  }
  vault.close();
  return sealed;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** What a line of the log says, which has CloudTrail's shape. */
function called(line) {
  const { eventName, errorCode, additionalEventData: { callerOrg } } = JSON.parse(line);
  return { callerOrg, operation: eventName, result: errorCode ?? 'ok' };
}
