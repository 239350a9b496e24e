import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { PACKAGE, require } from './support.mjs';

const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');

for (const sample of ['types.mts', 'types.cts']) {
  test(`the types hold for ${sample}`, () => {
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', 'node20', '--types', 'node'];
    const { status, stdout } = spawnSync(
      process.execPath, [tsc, ...options, join(PACKAGE, 'test/pack', sample)], { cwd: PACKAGE, encoding: 'utf8' });
    assert.equal(stdout, '');
    assert.equal(status, 0);
  });
}
