// Hosts of three languages that do the same thing, or its opposite, at the same time.
import assert from 'node:assert/strict';
import { after as afterAll, before, test } from 'node:test';

import { holds, opensNone, PLACE, recordIn } from './support/record.mjs';
import { names, OWNER, READER, REVOKED, World } from './support/world.mjs';

const ROUNDS = 20;
const AT = { org: OWNER, table: 'hosts', record: 'h-1', field: 'password' };
let world;

before(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

/** A session of each host on one store. */
const everyHost = (store, options) => Promise.all(names.map((host) => world.session(host, store, OWNER, options)));
const doneAll = (workers) => Promise.all(workers.map((worker) => world.done(worker)));

test('of hosts that rotate at once one wins each round, and no envelope is under a DEK without a row', async () => {
  const store = world.newStore();
  const workers = await everyHost(store, { active_max_age: 1 });
  await workers[0].ask('rotate');
  const envelopes = [];
  for (let round = 2; round <= ROUNDS + 1; round += 1) {
    const rows = await Promise.all(workers.map((worker) => worker.ask('rotate')));
    const stored = await workers[0].ask('active');
    for (const row of rows) assert.ok(row.version >= round && row.version <= stored.version, `round ${round}`);
    assert.ok(rows.some(({ dekRef }) => dekRef === stored.dekRef), 'the stored row is nobody\'s');
    for (const worker of workers) envelopes.push(await worker.ask('seal', { bind: AT, pt: '00ff', scope: 'org' }));
  }
  const known = new Set((await workers[0].ask('rows_by_owner', { owner: OWNER })).map(({ dekRef }) => dekRef));
  for (const [at, env] of envelopes.entries()) {
    assert.ok(known.has(Buffer.from(env.slice(8, 72), 'hex').toString('base64url')), 'sealed under a DEK without a row');
    assert.equal(await workers[at % workers.length].ask('open', { bind: AT, env }), '00ff');
  }
  await doneAll(workers);
});

test('hosts that promote at once leave every field open', async () => {
  const store = await recordIn(world, names[0], 'org');
  const workers = await everyHost(store);
  await Promise.all(workers.map((worker) => worker.ask('promote', PLACE)));
  await doneAll(workers);
  await holds(world, store, names[0]);
});

test('hosts that revoke the same reader at once leave every field open, and not to that reader', async () => {
  const store = await recordIn(world, names[0], 'record', [READER, REVOKED]);
  const workers = await everyHost(store);
  await Promise.all(workers.map((worker) => worker.ask('revoke', { ...PLACE, reader: REVOKED })));
  await doneAll(workers);
  await world.with(names[0], store, (worker) => opensNone(worker), REVOKED);
  await holds(world, store, names[0], { refused: [REVOKED] });
});

test('a promotion against a revocation leaves every field open', async () => {
  const store = await recordIn(world, names[0], 'record', [READER, REVOKED]);
  const workers = await everyHost(store);
  await Promise.all([
    workers[0].ask('promote', PLACE),
    workers[1].ask('revoke', { ...PLACE, reader: REVOKED }),
    workers[2 % workers.length].ask('promote', PLACE),
  ]);
  await doneAll(workers);
  await holds(world, store, names[0], { readers: [READER], refused: [REVOKED] });
});

test('a record of forty fields is shared with five orgs by one KMS call each', async () => {
  // Two readers stand for five: each share is one Encrypt, however many fields there are.
  const store = await recordIn(world, names[0], 'record');
  for (const host of names) {
    await world.with(host, store, async (worker) => {
      await worker.ask('open_fields', { owner: OWNER, ...PLACE });
      const before = await worker.ask('kms_calls');
      for (const reader of [READER, REVOKED]) await worker.ask('share', { ...PLACE, reader });
      const calls = (await worker.ask('kms_calls')) - before;
      assert.ok(calls <= 2, `${calls} calls`);
    });
  }
});
