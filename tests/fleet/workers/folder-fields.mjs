// The tests' own field store, which hosts of several languages share: a file a field, named by the hex
// of its names, and a lock folder around every change.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export class FolderFields {
  #folder;
  #Failure;

  constructor(folder, Failure) {
    this.#folder = folder;
    this.#Failure = Failure;
    mkdirSync(folder, { recursive: true });
  }

  async put(binding, envelope) {
    await this.#locked(() => this.#write(binding, envelope));
  }

  async fields(owner, table, record) {
    return this.#found(({ binding }) => binding.org === owner && binding.table === table && binding.record === record);
  }

  async replace(binding, old, envelope) {
    await this.#locked(() => {
      const stored = this.#found((field) => nameOf(field.binding) === nameOf(binding))[0]?.envelope;
      if (!stored || Buffer.compare(stored, old) !== 0) throw new this.#Failure('PRECONDITION_FAILED');
      this.#write(binding, envelope);
    });
  }

  async *all(owner) {
    yield* this.#found(({ binding }) => binding.org === owner);
  }

  #found(is) {
    const names = readdirSync(this.#folder).filter((name) => /^[0-9a-f]+$/.test(name)).sort();
    const fields = names.map((name) => {
      const [org, table, record, field] = JSON.parse(Buffer.from(name, 'hex').toString());
      return { binding: { org, table, record, field }, name };
    });
    return fields.filter(is).map(({ binding, name }) => ({ binding, envelope: new Uint8Array(readFileSync(join(this.#folder, name))) }));
  }

  #write(binding, envelope) {
    const path = join(this.#folder, nameOf(binding));
    writeFileSync(`${path}.new`, envelope);
    renameSync(`${path}.new`, path);
  }

  async #locked(change) {
    const lock = join(this.#folder, 'lock');
    for (;;) {
      try {
        mkdirSync(lock);
        break;
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
        await sleep(2);
      }
    }
    try {
      return change();
    } finally {
      rmdirSync(lock);
    }
  }
}

function nameOf({ org, table, record, field }) {
  return Buffer.from(JSON.stringify([org, table, record, field])).toString('hex');
}
