// Compiled, never run: what the types of the package must accept, and what they must not.
import {
  type ActiveRow, type BatchResult, type Binding, type DekStatus, inspect, type Keychain, type Kms, type KmsRequest,
  KmsVault, type Manifest, MemoryFieldStore, MemoryStore, type PromoteReport, reactivate, readManifest, type RevokeReport,
  StrongroomError, type Survivors, Vault, version, type WrapRow, type WrapStore,
} from '@strongroom/node';

const at: Binding = { org: 'acme', table: 'hosts', record: 'h-17', field: 'password', revision: 3n };
const vault: Vault = new Vault({ cmks: { acme: ['arn'] }, ttl: 60 });
const request: KmsRequest = vault.mintRequest('acme', 'arn', 1, 1);
const { row, active }: { row: WrapRow; active: ActiveRow } = vault.admitMinted(request.id, { endpoint: '', KeyId: 'arn' });
vault.setActive(active);
const dekRef: Uint8Array = vault.admit('acme', row);
const envelope: Uint8Array = vault.seal(at, new Uint8Array(4), { scope: 'record', padded: true });
const results: BatchResult[] = vault.openMany([{ binding: at, envelope }]);
for (const result of results) {
  if (result.ok) result.value satisfies Uint8Array;
  else result.error.code satisfies 'AUTH_FAILED' | string;
}
inspect(envelope).dekRef satisfies string;
version() satisfies string;
vault.cacheImport(vault.cacheExport(dekRef)) satisfies Uint8Array;
new StrongroomError('AUTH_FAILED').number satisfies number;

// @ts-expect-error a binding has all four parts
vault.seal({ org: 'acme', table: 'hosts', record: 'h-17' }, envelope);
// @ts-expect-error plaintext is bytes
vault.seal(at, 'text');
// @ts-expect-error a revision is a bigint
vault.open({ ...at, revision: 3 }, envelope);
// @ts-expect-error there is no such option
new Vault({ timeToLive: 60 });
// @ts-expect-error there is no such scope
vault.seal(at, envelope, { scope: 'table' });
// @ts-expect-error there is no such error
new StrongroomError('AUTH_FAILURE');

const store: WrapStore = new MemoryStore();
const kms: Kms = { send: async (asked, plaintext) => ({ endpoint: asked.endpoint, KeyId: asked.params.KeyId, CiphertextBlob: plaintext }) };
const loop: KmsVault = KmsVault.create({ org: 'acme', cmks: { acme: ['arn'] }, kms, store, session: 's1' });
(await loop.seal(at, envelope)) satisfies Uint8Array;
loop.vault.status() satisfies DekStatus[];
readManifest('{}') satisfies Manifest;

// @ts-expect-error a KmsVault is not made without cmks
KmsVault.create({ org: 'acme', kms, store });
// @ts-expect-error nor without a store
KmsVault.create({ org: 'acme', cmks: {}, kms });

const fields = new MemoryFieldStore();
(await loop.promote('hosts', 'h-17', fields)) satisfies PromoteReport;
(await loop.revoke('hosts', 'h-17', 'globex', fields)) satisfies RevokeReport;
(await loop.rotateIfDue()) satisfies 'age' | 'use' | undefined;
(await loop.retire(1, fields)).notBefore satisfies number | undefined;
(await loop.shred(7)) satisfies Survivors;
(await loop.signOut()) satisfies string[];
(await reactivate(store, 'acme')) satisfies ActiveRow;
const keychain: Keychain = { get: async () => undefined, set: async () => {}, delete: async () => {}, accounts: async () => [] };
const options = { org: 'acme', cmks: { acme: ['arn'] }, kms, store, activeMaxAge: 60, fleetSealLimit: 1_024, denialTtl: 0 };
const resumed: KmsVault = await KmsVault.resume({ ...options, session: 's1', service: 'product', keychain: { open: async () => keychain } });
resumed.close();

// @ts-expect-error a resumed vault has a session
KmsVault.resume({ ...options, service: 'product' });
// @ts-expect-error and a service
KmsVault.resume({ ...options, session: 's1' });
// @ts-expect-error fields are replaced by compare-and-set
loop.promote('hosts', 'h-17', { fields: async () => [] });
// @ts-expect-error nothing can be revoked without the fields
loop.revoke('hosts', 'h-17', 'globex');
