// What the demo has the page do. Facts come back, and never a value or a DEK: equality is shown by
// digests. Progress goes to the console.
import { fromText, toText } from '@strongroom/wasm';

import { Listing } from './listing.js';
import { tryForbidden } from './policy.js';
import { sealedFields } from './server.js';

export function demoOf(session) {
  return {
    open: () => open(session),
    reseal: (part, parts) => reseal(session, part, parts),
    openShared: (owner, table, record, unshared) => openShared(session, owner, table, record, unshared),
    tryForbidden,
    stored,
  };
}

/** Opens everything that the org has. */
async function open({ org, vault, manifest, kms }) {
  const [start, before] = [performance.now(), kms.calls];
  const lines = await sealedFields(org);
  const listing = new Listing();
  for (let at = 0; at < lines.length; at += BATCH) {
    const items = lines.slice(at, at + BATCH).map((line) => itemOf(line, manifest));
    const results = await vault.openMany(items);
    const values = results.map((result) => {
      if (!result.ok) throw result.error;
      return result.value;
    });
    await listing.add(items.map(({ binding }) => binding), values);
    if (listing.fields % 2_000 === 0) console.info(`${listing.fields} fields opened`);
  }
  return { ...(await listing.facts()), kmsCalls: kms.calls - before, ms: since(start) };
}

/** Seals each N-th field of the org anew, from the I-th on, and sends the lines back to the server. */
async function reseal({ org, vault, manifest, kms }, part, parts) {
  const start = performance.now();
  const lines = (await sealedFields(org)).filter((line, at) => at % parts === part);
  const fresh = [];
  for (const line of lines) {
    const { binding, envelope } = itemOf(line, manifest);
    fresh.push(`${JSON.stringify({ ...line, envelope: toText(await vault.reseal(binding, envelope)) })}\n`);
    if (fresh.length % 1_000 === 0) console.info(`${fresh.length} fields resealed`);
  }
  const { ok, status } = await fetch('/resealed.jsonl', { method: 'PUT', body: fresh.join('') });
  if (!ok) throw new Error(`the server did not take the resealed fields: HTTP status ${status}`);
  return { fields: fresh.length, kmsCalls: kms.calls, ms: since(start) };
}

/** Opens another org's shared record. The same vault is first asked for one that is not shared. */
async function openShared({ vault, manifest, kms }, owner, table, record, unshared) {
  const start = performance.now();
  const [shared, others] = await Promise.all([record, unshared].map((name) => sealedFields(owner, { table, record: name })));
  const other = itemOf(others[0], manifest);
  const refusal = await vault.open(other.binding, other.envelope).then(
    () => 'OPENED',
    (error) => error.code,
  );
  const askedForOther = kms.calls;
  const listing = new Listing();
  for (const line of shared) {
    const { binding, envelope } = itemOf(line, manifest);
    await listing.add([binding], [await vault.open(binding, envelope)]);
  }
  return { ...(await listing.facts()), kmsCalls: kms.calls, askedForOther, unshared: refusal, ms: since(start) };
}

/** How much this page keeps in each place where a page can keep something. */
async function stored() {
  return {
    localStorage: localStorage.length,
    sessionStorage: sessionStorage.length,
    indexedDb: (await indexedDB.databases()).length,
    caches: (await caches.keys()).length,
    cookies: document.cookie === '' ? 0 : document.cookie.split(';').length,
  };
}

/**
 * What is opened for a line. The names come from the line because the demo opens all there is; the
 * envelope decides whether they are true.
 */
function itemOf({ org, table, record, field, envelope }, manifest) {
  return { binding: manifest.binding(org, table, record, field), envelope: fromText(envelope) };
}

function since(start) {
  return Math.round(performance.now() - start);
}

const BATCH = 500;
