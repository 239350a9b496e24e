// What every entry of this package offers over its own instance of the module.
import { bind } from '../../hosts/ts/src/bind.js';
import type { Vault as AnyVault } from '../../hosts/ts/src/vault.js';
import { raw } from './raw.js';

export * from '../../hosts/ts/src/public.js';

export const api = bind(raw);

/** The DEKs that one session works with, and the rules for them; KMS calls and storage are the caller's. */
export const Vault = api.Vault;
export type Vault = AnyVault;

/** `strongroom X.Y.Z format 1 aes=soft`; all but the last part is the same in every host. */
export const version = api.version;
/** Throws `ENDPOINT_POLICY` unless the URL is the FIPS endpoint of the KMS in this region. */
export const assertFipsEndpoint = api.assertFipsEndpoint;
/** How long the envelope of a plaintext of this length is. */
export const sealedLength = api.sealedLength;
/** An envelope's header, read without any key. Nothing in it is authenticated. */
export const inspect = api.inspect;
/** The printable form of an envelope. */
export const toText = api.toText;
/** The envelope of a printable form. Exactly one spelling is taken. */
export const fromText = api.fromText;
/** The KMS encryption context of a wrap row. */
export const kmsContext = api.kmsContext;
