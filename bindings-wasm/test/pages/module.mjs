// Loads the entry that the address names, seals and opens one field, and says what came of it.
import { AT, randomDek, vaultWith } from '/support/fixture.mjs';

async function run() {
  const pkg = await import(new URL(location.href).searchParams.get('entry'));
  await pkg.init();
  const { vault } = vaultWith(pkg, randomDek());
  const envelope = vault.seal(AT, new TextEncoder().encode('hunter2'));
  const opened = new TextDecoder().decode(vault.open(AT, envelope));
  vault.close();
  return opened;
}

globalThis.outcome = run().then(
  (opened) => ({ opened }),
  (error) => ({ error: `${error.name}: ${error.message}` }),
);
