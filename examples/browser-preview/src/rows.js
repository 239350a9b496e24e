import { StrongroomError } from '@strongroom/wasm';

import { json, post } from './server.js';

/** The wrap rows that the server has for this org, read again with the `active` row. A preview writes none; it reserves the seals of what it reseals. */
export class ServedRows {
  #org;
  #loading;

  constructor(org) {
    this.#org = org;
  }

  async rows(dekRef, reader) {
    return (await this.#rows()).filter((row) => row.dekRef === dekRef && row.reader === reader);
  }

  async rowsByOwner(owner, at) {
    const isThere = (row) => at === undefined || (row.table === at.table && row.record === at.record);
    return (await this.#rows()).filter((row) => row.owner === owner && isThere(row));
  }

  async rowsByReader(reader) {
    return (await this.#rows()).filter((row) => row.reader === reader);
  }

  /** Asked for when what was read is too old: so it is loaded anew, and a tombstone seen. */
  async active(org) {
    if (org !== this.#org) return undefined;
    this.#loading = undefined;
    return (await this.#load()).active;
  }

  async putIfAbsent() {
    throw new StrongroomError('STORE_UNAVAILABLE');
  }

  async compareAndSetActive() {
    throw new StrongroomError('STORE_UNAVAILABLE');
  }

  async delete() {
    throw new StrongroomError('STORE_UNAVAILABLE');
  }

  async usage() {
    return undefined;
  }

  async reserve(dekRef, count, limit) {
    return post('/reserve', { dekRef, count, limit });
  }

  async markInactive() {
    throw new StrongroomError('STORE_UNAVAILABLE');
  }

  async deleteUsage() {
    throw new StrongroomError('STORE_UNAVAILABLE');
  }

  async #rows() {
    return (await this.#load()).rows;
  }

  #load() {
    this.#loading ??= json('/rows.json').catch((error) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }
}
