import assert from 'node:assert/strict';
import { request } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { foreignPlace, openPage } from '../browser.mjs';
import { policyFor, serve } from '../server.mjs';
import { PASSWORD, startWorld } from './world.mjs';

const SILENT = () => undefined;
let world;

before(async () => {
  world = await startWorld();
});
after(() => world?.close());

/** Serves the page with these options, opens it and has `use` look at it. */
async function withPage(options, use) {
  const server = await serve({ policy: policyFor(world.options.kms), ...world.options, ...options });
  const foreign = await foreignPlace();
  let page;
  try {
    page = await openPage(server.origin, SILENT);
    await use(page, { server, foreign });
  } finally {
    await page?.close();
    foreign.close();
    server.close();
  }
}

test('a person reads a field, and a field that was moved is refused', async () => {
  await withPage({}, async (page) => {
    assert.deepEqual(await page.look('h-18'), { refused: true, text: 'AUTH_FAILED' });
    assert.deepEqual(await page.look('h-17'), { refused: false, text: 'correct horse of northwind' });
    assert.deepEqual(await page.look('p-1'), { refused: false, text: '# Steps' });
  });
});

test('the page asks the KMS itself, as its own org, once', async () => {
  const before = world.log().length;
  await withPage({ org: 'contoso' }, async (page) => {
    const [cold, warm] = [await page.demo('open'), await page.demo('open')];
    assert.deepEqual([cold.fields, cold.kmsCalls, warm.fields, warm.kmsCalls], [2, 1, 2, 0]);
    assert.equal(cold.digest, warm.digest);
  });
  const asked = world.log().slice(before).map(({ callerOrg, operation, result }) => [callerOrg, operation, result]);
  assert.deepEqual(asked, [['contoso', 'Decrypt', 'ok']]);
});

test('rows under another CMK than the session knows are refused', async () => {
  const cmks = { contoso: world.options.cmks.northwind };
  await withPage({ org: 'contoso', cmks }, async (page) => {
    assert.deepEqual(await page.look('h-17'), { refused: true, text: 'KEY_ID_UNEXPECTED' });
  });
  await withPage({ org: 'contoso' }, async (page) => {
    assert.deepEqual(await page.look('h-17'), { refused: false, text: 'correct horse of contoso' });
  });
});

test('what the policy forbids is refused, and without the policy the same attempts succeed', async () => {
  await withPage({}, async (page, { foreign }) => {
    assert.deepEqual(await page.demo('tryForbidden', foreign.url), { eval: true, inlineScript: true, foreignFetch: true });
    assert.equal(foreign.visits(), 0);
  });
  await withPage({ policy: '' }, async (page, { foreign }) => {
    assert.deepEqual(await page.demo('tryForbidden', foreign.url), { eval: false, inlineScript: false, foreignFetch: false });
    assert.equal(foreign.visits(), 1);
  });
});

test('the page keeps nothing, and what a page keeps is counted', async () => {
  await withPage({ org: 'contoso' }, async (page) => {
    await page.demo('open');
    const nothing = { localStorage: 0, sessionStorage: 0, indexedDb: 0, caches: 0, cookies: 0 };
    assert.deepEqual(await page.demo('stored'), nothing);
    await page.run(async () => {
      localStorage.setItem('a', 'b');
      sessionStorage.setItem('a', 'b');
      document.cookie = 'a=b';
      await caches.open('a');
      await new Promise((done) => (indexedDB.open('a').onsuccess = done));
    });
    assert.deepEqual(await page.demo('stored'), { localStorage: 1, sessionStorage: 1, indexedDb: 1, caches: 1, cookies: 1 });
    assert.equal(await page.cookies(), 1);
  });
});

test('a policy without WebAssembly keeps the page from starting', async () => {
  const policy = policyFor(world.options.kms).replace(" 'wasm-unsafe-eval'", '');
  await assert.rejects(withPage({ policy }, SILENT), /WebAssembly/);
});

test('resealed fields reach the server only where it asked for them', async () => {
  const out = join(world.folder, 'resealed.jsonl');
  await withPage({}, async (page) => {
    // It has no seals to reserve.
    await assert.rejects(page.demo('reseal', 0, 3), /the store is unavailable/);
    assert.ok(!existsSync(out));
  });
  await withPage({ out }, async (page) => {
    assert.equal((await page.demo('reseal', 0, 3)).fields, 1);
    const [line] = readFileSync(out, 'utf8').trim().split('\n').map((text) => JSON.parse(text));
    assert.deepEqual({ table: line.table, record: line.record, field: line.field }, PASSWORD);
    const lines = readFileSync(world.options.exported, 'utf8').trim().split('\n').map((text) => JSON.parse(text));
    const before = lines.find(({ org, record }) => org === 'northwind' && record === PASSWORD.record);
    assert.equal(line.envelope.length, before.envelope.length);
    assert.notEqual(line.envelope, before.envelope);
  });
});

test('the server gives the built page and sealed things, and nothing else', async () => {
  const server = await serve({ policy: "default-src 'none'", ...world.options });
  const status = (path, options = {}) =>
    new Promise((resolve, reject) => {
      const { host } = options;
      const asked = request(`${server.origin}/`, { path, method: options.method, headers: host ? { host } : {} });
      asked.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject).end();
    });
  try {
    assert.equal(await status('/'), 200);
    assert.equal(await status('/rows.json'), 200);
    assert.equal(await status('/../package.json'), 404);
    assert.equal(await status('/%2e%2e/package.json'), 404);
    assert.equal(await status('/assets/../../package.json'), 404);
    assert.equal(await status('/src/main.js'), 404);
    assert.equal(await status('/', { host: 'example.com' }), 404);
    assert.equal(await status('/rows.json', { host: 'localhost:1' }), 404);
    assert.equal(await status('/', { method: 'DELETE' }), 404);
    assert.equal(await status('/resealed.jsonl', { method: 'PUT' }), 404);
  } finally {
    server.close();
  }
});
