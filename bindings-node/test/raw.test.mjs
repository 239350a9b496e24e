// The raw functions beneath the facade, called as no facade would: they must stand on their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AT, CMK, codeOf, ENDPOINT, NOW, raw, TestKms, utf8 } from './support.mjs';

const PLACE = [AT.org, AT.table, AT.record, AT.field, undefined];
const SECRET = utf8('correct horse battery staple');

function readyHandle(options = '{}') {
  const handle = raw.vaultNew(options);
  const kms = new TestKms();
  const request = JSON.parse(raw.mintRequest(handle, AT.org, CMK, 1, NOW));
  const { KeyId, Plaintext, CiphertextBlob } = kms.answer(request);
  const minted = JSON.parse(raw.admitMinted(handle, request.id, ENDPOINT, undefined, KeyId, Plaintext, CiphertextBlob));
  raw.setActive(handle, JSON.stringify(minted.active));
  return { handle, kms, ...minted };
}

function sealed(handle, plaintext = SECRET) {
  const out = new Uint8Array(raw.sealedLength(plaintext.length, false));
  assert.equal(raw.seal(handle, ...PLACE, plaintext, 0, false, out), out.length);
  return out;
}

test('an output that overlaps its input is refused and left alone', () => {
  const { handle } = readyHandle();
  const envelope = sealed(handle);
  const memory = new Uint8Array(1_000);
  memory.set(envelope, 100);
  const before = memory.slice();
  const input = memory.subarray(100, 100 + envelope.length);
  for (const [start, end] of [[0, 101], [100, 200], [110, 120], [100 + envelope.length - 1, 400], [0, 1_000]]) {
    const out = memory.subarray(start, end);
    assert.equal(codeOf(() => raw.open(handle, ...PLACE, input, out)), 'BAD_INPUT');
    assert.equal(codeOf(() => raw.seal(handle, ...PLACE, input, 0, false, out)), 'BAD_INPUT');
    assert.equal(codeOf(() => raw.openFrame(handle, input, out)), 'BAD_INPUT');
    assert.equal(codeOf(() => raw.sealFrame(handle, input, out)), 'BAD_INPUT');
    assert.deepEqual(memory, before);
  }
  // Twin: the same buffer, side by side.
  const length = raw.open(handle, ...PLACE, input, memory.subarray(100 + envelope.length));
  assert.deepEqual(memory.slice(100 + envelope.length, 100 + envelope.length + length), SECRET);
});

test('a failed open leaves the output as it was', () => {
  const { handle } = readyHandle();
  const envelope = sealed(handle);
  const changed = envelope.slice();
  changed[60] ^= 1;
  const full = new Uint8Array(SECRET.length);
  for (const [code, place, input, out] of [
    ['AUTH_FAILED', PLACE, changed, full],
    ['AUTH_FAILED', ['o1', 'hosts', 'r2', 'password', undefined], envelope, full],
    ['TRUNCATED', PLACE, envelope.subarray(0, 80), full],
    ['NOT_AN_ENVELOPE', PLACE, SECRET, full],
    ['BAD_INPUT', PLACE, envelope, full.subarray(1)],
    ['BAD_INPUT', PLACE, envelope, new Uint8Array(0)],
  ]) {
    out.fill(0xa5);
    assert.equal(codeOf(() => raw.open(handle, ...place, input, out)), code);
    assert.ok(out.every((byte) => byte === 0xa5));
  }
  assert.equal(raw.open(handle, ...PLACE, envelope, full), SECRET.length);
});

test('what is behind the plaintext in a larger output stays', () => {
  const { handle } = readyHandle();
  const out = new Uint8Array(100).fill(0xa5);
  const length = raw.open(handle, ...PLACE, sealed(handle), out);
  assert.deepEqual(out.slice(0, length), SECRET);
  assert.ok(out.subarray(length).every((byte) => byte === 0xa5));
});

test('whatever is no handle is as unknown as a closed one', () => {
  const { handle } = readyHandle();
  for (const stranger of [0, -1, 1.5, NaN, Infinity, 2 ** 32 + handle, '1', `${handle}`, null, undefined, {}, 1n, handle + 1]) {
    assert.equal(codeOf(() => raw.status(stranger)), 'BAD_INPUT');
    assert.equal(codeOf(() => raw.vaultClose(stranger)), 'nothing thrown');
  }
  raw.status(handle);
  raw.vaultClose(handle);
  raw.vaultClose(handle);
  assert.equal(codeOf(() => raw.status(handle)), 'BAD_INPUT');
  assert.notEqual(raw.vaultNew('{}'), handle);
});

