import { randomBytes } from "node:crypto";
import { link, readFile, stat, unlink, writeFile } from "node:fs/promises";

import { fail } from "./error.js";

/**
 * Runs `work` while this process alone holds the lock file at `path`, waiting for whoever holds it.
 *
 * The lock is the file's being there, as Node has no `flock`. Its content, `PID TOKEN\n`, lets others
 * break the lock of a process that died. The Go store does the same. `STORE_UNAVAILABLE` after 10 s.
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const mine = lockContent();
  const deadline = Date.now() + PATIENCE;
  while (!(await create(path, mine))) {
    if (await breakStale(path)) continue;
    if (Date.now() > deadline) fail("STORE_UNAVAILABLE");
    await new Promise((done) => setTimeout(done, PAUSE));
  }
  try {
    return await work();
  } finally {
    await release(path, mine);
  }
}

/** Removes the lock, unless somebody took it for a dead process's and perhaps made their own. */
async function release(path: string, mine: string): Promise<void> {
  let content = mine;
  try {
    content = await readFile(path, "utf8");
  } catch {
    // Gone, or a process out of file handles, which must not keep its lock for that.
  }
  if (content === mine) await remove(path);
}

/**
 * False if the file is there already. It is made with its content at once, written under a name of its
 * own and then linked, so that a process that dies here leaves no lock without a maker.
 */
async function create(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${content.trim().replace(" ", "-")}`;
  await writeFile(draft, content, { flag: "wx", mode: 0o600 });
  try {
    await link(draft, path);
    return true;
  } catch (thrown) {
    if (hasCode(thrown, "EEXIST")) return false;
    throw thrown;
  } finally {
    await remove(draft);
  }
}

/** `PID TOKEN\n`; the token tells a process's locks apart. */
function lockContent(): string {
  return `${process.pid} ${randomBytes(8).toString("hex")}\n`;
}

/**
 * Removes the lock of a process that is gone. Two who find the same stale lock must not remove each
 * other's new one, so breaking has a lock of its own, and the content is read again under it.
 */
async function breakStale(path: string): Promise<boolean> {
  const content = await read(path);
  if (content === undefined || !(await isStale(path, content))) return false;
  const breaker = `${path}.break`;
  if (!(await create(breaker, lockContent()))) {
    if (await isOld(breaker)) await remove(breaker);
    return false;
  }
  try {
    if ((await read(path)) !== content) return false;
    await remove(path);
    return true;
  } finally {
    await remove(breaker);
  }
}

async function isStale(path: string, content: string): Promise<boolean> {
  const pid = /^([1-9]\d{0,9}) .*\n$/.exec(content)?.[1];
  // Somebody else's file, or one that was torn.
  if (pid === undefined) return isOld(path);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (thrown) {
    return hasCode(thrown, "ESRCH");
  }
}

async function isOld(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > AGE;
  } catch {
    return false;
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (thrown) {
    if (!hasCode(thrown, "ENOENT")) throw thrown;
  }
}

/** Whether Node threw an error of this code. */
export function hasCode(thrown: unknown, code: string): boolean {
  return (thrown as { code?: unknown } | null)?.code === code;
}

/** Milliseconds. */
const PATIENCE = 10_000;
/** Well below the patience, so that whoever waits lives to see it. */
const AGE = 5_000;
const PAUSE = 5;
