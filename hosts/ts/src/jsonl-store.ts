import { open, type FileHandle } from "node:fs/promises";
import { dirname, resolve } from "node:path";

import { fail, StrongroomError } from "./error.js";
import { hasCode, withLock } from "./file-lock.js";
import { Turn } from "./flights.js";
import {
  inactive, plainActive, plainKey, plainRef, plainRow, plainUsage, reserved, storedKey, storedUsageKey,
} from "./rows.js";
import { ofStore, RowIndex, type RecordPlace, type RowKey, type WrapStore } from "./store.js";
import { JsonNumber, readJson, type JsonValue } from "./strict-json.js";
import type { ActiveRow, UsageRow, WrapRow } from "./types.js";

/**
 * A {@link WrapStore} in one file, a JSON object a line: `{"wrap": row}`, `{"active": row}`,
 * `{"usage": row}`, `{"delete": {dekRef, reader, keyId}}` or `{"delete_usage": {dekRef}}`.
 *
 * The file is only ever appended to; each line is on the disk before its call resolves, and the last
 * `active` line of an org and the last `usage` line of a DEK count. Several processes of one machine, in
 * Node, Go or Rust, may use a file at once: each reads on where it stopped, and a lock file beside it (its name with `.lock`) lets one
 * write at a time. A last line without its line feed was torn by a crash: readers pass over it and the
 * next writer cuts it off. Any other line that is none of these makes every call reject with
 * `STORE_UNAVAILABLE`. The file is made, with mode 0600, by the first write.
 */
export class JsonLinesStore implements WrapStore {
  readonly #path: string;
  #index = new RowIndex();
  /** How far the file has been read, and which file that was. */
  #read = 0;
  #file: string | undefined;
  /** One call at a time: they share what was read. */
  readonly #turn = new Turn();

  constructor(path: string) {
    this.#path = resolve(path);
  }

  rows(dekRef: string, reader: string): Promise<WrapRow[]> {
    return this.#look((index) => index.rows(dekRef, reader));
  }

  rowsByOwner(owner: string, at?: RecordPlace): Promise<WrapRow[]> {
    return this.#look((index) => index.rowsByOwner(owner, at));
  }

  rowsByReader(reader: string): Promise<WrapRow[]> {
    return this.#look((index) => index.rowsByReader(reader));
  }

  active(org: string): Promise<ActiveRow | undefined> {
    return this.#look((index) => index.active(org));
  }

  async putIfAbsent(row: WrapRow): Promise<void> {
    const wrap = plainRow(row);
    await this.#write((index) => (index.holds(wrap) ? undefined : { wrap }));
  }

