// The same instance under both module systems, so that there is one StrongroomError.
export {
  assertFipsEndpoint, fromText, inspect, JsonLinesStore, kmsContext, KmsVault, MemoryFieldStore,
  MemoryStore, reactivate, readManifest, sealedLength, StrongroomError, toText, Vault, version,
} from './index.js';
export type * from './index.js';
