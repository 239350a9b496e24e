// What a released package may not have.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { ADDON, codeOf, PACKAGE, raw, require, strongroom, TEST_BUILD } from './support.mjs';

const OPERATIONS = /hz(DekRef|BindingAad|Seal|Open|SealMany|Reseal|WrapLocal|UnwrapLocal|VaultNew|SetClock|Rng|Gcm|Panic|External)/;

test('the released addon has no test entry, by export or by name', () => {
  assert.match(readFileSync(join(TEST_BUILD, ADDON)).toString('latin1'), OPERATIONS);
  assert.doesNotMatch(readFileSync(join(PACKAGE, ADDON)).toString('latin1'), OPERATIONS);
  assert.deepEqual(Object.keys(raw).filter((name) => name.startsWith('hz')), []);
});

test('the released JavaScript has no test entry', () => {
  assert.ok(existsSync(join(TEST_BUILD, 'dist/hazmat.js')));
  const files = readdirSync(join(PACKAGE, 'dist'), { recursive: true }).filter((file) => /\.[cm]?(js|ts)$/.test(file));
  assert.ok(files.length > 10);
  for (const file of files) {
    assert.doesNotMatch(file, /hazmat/);
    assert.doesNotMatch(readFileSync(join(PACKAGE, 'dist', file), 'utf8'), OPERATIONS);
  }
});

test('nothing that is installed runs a script', () => {
  const manifest = require('../package.json');
  assert.deepEqual([manifest.scripts, manifest.dependencies, manifest.bin], [undefined, undefined, undefined]);
  const lock = require('../package-lock.json');
  const packages = Object.entries(lock.packages);
  assert.ok(packages.length > 1);
  assert.deepEqual(packages.filter(([, entry]) => entry.hasInstallScript || entry.resolved).map(([name]) => name), []);
  for (const pin of Object.values(manifest.devDependencies)) assert.match(pin, /^\d+\.\d+\.\d+$/);
});

test('platform packages have the version of the package, one file and no script', () => {
  const folders = readdirSync(join(PACKAGE, 'npm'));
  assert.ok(folders.length > 0);
  for (const folder of folders) {
    const manifest = require(`../npm/${folder}/package.json`);
    assert.equal(manifest.name, `@strongroom/node-${folder}`);
    assert.equal(manifest.version, require('../package.json').version);
    assert.deepEqual(manifest.files, [`strongroom.${folder}.node`]);
    assert.equal(manifest.scripts, undefined);
  }
});

test('a panic is INTERNAL, and the next call works', () => {
  const test = require(join(TEST_BUILD, 'native-loader.cjs'));
  assert.equal(codeOf(() => test.hzPanic()), 'INTERNAL');
  assert.equal(codeOf(() => test.hzPanic()), 'INTERNAL');
  assert.equal(test.version(), strongroom.version());
});
