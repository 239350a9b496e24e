// A whole session of the loop, from mint to sign-out, and what every store of the browser holds after each part.
const CMK = 'arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000001';
const AT = { org: 'acme', table: 'hosts', record: 'h-1', field: 'password' };

const turned = (bytes) => Uint8Array.from(bytes, (byte) => byte ^ 0xa5);

/** Blobs are the DEKs, turned over. */
const kms = {
  async send({ op, endpoint, params }, plaintext) {
    const KeyId = params.KeyId;
    if (op === 'Decrypt') return { endpoint, KeyId, Plaintext: turned(params.CiphertextBlob) };
    if (op === 'Encrypt') return { endpoint, KeyId, CiphertextBlob: turned(plaintext) };
    const Plaintext = crypto.getRandomValues(new Uint8Array(32));
    return { endpoint, KeyId, CiphertextBlob: turned(Plaintext), Plaintext };
  },
};

/** How much each store of the browser holds. */
globalThis.stored = async () => ({
  localStorage: localStorage.length,
  sessionStorage: sessionStorage.length,
  indexedDb: (await indexedDB.databases()).length,
  caches: (await caches.keys()).length,
  cookies: document.cookie === '' ? 0 : document.cookie.split(';').length,
});

async function run() {
  const { init } = await import('/dist/index.js');
  const { KmsVault, MemoryStore } = await import('/dist/kms-vault.js');
  await init();
  const options = { org: 'acme', cmks: { acme: [CMK] }, kms, store: new MemoryStore() };
  const first = KmsVault.create(options);
  await first.rotate();
  await first.generateRecordDek('hosts', 'h-1');
  const envelopes = [await first.seal(AT, new Uint8Array(3)), await first.seal(AT, new Uint8Array(3), { scope: 'record' })];
  first.close();
  const second = KmsVault.create(options);
  const opened = await Promise.all(envelopes.map((envelope) => second.open(AT, envelope)));
  const held = await globalThis.stored();
  await second.signOut();
  const after = await globalThis.stored();
  second.close();
  return { opened: opened.map((value) => value.length), held, after };
}

globalThis.outcome = run().catch((error) => ({ error: `${error.name}: ${error.message}` }));