  async compareAndSetActive(row: ActiveRow): Promise<void> {
    const active = plainActive(row);
    await this.#write((index) => {
      index.expect(active);
      return { active };
    });
  }

  async delete(row: RowKey): Promise<void> {
    const key = plainKey(row);
    await this.#write((index) => (index.has(key) ? { delete: key } : undefined));
  }

  async usage(dekRef: string): Promise<UsageRow | undefined> {
    const ref = plainRef(dekRef);
    return this.#look((index) => index.usage(ref));
  }

  async reserve(dekRef: string, count: number, limit: number): Promise<number> {
    return (await this.#changeUsage(dekRef, (row) => reserved(row, count, limit))).reserved;
  }

  markInactive(dekRef: string, at: number): Promise<UsageRow> {
    return this.#changeUsage(dekRef, (row) => inactive(row, at));
  }

  async deleteUsage(dekRef: string): Promise<void> {
    const ref = plainRef(dekRef);
    await this.#write((index) => (index.usage(ref) ? { delete_usage: { dekRef: ref } } : undefined));
  }

  async #changeUsage(dekRef: string, change: (row: UsageRow) => UsageRow): Promise<UsageRow> {
    let after: UsageRow = { dekRef: plainRef(dekRef), reserved: 0 };
    await this.#write((index) => {
      const before = index.usageOrNew(after.dekRef);
      after = change(before);
      return after === before ? undefined : { usage: after };
    });
    return after;
  }

  #look<T>(look: (index: RowIndex) => T): Promise<T> {
    return this.#inTurn(async () => {
      await this.#catchUp();
      return look(this.#index);
    });
  }

  /** Lets `decide` choose a line, under the lock and knowing every line so far, and appends it. */
  #write(decide: (index: RowIndex) => object | undefined): Promise<void> {
    return this.#inTurn(() =>
      withLock(`${this.#path}.lock`, async () => {
        await this.#catchUp();
        const line = decide(this.#index);
        if (line === undefined) return;
        await this.#append(`${JSON.stringify(line)}\n`);
        await this.#catchUp();
      }),
    );
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return ofStore(() => this.#turn.take(work));
  }

  /** Writes behind the last complete line. What it can't finish it takes back, or leaves as a torn line. */
  async #append(line: string): Promise<void> {
    const isNew = this.#file === undefined;
    // Not "a": that would write behind a torn line.
    const file = isNew ? await open(this.#path, "wx+", 0o600) : await open(this.#path, "r+");
    try {
      await file.truncate(this.#read);
      try {
        await writeAll(file, new TextEncoder().encode(line), this.#read);
        await file.sync();
      } catch (thrown) {
        await file.truncate(this.#read);
        throw thrown;
      }
    } finally {
      await file.close();
    }
    if (isNew) await syncFolder(dirname(this.#path));
  }

  /** Reads the lines that were written since it was last called. */
  async #catchUp(): Promise<void> {
    let file: FileHandle;
    try {
      file = await open(this.#path, "r");
    } catch (thrown) {
      if (!hasCode(thrown, "ENOENT")) throw thrown;
      this.#restart(undefined);
      return;
    }
    try {
      const { dev, ino, size } = await file.stat();
      const identity = `${dev}:${ino}`;
      if (this.#file !== identity || size < this.#read) this.#restart(identity);
      const begun = this.#read;
      try {
        await this.#readOn(file, size);
      } catch (thrown) {
        if (begun === 0) throw thrown;
        // A writer whose write failed took back a line that was read here.
        this.#restart(identity);
        await this.#readOn(file, size);
      }
    } finally {
      await file.close();
    }
  }

  async #readOn(file: FileHandle, size: number): Promise<void> {
    const tail = await readAll(file, this.#read, size);
    let start = 0;
    for (let end = tail.indexOf(LINE_FEED); end >= 0; end = tail.indexOf(LINE_FEED, start)) {
      replay(this.#index, tail.subarray(start, end));
      this.#read += end + 1 - start;
      start = end + 1;
    }
  }

  #restart(identity: string | undefined): void {
    this.#index = new RowIndex();
    this.#read = 0;
    this.#file = identity;
  }
}

/** Takes in one line; what is none of those is damage. */
function replay(index: RowIndex, bytes: Uint8Array): void {
  try {
    // Strict like the core: what one host repairs on reading, another would call damage.
    const line = readJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    const [[kind, value] = [], ...others] = line instanceof Map ? line : [];
    if (others.length > 0) fail("STORE_UNAVAILABLE");
    if (kind === "wrap") {
      const row = plainRow(flat(value));
      if (!index.holds(row)) index.put(row);
    } else if (kind === "active") index.setActive(plainActive(flat(value)));
    else if (kind === "usage") index.setUsage(plainUsage(flat(value)));
    else if (kind === "delete") index.delete(storedKey(flat(value)));
    else if (kind === "delete_usage") index.deleteUsage(storedUsageKey(flat(value)));
    else fail("STORE_UNAVAILABLE");
  } catch {
    throw new StrongroomError("STORE_UNAVAILABLE");
  }
}

/** A row's members as they are in JavaScript. A number not in its plain spelling is none. */
function flat(value: JsonValue | undefined): object | undefined {
  if (!(value instanceof Map)) return undefined;
  return Object.fromEntries(
    Array.from(value, ([name, member]) => {
      if (!(member instanceof JsonNumber)) return [name, member];
      return [name, /^(?:0|[1-9]\d*)$/.test(member.spelling) ? Number(member.spelling) : NaN];
    }),
  );
}

async function readAll(file: FileHandle, from: number, to: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(to - from, 0));
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const LINE_FEED = 0x0a;
