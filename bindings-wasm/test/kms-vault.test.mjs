// The ready-made loop over the released module, with the AWS SDK and the development KMS.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';

import { awsKms } from '../dist/aws-kms.js';
import * as pkg from '../dist/inline.js';
import { MemoryStore as OtherStore } from '../dist/kms-vault.js';
import { AT, refusal } from './support/fixture.mjs';
import { serveKms } from './support/kms.mjs';

const { KmsVault, MemoryStore } = pkg;
const SECRET = new TextEncoder().encode('hunter2');
const folder = mkdtempSync(join(tmpdir(), 'strongroom-'));
let local;
before(async () => {
  pkg.initSync();
  local = await serveKms(join(folder, 'kms'));
});
after(() => {
  local?.close();
  rmSync(folder, { recursive: true });
});

function clientOf(org, endpoint = local.endpoint) {
  const credentials = { accessKeyId: `sr-${Buffer.from(org).toString('base64url')}`, secretAccessKey: 'local' };
  return new KMSClient({ region: 'us-east-1', credentials, endpoint, maxAttempts: 1 });
}

async function newCmk(org) {
  const made = await clientOf(org).send(new CreateKeyCommand({ Tags: [{ TagKey: 'strongroom-org', TagValue: org }] }));
  return made.KeyMetadata.Arn;
}

/** One org's session over this store; `caller` is whose credentials the KMS sees. */
function session({ org = 'acme', caller = org, cmks, store }) {
  const dangerEndpoint = local.endpoint;
  return KmsVault.create({ org, cmks, kms: awsKms(clientOf(caller), { dangerEndpoint }), store, dangerEndpoint });
}

/** The KMS operations that some work costs. */
async function costs(work) {
  const before = local.operations().length;
  await work();
  return local.operations().slice(before);
}

test('a field sealed in one session opens in the next, for one KMS call, and none when the key is held', async () => {
  const store = new MemoryStore();
  const cmks = { acme: [await newCmk('acme')] };
  const first = session({ cmks, store });
  await first.rotate();
  const envelope = await first.seal(AT, SECRET);
  first.close();

  const second = session({ cmks, store });
  const opening = async () => assert.deepEqual(await second.open(AT, envelope), SECRET);
  assert.deepEqual(await costs(() => Promise.all(Array.from({ length: 20 }, opening))), ['Decrypt']);
  assert.deepEqual(await costs(opening), []);
  await assert.rejects(second.open({ ...AT, record: 'h-18' }, envelope), refusal('AUTH_FAILED'));
  second.close();
  await assert.rejects(second.open(AT, envelope), refusal('BAD_INPUT'));
});

test("another org's credentials get nothing, and are refused once", async () => {
  const store = new MemoryStore();
  const cmks = { acme: [await newCmk('acme')] };
  const owner = session({ cmks, store });
  await owner.rotate();
  const envelope = await owner.seal(AT, SECRET);

  const thief = session({ caller: 'globex', cmks, store });
  const trying = () => assert.rejects(thief.open(AT, envelope), refusal('KMS_DENIED'));
  assert.deepEqual(await costs(trying), ['Decrypt'], 'denied is final');
  assert.deepEqual(await owner.open(AT, envelope), SECRET);
  owner.close();
  thief.close();
});

test('a row that names a CMK that the session was not told of is not asked for', async () => {
  const store = new MemoryStore();
  const owner = session({ cmks: { acme: [await newCmk('acme')] }, store });
  await owner.rotate();
  const envelope = await owner.seal(AT, SECRET);
  const other = session({ cmks: { acme: [await newCmk('acme')] }, store });
  assert.deepEqual(await costs(() => assert.rejects(other.open(AT, envelope))), []);
  owner.close();
  other.close();
});

test('a shared record opens for its reader, with no byte of it changed', async () => {
  const store = new MemoryStore();
  const mine = await newCmk('acme');
  const theirs = await newCmk('globex');
  const owner = session({ cmks: { acme: [mine], globex: [theirs] }, store });
  await owner.rotate();
  await owner.generateRecordDek(AT.table, AT.record);
  const envelope = await owner.seal(AT, SECRET, { scope: 'record' });
  const reader = session({ org: 'globex', cmks: { globex: [theirs] }, store });
  await assert.rejects(reader.open(AT, envelope), refusal('UNKNOWN_DEK'), 'not shared yet');
  await owner.share(AT.table, AT.record, 'globex', theirs);
  assert.deepEqual(await reader.open(AT, envelope), SECRET);
  owner.close();
  reader.close();
});

test('the adapter lets nothing but the one endpoint through', async () => {
  const cmks = { acme: [await newCmk('acme')] };
  const kms = awsKms(clientOf('acme'));
  const vault = KmsVault.create({ org: 'acme', cmks, kms, store: new MemoryStore() });
  assert.deepEqual(await costs(() => assert.rejects(vault.rotate(), refusal('ENDPOINT_POLICY'))), []);
  vault.close();
  assert.throws(() => awsKms(clientOf('acme'), { dangerEndpoint: 'http://192.0.2.1/' }), refusal('ENDPOINT_POLICY'));
});

test("adapters and stores of another entry, with an error class of their own, are understood", async () => {
  assert.notEqual(OtherStore, MemoryStore);
  const store = new OtherStore();
  const cmks = { acme: [await newCmk('acme')] };
  const sessions = Array.from({ length: 4 }, () => session({ cmks, store }));
  // All but one lose the race for the first version: the store's PRECONDITION_FAILED makes them read again.
  await Promise.all(sessions.map((vault) => vault.rotate()));
  const envelope = await sessions[0].seal(AT, SECRET);
  for (const vault of sessions) {
    assert.deepEqual(await vault.open(AT, envelope), SECRET);
    vault.close();
  }
});

test('without cmks, a store or a KMS no session is made', () => {
  const whole = { org: 'acme', cmks: {}, kms: { send: () => {} }, store: new MemoryStore() };
  for (const missing of ['org', 'cmks', 'kms', 'store']) {
    assert.throws(() => KmsVault.create({ ...whole, [missing]: undefined }), refusal('BAD_INPUT'));
  }
  assert.throws(() => KmsVault.create({ ...whole, more: 1 }), refusal('UNKNOWN_OPTION'));
});

test('the loop writes no file', () => {
  assert.deepEqual(readdirSync(folder), ['kms'], 'only the KMS keeps files');
});
