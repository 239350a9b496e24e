import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { Needles, SPELLINGS } from '../worker/needles.mjs';

/** Bytes that are the same at each run and stand nowhere else. */
const bytes = (name, length) => createHash('sha512').update(name).digest().subarray(0, length);
const SECRETS = [bytes('a DEK', 32), bytes('a piece', 16)];
const BLANK = Buffer.alloc(300, '.');
const needles = new Needles(SECRETS);

/** A file with this at its beginning, in its middle or at its end. */
const hays = (part) => [Buffer.concat([part, BLANK]), Buffer.concat([BLANK, part, BLANK]), Buffer.concat([BLANK, part])];

for (const [name, write] of Object.entries({
  bytes: (secret) => secret,
  'lower-case hex': (secret) => Buffer.from(secret.toString('hex')),
  'upper-case hex': (secret) => Buffer.from(secret.toString('hex').toUpperCase()),
  ...Object.fromEntries(
    ['base64', 'base64url'].flatMap((encoding) =>
      [0, 1, 2, 3, 7].map((offset) => [
        `${encoding} behind ${offset} other bytes`,
        (secret) => Buffer.from(Buffer.concat([Buffer.alloc(offset, 9), secret, Buffer.alloc(2, 9)]).toString(encoding)),
      ]),
    ),
  ),
})) {
  test(`a secret is found as ${name}, wherever it stands`, () => {
    for (const secret of SECRETS) {
      for (const hay of hays(write(secret))) assert.ok(needles.findIn(hay).size > 0);
      const other = Buffer.from(secret);
      other[8] ^= 1;
      for (const hay of hays(write(other))) assert.equal(needles.findIn(hay).size, 0);
    }
  });
}

test('the end of a secret alone is not taken for it', () => {
  for (const secret of SECRETS) for (const hay of hays(secret.subarray(1))) assert.equal(needles.findIn(hay).size, 0);
});

test('a secret that the end of the file cuts off is not found', () => {
  for (const secret of SECRETS) assert.equal(needles.findIn(Buffer.concat([BLANK, secret.subarray(0, -1)])).size, 0);
});

test('each secret is looked for in each spelling', () => {
  assert.equal(needles.size, SECRETS.length * Object.keys(SPELLINGS).length);
  assert.equal(needles.size, 2 * 9);
});

test('a file without anything and an empty file have nothing', () => {
  assert.equal(needles.findIn(BLANK).size, 0);
  assert.equal(needles.findIn(Buffer.alloc(0)).size, 0);
});
