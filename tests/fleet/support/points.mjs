// Where a process is killed: after which call of which operation, and what must be true afterwards.
import assert from 'node:assert/strict';

import { FIELDS, PLACE } from './record.mjs';
import { OWNER, READER, REVOKED } from './world.mjs';

/** Which of 40 fields, where not all are tried. */
const SAMPLE = [1, 2, 20, 39, 40];
const every = process.env.STRONGROOM_FLEET_ALL === '1';
const ofFields = every ? Array.from({ length: FIELDS }, (_, at) => at + 1) : SAMPLE;

const revoking = { op: 'revoke', members: { ...PLACE, reader: REVOKED }, scope: 'record', share: [READER, REVOKED] };
const afterRevoke = { readers: [READER], refused: [REVOKED] };
const promoting = { op: 'promote', members: PLACE, scope: 'org' };
/** A second version, so that something of the first is left over. */
const rotatedTwice = async (worker) => void (await worker.ask('rotate'));

/**
 * `op` with `members` is killed at the n-th call of `at`, and run again plainly. The record is sealed in
 * `scope` and shared with `share` before, then `prepare` runs; `then` says who may open it afterwards.
 */
export const POINTS = [
  { op: 'rotate', at: 'kms.GenerateDataKey', n: [1] },
  { op: 'rotate', at: 'store.putIfAbsent', n: [1] },
  { op: 'rotate', at: 'store.compareAndSetActive', n: [1] },
  { op: 'rotate', at: 'store.markInactive', n: [1] },
  { op: 'fill', members: { ...PLACE, scope: 'org', n: FIELDS }, at: 'kms.Decrypt', n: [1] },
  { op: 'fill', members: { ...PLACE, scope: 'org', n: FIELDS }, at: 'store.reserve', n: [1] },
  { op: 'share', members: { ...PLACE, reader: READER }, scope: 'record', at: 'kms.Encrypt', n: [1], then: { readers: [READER] } },
  { op: 'share', members: { ...PLACE, reader: READER }, scope: 'record', at: 'store.putIfAbsent', n: [1], then: { readers: [READER] } },
  { ...promoting, at: 'store.putIfAbsent', n: [1] },
  { ...promoting, at: 'store.reserve', n: [1, 2] },
  { ...promoting, at: 'fields.replace', n: ofFields },
  { ...revoking, at: 'kms.Encrypt', n: [1], then: afterRevoke },
  { ...revoking, at: 'store.putIfAbsent', n: [1, 2], then: afterRevoke },
  { ...revoking, at: 'fields.replace', n: ofFields, then: afterRevoke },
  { ...revoking, at: 'store.delete', n: [1, 2, 3], then: afterRevoke },
  { op: 'rewrap_local', scope: 'record', prepare: rotatedTwice, at: 'store.putIfAbsent', n: [1] },
  { op: 'retire', members: { version: 1 }, scope: 'record', prepare: retirable, at: 'store.delete', n: [1, 2] },
  { op: 'retire', members: { version: 1 }, scope: 'record', prepare: retirable, at: 'store.deleteUsage', n: [1] },
];

/** Rotated, re-wrapped and let a day pass, so that version 1 can go. */
async function retirable(worker) {
  const { dekRef } = await worker.ask('active');
  await worker.ask('mark_inactive', { dek_ref: dekRef, at: Math.floor(Date.now() / 1_000) - 86_400 });
  await worker.ask('rotate');
  assert.ok((await worker.ask('rewrap_local')) > 0);
}

/** What the second run must leave besides an intact record. */
export async function finished(op, worker) {
  if (op === 'rotate') {
    const { version, dekRef } = await worker.ask('active');
    assert.ok(version >= 2);
    assert.ok((await worker.ask('rows', { dek_ref: dekRef, reader: OWNER })).length > 0);
  }
  if (op === 'retire') {
    const rows = await worker.ask('rows_by_owner', { owner: OWNER });
    assert.deepEqual(rows.filter((row) => row.purpose === 'org-dek' && row.version === 1), [], 'version 1 is still there');
  }
  if (op === 'revoke') {
    const rows = await worker.ask('rows_by_owner', { owner: OWNER });
    assert.deepEqual(rows.filter((row) => row.reader === REVOKED), [], 'a row of the revoked reader is still there');
  }
}
