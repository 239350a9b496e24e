import { say, sessionOf, stopwatch } from './command.mjs';
import { itemOf, Listing, sealedBatches } from './export.mjs';

/** Opens everything that the export has of some orgs, first with empty vaults and then again. */
export async function* open(given) {
  const sessions = new Map(given.orgs.map((org) => [org, sessionOf(org, given)]));
  const calls = () => [...sessions.values()].reduce((sum, { kms }) => sum + kms.calls, 0);
  for (const pass of ['cold', 'warm']) {
    const [elapsed, before] = [stopwatch(), calls()];
    const listing = new Listing();
    for await (const batch of sealedBatches(given.export, given.orgs)) {
      await openBatch(batch, sessions, given.manifest, listing);
      if (listing.fields % 4_000 === 0) say(`${pass}: ${listing.fields} fields opened`);
    }
    const { fields, bytes, digest } = listing.facts();
    yield { ok: fields > 0, pass, fields, bytes, digest, kmsCalls: calls() - before, ms: elapsed() };
  }
  for (const session of sessions.values()) session.close();
}

/** Has each org's vault open that org's lines, and lists them in their order. */
async function openBatch(batch, sessions, manifest, listing) {
  const values = new Map();
  for (const [org, { vault }] of sessions) {
    const lines = batch.filter((line) => line.org === org);
    const results = await vault.openMany(lines.map((line) => itemOf(line, manifest)));
    results.forEach((result, at) => {
      if (!result.ok) throw result.error;
      values.set(lines[at], result.value);
    });
  }
  for (const line of batch) listing.add(line, values.get(line));
}
