// The ready-made loop over this entry's instance of the module.
import { bindKmsVault, type KmsVault as AnyKmsVault, type KmsVaultFactory } from '../../hosts/ts/src/kms-vault.js';
import type { Vault } from '../../hosts/ts/src/vault.js';
import { api } from './exports.js';

export { MemoryFieldStore, type FieldStore, type StoredField } from '../../hosts/ts/src/field-store.js';
export type { Kms, RetryOptions } from '../../hosts/ts/src/kms.js';
export {
  reactivate, type KmsVaultFactory, type KmsVaultOptions, type PromoteReport, type RetireReport, type RevokeReport,
  type RotationCause, type ShreddedKey, type SurvivingShare, type Survivors,
} from '../../hosts/ts/src/kms-vault.js';
export { type Manifest, readManifest } from '../../hosts/ts/src/manifest.js';
export { MemoryStore, type RecordPlace, type RowKey, type WrapStore } from '../../hosts/ts/src/store.js';

/** A vault for one org's session that makes its KMS calls itself. Start here. */
export const KmsVault: KmsVaultFactory<Vault> = bindKmsVault(api).KmsVault;
export type KmsVault = AnyKmsVault<Vault>;
