// The released package's API in Node, through the inline entry, down to the module.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AT, CMK, CREATED, fresh, randomDek, refusal, reply, vaultWith } from './support/fixture.mjs';

const pkg = await fresh('../../dist/inline.js');
pkg.initSync();
const { Vault } = pkg;
const SECRET = new TextEncoder().encode('hunter2');

function ready(options) {
  return vaultWith(pkg, randomDek(), options).vault;
}

function codeOf(call) {
  try {
    call();
  } catch (thrown) {
    assert.ok(thrown instanceof pkg.StrongroomError, `${thrown}`);
    return thrown.code;
  }
  return 'nothing thrown';
}

/** The codes that calls throw, each once. */
function codesOf(calls) {
  return [...new Set(calls.map(codeOf))].sort();
}

test('before init every call fails clearly, and afterwards it works', async () => {
  const late = await fresh('../../dist/inline.js');
  for (const call of [() => new late.Vault(), () => late.version(), () => late.sealedLength(5), () => late.inspect(SECRET)]) {
    assert.throws(call, refusal('BAD_INPUT'));
  }
  await late.init();
  await late.init();
  late.initSync();
  assert.equal(late.version(), pkg.version());
  const { vault } = vaultWith(late, randomDek());
  assert.deepEqual(vault.open(AT, vault.seal(AT, SECRET)), SECRET);
});

test('what was sealed opens at its place, in every form', () => {
  const vault = ready();
  for (const plaintext of [new Uint8Array(0), SECRET, new Uint8Array(100_000).fill(7)]) {
    for (const padded of [false, true]) {
      for (const binding of [AT, { ...AT, revision: 0n }, { ...AT, revision: (1n << 64n) - 1n }]) {
        const envelope = vault.seal(binding, plaintext, { padded });
        assert.equal(envelope.length, pkg.sealedLength(plaintext.length, padded));
        assert.deepEqual(vault.open(binding, envelope), plaintext);
      }
    }
  }
  assert.notDeepEqual(vault.seal(AT, SECRET), vault.seal(AT, SECRET), 'every seal has an IV of its own');
});

test('a field moved to another place or revision does not open', () => {
  const vault = ready();
  const envelope = vault.seal(AT, SECRET);
  const dated = vault.seal({ ...AT, revision: 7n }, SECRET);
  const moved = Object.keys(AT).map((part) => () => vault.open({ ...AT, [part]: `${AT[part]}x` }, envelope));
  const others = [
    () => vault.open({ ...AT, revision: 0n }, envelope),
    () => vault.open(AT, dated),
    () => vault.open({ ...AT, revision: 8n }, dated),
    () => vault.open({ ...AT, table: AT.record, record: AT.table }, envelope),
  ];
  for (const call of [...moved, ...others]) assert.equal(codeOf(call), 'AUTH_FAILED');
  assert.deepEqual(vault.open({ ...AT, revision: 7n }, dated), SECRET);
});

test('no envelope opens with a bit flipped, a byte missing or a byte more', () => {
  const vault = ready();
  const envelope = vault.seal(AT, SECRET);
  const changed = [...Array(envelope.length * 8).keys()].map((bit) => {
    const copy = envelope.slice();
    copy[bit >> 3] ^= 1 << (bit & 7);
    return copy;
  });
  const cut = [...envelope.keys()].map((end) => envelope.slice(0, end));
  const codes = codesOf([...changed, ...cut, Uint8Array.of(...envelope, 0)].map((bad) => () => vault.open(AT, bad)));
  assert.deepEqual(codes, [
    'AUTH_FAILED', 'MALFORMED', 'NOT_AN_ENVELOPE', 'TRUNCATED', 'UNKNOWN_DEK', 'UNSUPPORTED_SUITE', 'UNSUPPORTED_VERSION',
  ]);
  assert.deepEqual(vault.open(AT, envelope), SECRET);
});

test('foreign types are refused, not converted', () => {
  const vault = ready();
  const detached = new Uint8Array(4);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const notBytes = ['text', undefined, null, 5, [1, 2], {}, new ArrayBuffer(4), new Uint16Array(2), detached,
    new Uint8Array(new SharedArrayBuffer(4)), new DataView(new ArrayBuffer(4))];
  const notBindings = [undefined, null, 'acme', [], { ...AT, org: '' }, { ...AT, org: 5 }, { ...AT, table: null },
    { ...AT, record: 'lone \ud800' }, { ...AT, more: 'x' }, { ...AT, revision: 1 }, { ...AT, revision: -1n },
    { ...AT, revision: 1n << 64n }];
  const calls = [
    ...notBytes.flatMap((value) => [() => vault.seal(AT, value), () => vault.open(AT, value), () => pkg.inspect(value)]),
    ...notBindings.map((value) => () => vault.seal(value, SECRET)),
    () => vault.seal(AT, SECRET, { padded: 1 }),
    () => vault.seal(AT, SECRET, { scope: 'table' }),
    () => pkg.fromText(5),
  ];
  assert.deepEqual(codesOf(calls), ['BAD_INPUT']);
  assert.equal(codeOf(() => vault.seal({ ...AT, record: 'x'.repeat(1_025) }, SECRET)), 'LIMIT');
  assert.equal(codeOf(() => new Vault({ timeToLive: 5 })), 'UNKNOWN_OPTION');
  assert.equal(codeOf(() => new Vault({ ttl: 43_201 })), 'LIMIT');
  assert.equal(codeOf(() => ready({ fieldLimit: 4 }).seal(AT, SECRET)), 'LIMIT');
});

