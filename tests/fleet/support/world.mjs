// What every test of the fleet starts from: a local KMS, two or three orgs, workers of each host on one store.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { Worker } from './worker.mjs';

/** The owner, a reader who stays, and one who is revoked. */
export const [OWNER, READER, REVOKED] = ['acme', 'globex', 'initech'];
const ORGS = [OWNER, READER, REVOKED];

/** Host -> how its worker starts; `cargo xtask test` builds them and names the file. */
export const hosts = JSON.parse(readFileSync(needed('STRONGROOM_FLEET'), 'utf8'));
export const names = Object.keys(hosts);

/** The next host round the table: a second run is seldom the first one's host. */
export function after(host) {
  return names[(names.indexOf(host) + 1) % names.length];
}

export class World {
  #folder = mkdtempSync(join(tmpdir(), 'strongroom-fleet-'));
  #workers = new Set();
  #kms;
  #stores = 0;

  /** Starts the KMS and makes each org's CMK. */
  static async start() {
    const world = new World();
    world.#kms = spawn(needed('STRONGROOM_CLI'), ['kms', 'serve', '--dir', join(world.#folder, 'kms')], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [line] = await Promise.race([
      onceLine(world.#kms.stdout),
      new Promise((_, reject) => world.#kms.once('exit', (code) => reject(new Error(`the KMS ended with ${code}`)))),
    ]);
    world.endpoint = JSON.parse(line).endpoint;
    const worker = world.#spawn(names[0], world.newStore());
    world.cmks = {};
    for (const org of ORGS) world.cmks[org] = [await worker.ask('create_key', { org })];
    await world.done(worker);
    return world;
  }

  /** A place for a store that nothing is in. */
  newStore() {
    this.#stores += 1;
    return `jsonl:${join(this.#folder, `store-${this.#stores}.jsonl`)}`;
  }

  /** A copy of a store that no process has open. */
  copyOf(store) {
    const copy = this.newStore();
    for (const part of ['', '.fields']) {
      if (existsSync(pathOf(store) + part)) cpSync(pathOf(store) + part, pathOf(copy) + part, { recursive: true });
    }
    return copy;
  }

  /** A worker with a session for an org. */
  async session(host, store, org = OWNER, options = {}) {
    const worker = this.#spawn(host, store);
    await worker.ask('session', { org, cmks: this.cmks, options });
    return worker;
  }

  /** Ends a worker. */
  async done(worker) {
    this.#workers.delete(worker);
    await worker.close();
  }

  /** Works with a session and ends it. */
  async with(host, store, work, org = OWNER, options = {}) {
    const worker = await this.session(host, store, org, options);
    try {
      return await work(worker);
    } finally {
      await this.done(worker);
    }
  }

  async stop() {
    for (const worker of this.#workers) await worker.kill();
    this.#kms.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #spawn(host, store) {
    const worker = new Worker(hosts[host], ['--kms', this.endpoint, '--store', store]);
    this.#workers.add(worker);
    return worker;
  }
}

/** The path of a store. */
export function pathOf(store) {
  return store.slice('jsonl:'.length);
}

function onceLine(stream) {
  return new Promise((resolve) => createInterface({ input: stream }).once('line', (line) => resolve([line])));
}

function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run \`cargo xtask test --only fleet\`, which sets it`);
  return value;
}
