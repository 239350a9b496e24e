// What the tests need of a vault: a DEK that came in as from a KMS, without one.

export const CMK = 'arn:aws:kms:us-east-1:123456789012:key/0f8fad5b-d9cb-469f-a165-70867728950e';
export const AT = { org: 'acme', table: 'hosts', record: 'h-17', field: 'password' };
export const CREATED = 1_761_955_200;

/** A vault that holds an active org DEK with these bytes. */
export function vaultWith(pkg, dek, options) {
  const vault = new pkg.Vault(options);
  const request = vault.mintRequest('acme', CMK, 1, CREATED);
  const { row, active } = vault.admitMinted(request.id, reply(request, dek));
  vault.setActive(active);
  return { vault, row, active };
}

/** A KMS's answer to a request, with a copy of this DEK. */
export function reply(request, dek) {
  return { endpoint: request.endpoint, KeyId: CMK, Plaintext: Uint8Array.from(dek), CiphertextBlob: new Uint8Array(96).fill(7) };
}

export function randomDek() {
  return crypto.getRandomValues(new Uint8Array(32));
}

/** A fresh copy of a module, with an instance of its own. */
let copies = 0;
export function fresh(file) {
  copies += 1;
  return import(`${new URL(file, import.meta.url).href}?copy=${copies}`);
}

/** For `assert.throws`: the package's error of this name. */
export function refusal(code) {
  return (error) => error.name === 'StrongroomError' && error.code === code && typeof error.number === 'number';
}
