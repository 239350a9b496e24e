// What each host really exports, read off the built packages: for JavaScript by importing them (in
// Chromium too), for Go by its documentation tool, for C by the header, for Rust by the source.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { launch, serveFolders } from '../../bindings-wasm/test/support/browser.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Host -> names, as `vault.open`, `KmsVault.open` or `inspect` are spelled there. */
export async function allExports() {
  const wasm = ['index.js', 'kms-vault.js'].map((file) => join(root, 'bindings-wasm/dist', file));
  return {
    rust: [...rust('core/src', 'Vault'), ...rustFunctions(), ...rust('hosts/rust/src', 'KmsVault')],
    node: await imported([join(root, 'bindings-node/dist/index.mjs')].map((file) => pathToFileURL(file).href)),
    'wasm-node': await imported(wasm.map((file) => pathToFileURL(file).href)),
    'wasm-browser': await inBrowser(),
    c: header(),
    go: go({}),
    'go-boring': go({ GOEXPERIMENT: 'boringcrypto' }),
  };
}

/** The public methods of a type, out of every `impl` of it in a folder. */
function rust(folder, type) {
  const names = [];
  for (const file of rustFiles(join(root, folder))) {
    let isInside = false;
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      if (line.startsWith('impl')) isInside = new RegExp(`^impl(<.*>)? ${type}(<.*>)? (where|\\{)|^impl(<.*>)? ${type}(<.*>)?$`).test(line);
      const [, name] = /^ {4}pub (?:async |const )*fn (\w+)/.exec(line) ?? [];
      if (isInside && name) names.push(`${type}::${name}`);
    }
  }
  return names;
}

function rustFiles(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return rustFiles(join(folder, entry.name));
    // Two are in no release of the crate: one is for tests, one for Go's first-party cipher alone.
    return entry.name.endsWith('.rs') && !['hazmat.rs', 'external.rs'].includes(entry.name) ? [join(folder, entry.name)] : [];
  });
}

/** The functions that the crate's root lets out. */
function rustFunctions() {
  const source = readFileSync(join(root, 'core/src/lib.rs'), 'utf8');
  const uses = [...source.matchAll(/^pub use \w+::(\{[^}]*\}|\w+);/gms)].map(([, names]) => names);
  return uses.flatMap((names) => names.match(/\b[a-z_]\w*\b/g) ?? []).filter((name) => /^[a-z]/.test(name));
}

/** What modules export: functions by their name, classes by their methods. */
async function imported(urls) {
  const names = new Set();
  for (const url of urls) {
    for (const name of namesOf(await import(url))) names.add(name);
  }
  return [...names];
}

async function inBrowser() {
  const server = await serveFolders(
    { '/': join(root, 'tests/surface'), '/dist/': join(root, 'bindings-wasm/dist') },
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; connect-src 'self'",
  );
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(`${server.origin}/page.html`);
    return await page.evaluate(async (source) => {
      const namesOf = new Function(`return ${source}`)();
      const found = new Set();
      for (const entry of ['/dist/index.js', '/dist/kms-vault.js']) {
        for (const name of namesOf(await import(entry))) found.add(name);
      }
      return [...found];
    }, namesOf.toString());
  } finally {
    await browser.close();
    server.close();
  }
}

/** Stands alone: it runs in the browser too. */
function namesOf(module) {
  const names = [];
  for (const [name, value] of Object.entries(module)) {
    if (typeof value !== 'function') continue;
    if (/^[a-z]/.test(name)) names.push(name);
    if (name !== 'Vault' && name !== 'KmsVault') continue;
    for (let at = value; at !== null && at !== Function.prototype; at = Object.getPrototypeOf(at)) {
      for (const method of Object.getOwnPropertyNames(at)) {
        if (!['length', 'name', 'prototype'].includes(method)) names.push(`${name}.${method}`);
      }
    }
    for (let at = value.prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
      for (const method of Object.getOwnPropertyNames(at)) if (method !== 'constructor') names.push(`${name}.${method}`);
    }
  }
  return [...new Set(names)];
}

function header() {
  const source = readFileSync(join(root, 'bindings-go/strongroom.h'), 'utf8');
  return [...source.matchAll(/^[a-z][\w *]*?\b(strongroom_\w+)\(/gm)].map(([, name]) => name);
}

function go(env) {
  const read = (...what) =>
    execFileSync('go', ['doc', '-short', ...what], {
      cwd: join(root, 'bindings-go'),
      env: { ...process.env, GOTOOLCHAIN: 'local', ...env },
      encoding: 'utf8',
    });
  const methods = ['Vault', 'KmsVault'].flatMap((type) =>
    [...read('.', type).matchAll(/^func \(\w+ \*\w+\) (\w+)\(/gm)].map(([, name]) => `${type}.${name}`),
  );
  return [...methods, ...[...read('.').matchAll(/^ *func (\w+)\(/gm)].map(([, name]) => name)];
}
