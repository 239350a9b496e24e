// The released package in Chromium: nothing of a session is kept by the browser.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch, serveFolders } from './support/browser.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const dist = fileURLToPath(new URL('../dist', import.meta.url));
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";
const NOTHING = { localStorage: 0, sessionStorage: 0, indexedDb: 0, caches: 0, cookies: 0 };

let browser;
let server;
before(async () => {
  server = await serveFolders({ '/': here, '/dist/': dist }, POLICY);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.close();
});

test('a whole session leaves nothing in any store of the browser', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${server.origin}/pages/stored.html`);
  const outcome = await page.evaluate(() => globalThis.outcome);
  assert.deepEqual(outcome, { opened: [3, 3], held: NOTHING, after: NOTHING });
  assert.deepEqual((await context.storageState()).origins, []);
  assert.deepEqual(await context.cookies(), []);

  // The twin: each store is one that the count sees.
  await page.evaluate(async () => {
    localStorage.setItem('a', 'b');
    sessionStorage.setItem('a', 'b');
    document.cookie = 'a=b';
    await caches.open('a');
    await new Promise((done) => (indexedDB.open('a').onsuccess = done));
  });
  const all = Object.fromEntries(Object.keys(NOTHING).map((name) => [name, 1]));
  assert.deepEqual(await page.evaluate(() => globalThis.stored()), all);
  assert.equal((await context.cookies()).length, 1);
  await context.close();
});
