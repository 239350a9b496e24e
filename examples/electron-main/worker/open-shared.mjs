import { sessionOf, stopwatch } from './command.mjs';
import { itemOf, Listing, sealedLines } from './export.mjs';

/**
 * Opens another org's record that is shared with this one. The same vault is first asked for a record
 * that is not, which must fail before the KMS is asked anything.
 */
export async function* openShared(given) {
  const { org, owner, table, record, unshared, manifest } = given;
  const elapsed = stopwatch();
  const { vault, kms, close } = sessionOf(org, given);
  const items = [];
  let other;
  for await (const line of sealedLines(given.export, [owner])) {
    if (line.table !== table) continue;
    if (line.record === record) items.push(itemOf(line, manifest));
    if (line.record === unshared) other = itemOf(line, manifest);
  }
  if (!other || items.length === 0) throw new Error('the export lacks one of the two records');

  const refusal = await vault.open(other.binding, other.envelope).then(
    () => 'OPENED',
    (error) => error.code,
  );
  const askedForOther = kms.calls;
  const listing = new Listing();
  for (const { binding, envelope } of items) listing.add(binding, await vault.open(binding, envelope));
  const ok = refusal === 'UNKNOWN_DEK' && askedForOther === 0;
  yield { ok, ...listing.facts(), kmsCalls: kms.calls, unshared: refusal, ms: elapsed() };
  close();
}
