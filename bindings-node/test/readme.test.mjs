import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';

import { PACKAGE } from './support.mjs';

const folder = mkdtempSync(join(tmpdir(), 'strongroom-readme-'));
after(() => rmSync(folder, { recursive: true }));

test("the README's quickstart runs against the development KMS", async () => {
  const readme = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
  const [, quickstart] = /^```js\n(.*?)^```$/ms.exec(readme);
  assert.ok(quickstart.split('\n').length < 20);

  const serve = ['kms', 'serve', '--dir', join(folder, 'kms'), '--listen', '127.0.0.1:0'];
  const kms = spawn(process.env.STRONGROOM_CLI, serve, { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [line] = await once(createInterface({ input: kms.stdout }), 'line');
    // As a user would have it: the package and the SDK in node_modules, one file beside them.
    mkdirSync(join(folder, 'node_modules/@strongroom'), { recursive: true });
    symlinkSync(PACKAGE, join(folder, 'node_modules/@strongroom/node'));
    symlinkSync(join(PACKAGE, 'node_modules/@aws-sdk'), join(folder, 'node_modules/@aws-sdk'));
    const script = join(folder, 'quickstart.mjs');
    assert.ok(quickstart.includes('http://127.0.0.1:8600/'));
    writeFileSync(script, quickstart.replace('http://127.0.0.1:8600/', JSON.parse(line).endpoint));
    assert.equal(execFileSync(process.execPath, [script], { encoding: 'utf8' }), 'correct horse\n');
  } finally {
    kms.kill();
  }
});
