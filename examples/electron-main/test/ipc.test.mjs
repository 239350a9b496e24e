import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { OPEN, SEAL, serveFields } from '../ipc.mjs';
import { IpcMain, openWindow } from './stand-in.mjs';
import { testSession } from './kms.mjs';

const OWN = 'file:///app/renderer/index.html';
const PASSWORD = `{ table: 'connectionProtocols', record: 'h-17', field: 'password.ssh' }`;
const SEAL_ONE = `const { value: envelope } = await fields.seal(${PASSWORD}, new TextEncoder().encode('correct horse'));`;

let session;
let ipcMain;
let window;

before(async () => {
  session = await testSession('northwind', 'k-1');
  ipcMain = new IpcMain();
  serveFields(ipcMain, session, (url) => url === OWN);
  window = await openWindow(ipcMain, { url: OWN, parent: null });
});

after(async () => {
  await window.close();
  session.close();
});

test('a page seals a field and opens it again', async () => {
  const text = await window.run(`${SEAL_ONE}
    const opened = await fields.open(${PASSWORD}, envelope);
    return new TextDecoder().decode(opened.value);`);
  assert.equal(text, 'correct horse');
});

test('a record with a DEK of its own gets it with its first field', async () => {
  const result = await window.run(`
    const at = { table: 'procedures', record: 'p-1', field: 'body' };
    const sealed = await fields.seal(at, new TextEncoder().encode('# Steps'));
    return fields.open(at, sealed.value);`);
  assert.deepEqual(result, { ok: true, value: new TextEncoder().encode('# Steps') });
  assert.ok(session.vault.vault.status().some(({ kind }) => kind === 'record'));
});

test('an envelope opens in no other field and in no other record, and then still in its own', async () => {
  const results = await window.run(`${SEAL_ONE}
    const at = ${PASSWORD};
    return [
      await fields.open({ ...at, record: 'h-18' }, envelope),
      await fields.open({ ...at, field: 'password.rdp' }, envelope),
      await fields.open({ table: 'keyChainEntries', record: 'h-17', field: 'payload' }, envelope),
      (await fields.open(at, envelope)).ok,
    ];`);
  const refused = { ok: false, code: 'AUTH_FAILED' };
  assert.deepEqual(results, [refused, refused, refused, true]);
});

test('a page can not name an org, not even its own', async () => {
  const results = await window.run(`${SEAL_ONE}
    const at = ${PASSWORD};
    return [
      await fields.open({ ...at, org: 'contoso' }, envelope),
      await fields.open({ ...at, org: 'northwind' }, envelope),
      await fields.seal({ ...at, org: 'contoso' }, new Uint8Array(3)),
      (await fields.open(at, envelope)).ok,
    ];`);
  const refused = { ok: false, code: 'BAD_INPUT' };
  assert.deepEqual(results, [refused, refused, refused, true]);
});

test("another org's envelope does not open", async () => {
  const other = await testSession('contoso', 'k-2');
  const at = { org: 'contoso', table: 'connectionProtocols', record: 'h-17', field: 'password.ssh' };
  const envelope = await other.vault.seal(at, new Uint8Array(8));
  const result = await window.run(`return fields.open(${PASSWORD}, Uint8Array.from([${envelope}]));`);
  assert.deepEqual(result, { ok: false, code: 'UNKNOWN_DEK' });
  assert.deepEqual(await other.vault.open(at, envelope), new Uint8Array(8));
  other.close();
});

test('a field that the manifest does not list is neither sealed nor opened', async () => {
  const results = await window.run(`${SEAL_ONE}
    const at = { ...${PASSWORD}, field: 'hostName' };
    return [await fields.seal(at, new Uint8Array(3)), await fields.open(at, envelope)];`);
  assert.deepEqual(results, Array(2).fill({ ok: false, code: 'BAD_INPUT' }));
});

