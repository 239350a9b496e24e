// Electron refuses external buffers, and the fall-back would free plaintext unwiped: so there must be none.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { ADDON, PACKAGE, TEST_BUILD } from './support.mjs';

const folder = mkdtempSync(join(tmpdir(), 'strongroom-external-'));
after(() => rmSync(folder, { recursive: true }));

const preload = join(folder, 'refuse.so');
execFileSync('cc', ['-shared', '-fPIC', '-o', preload, join(PACKAGE, 'test/external-buffers.c')]);

/** Runs a script on a copy of a package whose addon gets no external buffers; gives how often it asked. */
function attempts(from, ...script) {
  const copy = mkdtempSync(join(folder, 'copy-'));
  for (const part of ['package.json', 'native-loader.cjs', 'dist']) cpSync(join(from, part), join(copy, part), { recursive: true });
  cpSync(join(PACKAGE, 'test'), join(copy, 'test'), { recursive: true });
  const addon = readFileSync(join(from, ADDON)).toString('latin1');
  const renamed = addon.replace(/napi_create_external_(arraybuffer|buffer)/g, 'nopi_create_external_$1');
  assert.notEqual(renamed, addon);
  writeFileSync(join(copy, ADDON), renamed, 'latin1');
  const report = join(copy, 'attempts');
  execFileSync(process.execPath, script, {
    cwd: copy,
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, LD_PRELOAD: preload, EXTERNAL_ATTEMPTS: report },
  });
  return Number(readFileSync(report, 'utf8'));
}

test('the test sees an addon that asks for an external buffer', () => {
  const script = `
    const bytes = require('./native-loader.cjs').hzExternalBuffer();
    if (bytes.join() !== '1,2,3') process.exit(1);`;
  assert.equal(attempts(TEST_BUILD, '-e', script), 1);
});

test('nothing that the package does asks for one', () => {
  assert.equal(attempts(PACKAGE, 'test/api.test.mjs'), 0);
  assert.equal(attempts(PACKAGE, 'test/raw.test.mjs'), 0);
});
