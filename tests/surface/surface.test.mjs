// `tests/surface.json` has a row for each operation and a column for each host: the name that it has
// there, or `{"gap": why}`. It is held against what the hosts really export, both ways.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { allExports } from './exports.mjs';

const read = (file) => JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'));
const { hosts, ...sections } = read('../surface.json');
const rows = Object.entries(sections).flatMap(([section, names]) => Object.entries(names).map(([name, row]) => ({ section, name, row })));
const exported = await allExports();

test('every row says for every host what it has, or why not', () => {
  for (const { section, name, row } of rows) {
    assert.deepEqual(Object.keys(row), hosts, `${section} ${name}`);
    for (const [host, cell] of Object.entries(row)) {
      if (typeof cell === 'string') continue;
      assert.deepEqual(Object.keys(cell), ['gap'], `${section} ${name} ${host}`);
      assert.ok(cell.gap.length > 10, `${section} ${name} ${host} gives no reason`);
    }
  }
});

for (const host of hosts) {
  test(`${host} exports what its column says, and nothing else`, () => {
    const names = rows.map(({ row }) => row[host]).filter((cell) => typeof cell === 'string');
    assert.equal(new Set(names).size, names.length, 'a name stands there twice');
    assert.ok(exported[host].length > 0);
    const [said, real] = [new Set(names), new Set(exported[host])];
    assert.deepEqual([...said].filter((name) => !real.has(name)), [], 'said, but not exported');
    assert.deepEqual([...real].filter((name) => !said.has(name)), [], 'exported, but not said');
  });
}

test('a name is the operation, mechanically re-cased', () => {
  for (const { section, name, row } of rows.filter(({ section }) => section === 'vault' || section === 'loop')) {
    for (const [host, cell] of Object.entries(row)) {
      if (typeof cell !== 'string' || ['new', 'close'].includes(name)) continue;
      const bare = cell.replace(/^.*(::|\.)/, '').replace(/^strongroom_(vault_)?/, '');
      assert.equal(bare.toLowerCase().replaceAll('_', ''), name.replaceAll('_', ''), `${section} ${host}`);
    }
  }
});

test("every operation that a host's shim offers stands in its column", () => {
  // Some are in test builds only; and a vault may begin by a constructor and end by being dropped.
  const passed = new Set([
    'vault.new', 'vault.close', 'vault.set_clock', 'vault.rng', 'dek_ref', 'binding_aad', 'seal', 'open', 'seal_many', 'reseal',
    'wrap_local', 'unwrap_local',
  ]);
  const offered = read('../shims/hello.json');
  for (const host of hosts.filter((name) => name in offered)) {
    const { ops } = offered[host];
    for (const op of ops.filter((name) => !passed.has(name))) {
      const [section, name] = op.startsWith('vault.') ? ['vault', op.slice(6)] : ['functions', op];
      const cell = sections[section][name]?.[host];
      // Of a type that has no column: `WrapRow::encryption_context`.
      const isElsewhere = /^[A-Z]\w+(::|\.)\w+$/.test(cell?.gap);
      assert.ok(typeof cell === 'string' || isElsewhere, `${host} offers ${op}`);
    }
  }
});
