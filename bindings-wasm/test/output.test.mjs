// The border below the API, in a test build: what becomes of the buffer that an answer goes into.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AT, CMK, CREATED, fresh, randomDek, refusal } from './support/fixture.mjs';
import { count, watchMemory } from './support/memory.mjs';

const memories = watchMemory();
const pkg = await fresh('../../../target/hazmat/wasm/dist/hazmat.js');
pkg.initSync();
const [memory] = memories;
const { raw } = pkg;

const PLACE = Object.values(AT);
const SECRET = crypto.getRandomValues(new Uint8Array(4096));
const ENDPOINT = 'https://kms-fips.us-east-1.amazonaws.com';

/** A vault's handle and an envelope under its DEK. */
function sealed() {
  const handle = raw.vaultNew('{}');
  const { id } = JSON.parse(raw.mintRequest(handle, 'acme', CMK, 1, CREATED));
  const minted = raw.admitMinted(handle, id, ENDPOINT, undefined, CMK, randomDek(), new Uint8Array(96));
  raw.setActive(handle, JSON.stringify(JSON.parse(minted).active));
  const out = new Uint8Array(SECRET.length + 68);
  assert.equal(raw.seal(handle, ...PLACE, undefined, SECRET, 0, false, out), out.length);
  return { handle, envelope: out };
}

function marked(length) {
  return new Uint8Array(length).fill(0xa5);
}

test('a failed open leaves the output as it was, and none of the plaintext in memory', () => {
  const { handle, envelope } = sealed();
  const failures = [
    [{ bit: 4 }, 'NOT_AN_ENVELOPE'],
    [{ bit: 20 * 8 }, 'UNKNOWN_DEK'],
    [{ bit: 45 * 8 }, 'AUTH_FAILED'],
    [{ bit: 2000 * 8 }, 'AUTH_FAILED'],
    [{ bit: envelope.length * 8 - 1 }, 'AUTH_FAILED'],
    [{ place: ['acme', 'hosts', 'h-18', 'password'] }, 'AUTH_FAILED'],
    [{ revision: 1n }, 'AUTH_FAILED'],
  ];
  for (const [{ bit, place = PLACE, revision }, code] of failures) {
    const given = envelope.slice();
    if (bit !== undefined) given[bit >> 3] ^= 1 << (bit & 7);
    const out = marked(SECRET.length);
    assert.throws(() => raw.open(handle, ...place, revision, given, out), refusal(code));
    assert.deepEqual(out, marked(SECRET.length));
    for (let at = 0; at < SECRET.length; at += 256) assert.equal(count(memory, SECRET.subarray(at, at + 16)), 0);
  }
  const out = marked(SECRET.length);
  assert.equal(raw.open(handle, ...PLACE, undefined, envelope, out), SECRET.length);
  assert.deepEqual(out, SECRET);
  raw.vaultClose(handle);
});

test('an output that is too short is refused and left alone', () => {
  const { handle, envelope } = sealed();
  for (const length of [0, 1, SECRET.length - 1]) {
    const out = marked(length);
    assert.throws(() => raw.open(handle, ...PLACE, undefined, envelope, out), refusal('BAD_INPUT'));
    assert.deepEqual(out, marked(length));
  }
  raw.vaultClose(handle);
});

test('what lies behind the plaintext in a longer output stays', () => {
  const { handle, envelope } = sealed();
  const out = marked(SECRET.length + 10);
  assert.equal(raw.open(handle, ...PLACE, undefined, envelope, out), SECRET.length);
  assert.deepEqual(out.subarray(SECRET.length), marked(10));
  raw.vaultClose(handle);
});

test('whatever is no handle is as unknown as a closed one', () => {
  const { handle, envelope } = sealed();
  raw.vaultClose(handle);
  raw.vaultClose(handle);
  for (const number of [handle, handle + 1, 0, 0xffff_ffff]) {
    const out = marked(SECRET.length);
    assert.throws(() => raw.open(number, ...PLACE, undefined, envelope, out), refusal('BAD_INPUT'));
    assert.throws(() => raw.status(number), refusal('BAD_INPUT'));
    assert.deepEqual(out, marked(SECRET.length));
  }
});
