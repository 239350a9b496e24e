// A session that goes on in a second process, by a real gnome-keyring.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { reactivate } from '@strongroom/node';
import { osKeychain } from '@strongroom/node/keychain';
import { AT, session } from './session.mjs';
import { inOwnProcess } from './support.mjs';

const folder = mkdtempSync(join(tmpdir(), 'strongroom-'));
after(() => rmSync(folder, { recursive: true }));

/** A first session in a process of its own: gives its envelope, after one KMS call. */
function firstSession(rows, service) {
  const out = inOwnProcess({}, `
    const { AT, session } = await import('./test-keychain/session.mjs');
    const { vault, kms, warnings } = await session(${JSON.stringify({ rows, service })});
    await vault.rotate();
    const envelope = await vault.seal(AT, new TextEncoder().encode('secret'));
    // What comes in is written behind the work.
    const keychain = await osKeychain().open(${JSON.stringify(service)});
    while (!(await keychain.accounts()).some((name) => name.startsWith('dek.'))) {
      await new Promise((done) => setTimeout(done, 20));
    }
    vault.close();
    console.log(JSON.stringify({ envelope: Buffer.from(envelope).toString('hex'), calls: kms.calls, warnings }));`);
  const { envelope, calls, warnings } = JSON.parse(out);
  assert.deepEqual({ calls, warnings }, { calls: 1, warnings: [] });
  return Uint8Array.from(Buffer.from(envelope, 'hex'));
}

const accounts = async (service) => (await osKeychain().open(service)).accounts();
const text = (bytes) => new TextDecoder().decode(bytes);

test('a second process opens without a KMS call, and a sign-out leaves versions only', async () => {
  const [rows, back, service] = [join(folder, 'rows.jsonl'), join(folder, 'back.jsonl'), 'node.product'];
  const envelope = firstSession(rows, service);
  copyFileSync(rows, back);
  const second = await session({ rows, service });
  assert.equal(text(await second.vault.open(AT, envelope)), 'secret');
  assert.equal(second.kms.calls, 0);
  await second.vault.rotate();
  await second.vault.signOut();
  second.vault.close();
  assert.deepEqual(await accounts(service), []);
  assert.deepEqual(await accounts(`${service}.versions`), ['YWNtZQ']);

  // A store that was set back to the version before.
  const rolledBack = await session({ rows: back, service });
  await assert.rejects(rolledBack.vault.seal(AT, new Uint8Array(1)), { code: 'ACTIVE_ROLLBACK' });
  await rolledBack.vault.signOut();
  rolledBack.vault.close();
  const third = await session({ rows, service });
  assert.equal(text(await third.vault.open(AT, envelope)), 'secret');
  assert.equal(third.kms.calls, 1);
  third.vault.close();
  assert.deepEqual([...second.warnings, ...third.warnings], []);
});

test('entries that are over are deleted at the start', async () => {
  const [rows, service] = [join(folder, 'over.jsonl'), 'node.over'];
  const envelope = firstSession(rows, service);
  const keychain = await osKeychain().open(service);
  const [account] = (await keychain.accounts()).filter((name) => name.startsWith('dek.'));
  const entry = JSON.parse(text(await keychain.get(account)));
  await keychain.set(account, new TextEncoder().encode(JSON.stringify({ ...entry, expires: 1 })));
  const { vault, kms } = await session({ rows, service });
  assert.ok(!(await keychain.accounts()).includes(account));
  assert.equal(text(await vault.open(AT, envelope)), 'secret');
  assert.equal(kms.calls, 1);
  vault.close();
});

test("a tombstoned org's entries are not taken in, and are deleted", async () => {
  const [rows, service] = [join(folder, 'dead.jsonl'), 'node.dead'];
  const envelope = firstSession(rows, service);
  const before = await session({ rows, service });
  const active = await before.store.active('acme');
  before.vault.close();
  await before.store.compareAndSetActive({ ...active, state: 'tombstoned', rev: active.rev + 1 });
  const dead = await session({ rows, service });
  assert.deepEqual((await accounts(service)).filter((name) => name.startsWith('dek.')), []);
  await assert.rejects(dead.vault.open(AT, envelope), { code: 'ORG_TOMBSTONED' });
  dead.vault.close();
  // The twin: active again, it opens after a call.
  await reactivate(before.store, 'acme');
  const again = await session({ rows, service });
  assert.equal(text(await again.vault.open(AT, envelope)), 'secret');
  assert.equal(again.kms.calls, 1);
  again.vault.close();
});

test("without a session bus a session works in memory, warns, and keeps nothing", () => {
  const rows = join(folder, 'nobus.jsonl');
  const out = inOwnProcess({ DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' }, `
    const { AT, session } = await import('./test-keychain/session.mjs');
    const { vault, warnings } = await session({ rows: ${JSON.stringify(rows)}, service: 'node.nobus' });
    await vault.rotate();
    const envelope = await vault.seal(AT, new Uint8Array(3));
    await vault.open(AT, envelope);
    vault.close();
    console.log(warnings.length > 0);`);
  assert.equal(out, 'true\n');
  assert.ok(!readFileSync('/proc/keys', 'utf8').includes('node.nobus'));
});
