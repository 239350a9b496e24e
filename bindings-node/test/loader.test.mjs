import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { ADDON, PACKAGE, TEST_BUILD } from './support.mjs';

const folder = mkdtempSync(join(tmpdir(), 'strongroom-loader-'));
after(() => rmSync(folder, { recursive: true }));

/** A copy of the package in node_modules/@strongroom/node, with the addon where `place` says. */
function laidOut(place) {
  const root = mkdtempSync(join(folder, 'root-'));
  const home = join(root, 'node_modules/@strongroom/node');
  mkdirSync(home, { recursive: true });
  for (const part of ['package.json', 'native-loader.cjs', 'dist']) cpSync(join(PACKAGE, part), join(home, part), { recursive: true });
  place?.(home);
  return { root, home };
}

/** What an addon is that has these functions and no others. */
const functions = (home, env = {}) => execFileSync(
  process.execPath, ['-p', `Object.keys(require(${JSON.stringify(join(home, 'native-loader.cjs'))})).join()`],
  { encoding: 'utf8', env: { ...process.env, ...env } }).trim();

function failure({ root }) {
  const script = `
    try { require('@strongroom/node'); } catch ({ code, message, cause }) { console.log(JSON.stringify({ code, message, cause: cause.message })); }`;
  const { stdout } = spawnSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' });
  return JSON.parse(stdout);
}

function platformPackage(at, { version, addon = join(PACKAGE, ADDON) }) {
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'package.json'), JSON.stringify({ name: '@strongroom/node-linux-x64-gnu', version }));
  cpSync(addon, join(at, ADDON));
}

const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
const ours = functions(PACKAGE);

test('no environment variable makes it load another addon', () => {
  // The test build is another addon: it has functions that ours has not.
  const other = join(TEST_BUILD, ADDON);
  assert.match(functions(TEST_BUILD), /hzSeal/);
  assert.doesNotMatch(ours, /hz[A-Z]/);
  const search = join(folder, 'search');
  platformPackage(join(search, '@strongroom/node-linux-x64-gnu'), { version, addon: other });
  const env = {
    NAPI_RS_NATIVE_LIBRARY_PATH: other, NAPI_RS_FORCE_WASI: '1', NAPI_RS_ENFORCE_VERSION_CHECK: '0', NODE_PATH: search,
    STRONGROOM_NATIVE: other,
  };
  assert.equal(functions(PACKAGE, env), ours);
  // And where there is none of ours, none is loaded.
  const { home } = laidOut();
  const { status } = spawnSync(process.execPath, [join(home, 'native-loader.cjs')], { env: { ...process.env, ...env } });
  assert.notEqual(status, 0);
});

test('the addon may lie beside the loader, or in its platform package', () => {
  const places = [
    (home) => cpSync(join(PACKAGE, ADDON), join(home, ADDON)),
    (home) => platformPackage(join(home, '../node-linux-x64-gnu'), { version }),
    (home) => platformPackage(join(home, 'node_modules/@strongroom/node-linux-x64-gnu'), { version }),
  ];
  for (const place of places) assert.equal(functions(laidOut(place).home), ours);
});

test('a missing addon is named, with its package and the alternative', () => {
  const { code, message } = failure(laidOut());
  assert.equal(code, 'ERR_STRONGROOM_ADDON');
  for (const part of ['linux-x64-gnu', '@strongroom/node-linux-x64-gnu', version, '@strongroom/wasm']) assert.ok(message.includes(part));
});

test('a platform package of another version is not touched', () => {
  for (const wrong of ['0.0.9', `${version}-1`, '']) {
    const { code, cause } = failure(laidOut((home) => platformPackage(join(home, '../node-linux-x64-gnu'), { version: wrong })));
    assert.deepEqual([code, cause], ['ERR_STRONGROOM_ADDON', `${ADDON} was not found`]);
  }
});

test('an addon of another version is refused', () => {
  const { code, cause } = failure(laidOut((home) => {
    cpSync(join(PACKAGE, ADDON), join(home, ADDON));
    const file = join(home, 'package.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace(`"${version}"`, '"9.9.9"'));
  }));
  assert.deepEqual([code, cause], ['ERR_STRONGROOM_ADDON', `${ADDON} is of another version`]);
});

test('what is no addon is refused with the same code', () => {
  for (const content of ['', 'not a library', Buffer.alloc(5_000)]) {
    assert.equal(failure(laidOut((home) => writeFileSync(join(home, ADDON), content))).code, 'ERR_STRONGROOM_ADDON');
  }
});

test('loading it leaves nothing behind in the process', () => {
  const script = `
    const before = JSON.stringify([Object.keys(globalThis), process.report.excludeNetwork, process.env]);
    require('@strongroom/node');
    console.log(before === JSON.stringify([Object.keys(globalThis), process.report.excludeNetwork, process.env]));`;
  assert.equal(execFileSync(process.execPath, ['-e', script], { cwd: PACKAGE, encoding: 'utf8' }), 'true\n');
});
