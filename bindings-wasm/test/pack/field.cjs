// What a user of the packed package does first, in CommonJS: seals and opens one field.
'use strict';
const strongroom = require('@strongroom/wasm/inline');

function sealAndOpen({ initSync, StrongroomError, Vault }) {
  initSync();
  const endpoint = 'https://kms-fips.us-east-1.amazonaws.com';
  const cmk = 'arn:aws:kms:us-east-1:000000000000:key/1';
  const at = { org: 'acme', table: 'hosts', record: 'h-17', field: 'password' };
  const vault = new Vault({ cmks: { acme: [cmk] } });
  const { id } = vault.mintRequest('acme', cmk, 1, 1_700_000_000);
  const [Plaintext, CiphertextBlob] = [crypto.getRandomValues(new Uint8Array(32)), new Uint8Array(64).fill(7)];
  vault.setActive(vault.admitMinted(id, { endpoint, KeyId: cmk, Plaintext, CiphertextBlob }).active);

  const envelope = vault.seal(at, new TextEncoder().encode('correct horse'));
  if (new TextDecoder().decode(vault.open(at, envelope)) !== 'correct horse') throw new Error('opened to something else');
  try {
    vault.open({ ...at, record: 'h-18' }, envelope);
  } catch (error) {
    if (!(error instanceof StrongroomError) || error.code !== 'AUTH_FAILED') throw error;
    vault.close();
    return;
  }
  throw new Error('opened where it was not sealed');
}

module.exports = { sealAndOpen };
if (require.main === module) {
  sealAndOpen(strongroom);
  console.log(`${process.version} CommonJS ${strongroom.version()}`);
}
