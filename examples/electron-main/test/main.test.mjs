import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { register } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { OPEN, SEAL } from '../ipc.mjs';

const folder = mkdtempSync(join(tmpdir(), 'strongroom-electron-'));
const CMKS = { northwind: ['arn:aws:kms:us-east-1:000000000000:key/k-1'] };
let electron;

// The real main.mjs, on a stand-in of the module that only Electron has.
before(async () => {
  const file = join(folder, 'session.json');
  writeFileSync(file, JSON.stringify({ org: 'northwind', cmks: CMKS }));
  process.argv.push(file);
  register('./electron-hook.mjs', import.meta.url);
  electron = await import('electron');
  electron.app.userData = folder;
  await import('../main.mjs');
  await electron.app.started;
});

after(() => {
  electron.app.emit('will-quit');
  rmSync(folder, { recursive: true });
});

test('the window has its page in a sandbox, in a world of its own, without Node', () => {
  const [{ preload, ...preferences }] = electron.BrowserWindow.all.map((window) => window.options.webPreferences);
  assert.deepEqual(preferences, { contextIsolation: true, sandbox: true, nodeIntegration: false });
  assert.ok(existsSync(preload));
  assert.ok(existsSync(electron.BrowserWindow.all[0].loaded));
});

test('main serves the two channels and no other', () => {
  assert.deepEqual([...electron.ipcMain.handlers.keys()], [SEAL, OPEN]);
});

test('main serves its own page and no other', async () => {
  const at = { table: 'keyChainEntries', record: 'k-1', field: 'payload' };
  const ask = (url) => electron.ipcMain.handlers.get(OPEN)({ senderFrame: { url, parent: null } }, at, new Uint8Array(3));
  const own = new URL('../renderer/index.html', import.meta.url).href;
  assert.deepEqual(await ask(`${own}?elsewhere`), { ok: false, code: 'NOT_ALLOWED' });
  assert.deepEqual(await ask('file:///etc/passwd'), { ok: false, code: 'NOT_ALLOWED' });
  assert.deepEqual(await ask(own), { ok: false, code: 'NOT_AN_ENVELOPE' });
});

test('no page opens windows, navigates, embeds pages or gets permissions', () => {
  const contents = new electron.WebContents();
  electron.app.emit('web-contents-created', {}, contents);
  assert.deepEqual(contents.openHandler({ url: 'https://example.com/' }), { action: 'deny' });
  for (const name of ['will-navigate', 'will-attach-webview']) {
    let prevented = false;
    contents.emit(name, { preventDefault: () => (prevented = true) });
    assert.ok(prevented, name);
  }
  electron.session.defaultSession.permissionHandler(contents, 'media', (granted) => assert.equal(granted, false));
});
