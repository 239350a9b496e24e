// What every step needs: its arguments, its words, its sessions.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { JsonLinesStore, readManifest } from '@strongroom/node';

import { countedKms, localCredentials, openSession } from '../session.mjs';

const NAMES = [
  'kms', 'store', 'export', 'manifest', 'cmks', 'org', 'orgs', 'owner', 'reader', 'caller', 'table', 'record', 'unshared',
  'part', 'out', 'count', 'files',
];

/** The options of a step: the files opened as what they are, lists as lists. */
export function readArguments(args) {
  const options = Object.fromEntries(NAMES.map((name) => [name, { type: 'string' }]));
  const { values } = parseArgs({ args, options });
  for (const name of ['kms', 'store', 'export', 'manifest', 'cmks']) {
    if (values[name] === undefined) throw new Error(`--${name} is missing`);
  }
  return {
    ...values,
    cmks: JSON.parse(values.cmks),
    manifest: readManifest(readFileSync(values.manifest)),
    storeFile: values.store,
    store: new JsonLinesStore(values.store),
    orgs: values.orgs?.split(','),
    files: values.files?.split(','),
  };
}

/** An org's session with the local KMS. */
export function sessionOf(org, { cmks, kms, store, manifest }) {
  return openSession({ org, cmks, credentials: localCredentials(org), dangerEndpoint: kms, store, manifest });
}

/** The local KMS with an org's own credentials. */
export function kmsAs(org, { kms }) {
  return countedKms({ credentials: localCredentials(org), dangerEndpoint: kms });
}

/** A line of progress. */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** Prints a fact; one that is not ok makes the process fail. */
export function printFact(fact) {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
  if (fact.ok !== true) process.exitCode = 1;
}

/** Milliseconds since this call, as a function. */
export function stopwatch() {
  const start = performance.now();
  return () => Math.round(performance.now() - start);
}

/** Counts by name. */
export function count(counts, name) {
  counts[name] = (counts[name] ?? 0) + 1;
}
