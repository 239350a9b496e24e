// The module's linear memory in the released package: what may be in it, and when.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AT, CMK, fresh, randomDek, refusal, reply, vaultWith } from './support/fixture.mjs';
import { count, watchMemory } from './support/memory.mjs';

const memories = watchMemory();
const pkg = await fresh('../../dist/inline.js');
pkg.initSync();
const [memory] = memories;

/** The DEK and either half of it. */
function pieces(dek) {
  return [dek, dek.subarray(0, 16), dek.subarray(16)];
}

function found(needles) {
  return needles.map((needle) => count(memory, needle));
}

test('a DEK is in memory before close, and neither it nor a half of it after', () => {
  const dek = randomDek();
  const { vault } = vaultWith(pkg, dek);
  vault.open(AT, vault.seal(AT, new Uint8Array(100)));
  assert.ok(Math.min(...found(pieces(dek))) > 0, 'the scan finds what is there');
  vault.close();
  assert.deepEqual(found(pieces(dek)), [0, 0, 0]);
});

test('sign_out leaves no DEK', () => {
  const dek = randomDek();
  const { vault } = vaultWith(pkg, dek);
  assert.ok(count(memory, dek) > 0);
  vault.signOut();
  assert.deepEqual(found(pieces(dek)), [0, 0, 0]);
  vault.close();
});

test('a record DEK that was handed out for a KMS request is gone after close', () => {
  const { vault } = vaultWith(pkg, randomDek());
  const row = vault.generateRecordDek('acme', 'hosts', 'h-17', 1, 1_761_955_200);
  const dekRef = Buffer.from(row.dekRef, 'base64url');
  const request = vault.wrapRequest(dekRef, CMK, 1_761_955_200);
  const dek = vault.takeRequestPlaintext(request.id);
  assert.ok(count(memory, dek) > 0, 'the scan finds what is there');
  vault.close();
  assert.deepEqual(found(pieces(dek)), [0, 0, 0]);
});

test('a DEK that is refused leaves nothing behind', () => {
  const { vault, row } = vaultWith(pkg, randomDek());
  const request = vault.unwrapRequest('acme', row);
  const dek = randomDek();
  assert.throws(() => vault.admit('acme', row, reply(request, dek)), refusal('KEY_MISMATCH'));
  assert.deepEqual(found(pieces(dek)), [0, 0, 0]);
  vault.close();
});

test('no plaintext is left after seal, open, reseal, batches, or a failed open', () => {
  const { vault } = vaultWith(pkg, randomDek());
  const secret = crypto.getRandomValues(new Uint8Array(4096));
  const needles = [secret.subarray(0, 16), secret.subarray(2048, 2064), secret.subarray(4080)];
  const none = [0, 0, 0];

  const envelope = vault.seal(AT, secret, { padded: true });
  assert.deepEqual(found(needles), none, 'seal');
  assert.deepEqual(vault.open(AT, envelope), secret);
  assert.deepEqual(found(needles), none, 'open');
  vault.reseal(AT, envelope);
  assert.deepEqual(found(needles), none, 'reseal');
  vault.rebind(AT, { ...AT, record: 'h-18' }, envelope);
  assert.deepEqual(found(needles), none, 'rebind');
  const [sealed] = vault.sealMany([{ binding: AT, plaintext: secret }]);
  assert.deepEqual(found(needles), none, 'sealMany');
  const [opened] = vault.openMany([{ binding: AT, envelope: sealed.value }]);
  assert.deepEqual(opened.value, secret);
  assert.deepEqual(found(needles), none, 'openMany');
  assert.throws(() => vault.open({ ...AT, record: 'h-18' }, envelope), refusal('AUTH_FAILED'));
  assert.deepEqual(found(needles), none, 'a failed open');
  vault.close();
});
