// The operating system's keychain, on a real gnome-keyring: sh xtask/tools/keyring.sh node --test ...
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { KeychainError, osKeychain } from '@strongroom/node/keychain';
import { inOwnProcess } from './support.mjs';

const open = (service) => osKeychain().open(service);
const bytes = (text) => new TextEncoder().encode(text);
const accounts = async (keychain) => (await keychain.accounts()).sort();

test('a secret comes back byte for byte, is replaced and is deleted', async () => {
  const keychain = await open('node.bytes');
  for (const secret of [Uint8Array.from({ length: 256 }, (_, i) => i), new Uint8Array(1), new Uint8Array(65_536).fill(255)]) {
    await keychain.set('dek.a', secret);
    assert.deepEqual(await keychain.get('dek.a'), secret);
    assert.deepEqual(await keychain.accounts(), ['dek.a']);
  }
  await keychain.delete('dek.a');
  await keychain.delete('dek.a');
  assert.equal(await keychain.get('dek.a'), undefined);
  assert.deepEqual(await keychain.accounts(), []);
});

test('clearing a service leaves the one whose name it begins', async () => {
  const [keychain, versions] = [await open('node.x'), await open('node.x.versions')];
  await versions.set('b3Jn', bytes('7'));
  for (const account of ['dek.a', 'dek.b', 'session']) await keychain.set(account, bytes(account));
  assert.deepEqual(await accounts(keychain), ['dek.a', 'dek.b', 'session']);
  for (const account of await keychain.accounts()) await keychain.delete(account);
  assert.deepEqual(await keychain.accounts(), []);
  assert.deepEqual(await versions.accounts(), ['b3Jn']);
});

test('odd names are kept apart', async () => {
  const names = ['ü/…/鍵', '*', 'a b\n"\'\\', 'n'.repeat(1_019), 'A', 'a'];
  for (const service of names) {
    const keychain = await open(`node.${service}`);
    for (const account of names) await keychain.set(account, bytes(service + account));
    assert.deepEqual(await accounts(keychain), [...names].sort());
    for (const account of names) assert.deepEqual(await keychain.get(account), bytes(service + account));
  }
});

test('names and sizes that no keychain takes are refused', async () => {
  const keychain = await open('node.refused');
  for (const name of ['', 'a\0b', '\ud800', 'é'.repeat(513), 7, undefined]) {
    await assert.rejects(open(name), { code: 'BAD_INPUT' });
    await assert.rejects(keychain.get(name), { code: 'BAD_INPUT' });
    await assert.rejects(keychain.set(name, bytes('s')), { code: 'BAD_INPUT' });
    await assert.rejects(keychain.delete(name), { code: 'BAD_INPUT' });
  }
  await assert.rejects(keychain.set('a', 'text'), { code: 'BAD_INPUT' });
  await assert.rejects(keychain.set('a', new Uint8Array((1 << 20) + 1)), { code: 'LIMIT' });
  assert.deepEqual(await keychain.accounts(), []);
});

test('without a session bus there is no keychain, and no key in the kernel', () => {
  const held = inOwnProcess({ DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' }, `
    const error = await osKeychain().open('node.nobus').then(() => 'opened', (error) => error);
    if (!(error instanceof KeychainError)) throw new Error(String(error));`);
  assert.equal(held, '');
  assert.ok(!readFileSync('/proc/keys', 'utf8').includes('node.nobus'));
});

test('a locked keychain is neither read nor unlocked', async () => {
  const keychain = await open('node.locked');
  await keychain.set('dek.a', bytes('secret'));
  const collection = '/org/freedesktop/secrets/collection/login';
  const send = ['--session', '--print-reply', '--dest=org.freedesktop.secrets', '/org/freedesktop/secrets'];
  execFileSync('dbus-send', [...send, 'org.freedesktop.Secret.Service.Lock', `array:objpath:${collection}`]);
  const start = Date.now();
  await assert.rejects(open('node.locked'), KeychainError);
  await assert.rejects(keychain.get('dek.a'), KeychainError);
  await assert.rejects(keychain.accounts(), KeychainError);
  await assert.rejects(keychain.set('dek.a', bytes('other')), KeychainError);
  assert.ok(Date.now() - start < 15_000);
});

/** Starts an unlocked daemon in the place of the last one, and gives its process id. */
async function restart() {
  const args = ['--replace', '--unlock', '--components=secrets'];
  execFileSync('gnome-keyring-daemon', args, { input: 'strongroom', stdio: ['pipe', 'ignore', 'ignore'] });
  const ask = ['--session', '--print-reply=literal', '--dest=org.freedesktop.DBus', '/org/freedesktop/DBus'];
  const method = 'org.freedesktop.DBus.GetConnectionUnixProcessID';
  // It takes the place of the last one a moment later.
  for (let tries = 0; ; tries += 1) {
    const isUp = await open('node.restart').then(() => true, () => false);
    if (isUp) break;
    assert.ok(tries < 50, 'no daemon came back');
    await new Promise((done) => setTimeout(done, 100));
  }
  const pid = execFileSync('dbus-send', [...ask, method, 'string:org.freedesktop.secrets'], { encoding: 'utf8' });
  return Number(/(\d+)\s*$/.exec(pid)[1]);
}

test('a daemon that hangs is an error in time, and keeps no process from its end', async () => {
  const pid = await restart();
  const start = Date.now();
  try {
    inOwnProcess({}, `
      const keychain = await osKeychain().open('node.hangs');
      await keychain.set('dek.a', new Uint8Array(3));
      process.kill(${pid}, 'SIGSTOP');
      for (const call of [() => keychain.get('dek.a'), () => keychain.accounts(), () => osKeychain().open('node.hangs')]) {
        const error = await call().then(() => 'answered', (error) => error);
        if (!(error instanceof KeychainError)) throw new Error(String(error));
      }`);
  } finally {
    process.kill(pid, 'SIGKILL');
  }
  assert.ok(Date.now() - start < 30_000);
});

test('a daemon that was killed is an error', async () => {
  const pid = await restart();
  const keychain = await open('node.killed');
  await keychain.set('dek.a', bytes('secret'));
  process.kill(pid, 'SIGKILL');
  await assert.rejects(keychain.get('dek.a'), KeychainError);
  await assert.rejects(keychain.accounts(), KeychainError);
});
