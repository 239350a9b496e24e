import { bindWithCache, type CachingApi, type CachingVault } from './host/cache.js';
import type { RawWithCache } from './host/raw.js';

const api = bindWithCache(require('../native-loader.cjs') as RawWithCache);

/** The DEKs that one session works with, and the rules for them. `KmsVault` makes its KMS calls for you. */
export const Vault: CachingApi['Vault'] = api.Vault;
export type Vault = CachingVault;

/** `strongroom X.Y.Z format 1 aes=BACKEND`. */
export const version: CachingApi['version'] = api.version;
/** Throws `ENDPOINT_POLICY` unless the URL is the FIPS endpoint of the KMS in this region. */
export const assertFipsEndpoint: CachingApi['assertFipsEndpoint'] = api.assertFipsEndpoint;
/** How long the envelope of a plaintext of this length is. */
export const sealedLength: CachingApi['sealedLength'] = api.sealedLength;
/** An envelope's header, read without any key. Nothing in it is authenticated. */
export const inspect: CachingApi['inspect'] = api.inspect;
/** The printable form of an envelope. */
export const toText: CachingApi['toText'] = api.toText;
/** The envelope of a printable form. */
export const fromText: CachingApi['fromText'] = api.fromText;
/** The KMS encryption context of a wrap row. */
export const kmsContext: CachingApi['kmsContext'] = api.kmsContext;

export { StrongroomError, type ErrorName } from './host/error.js';
export type * from './host/types.js';
