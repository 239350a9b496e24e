// The same as an ES module, which must meet the same classes as CommonJS does.
import * as strongroom from '@strongroom/node';
import fromCommonJs from './field.cjs';

if (strongroom.StrongroomError !== fromCommonJs) throw new Error('two copies of the package in one process');
for (const name of ['KmsVault', 'MemoryStore', 'JsonLinesStore', 'readManifest', 'inspect', 'toText', 'fromText', 'assertFipsEndpoint']) {
  if (typeof strongroom[name] !== 'function') throw new Error(`${name} is not exported`);
}
console.log(`${process.version} ES module ${strongroom.version()}`);
