// The entry that reports envelopes and rows as objects, in Chromium: a module of its own.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch, serveFolders } from './support/browser.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";

let browser;
let server;
let page;
before(async () => {
  browser = await launch();
  server = await serveFolders({ '/': here, '/dist/': fileURLToPath(new URL('../dist', import.meta.url)) }, POLICY);
  page = await browser.newPage();
  await page.goto(`${server.origin}/pages/reports.html`);
  await page.evaluate(() => globalThis.ready);
});
after(async () => {
  await browser?.close();
  server?.close();
});

test('until its module is loaded it says so, and it loads no other', async () => {
  assert.equal(await page.evaluate(() => globalThis.early), 'BAD_INPUT');
  const fetched = server.requests.filter((path) => path.endsWith('.wasm'));
  assert.deepEqual(fetched, ['/dist/reports.wasm']);
});

test('an envelope is reported as a plain typed object', async () => {
  const report = await page.evaluate(() => {
    const { reports, sealed } = globalThis.subject;
    const made = reports.reportEnvelope(sealed);
    return { made, plain: Object.getPrototypeOf(made) === Object.prototype };
  });
  const { dekRef, ...rest } = report.made;
  assert.equal(report.plain, true);
  assert.match(dekRef, /^[\w-]{43}$/);
  assert.deepEqual(rest, { version: 1, suite: rest.suite, padded: true, ctLen: 64 });
  assert.equal(typeof rest.suite, 'number');
});

test('a row is reported with its encryption context, and a local row without', async () => {
  const [org, local] = await page.evaluate(() => {
    const { reports, row, localRow } = globalThis.subject;
    return [reports.reportRow(row), reports.reportRow(localRow)];
  });
  const { row, localRow, context } = await page.evaluate(() => {
    const { row, localRow, context } = globalThis.subject;
    return { row, localRow, context };
  });
  assert.equal(org.purpose, 'org-dek');
  assert.deepEqual(org.encryptionContext, context);
  assert.deepEqual([org.owner, org.reader, org.version, org.created, org.keyId], ['acme', 'acme', 1, row.created, row.keyId]);
  assert.equal(org.blobLen, 96);
  assert.equal('table' in org, false);
  assert.equal(local.purpose, 'record-dek');
  assert.deepEqual([local.provider, local.table, local.record], ['local', 'hosts', 'h-17']);
  assert.equal('encryptionContext' in local, false);
  assert.equal(local.dekRef, localRow.dekRef);
});

test('what is no envelope and what is no row is refused by name', async () => {
  const codes = await page.evaluate(() => {
    const { reports, sealed, row } = globalThis.subject;
    const codeOf = (call) => {
      try {
        call();
      } catch (error) {
        return error instanceof reports.StrongroomError ? error.code : `${error}`;
      }
      return 'nothing thrown';
    };
    const { blob, ...withoutBlob } = row;
    return {
      text: codeOf(() => reports.reportEnvelope('text')),
      empty: codeOf(() => reports.reportEnvelope(new Uint8Array(0))),
      foreign: codeOf(() => reports.reportEnvelope(new Uint8Array(100))),
      cut: codeOf(() => reports.reportEnvelope(sealed.slice(0, 60))),
      noRow: [undefined, null, 5, 'text', []].map((value) => codeOf(() => reports.reportRow(value))),
      otherRows: [{}, withoutBlob, { ...row, more: 1 }, { ...row, version: '1' }, { ...row, v: 2 }, { ...row, purpose: 'gift' }]
        .map((value) => codeOf(() => reports.reportRow(value))),
      after: codeOf(() => reports.reportRow(row)),
    };
  });
  assert.equal(codes.text, 'BAD_INPUT');
  assert.equal(codes.foreign, 'NOT_AN_ENVELOPE');
  assert.equal(codes.cut, 'TRUNCATED');
  assert.deepEqual(new Set(codes.noRow), new Set(['BAD_INPUT']));
  for (const code of [codes.empty, ...codes.otherRows]) assert.match(code, /^[A-Z_]+$/);
  assert.equal(codes.after, 'nothing thrown', 'a refusal leaves the module working');
});
