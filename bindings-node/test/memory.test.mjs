// Looks through the whole memory of another process, which never gets the DEK in clear: it comes
// masked, and is unmasked only in the reply's buffer, which the vault wipes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { AT, CMK, ready, TestKms } from './support.mjs';

const PLAINTEXT = new Uint8Array(randomBytes(48));
const { vault, kms, row, active } = ready({ kms: new TestKms() });
const dek = Buffer.from(kms.answer(vault.unwrapRequest(AT.org, row)).Plaintext);
const envelope = Buffer.from(vault.seal(AT, PLAINTEXT));
const broken = Buffer.from(envelope);
broken[broken.length - 1] ^= 1;

let victim;
let lines;
before(() => {
  victim = spawn(process.execPath, [fileURLToPath(new URL('./memory.victim.mjs', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  lines = createInterface({ input: victim.stdout })[Symbol.asyncIterator]();
});
after(() => victim.kill());

async function ask(question) {
  victim.stdin.write(`${JSON.stringify(question)}\n`);
  const { value } = await lines.next();
  return JSON.parse(value);
}

function masked() {
  const mask = randomBytes(32);
  return { mask: mask.toString('hex'), masked: dek.map((byte, at) => byte ^ mask[at]).toString('hex') };
}

/** How often each needle is in the victim's memory. */
function count(...needles) {
  const found = needles.map(() => 0);
  const memory = openSync(`/proc/${victim.pid}/mem`, 'r');
  const chunk = Buffer.alloc(1 << 20);
  const most = Math.max(...needles.map((needle) => needle.length)) - 1;
  for (const line of readFileSync(`/proc/${victim.pid}/maps`, 'latin1').trim().split('\n')) {
    const [, from, to, rights, name] = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)$/.exec(line);
    if (!rights.startsWith('r') || ['[vvar]', '[vvar_vclock]', '[vsyscall]'].includes(name)) continue;
    for (let at = parseInt(from, 16); at < parseInt(to, 16); at += chunk.length - most) {
      const length = Math.min(chunk.length, parseInt(to, 16) - at);
      const read = chunk.subarray(0, readSync(memory, chunk, 0, length, at));
      needles.forEach((needle, which) => {
        for (let hit = read.indexOf(needle); hit >= 0; hit = read.indexOf(needle, hit + 1)) found[which]++;
      });
    }
  }
  closeSync(memory);
  return found;
}

const DEK = [dek, dek.subarray(0, 16), dek.subarray(16)];

test('a reply that is refused leaves no DEK behind', async () => {
  const other = { ...row, version: 2 };
  assert.equal(await ask({ do: 'admit', row: other, keyId: CMK, ...masked() }), 'KEY_MISMATCH');
  assert.equal(await ask({ do: 'admit', row, keyId: CMK.replace(/1$/, '2'), ...masked() }), 'KEY_ID_UNEXPECTED');
  assert.deepEqual(count(...DEK), [0, 0, 0]);
});

test('a DEK that is held is found by the scan', async () => {
  assert.equal(await ask({ do: 'admit', row, keyId: CMK, active, ...masked() }), 'ok');
  for (const hits of count(...DEK)) assert.ok(hits > 0);
});

test('a failed open leaves no plaintext, and the output as it was', async () => {
  const pieces = [PLAINTEXT.subarray(0, 16), PLAINTEXT.subarray(16, 32), PLAINTEXT.subarray(32)].map((piece) => Buffer.from(piece));
  const elsewhere = { ...AT, record: 'r2' };
  assert.deepEqual(await ask({ do: 'open', at: AT, envelope: broken.toString('hex') }), ['AUTH_FAILED', 'untouched']);
  assert.deepEqual(await ask({ do: 'open', at: elsewhere, envelope: envelope.toString('hex') }), ['AUTH_FAILED', 'untouched']);
  assert.equal(await ask({ do: 'openMany', at: AT, envelope: broken.toString('hex') }), 'AUTH_FAILED');
  assert.equal(await ask({ do: 'reseal', at: AT, envelope: broken.toString('hex') }), 'AUTH_FAILED');
  assert.deepEqual(count(...pieces), [0, 0, 0]);

  // Twin: a good open, and what it put into JavaScript's memory is found.
  assert.deepEqual(await ask({ do: 'open', at: AT, envelope: envelope.toString('hex') }), ['ok', 'written']);
  for (const hits of count(...pieces)) assert.ok(hits > 0);
});

test('after close the process holds neither the DEK nor half of it', async () => {
  assert.equal(await ask({ do: 'work', at: AT, envelope: envelope.toString('hex') }), 'ok');
  for (const hits of count(...DEK)) assert.ok(hits > 0);
  assert.equal(await ask({ do: 'close' }), 'ok');
  assert.deepEqual(count(...DEK), [0, 0, 0]);
});