test('a closed vault refuses everything, may be closed again, and leaves others alone', () => {
  const vault = ready();
  const other = ready();
  const envelope = vault.seal(AT, SECRET);
  vault.close();
  vault.close();
  const calls = [() => vault.seal(AT, SECRET), () => vault.open(AT, envelope), () => vault.status(), () => vault.sealMany([]),
    () => vault.missing([envelope]), () => vault.signOut(), () => vault.mintRequest('acme', CMK, 2, CREATED)];
  assert.deepEqual(codesOf(calls), ['BAD_INPUT']);
  assert.equal(codeOf(() => other.open(AT, envelope)), 'UNKNOWN_DEK');
  assert.deepEqual(other.open(AT, other.seal(AT, SECRET)), SECRET);
});

test('in a batch each item has its own result', () => {
  const vault = ready();
  const sealed = vault.sealMany([
    { binding: AT, plaintext: SECRET },
    { binding: { ...AT, field: '' }, plaintext: SECRET },
    { binding: { ...AT, field: 'note' }, plaintext: new Uint8Array(0), options: { padded: true } },
  ]);
  assert.deepEqual(sealed.map(({ ok, error }) => (ok ? 'ok' : error.code)), ['ok', 'BAD_INPUT', 'ok']);
  const broken = sealed[0].value.slice();
  broken[broken.length - 1] ^= 1;
  const opened = vault.openMany([
    { binding: AT, envelope: sealed[0].value },
    { binding: AT, envelope: sealed[2].value },
    { binding: AT, envelope: broken },
    { binding: { ...AT, field: 'note' }, envelope: sealed[2].value },
  ]);
  assert.deepEqual(opened.map(({ ok, error }) => (ok ? 'ok' : error.code)), ['ok', 'AUTH_FAILED', 'AUTH_FAILED', 'ok']);
  assert.deepEqual(opened[0].value, SECRET);
  assert.equal(opened[3].value.length, 0);
  assert.equal(codeOf(() => vault.openMany(new Array(10_001).fill({ binding: AT, envelope: broken }))), 'LIMIT');
});

test("the DEK in a KMS's answer is zeros afterwards, whatever the outcome", () => {
  const { vault, row } = vaultWith(pkg, randomDek());
  const request = vault.unwrapRequest('acme', row);
  const wrong = [
    ['KEY_MISMATCH', reply(request, randomDek())],
    ['ENDPOINT_POLICY', { ...reply(request, randomDek()), endpoint: 'https://kms-fips.us-east-1.amazonaws.com.example/' }],
  ];
  for (const [code, answer] of wrong) {
    assert.equal(codeOf(() => vault.admit('acme', row, answer)), code);
    assert.deepEqual(answer.Plaintext, new Uint8Array(32));
  }
});

test('a browser has no keychain: DEKs do not leave the vault', () => {
  for (const name of ['cacheExport', 'cacheImport']) {
    assert.equal(name in Vault.prototype, false);
    assert.equal(name in ready(), false);
  }
  assert.equal('JsonLinesStore' in pkg, false);
});

test('the released package has no test entry', async () => {
  const names = Object.keys(pkg).filter((name) => /^hz|hazmat|^raw$/i.test(name));
  assert.deepEqual(names, []);
  await assert.rejects(import('../dist/hazmat.js'), { code: 'ERR_MODULE_NOT_FOUND' });
});

test('the printable form has one spelling', () => {
  const envelope = ready().seal(AT, SECRET);
  const text = pkg.toText(envelope);
  assert.deepEqual(pkg.fromText(text), envelope);
  const others = [`${text}=`, ` ${text}`, `${text}\n`, text.slice(0, -1), text.toUpperCase(), '', `${text}A`];
  for (const other of others) assert.notEqual(codeOf(() => pkg.fromText(other)), 'nothing thrown');
});

test('only the FIPS endpoint of the region passes', () => {
  pkg.assertFipsEndpoint('https://kms-fips.us-east-1.amazonaws.com', 'us-east-1');
  const others = ['https://kms.us-east-1.amazonaws.com', 'http://kms-fips.us-east-1.amazonaws.com', 'http://127.0.0.1:1/',
    'https://kms-fips.us-east-2.amazonaws.com', 'https://kms-fips.us-east-1.amazonaws.com.example', 'https://kms-fips.us-east-1.amazonaws.com@example'];
  for (const other of others) assert.equal(codeOf(() => pkg.assertFipsEndpoint(other, 'us-east-1')), 'ENDPOINT_POLICY');
});