test('strings are never repaired', () => {
  const { handle } = readyHandle();
  const out = new Uint8Array(200);
  const parts = ['\ud800', '\udfff', `${'x'.repeat(300)}\ud800`, 'a\ud83db', '', null, 5, {}, Symbol('s'), ['o1'], undefined];
  for (const part of parts) {
    for (let at = 0; at < 4; at++) {
      const place = [...PLACE];
      place[at] = part;
      assert.equal(codeOf(() => raw.seal(handle, ...place, SECRET, 0, false, out)), 'BAD_INPUT');
    }
  }
  // Twin: well-formed ones of every length around the one that is read in one call.
  for (const length of [1, 31, 62, 63, 64, 65, 500]) {
    const place = [AT.org, 'é'.repeat(length), '\u{1f511}'.repeat(Math.ceil(length / 2)), 'zero \0 inside', undefined];
    const end = raw.seal(handle, ...place, SECRET, 0, false, out);
    assert.equal(raw.open(handle, ...place, out.slice(0, end), new Uint8Array(SECRET.length)), SECRET.length);
    place[2] += 'x';
    assert.equal(codeOf(() => raw.open(handle, ...place, out.slice(0, end), new Uint8Array(SECRET.length))), 'AUTH_FAILED');
  }
});

test('numbers are never rounded or wrapped', () => {
  const handle = raw.vaultNew('{}');
  for (const version of [0, -1, 1.5, 2 ** 32, 2 ** 32 + 1, 2 ** 53, NaN, '1', null, undefined, 1n, true]) {
    assert.equal(codeOf(() => raw.mintRequest(handle, AT.org, CMK, version, NOW)), 'BAD_INPUT');
  }
  for (const created of [-1, 0.5, 2 ** 53, Infinity, '1', undefined, 1n]) {
    assert.equal(codeOf(() => raw.mintRequest(handle, AT.org, CMK, 1, created)), 'BAD_INPUT');
  }
  raw.mintRequest(handle, AT.org, CMK, 2 ** 32 - 1, 2 ** 53 - 1);
});

test('a revision is a bigint of 64 bits or absent', () => {
  const { handle } = readyHandle();
  const out = new Uint8Array(200);
  for (const revision of [-1n, 1n << 64n, -(1n << 64n), 1n << 200n, 1, '1', null, true, {}]) {
    assert.equal(codeOf(() => raw.seal(handle, ...PLACE.slice(0, 4), revision, SECRET, 0, false, out)), 'BAD_INPUT');
  }
  for (const revision of [undefined, 0n, (1n << 64n) - 1n]) raw.seal(handle, ...PLACE.slice(0, 4), revision, SECRET, 0, false, out);
});

test('bytes are a Uint8Array on memory of its own', () => {
  const { handle } = readyHandle();
  const detached = new Uint8Array(4);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  for (const value of [
    undefined, null, 'text', 5, {}, [1], new ArrayBuffer(4), new DataView(new ArrayBuffer(4)), new Uint8ClampedArray(4),
    new Int8Array(4), new Uint16Array(4), new Uint8Array(new SharedArrayBuffer(4)), detached,
  ]) {
    assert.equal(codeOf(() => raw.seal(handle, ...PLACE, value, 0, false, new Uint8Array(200))), 'BAD_INPUT');
    assert.equal(codeOf(() => raw.seal(handle, ...PLACE, SECRET, 0, false, value)), 'BAD_INPUT');
    assert.equal(codeOf(() => raw.missing(handle, value, Uint32Array.of(0))), 'BAD_INPUT');
    assert.equal(codeOf(() => raw.inspect(value)), 'BAD_INPUT');
  }
  assert.equal(sealed(handle, new Uint8Array(0)).length, 68);
});

test('scope and padding are 0, 1 or, to keep them, -1', () => {
  const { handle } = readyHandle();
  const out = new Uint8Array(200);
  for (const scope of [-1, 2, '0', null, undefined, true]) {
    assert.equal(codeOf(() => raw.seal(handle, ...PLACE, SECRET, scope, false, out)), 'BAD_INPUT');
  }
  for (const padded of [0, 1, 'true', null, undefined]) {
    assert.equal(codeOf(() => raw.seal(handle, ...PLACE, SECRET, 0, padded, out)), 'BAD_INPUT');
  }
  const envelope = sealed(handle);
  for (const [scope, padded] of [[-2, 0], [2, 0], [0, 2], [0, -2], [0.5, 0], [undefined, 0], [0, true]]) {
    assert.equal(codeOf(() => raw.reseal(handle, ...PLACE, envelope, scope, padded)), 'BAD_INPUT');
  }
  assert.equal(raw.reseal(handle, ...PLACE, envelope, -1, -1).length, envelope.length);
});

