// The same as an ES module, and what else the package exports.
import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import * as main from '@strongroom/wasm';
import * as strongroom from '@strongroom/wasm/inline';
import * as loop from '@strongroom/wasm/kms-vault';
import * as reports from '@strongroom/wasm/reports';
import { sealAndOpen } from './field.cjs';

sealAndOpen(strongroom);
const expected = [
  [main, 'init', 'Vault', 'inspect', 'toText', 'fromText', 'kmsContext', 'assertFipsEndpoint', 'sealedLength', 'version', 'StrongroomError'],
  [loop, 'KmsVault', 'MemoryStore', 'readManifest'],
  [strongroom, 'init', 'initSync', 'Vault', 'KmsVault', 'MemoryStore', 'readManifest', 'version', 'StrongroomError'],
  [reports, 'init', 'reportEnvelope', 'reportRow', 'StrongroomError'],
];
for (const [entry, ...names] of expected) {
  for (const name of names) if (typeof entry[name] !== 'function') throw new Error(`${name} is not exported`);
}
for (const file of ['@strongroom/wasm/classic', '@strongroom/wasm/strongroom.wasm', '@strongroom/wasm/package.json']) {
  await access(fileURLToPath(import.meta.resolve(file)));
}
console.log(`${process.version} ES module ${strongroom.version()}`);
