// Within `active_max_age` every running host follows a rotation and a tombstone of another.
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { after as afterAll, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { names, OWNER, pathOf, READER, World } from './support/world.mjs';

const AT = { org: OWNER, table: 'hosts', record: 'h-1', field: 'password' };
const AGE = { active_max_age: 1 };
const PAST = 1_100;
let world;

before(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

const seal = (worker) => worker.ask('seal', { bind: AT, pt: 'aa', scope: 'org' });
const refOf = (env) => Buffer.from(env.slice(8, 72), 'hex').toString('base64url');

/** A session of each host, warm: each has sealed. */
async function warm(store, org = OWNER) {
  const workers = await Promise.all(names.map((host) => world.session(host, store, org, AGE)));
  await workers[0].ask('rotate');
  const envelopes = await Promise.all(workers.map((worker) => worker.ask('seal', { bind: { ...AT, org }, pt: 'aa', scope: 'org' })));
  return { workers, envelopes };
}

for (const [at, host] of names.entries()) {
  test(`when ${host} rotates, the others stop sealing under the old version in time`, async () => {
    const { workers, envelopes } = await warm(world.newStore());
    const { dekRef } = await workers[at].ask('rotate');
    await sleep(PAST);
    for (const worker of workers) {
      assert.equal(refOf(await seal(worker)), dekRef);
      assert.equal(await worker.ask('open', { bind: AT, env: envelopes[at] }), 'aa', 'what was sealed before still opens');
    }
    for (const worker of workers) await world.done(worker);
  });

  test(`when ${host} shreds, the others stop working for that org in time, and for no other`, async () => {
    const store = world.newStore();
    const { workers, envelopes } = await warm(store);
    const { workers: others } = await warm(store, READER);
    await workers[at].ask('tombstone_row');
    await sleep(PAST);
    for (const worker of workers) {
      assert.equal(await worker.refusal('seal', { bind: AT, pt: 'aa', scope: 'org' }), 'ORG_TOMBSTONED');
      assert.equal(await worker.refusal('open', { bind: AT, env: envelopes[at] }), 'ORG_TOMBSTONED');
      assert.equal(await worker.refusal('rotate'), 'ORG_TOMBSTONED');
    }
    for (const worker of others) await worker.ask('seal', { bind: { ...AT, org: READER }, pt: 'aa', scope: 'org' });
    for (const worker of [...workers, ...others]) await world.done(worker);
  });
}

test('while the store is away sealing is refused once the row is old, and opening goes on', async () => {
  const store = world.newStore();
  const { workers, envelopes } = await warm(store);
  for (const worker of workers) await worker.ask('store_down', { is: true });
  await sleep(PAST);
  for (const [at, worker] of workers.entries()) {
    assert.equal(await worker.refusal('seal', { bind: AT, pt: 'aa', scope: 'org' }), 'STORE_UNAVAILABLE', names[at]);
    assert.equal(await worker.ask('open', { bind: AT, env: envelopes[0] }), 'aa', names[at]);
  }
  for (const worker of workers) await worker.ask('store_down', { is: false });
  for (const worker of workers) await seal(worker);
  for (const worker of workers) await world.done(worker);
});

test('a file that was moved away under a running host is no reason to make a key by accident', async () => {
  const store = world.newStore();
  const { workers } = await warm(store);
  renameSync(pathOf(store), `${pathOf(store)}.away`);
  for (const host of names) {
    // A new process finds nothing there.
    await world.with(host, store, async (worker) => {
      assert.equal(await worker.refusal('seal', { bind: AT, pt: 'aa', scope: 'org' }), 'NO_ACTIVE_DEK');
    });
  }
  for (const worker of workers) await world.done(worker);
});
