import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AT, CMK, codeOf, NOW, raw, ready, strongroom, TestKms, utf8 } from './support.mjs';

const { StrongroomError, Vault } = strongroom;
const SECRET = utf8('correct horse battery staple');

test('a sealed field opens where it was sealed', () => {
  const { vault } = ready();
  for (const plaintext of [SECRET, new Uint8Array(0), Uint8Array.of(0xf7, 1, 1, 0), Buffer.from('buffer')]) {
    for (const options of [undefined, {}, { padded: true }, { scope: 'org', padded: false }]) {
      assert.deepEqual(vault.open(AT, vault.seal(AT, plaintext, options)), new Uint8Array(plaintext));
    }
  }
  vault.close();
});

test('a value read out of the middle of a larger buffer is sealed alone', () => {
  const { vault } = ready();
  const large = utf8('....secret....');
  const envelope = vault.seal(AT, large.subarray(4, 10));
  assert.deepEqual(vault.open(AT, envelope), utf8('secret'));
  assert.equal(envelope.length, strongroom.sealedLength(6, false));
});

test('what comes out has a buffer of its own, with nothing else in it', () => {
  const { vault } = ready();
  const envelope = vault.seal(AT, SECRET, { padded: true });
  const plaintext = vault.open(AT, envelope);
  assert.equal(envelope.buffer.byteLength, envelope.length);
  assert.equal(plaintext.buffer.byteLength, SECRET.length);
  assert.equal(Object.getPrototypeOf(plaintext), Uint8Array.prototype);
});

test('a field moved to another org, table, record, field or revision does not open', () => {
  const { vault } = ready();
  const envelope = vault.seal(AT, SECRET);
  const dated = vault.seal({ ...AT, revision: 7n }, SECRET);
  const elsewhere = [
    ...Object.keys(AT).map((part) => [{ ...AT, [part]: `${AT[part]}x` }, envelope]),
    [{ ...AT, revision: 0n }, envelope],
    [AT, dated],
    [{ ...AT, revision: 8n }, dated],
  ];
  for (const [binding, sealed] of elsewhere) assert.equal(codeOf(() => vault.open(binding, sealed)), 'AUTH_FAILED');
  assert.deepEqual(vault.open({ ...AT, revision: 7n }, dated), SECRET);
});

test('no envelope opens with a bit flipped or a byte missing', () => {
  const { vault } = ready();
  const envelope = vault.seal(AT, utf8('four'));
  const refusals = new Set();
  for (let bit = 0; bit < envelope.length * 8; bit++) {
    const changed = envelope.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    refusals.add(codeOf(() => vault.open(AT, changed)));
  }
  for (let end = 0; end < envelope.length; end++) refusals.add(codeOf(() => vault.open(AT, envelope.slice(0, end))));
  refusals.add(codeOf(() => vault.open(AT, Uint8Array.of(...envelope, 0))));
  assert.deepEqual([...refusals].sort(), [
    'AUTH_FAILED', 'MALFORMED', 'NOT_AN_ENVELOPE', 'TRUNCATED', 'UNKNOWN_DEK', 'UNSUPPORTED_SUITE', 'UNSUPPORTED_VERSION',
  ]);
});

test('an error has the code, number and text of the core', () => {
  for (const [number, name, text] of JSON.parse(raw.errorTable())) {
    const error = new StrongroomError(name);
    assert.deepEqual([error.number, error.code, error.message], [number, name, text]);
  }
  const { vault } = ready();
  assert.throws(() => vault.open(AT, utf8('plain')), (error) =>
    error instanceof StrongroomError && error instanceof Error && error.code === 'NOT_AN_ENVELOPE' && error.number === 10);
});

