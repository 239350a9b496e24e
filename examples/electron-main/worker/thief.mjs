import { readFileSync } from 'node:fs';

import { KmsVault, MemoryStore, StrongroomError, Vault } from '@strongroom/node';

import { refusalOf } from './bare.mjs';
import { count, kmsAs, say, stopwatch } from './command.mjs';
import { itemOf, sealedBatches } from './export.mjs';

/**
 * Somebody with every row, every envelope, this package and working credentials of another org tries
 * to open something. The thief's vault names no CMKs, so that it takes whatever a row says.
 *
 * The twin: the same calls in the same vault with the thief's own rows, which come in, and with the
 * thief's own fields, which open.
 */
export async function* thief(given) {
  const elapsed = stopwatch();
  const me = given.caller;
  const kms = kmsAs(me, given);
  const own = await ownThings(me, kms, given);
  const vault = new Vault({ dangerEndpoint: given.kms });
  const attempt = (org, row) => attemptRow({ vault, kms, org, row });

  // First the own rows: with an own DEK held, a stolen local row can be tried under it.
  const twin = { admitted: 0, opened: 0 };
  for (const row of own.rows) if ((await attempt(me, row)) === undefined) twin.admitted += 1;

  const rows = stolenRows(given.storeFile);
  const tries = {};
  const refused = {};
  for (const [way, forge] of Object.entries(WAYS)) {
    tries[way] = 0;
    refused[way] = {};
    for (const row of rows) {
      const forged = forge(row, own);
      const error = await attempt(forged.reader, forged);
      tries[way] += 1;
      count(refused[way], error ?? 'ADMITTED');
    }
    say(`${way}: ${rows.length} rows tried`);
  }

  const found = { envelopes: 0, opened: 0, openErrors: {} };
  for await (const batch of sealedBatches(given.export)) {
    for (const result of vault.openMany(batch.map((line) => itemOf(line, given.manifest)))) {
      found.envelopes += 1;
      if (result.ok) found.opened += 1;
      else count(found.openErrors, result.error.code);
    }
  }
  for (const { binding, envelope } of own.fields) {
    if (refusalOf(() => vault.open(binding, envelope)) === undefined) twin.opened += 1;
  }

  const nothing = found.opened === 0 && Object.values(refused).every((errors) => errors.ADMITTED === undefined);
  const held = vault.status().every(({ org, reader }) => org === me && reader === me);
  const ok = nothing && held && rows.length > 0 && found.envelopes > 0 && twin.admitted === 2 && twin.opened === 2;
  yield { ok, rows: rows.length, tries, refused, ...found, twin, kmsCalls: kms.calls, ms: elapsed() };
  vault.close();
}

/** What is done to a stolen row. `org-dek` rows and local ones are the owner's; a share is a reader's. */
const WAYS = {
  /** As it was stolen: the KMS is asked with the row's own context. */
  rowContext: (row) => row,
  /** As the thief's own, so that the context is one that the KMS lets the thief use. */
  ownContext: (row, own) => local(own, mine(row, own)),
  /** With the thief's CMK in it. */
  ownCmk: (row, own) => ({ ...row, provider: 'aws-kms', keyId: own.cmk }),
  /** Both: the KMS has no objection to this request, and only the blob is not the thief's. */
  ownCmkOwnContext: (row, own) => ({ ...mine(row, own), provider: 'aws-kms', keyId: own.cmk }),
};

function mine(row, { org }) {
  return row.purpose === 'share' ? { ...row, reader: org } : { ...row, owner: org, reader: org };
}

/** A local row says twice under which DEK it is wrapped, in `keyId` and in its blob: now under the thief's. */
function local({ dekRef }, row) {
  if (row.provider !== 'local') return row;
  const blob = Buffer.from(row.blob, 'base64');
  blob.set(Buffer.from(dekRef, 'base64url'), KEK_REF);
  return { ...row, keyId: dekRef, blob: blob.toString('base64') };
}

/** Brings a row in, by the KMS or under a DEK that is held. The code if it was refused. */
async function attemptRow({ vault, kms, org, row }) {
  try {
    if (row.provider === 'local') vault.admit(org, row);
    else vault.admit(org, row, await kms.send(vault.unwrapRequest(org, row)));
    return undefined;
  } catch (error) {
    if (!(error instanceof StrongroomError)) throw error;
    return error.code;
  }
}

/** The thief's own org: a DEK, a record with a DEK of its own, and a field under each. */
async function ownThings(org, kms, { cmks, kms: dangerEndpoint }) {
  const store = new MemoryStore();
  const vault = KmsVault.create({ org, cmks: { [org]: cmks[org] }, kms, store, dangerEndpoint });
  const { dekRef } = await vault.rotate();
  await vault.generateRecordDek('procedures', 'own');
  const fields = [];
  for (const [scope, table, field] of [['org', 'keyChainEntries', 'payload'], ['record', 'procedures', 'body']]) {
    const binding = { org, table, record: 'own', field };
    fields.push({ binding, envelope: await vault.seal(binding, new TextEncoder().encode('own'), { scope }) });
  }
  vault.close();
  const rows = await store.rowsByReader(org);
  return { org, cmk: cmks[org][0], dekRef, rows, fields };
}

/** Every wrap row that was ever written into the store's file. */
function stolenRows(path) {
  const lines = readFileSync(path, 'utf8').split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line).wrap).filter((row) => row !== undefined);
}

/** Where a local wrap names its KEK: behind four bytes of magic and versions. */
const KEK_REF = 4;
