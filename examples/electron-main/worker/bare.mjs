// A bare vault, and DEKs for it by each org's own client: what KmsVault would do for one org.
import { StrongroomError, Vault } from '@strongroom/node';

/** A vault that holds nothing, for these CMKs. */
export function bareVault({ cmks, kms }) {
  return new Vault({ cmks, dangerEndpoint: kms });
}

/** An org's newest own row of its org DEK. */
export async function orgRow(org, store) {
  const { dekRef } = await store.active(org);
  const [row] = (await store.rows(dekRef, org)).filter(({ purpose }) => purpose === 'org-dek');
  return row;
}

/** Asks for a row on behalf of an org, through this client, and has the vault judge the answer. */
export async function admitBy(kms, vault, org, row) {
  const request = vault.unwrapRequest(org, row);
  return vault.admit(org, row, await kms.send(request));
}

/** Admits the DEKs of an org's own records: their rows are wrapped by its org DEK, so no KMS is asked. */
export async function admitRecords(vault, org, store) {
  const rows = (await store.rowsByOwner(org)).filter(({ provider, reader }) => provider === 'local' && reader === org);
  for (const row of rows) vault.admit(org, row);
  return rows;
}

/** The code with which a call was refused; `undefined` if it was not. */
export function refusalOf(call) {
  try {
    const opened = call();
    if (opened instanceof Uint8Array) opened.fill(0);
    return undefined;
  } catch (error) {
    if (!(error instanceof StrongroomError)) throw error;
    return error.code;
  }
}
