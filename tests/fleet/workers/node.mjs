// A worker of the Node package: see protocol.md. `node node.mjs <package dir> --kms URL --store SPEC`.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';

import { FolderFields } from './folder-fields.mjs';

const home = resolve(process.argv[2]);
const { values } = parseArgs({ args: process.argv.slice(3), options: { kms: { type: 'string' }, store: { type: 'string' } } });
const entry = (name) => import(pathToFileURL(join(home, 'dist', `${name}.mjs`)).href);
const { JsonLinesStore, KmsVault, StrongroomError } = await entry('index');
const { awsKms } = await entry('aws-kms');
const { CreateKeyCommand, KMSClient } = createRequire(join(home, 'package.json'))('@aws-sdk/client-kms');

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

const { store, fields } = await openStore(values.store);
let vault;
let org;
let kmsCalls = 0;
let armed;
let isDown = false;

/** The rows in the package's JSON-lines file, the fields in a folder beside it. */
async function openStore(spec) {
  const path = spec.slice('jsonl:'.length);
  return { store: new JsonLinesStore(path), fields: new FolderFields(`${path}.fields`, StrongroomError) };
}

/** Ends the process once the armed point has taken effect. */
function passed(point) {
  if (armed?.at !== point || (armed.n -= 1) > 0) return;
  process.kill(process.pid, 'SIGKILL');
  // The signal comes before anything else is done.
  for (;;);
}

/** The same object, whose calls are points. */
function watched(target, prefix) {
  return new Proxy(target, {
    get(_, method) {
      const member = target[method];
      if (typeof member !== 'function') return member;
      // What is looked through piece by piece is no one call.
      if (method === 'all') return member.bind(target);
      return async (...args) => {
        if (prefix === 'store' && isDown) throw new StrongroomError('STORE_UNAVAILABLE');
        const answer = await member.apply(target, args);
        passed(`${prefix}.${String(method)}`);
        return answer;
      };
    },
  });
}

function credentials(of) {
  return { accessKeyId: `sr-${Buffer.from(of).toString('base64url')}`, secretAccessKey: 'local' };
}

function client(of) {
  return new KMSClient({ region: 'us-east-1', endpoint: values.kms, credentials: credentials(of), maxAttempts: 1 });
}

function countedKms(of) {
  const adapter = awsKms(client(of), { dangerEndpoint: values.kms });
  return {
    async send(request, plaintext) {
      kmsCalls += 1;
      const reply = await adapter.send(request, plaintext);
      passed(`kms.${request.op}`);
      return reply;
    },
  };
}

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (value) => Buffer.from(value).toString('hex');
const at = (table, record, field, owner = org) => ({ org: owner, table, record, field });
const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
const watchedFields = watched(fields, 'fields');
const watchedStore = watched(store, 'store');

const ops = {
  create_key: async (line) => {
    const made = await client(line.org).send(new CreateKeyCommand({ Tags: [{ TagKey: 'strongroom-org', TagValue: line.org }] }));
    return made.KeyMetadata.Arn;
  },
  session: async (line) => {
    vault?.close();
    org = line.org;
    const options = Object.fromEntries(Object.entries(line.options ?? {}).map(([name, value]) => [camel(name), value]));
    vault = KmsVault.create({ org, cmks: line.cmks, kms: countedKms(org), store: watchedStore, dangerEndpoint: values.kms, ...options });
  },
  kill: async ({ at: point, n }) => void (armed = { at: point, n }),
  rotate: () => vault.rotate(),
  fill: async ({ table, record, scope, n }) => {
    for (let number = 1; number <= n; number += 1) {
      const binding = at(table, record, `f-${number}`);
      const envelope = await vault.seal(binding, Buffer.from(`value ${number} of ${record}`), { scope });
      await fields.put(binding, envelope);
    }
  },
  seal: async ({ bind, pt, scope }) => hex(await vault.seal(bind, bytes(pt), { scope })),
  seal_many: async ({ bind, n }) => {
    const results = await vault.sealMany(Array.from({ length: n }, () => ({ binding: bind, plaintext: new Uint8Array(1) })));
    const refused = results.find((result) => !result.ok);
    return { sealed: results.filter((result) => result.ok).length, ...(refused && { err: refused.error.code }) };
  },
  open: async ({ bind, env }) => hex(await vault.open(bind, bytes(env))),
  fields: async ({ owner, table, record }) =>
    (await fields.fields(owner, table, record)).map(({ binding, envelope }) => ({ field: binding.field, env: hex(envelope) })),
  open_fields: async ({ owner, table, record }) => {
    const found = await fields.fields(owner, table, record);
    const results = await vault.openMany(found);
    return results.map((result, index) => ({
      field: found[index].binding.field,
      ...(result.ok ? { pt: hex(result.value) } : { err: result.error.code }),
    }));
  },
  share: ({ table, record, reader }) => vault.share(table, record, reader, cmkOf(reader)),
  promote: ({ table, record }) => vault.promote(table, record, watchedFields),
  revoke: ({ table, record, reader }) => vault.revoke(table, record, reader, watchedFields),
  rewrap_local: () => vault.rewrapLocal(),
  mark_inactive: async ({ dek_ref: dekRef, at: seconds }) => void (await store.markInactive(dekRef, seconds)),
  retire: ({ version }) => vault.retire(version, watchedFields),
  shred: ({ days }) => vault.shred(days),
  rows: ({ dek_ref: dekRef, reader }) => store.rows(dekRef, reader),
  rows_by_owner: ({ owner }) => store.rowsByOwner(owner),
  active: () => store.active(org),
  usage: ({ dek_ref: dekRef }) => store.usage(dekRef),
  tombstone_row: async () => {
    const active = await store.active(org);
    await store.compareAndSetActive({ ...active, state: 'tombstoned', rev: active.rev + 1 });
  },
  store_down: async ({ is }) => void (isDown = is),
  kms_calls: async () => kmsCalls,
  sign_out: async () => void (await vault.signOut()),
};

let cmks = {};
const cmkOf = (reader) => cmks[reader][0];

for await (const text of createInterface({ input: process.stdin })) {
  const { op, ...line } = JSON.parse(text);
  if (op === 'session') cmks = line.cmks;
  let answer;
  try {
    answer = { ok: true, out: (await ops[op](line)) ?? true };
  } catch (error) {
    if (!(error instanceof StrongroomError)) process.stderr.write(`${error.stack}\n`);
    answer = { ok: false, err: error.code ?? 'CRASH' };
  }
  process.stdout.write(`${JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? `${value}` : value))}\n`);
}
vault?.close();
process.exit(0);
