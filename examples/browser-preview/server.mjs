// Stands in for the product's server, on loopback: the built page under its policy, and what is
// stored, all of it sealed. It makes no KMS call and could open nothing.
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

import { JsonLinesStore } from '@strongroom/node';

const DIST = fileURLToPath(new URL('dist', import.meta.url));

/** The page may run its own scripts and its own WebAssembly, and talk to its own server and this KMS. */
export function policyFor(kms) {
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    `connect-src 'self' ${new URL(kms).origin}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/**
 * Serves the page for an org's session.
 *
 * @param options.out the file that resealed fields are put into; without it the page can't send any
 * @returns its `origin`, and `close`
 */
export async function serve({ org, kms, cmks, store, exported, manifest, out, port, policy }) {
  const credentials = { accessKeyId: `sr-${Buffer.from(org).toString('base64url')}`, secretAccessKey: 'local' };
  const rows = new JsonLinesStore(store);
  const routes = {
    'GET /session.json': () => JSON.stringify({ org, cmks, region: 'us-east-1', credentials, dangerEndpoint: kms }),
    'GET /fields.json': () => readFile(manifest),
    'GET /rows.json': async () => JSON.stringify({ rows: await rows.rowsByReader(org), active: await rows.active(org) }),
    'GET /records.json': ({ searchParams }) => recordList(exported, searchParams.get('owner')),
    'GET /sealed.jsonl': ({ searchParams }) => sealedLines(exported, Object.fromEntries(searchParams)),
    // Only a page that may hand resealed fields in has seals to reserve.
    'POST /reserve': async (url, request) => {
      if (out === undefined) return undefined;
      const { dekRef, count, limit } = JSON.parse(await text(request));
      return JSON.stringify(await rows.reserve(dekRef, count, limit));
    },
    'PUT /resealed.jsonl': async (url, request) => {
      if (out === undefined) return undefined;
      await pipeline(request, createWriteStream(out, { mode: 0o600 }));
      return '';
    },
  };

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, origin);
    try {
      // Another site's page that has its own name resolve to this machine is not served.
      if (request.headers.host !== url.host) throw new Error('another host');
      const route = routes[`${request.method} ${url.pathname}`] ?? builtFile;
      const body = await route(url, request);
      response.writeHead(body === undefined ? 404 : 200, headers(url.pathname, policy));
      response.end(body);
    } catch {
      response.writeHead(404, headers('', policy)).end();
    }
  });
  await new Promise((ready, failed) => server.once('error', failed).listen(port, '127.0.0.1', ready));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function builtFile({ pathname }, { method }) {
  if (method !== 'GET') return undefined;
  return readFile(join(DIST, normalize(pathname === '/' ? '/index.html' : pathname)));
}

function headers(pathname, policy) {
  return {
    'content-type': TYPES[extname(pathname)] ?? 'text/html; charset=utf-8',
    'content-security-policy': policy,
    'cache-control': 'no-store',
    'cross-origin-opener-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  };
}

async function recordList(exported, owner) {
  const records = new Map();
  for await (const { org, table, record } of lines(exported)) {
    if (org !== owner) continue;
    const key = JSON.stringify([table, record]);
    records.set(key, { table, record, fields: (records.get(key)?.fields ?? 0) + 1 });
  }
  return JSON.stringify([...records.values()]);
}

async function sealedLines(exported, { owner, table, record }) {
  const found = [];
  for await (const line of lines(exported)) {
    const isThere = table === undefined || (line.table === table && line.record === record);
    if (line.org === owner && isThere) found.push(JSON.stringify(line));
  }
  return found.join('\n');
}

async function* lines(path) {
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) yield JSON.parse(text);
}

const TYPES = {
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.jsonl': 'application/jsonl',
  '.wasm': 'application/wasm',
};
