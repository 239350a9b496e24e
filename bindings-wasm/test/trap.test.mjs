// What a trap leaves behind: an instance that answers INTERNAL to everything, for ever.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AT, CMK, fresh, randomDek, refusal, reply, vaultWith } from './support/fixture.mjs';
import { count, watchMemory } from './support/memory.mjs';

const memories = watchMemory();

async function trapped() {
  const pkg = await fresh('../../../target/hazmat/wasm/dist/hazmat.js');
  pkg.initSync();
  const dek = randomDek();
  const { vault, row } = vaultWith(pkg, dek);
  const envelope = vault.seal(AT, new Uint8Array(3));
  const memory = memories.at(-1);
  assert.ok(count(memory, dek) > 0, 'the scan finds what is there');
  assert.throws(() => pkg.raw.hzTrap(), refusal('INTERNAL'));
  return { pkg, vault, row, envelope, dek, memory };
}

test('a trap is INTERNAL, and so is everything after it', async () => {
  const { pkg, vault, row, envelope } = await trapped();
  const calls = [
    () => new pkg.Vault(),
    () => pkg.version(),
    () => pkg.inspect(envelope),
    () => vault.open(AT, envelope),
    () => vault.seal(AT, new Uint8Array(3)),
    () => vault.status(),
    () => vault.unwrapRequest('acme', row),
    () => vault.signOut(),
  ];
  for (const call of [...calls, ...calls]) assert.throws(call, refusal('INTERNAL'));
});

test('a trap wipes the memory, DEKs and all', async () => {
  const { dek, memory } = await trapped();
  assert.equal(count(memory, dek.subarray(0, 16)), 0);
  assert.equal(count(memory, dek.subarray(16)), 0);
});

test("after a trap a reply's plaintext is wiped all the same", async () => {
  const { vault, row, dek } = await trapped();
  const answer = reply({ endpoint: 'https://kms-fips.us-east-1.amazonaws.com' }, dek);
  assert.throws(() => vault.admit('acme', row, answer), refusal('INTERNAL'));
  assert.deepEqual(answer.Plaintext, new Uint8Array(32));
});

test('a trap of one instance leaves another alive', async () => {
  const other = await fresh('../../../target/hazmat/wasm/dist/hazmat.js');
  other.initSync();
  await trapped();
  const { vault } = vaultWith(other, randomDek());
  assert.equal(vault.mintRequest('acme', CMK, 2, 1_761_955_200).op, 'GenerateDataKey');
});
