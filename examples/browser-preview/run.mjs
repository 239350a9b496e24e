// Serves the built page and has a browser do a step of the demo in it.
//
//   node run.mjs open        --org ORG (or --orgs ORG)
//   node run.mjs reseal      --org ORG --part I/N --out F
//   node run.mjs open-shared --org ORG --owner ORG --table T --record R --unshared R
//
// and with each of them --kms URL --store F --export F --manifest F --cmks JSON --port N. The KMS must
// allow the origin http://127.0.0.1:N; CHROME names the browser.
//
// The page asks the KMS itself; this process never does. Standard output has the page's facts as JSON
// lines, standard error has progress, and the exit code is 0 if everything was as it should be.
import { parseArgs } from 'node:util';

import { foreignPlace, openPage } from './browser.mjs';
import { policyFor, serve } from './server.mjs';

const STEPS = { open, reseal, 'open-shared': openShared };

const [name, ...args] = process.argv.slice(2);
try {
  if (!Object.hasOwn(STEPS, name)) throw new Error(`name a step: ${Object.keys(STEPS).join(', ')}`);
  await run(name, readArguments(args));
} catch (error) {
  say(`${name}: ${error.stack}`);
  // The browser's have the stack in their message.
  printFact({ step: name, ok: false, error: error.message.split('\n', 1)[0] });
}

async function run(step, given) {
  say(`danger_endpoint: ${given.kms} (local KMS, loopback)`);
  const server = await serve(given);
  let page;
  try {
    page = await openPage(server.origin, say);
    for await (const fact of STEPS[step](page, given)) printFact({ step, ...fact });
  } finally {
    await page?.close();
    server.close();
  }
}

/** Opens the org's fields cold and warm, and looks at what the page could do with them besides. */
async function* open(page, { policy }) {
  for (const pass of ['cold', 'warm']) {
    const facts = await page.demo('open');
    const ok = facts.fields > 0;
    if (pass === 'cold') yield { ok, pass, ...facts };
    else yield await withPolicy({ ok, pass, ...facts }, page, policy);
  }
}

async function withPolicy(fact, page, csp) {
  const { refused, text } = await page.look();
  say(`the preview showed ${text.length} characters of a field, and forgot them`);
  const foreign = await foreignPlace();
  // The twin: whoever is under no such policy gets there.
  await fetch(foreign.url);
  const cspRefused = await page.demo('tryForbidden', foreign.url);
  const nobodyCame = foreign.visits() === 1;
  foreign.close();
  const stored = await page.demo('stored');
  stored.cookies = Math.max(stored.cookies, await page.cookies());
  const all = Object.values(cspRefused).every((isRefused) => isRefused === true);
  const nothing = Object.values(stored).every((number) => number === 0);
  return { ...fact, ok: fact.ok && !refused && all && nobodyCame && nothing, csp, cspRefused, stored };
}

async function* reseal(page, { part: given, out }) {
  const [part, parts] = given.split('/').map(Number);
  if (!(part >= 0 && part < parts) || out === undefined) throw new Error('--part is I/N, with I from 0 to N-1, and --out a file');
  const facts = await page.demo('reseal', part, parts);
  yield { ok: facts.fields > 0, ...facts };
}

async function* openShared(page, { owner, table, record, unshared }) {
  const { askedForOther, ...facts } = await page.demo('openShared', owner, table, record, unshared);
  yield { ok: facts.unshared === 'UNKNOWN_DEK' && askedForOther === 0 && facts.fields > 0, ...facts };
}

function readArguments(args) {
  const names = [
    'kms', 'store', 'export', 'manifest', 'cmks', 'port', 'org', 'orgs', 'part', 'out', 'owner', 'table', 'record', 'unshared',
  ];
  const { values } = parseArgs({ args, options: Object.fromEntries(names.map((option) => [option, { type: 'string' }])) });
  const org = values.org ?? values.orgs;
  for (const option of ['kms', 'store', 'export', 'manifest', 'cmks', 'port']) {
    if (values[option] === undefined) throw new Error(`--${option} is missing`);
  }
  if (org === undefined || org.includes(',')) throw new Error('a page is one org: --org ORG');
  const { kms, export: exported, cmks, port } = values;
  return { ...values, org, exported, cmks: JSON.parse(cmks), port: Number(port), policy: policyFor(kms) };
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function printFact(fact) {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
  if (fact.ok !== true) process.exitCode = 1;
}
