// The seals of a whole fleet are counted before they are made: never one too many.
import assert from 'node:assert/strict';
import { after as afterAll, before, test } from 'node:test';

import { names, OWNER, World } from './support/world.mjs';

const AT = { org: OWNER, table: 'hosts', record: 'h-1', field: 'password' };
const KILLS = 20;
let world;

before(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

test('four processes and twenty kills seal no more than the limit, and use what the crashes left', async () => {
  const store = world.newStore();
  const limit = 60_000;
  const options = { fleet_seal_limit: limit };
  const start = (at) => world.session(names[at % names.length], store, OWNER, options);
  const fleet = await Promise.all([0, 1, 2, 3].map(start));
  await fleet[0].ask('rotate');
  let sealed = 0;
  let kills = 0;
  const exhausted = new Set();
  while (exhausted.size < fleet.length) {
    for (const [at, worker] of fleet.entries()) {
      if (exhausted.has(at)) continue;
      const answer = await worker.ask('seal_many', { bind: AT, n: 500 });
      sealed += answer.sealed;
      if (answer.err) {
        assert.equal(answer.err, 'BUDGET_EXHAUSTED');
        exhausted.add(at);
      } else if (kills < KILLS) {
        kills += 1;
        await worker.kill();
        fleet[at] = await start(at + kills);
      }
    }
  }
  assert.equal(kills, KILLS);
  assert.ok(sealed <= limit, `${sealed} seals`);
  // A crash loses at most its block: the blocks of young processes are the smallest.
  assert.ok(sealed > limit - KILLS * 1_024 - 4 * 1_024, `only ${sealed} seals`);
  const { dekRef } = await fleet[0].ask('active');
  assert.equal((await fleet[0].ask('usage', { dek_ref: dekRef })).reserved, limit);
  for (const worker of fleet) {
    const env = await worker.refusal('seal', { bind: AT, pt: 'aa', scope: 'org' });
    assert.equal(env, 'BUDGET_EXHAUSTED');
  }
  await fleet[0].ask('rotate');
  const env = await fleet[0].ask('seal', { bind: AT, pt: 'aa', scope: 'org' });
  assert.equal(await fleet[0].ask('open', { bind: AT, env }), 'aa');
  for (const worker of fleet) await world.done(worker);
});

for (const limit of [1, 2, 1_023, 1_024, 1_025, 3_072, 3_073]) {
  test(`of a limit of ${limit} exactly ${limit} are sealed, whoever seals`, async () => {
    for (const host of names) {
      const store = world.newStore();
      await world.with(host, store, (worker) => worker.ask('rotate'));
      await world.with(
        host,
        store,
        async (worker) => {
          const { sealed, err } = await worker.ask('seal_many', { bind: AT, n: limit + 5 });
          assert.deepEqual({ sealed, err }, { sealed: limit, err: 'BUDGET_EXHAUSTED' }, host);
          assert.equal((await worker.ask('seal_many', { bind: AT, n: 1 })).err, 'BUDGET_EXHAUSTED');
        },
        OWNER,
        { fleet_seal_limit: limit },
      );
    }
  });
}