test('wrong types are refused, not converted', () => {
  const { vault } = ready();
  const detached = new Uint8Array(4);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const notBytes = [
    'text', undefined, null, 5, [1, 2], new ArrayBuffer(4), new DataView(new ArrayBuffer(4)), new Uint16Array(2),
    new Uint8ClampedArray(4), new Uint8Array(new SharedArrayBuffer(4)), detached, {},
  ];
  for (const value of notBytes) {
    assert.equal(codeOf(() => vault.seal(AT, value)), 'BAD_INPUT');
    assert.equal(codeOf(() => vault.open(AT, value)), 'BAD_INPUT');
  }
  const notBindings = [
    undefined, null, 'o1', [], { ...AT, org: undefined }, { ...AT, org: '' }, { ...AT, org: 5 }, { ...AT, table: null },
    { ...AT, record: 'lone \ud800' }, { ...AT, field: '\udc00 lone' }, { ...AT, more: 'x' }, { ...AT, revision: 1 },
    { ...AT, revision: null }, { ...AT, revision: -1n }, { ...AT, revision: 1n << 64n },
  ];
  for (const value of notBindings) assert.equal(codeOf(() => vault.seal(value, SECRET)), 'BAD_INPUT');
  assert.equal(codeOf(() => vault.seal({ ...AT, record: 'x'.repeat(1_025) }, SECRET)), 'LIMIT');
  assert.equal(codeOf(() => vault.seal(AT, SECRET, { padding: true })), 'UNKNOWN_OPTION');
  for (const options of [{ padded: 1 }, { padded: null }, { scope: 'table' }, { scope: 0 }]) {
    assert.equal(codeOf(() => vault.seal(AT, SECRET, options)), 'BAD_INPUT');
  }
});

test('options of a vault are judged when it is made', () => {
  assert.equal(codeOf(() => new Vault({ timeToLive: 5 })), 'UNKNOWN_OPTION');
  for (const ttl of [0, -1, 1.5, '60', null]) assert.equal(codeOf(() => new Vault({ ttl })), 'BAD_INPUT');
  assert.equal(codeOf(() => new Vault({ ttl: 43_201 })), 'LIMIT');
  assert.equal(codeOf(() => new Vault({ cmks: { o1: [CMK], o2: [CMK] } })), 'BAD_INPUT');
  assert.equal(codeOf(() => new Vault({ cmks: { o1: ['alias/mine'] } })), 'BAD_INPUT');
  const { vault } = ready({ options: { fieldLimit: 4 } });
  assert.equal(codeOf(() => vault.seal(AT, SECRET)), 'LIMIT');
});

test('a closed vault refuses everything, and may be closed again', () => {
  const { vault } = ready();
  const envelope = vault.seal(AT, SECRET);
  vault.close();
  vault.close();
  for (const call of [
    () => vault.seal(AT, SECRET), () => vault.open(AT, envelope), () => vault.missing([envelope]), () => vault.status(),
    () => vault.signOut(), () => vault.sealMany([]), () => vault.mintRequest(AT.org, CMK, 2, NOW),
  ]) assert.equal(codeOf(call), 'BAD_INPUT');
});

test('methods refuse what is no vault', () => {
  const { seal, close } = Vault.prototype;
  for (const stranger of [undefined, {}, Object.create(Vault.prototype)]) {
    assert.equal(codeOf(() => seal.call(stranger, AT, SECRET)), 'BAD_INPUT');
    assert.equal(codeOf(() => close.call(stranger)), 'BAD_INPUT');
  }
  assert.throws(() => Vault({}), TypeError);
});

test('in a batch each item has its own result', () => {
  const { vault } = ready();
  const sealed = vault.sealMany([
    { binding: AT, plaintext: SECRET },
    { binding: { ...AT, field: '' }, plaintext: SECRET },
    { binding: AT, plaintext: SECRET, options: { padded: true, scope: 'org' } },
    { binding: AT, plaintext: SECRET, options: { scope: 'record' } },
  ]);
  assert.deepEqual(sealed.map(({ ok, error }) => ok || error.code), [true, 'BAD_INPUT', true, 'NO_ACTIVE_DEK']);
  const opened = vault.openMany([
    { binding: AT, envelope: sealed[0].value },
    { binding: { ...AT, record: 'r2' }, envelope: sealed[0].value },
    { binding: AT, envelope: utf8('no envelope') },
    { binding: AT, envelope: sealed[2].value },
  ]);
  assert.deepEqual(opened.map(({ ok, error }) => ok || error.code), [true, 'AUTH_FAILED', 'NOT_AN_ENVELOPE', true]);
  assert.deepEqual([opened[0].value, opened[3].value], [SECRET, SECRET]);
  assert.equal(codeOf(() => vault.sealMany(Array(10_001).fill({ binding: AT, plaintext: SECRET }))), 'LIMIT');
});