test('what is no place or no bytes is refused by name', async () => {
  const results = await window.run(`
    const at = ${PASSWORD};
    return Promise.all([
      fields.seal(at, 'correct horse'), fields.seal(at), fields.seal(undefined, new Uint8Array(3)),
      fields.seal('h-17', new Uint8Array(3)), fields.seal({ ...at, record: '' }, new Uint8Array(3)),
      fields.open(at, 'sr1.'), fields.open(null, new Uint8Array(80)), fields.open({ ...at, record: 17 }, new Uint8Array(80)),
    ]);`);
  assert.deepEqual(results, Array(8).fill({ ok: false, code: 'BAD_INPUT' }));
});

test('a page has two functions, and no way to another channel', async () => {
  const found = await window.run(`
    return {
      names: Object.keys(fields),
      kinds: Object.values(fields).map((member) => typeof member),
      frozen: Object.isFrozen(fields),
      bridge: [typeof globalThis.ipcRenderer, typeof globalThis.contextBridge, typeof globalThis.require],
      own: Object.values(fields).flatMap((member) => Reflect.ownKeys(member)).filter((key) => !['length', 'name'].includes(key)),
    };`);
  assert.deepEqual(found, {
    names: ['seal', 'open'],
    kinds: ['function', 'function'],
    frozen: true,
    bridge: ['undefined', 'undefined', 'undefined'],
    own: [],
  });
  assert.deepEqual(ipcMain.channels, [SEAL, OPEN]);
});

test('a page can not put its own functions in the place of the two', async () => {
  await assert.rejects(window.run(`'use strict'; fields.open = () => 'mine';`), /read only/);
  await assert.rejects(window.run(`'use strict'; globalThis.fields = {};`), /read only|redefine/);
});

test('no DEK ever crosses to a window, and the same search finds the plaintext that does', async () => {
  ipcMain.sent.length = 0;
  await window.run(`${SEAL_ONE} await fields.open(${PASSWORD}, envelope); await fields.open({}, envelope);`);
  const crossed = ipcMain.sent.map(({ value }) => value.value ?? new Uint8Array()).map((bytes) => Buffer.from(bytes));
  const finds = (bytes) => crossed.some((message) => message.includes(bytes));
  assert.equal(crossed.length, 3);
  for (const dek of session.kms.deks.values()) {
    assert.ok(!finds(dek.subarray(0, 16)) && !finds(dek.subarray(16)));
  }
  assert.ok(finds(Buffer.from('correct horse')));
});

test('an answer is bytes or a code, and nothing besides', async () => {
  ipcMain.sent.length = 0;
  await window.run(`${SEAL_ONE} await fields.open(${PASSWORD}, envelope); await fields.open({}, envelope);`);
  const shapes = ipcMain.sent.map(({ value, error }) => [Object.keys(value), value.value?.constructor.name, error]);
  assert.deepEqual(shapes, [
    [['ok', 'value'], 'Uint8Array', undefined],
    [['ok', 'value'], 'Uint8Array', undefined],
    [['ok', 'code'], undefined, undefined],
  ]);
});

for (const [what, frame] of [
  ['another page', { url: 'https://example.com/', parent: null }],
  ['a page whose URL only begins like the own one', { url: `${OWN}.evil.example`, parent: null }],
  ['a frame inside the own page', { url: OWN, parent: { url: OWN } }],
  ['a frame that is gone', null],
]) {
  test(`${what} gets nothing`, async () => {
    const stranger = await openWindow(ipcMain, frame);
    const results = await stranger.run(`
      return [await fields.seal(${PASSWORD}, new Uint8Array(3)), await fields.open(${PASSWORD}, new Uint8Array(80))];`);
    assert.deepEqual(results, Array(2).fill({ ok: false, code: 'NOT_ALLOWED' }));
    await stranger.close();
  });
}

test('after sign-out nothing opens', async () => {
  const own = await testSession('northwind', 'k-3');
  const served = new IpcMain();
  serveFields(served, own, (url) => url === OWN);
  const page = await openWindow(served, { url: OWN, parent: null });
  const sealed = await page.run(`${SEAL_ONE} return [envelope, (await fields.open(${PASSWORD}, envelope)).ok];`);
  assert.equal(sealed[1], true);
  own.close();
  const result = await page.run(`return fields.open(${PASSWORD}, Uint8Array.from([${sealed[0]}]));`);
  assert.deepEqual(result, { ok: false, code: 'BAD_INPUT' });
  await page.close();
});
