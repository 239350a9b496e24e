// The wasm package in Node: `node node.mjs <package dir>`.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { shim } from '../js/ops.mjs';
import { serve } from '../js/stdio.mjs';

const dist = join(resolve(process.argv[2]), 'dist');
const entry = existsSync(join(dist, 'hazmat.js')) ? 'hazmat.js' : 'inline.js';
const pkg = await import(pathToFileURL(join(dist, entry)).href);
await pkg.init();

const answer = shim({ name: 'wasm-node', pkg, hazmat: pkg.hazmat });
await serve((lines) => lines.map(answer));
