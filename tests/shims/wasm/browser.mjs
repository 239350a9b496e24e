// The wasm package in Chromium: `node browser.mjs <package dir>`. Drives a page under a
// strict CSP and connects it to standard input and output.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { launch, serveFolders } from '../../../bindings-wasm/test/support/browser.mjs';
import { serve } from '../js/stdio.mjs';

const PIECE = 4 * 1024 * 1024;

const here = fileURLToPath(new URL('.', import.meta.url));
const dist = join(resolve(process.argv[2]), 'dist');
const entry = existsSync(join(dist, 'hazmat.js')) ? 'hazmat.js' : 'index.js';

const server = await serveFolders(
  { '/': here, '/js/': join(here, '../js'), '/package/': dist },
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'",
);
const browser = await launch();
const page = await browser.newPage();
page.on('crash', () => process.exit(1));
await page.goto(`${server.origin}/page.html?entry=/package/${entry}`);
await page.waitForFunction(() => globalThis.strongroomShim !== undefined, undefined, { polling: 20 });

await serve(async (lines) => {
  const text = lines.join('\n');
  for (let at = 0; at < text.length; at += PIECE) {
    await page.evaluate((piece) => globalThis.strongroomShim.put(piece), text.slice(at, at + PIECE));
  }
  const first = await page.evaluate((length) => globalThis.strongroomShim.run(length), PIECE);
  const pieces = [first.piece];
  for (let at = PIECE; at < first.length; at += PIECE) {
    pieces.push(await page.evaluate(([from, to]) => globalThis.strongroomShim.take(from, to), [at, at + PIECE]));
  }
  return pieces.join('').split('\n');
});
await browser.close();
server.close();
