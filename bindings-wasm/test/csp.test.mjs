// The released package in Chromium: which Content-Security-Policy it works under.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { launch, serveFolders } from './support/browser.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const dist = join(here, '../dist');

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** What the page says, what was fetched, and what the browser complained of. */
async function load(policy, entry) {
  const server = await serveFolders({ '/': here, '/dist/': dist }, policy);
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', (message) => complaints.push(message.text()));
  try {
    await page.goto(`${server.origin}/pages/module.html?entry=/dist/${entry}`);
    const outcome = await page.evaluate(() => globalThis.outcome);
    return { ...outcome, requests: server.requests, complaints };
  } finally {
    await page.close();
    server.close();
  }
}

const STRICT = "default-src 'none'; base-uri 'none'; form-action 'none'";

test("the main entry works under script-src 'self' 'wasm-unsafe-eval'", async () => {
  const { opened, requests } = await load(`${STRICT}; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'`, 'index.js');
  assert.equal(opened, 'hunter2');
  const fetched = requests.filter((path) => path.startsWith('/dist/') && !path.endsWith('.js'));
  assert.deepEqual(fetched, ['/dist/strongroom.wasm'], 'it fetches the module beside it and nothing else');
});

test("the inline entry works under connect-src 'none' and fetches nothing", async () => {
  const { opened, requests } = await load(`${STRICT}; script-src 'self' 'wasm-unsafe-eval'; connect-src 'none'`, 'inline.js');
  assert.equal(opened, 'hunter2');
  assert.deepEqual(requests.filter((path) => path.startsWith('/dist/')), ['/dist/inline.js']);
});

for (const entry of ['index.js', 'inline.js']) {
  test(`script-src 'self' alone fails clearly: ${entry}`, async () => {
    const { opened, error } = await load(`${STRICT}; script-src 'self'; connect-src 'self'`, entry);
    assert.equal(opened, undefined);
    assert.match(error, /CompileError.*(unsafe-eval|Content Security Policy)/s);
  });
}

test("the main entry under connect-src 'none' fails clearly", async () => {
  const { opened, error } = await load(`${STRICT}; script-src 'self' 'wasm-unsafe-eval'; connect-src 'none'`, 'index.js');
  assert.equal(opened, undefined);
  assert.match(error, /TypeError/);
});

test('another module beside the main entry is not run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-'));
  for (const file of ['index.js', ...sharedOf()]) copyFileSync(join(dist, file), join(folder, file));
  copyFileSync(join(dist, 'reports.wasm'), join(folder, 'strongroom.wasm'));
  const server = await serveFolders({ '/': here, '/dist/': folder }, `${STRICT}; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'`);
  const page = await browser.newPage();
  try {
    await page.goto(`${server.origin}/pages/module.html?entry=/dist/index.js`);
    const { opened, error } = await page.evaluate(() => globalThis.outcome);
    assert.equal(opened, undefined);
    assert.match(error, /TypeError: Failed to fetch/);
  } finally {
    await page.close();
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test('the classic script works in a page from a file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-'));
  copyFileSync(join(dist, 'strongroom.classic.js'), join(folder, 'strongroom.js'));
  writeFileSync(
    join(folder, 'page.html'),
    `<!doctype html><meta charset="utf-8">
     <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src file: 'wasm-unsafe-eval'; connect-src 'none'">
     <script src="strongroom.js"></script>`,
  );
  const page = await browser.newPage();
  const asked = [];
  page.on('request', (request) => asked.push(request.url().split('/').at(-1)));
  try {
    await page.goto(pathToFileURL(join(folder, 'page.html')).href);
    const opened = await page.evaluate(() => {
      const { Strongroom } = globalThis;
      Strongroom.initSync();
      const vault = new Strongroom.Vault();
      const cmk = 'arn:aws:kms:us-east-1:123456789012:key/0f8fad5b-d9cb-469f-a165-70867728950e';
      const request = vault.mintRequest('acme', cmk, 1, 1_761_955_200);
      const Plaintext = crypto.getRandomValues(new Uint8Array(32));
      const answer = { endpoint: request.endpoint, KeyId: cmk, Plaintext, CiphertextBlob: new Uint8Array(96) };
      vault.setActive(vault.admitMinted(request.id, answer).active);
      const at = { org: 'acme', table: 'hosts', record: 'h-17', field: 'password' };
      return new TextDecoder().decode(vault.open(at, vault.seal(at, new TextEncoder().encode('hunter2'))));
    });
    assert.equal(opened, 'hunter2');
    assert.deepEqual(asked, ['page.html', 'strongroom.js']);
  } finally {
    await page.close();
    rmSync(folder, { recursive: true });
  }
});

function sharedOf() {
  return ['shared.js'];
}
