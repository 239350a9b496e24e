import { sessionOf, stopwatch } from './command.mjs';

/** Lets another org open one record: one more row, and not a byte of an envelope. */
export async function* share(given) {
  const elapsed = stopwatch();
  const { vault, kms, close } = sessionOf(given.org, given);
  const row = await vault.share(given.table, given.record, given.reader, given.cmks[given.reader][0]);
  yield { ok: row.purpose === 'share', dekRef: row.dekRef, keyId: row.keyId, kmsCalls: kms.calls, ms: elapsed() };
  close();
}