test('a DEK comes in by its row and reply, and only by the right ones', () => {
  const { vault, kms, row } = ready();
  const envelope = vault.seal(AT, SECRET);
  const other = new Vault();
  const [wanted] = other.missing([envelope, envelope]);
  assert.equal(Buffer.from(wanted).toString('base64url'), row.dekRef);
  assert.equal(strongroom.inspect(envelope).dekRef, row.dekRef);
  assert.equal(codeOf(() => other.open(AT, envelope)), 'UNKNOWN_DEK');

  const good = () => kms.answer(other.unwrapRequest('o1', row));
  const refused = {
    ROW_INCONSISTENT: () => other.admit('o2', row, good()),
    BAD_INPUT: () => other.admit('o1', row),
    KEY_ID_UNEXPECTED: () => other.admit('o1', row, { ...good(), KeyId: CMK.replace(/1$/, '2') }),
    ENDPOINT_POLICY: () => other.admit('o1', row, { ...good(), endpoint: 'https://kms.us-east-1.amazonaws.com' }),
    KEY_MISMATCH: () => other.admit('o1', row, { ...good(), Plaintext: new Uint8Array(32).fill(1) }),
    KMS_DENIED: () => other.admit('o1', row, { endpoint: good().endpoint, error: 'AccessDeniedException' }),
  };
  for (const [code, call] of Object.entries(refused)) assert.equal(codeOf(call), code);
  assert.deepEqual(other.admit('o1', row, good()), wanted);
  assert.deepEqual(other.open(AT, envelope), SECRET);
  assert.deepEqual(other.missing([envelope]), []);
});

test('the DEK in a reply is zeros afterwards, whatever the outcome', () => {
  const { vault, kms, row } = ready();
  const attempts = [
    (reply) => vault.admit('o1', row, reply),
    (reply) => vault.admit('o1', row, { ...reply, endpoint: 'http://elsewhere' }),
    (reply) => vault.admit('o1', { ...row, v: 2 }, reply),
    (reply) => vault.admit('\ud800', row, reply),
    (reply) => vault.admit(5, row, reply),
    (reply) => vault.admit('o1', undefined, reply),
    (reply) => vault.admit('o1', row, { ...reply, CiphertextBlob: 'text' }),
    (reply) => vault.admitMinted(12_345, reply),
    (reply) => vault.admitMinted('one', reply),
    (reply) => vault.admitShared(12_345, reply),
    (reply) => { vault.close(); vault.admit('o1', row, reply); },
  ];
  const outcomes = attempts.map((attempt) => {
    const reply = kms.answer(new Vault().unwrapRequest('o1', row));
    const code = codeOf(() => attempt(reply));
    assert.deepEqual(reply.Plaintext, new Uint8Array(32));
    return code;
  });
  assert.equal(outcomes.filter((code) => code === 'nothing thrown').length, 1);
});

test('a shared record is opened by its reader with no envelope byte changed', () => {
  const kms = new TestKms();
  const { vault } = ready({ kms });
  const own = vault.generateRecordDek('o1', AT.table, AT.record, 1, NOW);
  const envelope = vault.seal(AT, SECRET, { scope: 'record' });
  const dekRef = Buffer.from(own.dekRef, 'base64url');
  const request = vault.shareRequest(dekRef, 'o2', CMK, NOW);
  const plaintext = vault.takeRequestPlaintext(request.id);
  assert.equal(codeOf(() => vault.takeRequestPlaintext(request.id)), 'BAD_INPUT');
  const share = vault.admitShared(request.id, kms.answer(request, plaintext));

  const reader = new Vault();
  reader.admit('o2', share, kms.answer(reader.unwrapRequest('o2', share)));
  assert.deepEqual(reader.open(AT, envelope), SECRET);
  assert.equal(codeOf(() => reader.seal(AT, SECRET, { scope: 'record' })), 'NO_ACTIVE_DEK');
  assert.equal(codeOf(() => reader.open(AT, vault.seal(AT, SECRET))), 'UNKNOWN_DEK');
});

