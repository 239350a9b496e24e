import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { AT, codeOf, ENDPOINT, raw, ready, CMK, NOW, TestKms, utf8 } from './support.mjs';

const SCRIPT = new URL('./workers.worker.mjs', import.meta.url);

async function answers(workerData) {
  const worker = new Worker(SCRIPT, { workerData });
  const [[answer]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  return answer;
}

/** A vault known by its number alone, so that every worker can use it. */
function sharedVault() {
  const kms = new TestKms();
  const shared = raw.vaultNew('{}');
  const request = JSON.parse(raw.mintRequest(shared, AT.org, CMK, 1, NOW));
  const reply = kms.answer(request);
  const dek = reply.Plaintext.slice();
  const { row, active } = JSON.parse(
    raw.admitMinted(shared, request.id, ENDPOINT, undefined, reply.KeyId, reply.Plaintext, reply.CiphertextBlob));
  raw.setActive(shared, JSON.stringify(active));
  return { shared, row, dek };
}

test('eight workers seal, open, admit and close at the same time', async () => {
  // All work in one vault, and each admits the same DEK into vaults of its own.
  const { shared, row, dek } = sharedVault();
  const data = { job: 'mix', shared, dek, row, rounds: 400 };
  const all = await Promise.all(Array.from({ length: 8 }, (_, number) => answers({ ...data, number })));
  for (const { sealed, opened, refused, wrong } of all) {
    assert.deepEqual(wrong, []);
    assert.equal(sealed, 2 * data.rounds);
    assert.equal(opened, 2 * data.rounds);
    assert.equal(refused, 3 * data.rounds);
  }
  const [status] = JSON.parse(raw.status(shared));
  assert.equal(status.seals, 8 * data.rounds);
});

test('a vault closed while others use it answers rightly or not at all', async () => {
  const { shared } = sharedVault();
  const atWork = new Int32Array(new SharedArrayBuffer(4));
  const running = Array.from({ length: 8 }, (_, number) => answers({ job: 'until closed', shared, number, atWork }));
  while (Atomics.load(atWork, 0) < 8) await setTimeout(5);
  raw.vaultClose(shared);
  for (const { rounds, code, wrong } of await Promise.all(running)) {
    assert.deepEqual(wrong, []);
    assert.ok(rounds >= 1);
    assert.equal(code, 'BAD_INPUT');
  }
});

test("a worker's vaults end with it", async () => {
  const { handle } = await answers({ job: 'leave open' });
  assert.equal(codeOf(() => raw.status(handle)), 'BAD_INPUT');
  const mine = raw.vaultNew('{}');
  await answers({ job: 'leave open' });
  raw.status(mine);
});

test('a worker that is ended in the middle of its work takes nothing down', async () => {
  const { vault } = ready();
  const envelope = vault.seal(AT, utf8('still here'));
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(SCRIPT, { workerData: { job: 'for ever' } });
    await once(worker, 'message');
    await worker.terminate();
  }
  assert.deepEqual(vault.open(AT, envelope), utf8('still here'));
});
