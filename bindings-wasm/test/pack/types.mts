// Compiled, never run: what the types of the package must accept, and what they must not.
import {
  type ActiveRow, type BatchResult, type Binding, type DekStatus, init, initSync, inspect, type Kms, type KmsRequest, KmsVault, type Manifest,
  MemoryStore, readManifest, StrongroomError, Vault, version, type WrapRow, type WrapStore,
} from '@strongroom/wasm/inline';
import { init as initMain, version as versionMain } from '@strongroom/wasm';
import { KmsVault as MainKmsVault } from '@strongroom/wasm/kms-vault';
import { type EnvelopeReport, reportEnvelope, reportRow } from '@strongroom/wasm/reports';

initSync() satisfies void;
init() satisfies Promise<void>;

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
vault.wrapLocal('acme', dekRef, 1) satisfies WrapRow;
// @ts-expect-error a browser has no keychain
vault.cacheExport(dekRef);
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

// The entries over the module that is fetched.
initMain() satisfies Promise<void>;
versionMain() satisfies string;
MainKmsVault.create({ org: 'acme', cmks: {}, kms, store }).close();
const report: EnvelopeReport = reportEnvelope(envelope);
report.ctLen satisfies number;
reportRow(row).encryptionContext satisfies Readonly<Record<string, string>> | undefined;
// @ts-expect-error a report is only read
report.padded = true;
// @ts-expect-error a row is no text
reportRow('{}');
// @ts-expect-error a browser has no keychain
MainKmsVault.resume({});
