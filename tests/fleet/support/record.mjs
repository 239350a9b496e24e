// A record of many fields, and what must be true of it whatever happened.
import assert from 'node:assert/strict';

import { OWNER, READER, REVOKED, after } from './world.mjs';

export const FIELDS = 40;
export const PLACE = { table: 'procedures', record: 'p-17' };

const hex = (text) => Buffer.from(text, 'utf8').toString('hex');
const refOf = (env) => Buffer.from(env.slice(8, 72), 'hex').toString('base64url');

/** Everything that must be true of the owner's record, seen by another host than the one that worked. */
export async function holds(world, store, host, { readers = [], refused = [] } = {}) {
  await world.with(after(host), store, async (worker) => {
    await opensAll(worker);
    const fields = await worker.ask('fields', { owner: OWNER, ...PLACE });
    assert.equal(fields.length, FIELDS, 'a field is missing or twice');
    assert.equal(new Set(fields.map(({ field }) => field)).size, FIELDS);
    for (const dekRef of new Set(fields.map(({ env }) => refOf(env)))) {
      const rows = await worker.ask('rows', { dek_ref: dekRef, reader: OWNER });
      assert.ok(rows.length > 0, 'the row of an envelope was deleted');
    }
  });
  for (const org of readers) await world.with(host, store, (worker) => opensAll(worker), org);
  for (const org of refused) await world.with(host, store, (worker) => opensNone(worker), org);
}

/** Every field opens, once, with its own value. */
export async function opensAll(worker) {
  const opened = await worker.ask('open_fields', { owner: OWNER, ...PLACE });
  assert.equal(opened.length, FIELDS);
  for (const { field, pt, err } of opened) {
    assert.equal(err, undefined, `${field} does not open`);
    assert.equal(pt, hex(`value ${field.slice(2)} of ${PLACE.record}`), `${field} has another value`);
  }
}

/** No field opens, and nothing worse than an unknown DEK is said. */
export async function opensNone(worker) {
  const opened = await worker.ask('open_fields', { owner: OWNER, ...PLACE });
  assert.equal(opened.length, FIELDS);
  for (const { field, err } of opened) assert.equal(err, 'UNKNOWN_DEK', `${field} opens for whom it must not`);
}

/** An org with an active DEK of version 2 (so that there is an old one) and the record, sealed in this scope. */
export async function recordIn(world, host, scope, share = []) {
  const store = world.newStore();
  await world.with(host, store, async (worker) => {
    await worker.ask('rotate');
    if (scope === 'record') await worker.ask('promote', PLACE);
    await worker.ask('fill', { ...PLACE, scope, n: FIELDS });
    for (const reader of share) await worker.ask('share', { ...PLACE, reader });
  });
  for (const org of [READER, REVOKED]) await world.with(host, store, (worker) => worker.ask('rotate'), org);
  return store;
}
