// Exports: a line for each sealed field, and what is said about fields without saying them.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

import { fromText } from '@strongroom/node';

/** The lines of an export, all or those that belong to these orgs, in their order. */
export async function* sealedLines(path, orgs) {
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    const line = JSON.parse(text);
    if (orgs === undefined || orgs.includes(line.org)) yield line;
  }
}

/** The same, in lists of so many. */
export async function* sealedBatches(path, orgs, size = 1_000) {
  let batch = [];
  for await (const line of sealedLines(path, orgs)) {
    batch.push(line);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/**
 * What is opened for a line. The names come from the line because an export is the whole of what the
 * product asks for here; the envelope decides whether they are true.
 */
export function itemOf({ org, table, record, field, envelope }, manifest) {
  return { binding: manifest.binding(org, table, record, field), envelope: fromText(envelope) };
}

/** Digests opened fields: two hosts opened the same if their digests are the same. */
export class Listing {
  #hash = createHash('sha256');
  fields = 0;
  bytes = 0;

  /** Takes a value in and wipes it. */
  add({ org, table, record, field }, value) {
    const digest = createHash('sha256').update(value).digest('hex');
    this.#hash.update(`${org}\t${table}\t${record}\t${field}\t${digest}\n`);
    this.fields += 1;
    this.bytes += value.length;
    value.fill(0);
  }

  /** Ends the listing. */
  facts() {
    return { fields: this.fields, bytes: this.bytes, digest: this.#hash.digest('hex') };
  }
}
