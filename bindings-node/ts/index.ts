import { bindWithCache, type CachingApi, type CachingVault } from './host/cache.js';
import type { KmsVault as AnyKmsVault } from './host/kms-vault.js';
import type { RawWithCache } from './host/raw.js';
import { bindResumable, type ResumableKmsVaultFactory } from './host/resume.js';

const api = bindWithCache(require('../native-loader.cjs') as RawWithCache);

/** A vault for one org's session that makes its KMS calls itself. Start here. */
export const KmsVault: ResumableKmsVaultFactory<CachingVault> = bindResumable(api).KmsVault;
export type KmsVault = AnyKmsVault<CachingVault>;

/** The DEKs that one session works with, and the rules for them; KMS calls and storage are the caller's. */
export const Vault: CachingApi['Vault'] = api.Vault;
export type Vault = CachingVault;

/** `strongroom X.Y.Z format 1 aes=BACKEND`; all but the last part is the same in every host. */
export const version: CachingApi['version'] = api.version;
/** Throws `ENDPOINT_POLICY` unless the URL is the FIPS endpoint of the KMS in this region. */
export const assertFipsEndpoint: CachingApi['assertFipsEndpoint'] = api.assertFipsEndpoint;
/** How long the envelope of a plaintext of this length is. */
export const sealedLength: CachingApi['sealedLength'] = api.sealedLength;
/** An envelope's header, read without any key. Nothing in it is authenticated. */
export const inspect: CachingApi['inspect'] = api.inspect;
/** The printable form of an envelope. */
export const toText: CachingApi['toText'] = api.toText;
/** The envelope of a printable form. Exactly one spelling is taken. */
export const fromText: CachingApi['fromText'] = api.fromText;
/** The KMS encryption context of a wrap row. */
export const kmsContext: CachingApi['kmsContext'] = api.kmsContext;

export { StrongroomError, type ErrorName } from './host/error.js';
export { MemoryFieldStore, type FieldStore, type StoredField } from './host/field-store.js';
export { JsonLinesStore } from './host/jsonl-store.js';
export type { Keychain, Keychains } from './host/keychain.js';
export type { Kms, RetryOptions } from './host/kms.js';
export {
  reactivate, type KmsVaultFactory, type KmsVaultOptions, type PromoteReport, type RetireReport, type RevokeReport,
  type RotationCause, type ShreddedKey, type SurvivingShare, type Survivors,
} from './host/kms-vault.js';
export { type Manifest, readManifest } from './host/manifest.js';
export type { ResumableKmsVaultFactory, ResumeOptions } from './host/resume.js';
export { MemoryStore, type RecordPlace, type RowKey, type WrapStore } from './host/store.js';
export type * from './host/types.js';
