// One worker of workers.test.mjs: does its job and posts what it saw.
import { parentPort, workerData } from 'node:worker_threads';

import { AT, codeOf, ENDPOINT, raw, ready, strongroom, utf8 } from './support.mjs';

const { job, number, shared, rounds, row, dek, atWork } = workerData;
const PLACE = [AT.org, AT.table, `record of ${number}`, AT.field, undefined];
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

function sealShared(plaintext) {
  const out = new Uint8Array(raw.sealedLength(plaintext.length, false));
  raw.seal(shared, ...PLACE, plaintext, 0, false, out);
  return out;
}

function openShared(envelope, place = PLACE) {
  const out = new Uint8Array(envelope.length - 68);
  raw.open(shared, ...place, envelope, out);
  return out;
}

function mix() {
  const seen = { sealed: 0, opened: 0, refused: 0, wrong: [] };
  for (let round = 0; round < rounds; round++) {
    const plaintext = utf8(`${number}/${round}`.padEnd(round % 300, '.'));
    // In the vault that all share ...
    const envelope = sealShared(plaintext);
    if (!same(openShared(envelope), plaintext)) seen.wrong.push(`shared ${round}`);
    if (codeOf(() => openShared(envelope, [...PLACE.slice(0, 3), 'other', undefined])) === 'AUTH_FAILED') seen.refused++;
    // ... and in one of its own, made, filled and closed in every round.
    const own = new strongroom.Vault();
    if (codeOf(() => own.open({ ...AT, record: PLACE[2] }, envelope)) === 'UNKNOWN_DEK') seen.refused++;
    own.admit(AT.org, row, { endpoint: ENDPOINT, KeyId: row.keyId, Plaintext: Uint8Array.from(dek) });
    if (!same(own.open({ ...AT, record: PLACE[2] }, envelope), plaintext)) seen.wrong.push(`own ${round}`);
    const other = ready().vault;
    other.seal(AT, plaintext);
    other.close();
    own.close();
    if (codeOf(() => own.open({ ...AT, record: PLACE[2] }, envelope)) === 'BAD_INPUT') seen.refused++;
    seen.sealed += 2;
    seen.opened += 2;
  }
  return seen;
}

function untilClosed() {
  const seen = { rounds: 0, code: undefined, wrong: [] };
  const plaintext = utf8(`worker ${number}`);
  for (;;) {
    try {
      if (!same(openShared(sealShared(plaintext)), plaintext)) seen.wrong.push(seen.rounds);
      if (++seen.rounds === 1) Atomics.add(atWork, 0, 1);
    } catch (error) {
      return { ...seen, code: error.code };
    }
  }
}

function forEver() {
  const { vault } = ready();
  parentPort.postMessage('working');
  for (;;) vault.open(AT, vault.seal(AT, utf8('for ever')));
}

const jobs = {
  'mix': mix,
  'until closed': untilClosed,
  'leave open': () => ({ handle: raw.vaultNew('{}') }),
  'for ever': forEver,
};
parentPort.postMessage(jobs[job]());
