// A process is ended by SIGKILL at each point; a plain second run, by another host, finishes what it began.
import assert from 'node:assert/strict';
import { after as afterAll, before, test } from 'node:test';

import { finished, POINTS } from './support/points.mjs';
import { holds, recordIn } from './support/record.mjs';
import { after, names, World } from './support/world.mjs';
import { Gone } from './support/worker.mjs';

let world;
const prepared = new Map();

before(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

/** A store with the record in it: made once, and copied. */
async function storeFor(host, { scope = 'org', share = [], prepare }) {
  const make = async () => {
    const store = await recordIn(world, host, scope, share);
    if (prepare) await world.with(host, store, prepare);
    return store;
  };
  const name = JSON.stringify([scope, share, prepare?.name]);
  if (!prepared.has(name)) prepared.set(name, await make());
  return world.copyOf(prepared.get(name));
}

for (const host of names) {
  for (const point of POINTS) {
    for (const n of point.n) {
      test(`${host}: killed in ${point.op} after call ${n} of ${point.at}`, async () => {
        const store = await storeFor(host, point);
        const victim = await world.session(host, store);
        await victim.ask('kill', { at: point.at, n });
        await assert.rejects(victim.ask(point.op, point.members), (error) => error instanceof Gone && error.signal === 'SIGKILL');
        await world.done(victim);
        const second = after(host);
        await world.with(second, store, async (worker) => {
          await worker.ask(point.op, point.members);
          await finished(point.op, worker);
        });
        await holds(world, store, second, point.then);
      });
    }
  }
}

test('a point that is never reached kills nobody, and is found out', async () => {
  const store = await storeFor(names[0], {});
  await world.with(names[0], store, async (worker) => {
    await worker.ask('kill', { at: 'kms.GenerateDataKey', n: 2 });
    await assert.rejects(
      assert.rejects(worker.ask('rotate'), (error) => error instanceof Gone),
      assert.AssertionError,
    );
  });
});