test('a keychain entry comes back only in its session, and is zeros afterwards', () => {
  const { vault, row } = ready({ options: { session: 's1' } });
  const envelope = vault.seal(AT, SECRET);
  const dekRef = Buffer.from(row.dekRef, 'base64url');
  const entry = vault.cacheExport(dekRef);
  for (const [session, code] of [[undefined, 'BAD_INPUT'], ['s2', 'ROW_INCONSISTENT'], ['s1', 'nothing thrown']]) {
    const copy = entry.slice();
    const other = new Vault({ session });
    assert.equal(codeOf(() => other.cacheImport(copy)), code);
    assert.deepEqual(copy, new Uint8Array(entry.length));
    if (session === 's1') assert.deepEqual(other.open(AT, envelope), SECRET);
  }
  assert.equal(codeOf(() => ready().vault.cacheExport(dekRef)), 'BAD_INPUT');
  assert.deepEqual(vault.signOut(), [row.dekRef]);
  assert.equal(codeOf(() => vault.open(AT, envelope)), 'UNKNOWN_DEK');
});

test('the printable form has one spelling', () => {
  const { vault } = ready();
  const envelope = vault.seal(AT, SECRET);
  const text = strongroom.toText(envelope);
  assert.deepEqual(strongroom.fromText(text), envelope);
  for (const [other, code] of [
    [text.slice(1), 'NOT_AN_ENVELOPE'], [`${text}=`, 'MALFORMED'], [`${text}\n`, 'MALFORMED'], [text.replace('.', '..'), 'MALFORMED'],
  ]) assert.equal(codeOf(() => strongroom.fromText(other)), code);
});

test('reseal and rebind give new envelopes and keep the old ones readable', () => {
  const { vault } = ready();
  const envelope = vault.seal(AT, SECRET, { padded: true });
  const again = vault.reseal(AT, envelope);
  assert.notDeepEqual(again, envelope);
  assert.equal(strongroom.inspect(again).padded, true);
  assert.equal(strongroom.inspect(vault.reseal(AT, envelope, { padded: false })).padded, false);
  const moved = vault.rebind(AT, { ...AT, record: 'r2' }, envelope);
  assert.deepEqual(vault.open({ ...AT, record: 'r2' }, moved), SECRET);
  assert.equal(codeOf(() => vault.open(AT, moved)), 'AUTH_FAILED');
  assert.equal(codeOf(() => vault.rebind(AT, { ...AT, org: 'o2' }, envelope)), 'BAD_INPUT');
  assert.deepEqual(vault.open(AT, envelope), SECRET);
});

test('the version is that of the package', () => {
  assert.match(strongroom.version(), /^strongroom 0\.1\.0 format 1 aes=(soft|aes-ni|vaes|armv8)$/);
});

test('only the FIPS endpoint of the region passes', () => {
  strongroom.assertFipsEndpoint('https://kms-fips.eu-west-1.amazonaws.com', 'eu-west-1');
  for (const url of [
    'https://kms-fips.us-east-1.amazonaws.com', 'http://kms-fips.eu-west-1.amazonaws.com', 'https://kms.eu-west-1.amazonaws.com',
    'https://kms-fips.eu-west-1.amazonaws.com.evil.example', 'https://kms-fips.eu-west-1.amazonaws.com:444', '',
  ]) assert.match(codeOf(() => strongroom.assertFipsEndpoint(url, 'eu-west-1')), /^(ENDPOINT_POLICY|BAD_INPUT)$/);
});
