// The shim of the Node addon: `node tests/shims/node/shim.mjs PACKAGE_FOLDER`.
// A test build has one module more, beside the entry; a released one offers fewer operations.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

import { shim } from '../js/ops.mjs';
import { serve } from '../js/stdio.mjs';

const require = createRequire(import.meta.url);
const folder = resolve(process.argv[2]);
const testOnly = join(folder, 'dist/hazmat.js');

const answer = shim({
  name: 'node',
  pkg: require(folder),
  hazmat: existsSync(testOnly) ? require(testOnly).hazmat : undefined,
});
await serve((lines) => lines.map(answer));
