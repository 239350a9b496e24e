import { fromText } from '@strongroom/node';

import { admitBy, admitRecords, bareVault, orgRow, refusalOf } from './bare.mjs';
import { count, kmsAs, say, stopwatch } from './command.mjs';
import { sealedLines } from './export.mjs';

/**
 * Opens fields at places where they were not sealed: only the org is wrong, only the table, only the
 * record, only the field. The vault holds every DEK of both orgs, so that nothing but the binding can
 * be the reason. Each refusal is followed by the same call with the right binding.
 *
 * Bindings are made by hand here: the manifest would not even give those with a wrong table or field.
 */
export async function* transplants(given) {
  const vault = bareVault(given);
  let kmsCalls = 0;
  for (const org of given.orgs) {
    const kms = kmsAs(org, given);
    await admitBy(kms, vault, org, await orgRow(org, given.store));
    await admitRecords(vault, org, given.store);
    kmsCalls += kms.calls;
  }
  const orgs = vault.status().filter(({ kind }) => kind === 'org').map(({ org }) => org).sort();
  yield { step: 'held', ok: `${orgs}` === `${[...given.orgs].sort()}`, orgs, kmsCalls };

  const lines = [];
  for await (const line of sealedLines(given.export, given.orgs)) lines.push(line);
  const wrong = wrongPlaces(lines);
  const wanted = Number(given.count);
  for (const dimension of ['org', 'table', 'record', 'field']) {
    const elapsed = stopwatch();
    const found = { tried: 0, refused: 0, twins: 0, errors: {} };
    for (const { org, table, record, field, envelope } of spread(lines, wanted)) {
      const binding = { org, table, record, field };
      const sealed = fromText(envelope);
      const moved = { ...binding, [dimension]: wrong[dimension](binding, found.tried) };
      const error = refusalOf(() => vault.open(moved, sealed));
      found.tried += 1;
      if (error !== undefined) found.refused += 1;
      count(found.errors, error ?? 'OPENED');
      if (refusalOf(() => vault.open(binding, sealed)) === undefined) found.twins += 1;
    }
    const ok = [found.tried, found.refused, found.twins, found.errors.AUTH_FAILED].every((number) => number === wanted);
    say(`${dimension}: ${found.refused} of ${found.tried} transplants refused, ${found.twins} twins opened`);
    yield { ok, dimension, ...found, ms: elapsed() };
  }
  vault.close();
}

/** For each part of a binding: another value that the product really has, the `turn`-th of them. */
function wrongPlaces(lines) {
  const [orgs, tables, fields] = ['org', 'table', 'field'].map((name) => new Set(lines.map((line) => line[name])));
  const records = new Map();
  for (const line of lines) {
    const key = tableOf(line);
    if (!records.has(key)) records.set(key, new Set());
    records.get(key).add(line.record);
  }
  return {
    org: ({ org }, turn) => another(orgs, org, turn),
    table: ({ table }, turn) => another(tables, table, turn),
    record: (binding, turn) => another(records.get(tableOf(binding)), binding.record, turn),
    field: ({ field }, turn) => another(fields, field, turn),
  };
}

function tableOf({ org, table }) {
  return JSON.stringify([org, table]);
}

function another(values, right, turn) {
  const others = [...values].filter((value) => value !== right);
  if (others.length === 0) throw new Error('the export has only one value of a kind');
  return others[turn % others.length];
}

/** So many of the lines, evenly over all of them. */
function spread(lines, wanted) {
  if (lines.length < wanted) throw new Error(`the export has ${lines.length} fields, fewer than ${wanted}`);
  return Array.from({ length: wanted }, (_, at) => lines[Math.floor((at * lines.length) / wanted)]);
}
