// The README's quickstart as a user has it: bundled by Vite, in a page under a strict
// Content-Security-Policy, with the AWS SDK, against the development KMS.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { build, createServer } from 'vite';

import { launch, serveFolders } from './support/browser.mjs';
import { serveKms } from './support/kms.mjs';

const home = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(home, 'README.md'), 'utf8');
const [, quickstart] = /^```js\n(.*?)^```$/ms.exec(readme);
const ENDPOINT = 'http://127.0.0.1:8600/';

const folder = mkdtempSync(join(tmpdir(), 'strongroom-readme-'));
let browser;
before(async () => {
  // A copy, as an installation makes it: bundlers treat linked packages as the user's own code.
  const installed = join(folder, 'node_modules/@strongroom/wasm');
  for (const part of ['package.json', 'dist']) cpSync(join(home, part), join(installed, part), { recursive: true });
  symlinkSync(join(home, 'node_modules/@aws-sdk'), join(folder, 'node_modules/@aws-sdk'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><meta charset="utf-8"><script type="module" src="/quickstart.js"></script>');
  browser = await launch();
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

const vite = {
  root: folder,
  configFile: false,
  logLevel: 'error',
  build: { target: 'es2022', modulePreload: { polyfill: false }, chunkSizeWarningLimit: 2000 },
};

function writeQuickstart(endpoint) {
  assert.ok(quickstart.includes(ENDPOINT));
  writeFileSync(join(folder, 'quickstart.js'), quickstart.replace(ENDPOINT, endpoint));
}

/** The first thing that the page prints; fails with whatever the page fails with. */
async function printed(url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  try {
    const failed = new Promise((_, reject) => {
      page.on('pageerror', reject);
      page.on('console', (message) => {
        const isIcon = message.location().url.endsWith('/favicon.ico');
        if (message.type() === 'error' && !isIcon) reject(new Error(message.text()));
      });
    });
    const log = page.waitForEvent('console', (message) => message.type() === 'log');
    await Promise.race([page.goto(url), failed]);
    const message = await Promise.race([log, failed]);
    const kept = await page.evaluate(async () => ({
      local: localStorage.length,
      session: sessionStorage.length,
      databases: (await indexedDB.databases()).length,
    }));
    assert.deepEqual(kept, { local: 0, session: 0, databases: 0 }, 'nothing is persisted');
    assert.deepEqual(await context.cookies(), []);
    return message.text();
  } finally {
    await context.close();
  }
}

test('the quickstart is short', () => {
  assert.ok(quickstart.trim().split('\n').length < 18);
});

test("the README's quickstart, built by Vite, runs in a page under a strict policy", async (t) => {
  // The policy names the KMS, and the KMS the page: so the page's server comes first, its policy after.
  const headers = { policy: '' };
  const server = await serveFolders({ '/': join(folder, 'dist') }, () => headers.policy);
  t.after(() => server.close());
  const kms = await serveKms(join(folder, 'kms'), [server.origin]);
  t.after(() => kms.close());
  headers.policy = `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ${kms.endpoint}`;
  writeQuickstart(kms.endpoint);
  await build(vite);
  assert.equal(await printed(`${server.origin}/index.html`), 'correct horse');
  assert.deepEqual(kms.operations(), ['CreateKey', 'GenerateDataKey'], 'opening costs no call while the key is held');
  const fetched = server.requests.filter((path) => !/\.(html|js|ico)$/.test(path));
  assert.equal(fetched.length, 1);
  assert.match(fetched[0], /^\/assets\/strongroom-.*\.wasm$/);
});

test("the README's quickstart runs on Vite's development server", async (t) => {
  const server = await createServer({ ...vite, server: { host: '127.0.0.1', port: 0 } });
  t.after(() => server.close());
  await server.listen();
  const { port } = server.httpServer.address();
  const origin = `http://127.0.0.1:${port}`;
  const kms = await serveKms(join(folder, 'kms-dev'), [origin]);
  t.after(() => kms.close());
  writeQuickstart(kms.endpoint);
  assert.equal(await printed(`${origin}/index.html`), 'correct horse');
});

test('a page of an origin that the KMS was not told of is refused', async (t) => {
  const server = await serveFolders({ '/': join(folder, 'dist-refused') }, "default-src 'self' http: 'wasm-unsafe-eval'");
  t.after(() => server.close());
  const kms = await serveKms(join(folder, 'kms-refused'), ['http://127.0.0.1:1']);
  t.after(() => kms.close());
  writeQuickstart(kms.endpoint);
  await build({ ...vite, build: { ...vite.build, outDir: 'dist-refused' } });
  await assert.rejects(printed(`${server.origin}/index.html`), /CORS|Failed to fetch/);
});