test('lengths that do not fit the envelopes are refused', () => {
  const { handle } = readyHandle();
  const envelope = sealed(handle);
  for (const lengths of [Uint32Array.of(envelope.length + 1), Uint32Array.of(envelope.length, 1), [envelope.length], undefined]) {
    assert.equal(codeOf(() => raw.missing(handle, envelope, lengths)), 'BAD_INPUT');
  }
  assert.equal(codeOf(() => raw.missing(handle, envelope, new Uint32Array(10_001))), 'LIMIT');
  assert.equal(raw.missing(handle, envelope, Uint32Array.of(envelope.length)).length, 0);
  const other = raw.vaultNew('{}');
  assert.deepEqual(raw.missing(other, envelope, Uint32Array.of(envelope.length)), envelope.slice(4, 36));
});

test('a DEK in a reply is wiped even if every other argument is wrong', () => {
  const { handle, row } = readyHandle();
  const text = JSON.stringify(row);
  const dek = () => new Uint8Array(40).fill(7).subarray(4, 36);
  const attempts = [
    (plaintext) => raw.admit(handle, AT.org, text, true, ENDPOINT, undefined, CMK, plaintext, undefined),
    (plaintext) => raw.admit(handle, AT.org, text, false, '', undefined, undefined, plaintext, undefined),
    (plaintext) => raw.admit(undefined, undefined, undefined, undefined, undefined, undefined, undefined, plaintext, undefined),
    (plaintext) => raw.admit({}, [], 5, 'yes', '\ud800', 5, {}, plaintext, 'blob'),
    (plaintext) => raw.admit(handle, AT.org, '{"v":1', true, ENDPOINT, undefined, CMK, plaintext, undefined),
    (plaintext) => raw.admit(handle, AT.org, text, true, ENDPOINT, undefined, CMK, plaintext, plaintext),
    (plaintext) => raw.admitMinted(handle, 77, ENDPOINT, undefined, CMK, plaintext, SECRET),
    (plaintext) => raw.admitMinted({}, {}, {}, {}, {}, plaintext, {}),
    (plaintext) => raw.admitShared(handle, 77, ENDPOINT, 'AccessDeniedException', CMK, plaintext, SECRET),
    (plaintext) => raw.cacheImport(handle, plaintext),
    (plaintext) => raw.cacheImport(undefined, plaintext),
  ];
  for (const attempt of attempts) {
    const plaintext = dek();
    assert.notEqual(codeOf(() => attempt(plaintext)), 'nothing thrown');
    assert.deepEqual(plaintext, new Uint8Array(32));
    const around = new Uint8Array(plaintext.buffer);
    assert.ok([...around.subarray(0, 4), ...around.subarray(36)].every((byte) => byte === 7));
  }
});

test('a DEK is taken only into a buffer of its size, and once', () => {
  const { handle } = readyHandle();
  const row = JSON.parse(raw.generateRecordDek(handle, AT.org, AT.table, AT.record, 1, NOW));
  const request = JSON.parse(raw.wrapRequest(handle, Buffer.from(row.dekRef, 'base64url'), CMK, NOW));
  for (const out of [new Uint8Array(31), new Uint8Array(33), new Uint8Array(0), undefined, 'text']) {
    assert.equal(codeOf(() => raw.takeRequestPlaintext(handle, request.id, out)), 'BAD_INPUT');
  }
  const out = new Uint8Array(32);
  raw.takeRequestPlaintext(handle, request.id, out);
  assert.ok(out.some((byte) => byte !== 0));
  assert.equal(codeOf(() => raw.takeRequestPlaintext(handle, request.id, out)), 'BAD_INPUT');
});

test('calls with arguments left out are refused', () => {
  for (const name of Object.keys(raw)) {
    if (['version', 'errorTable', 'vaultClose'].includes(name)) continue;
    assert.equal(codeOf(() => raw[name]()), 'BAD_INPUT', name);
  }
});
