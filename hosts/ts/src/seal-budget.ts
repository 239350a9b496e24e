import { StrongroomError } from "./error.js";
import { Turn } from "./flights.js";
import { ofStore, storeError, type WrapStore } from "./store.js";

/**
 * Reserves seals in the store before they are made, in blocks that grow: so all processes together make no
 * more under a DEK than the limit, and a crash loses what was left of its block.
 */
export class SealBudget {
  readonly #store: WrapStore;
  readonly #limit: number;
  /** Seals reserved and not made yet, and how many are reserved next time. */
  readonly #seats = new Map<string, { left: number; block: number }>();
  /** One at a time: two who both lack a seal need one block. */
  readonly #turn = new Turn();

  constructor(store: WrapStore, limit: number) {
    this.#store = store;
    this.#limit = limit;
  }

  /** Takes one seal. BUDGET_EXHAUSTED if the limit leaves none, STORE_UNAVAILABLE if the store can't say. */
  async takeOne(dekRef: string): Promise<void> {
    if ((await this.take(dekRef, 1)) === 0) throw new StrongroomError("BUDGET_EXHAUSTED");
  }

  /** Takes seals, as many as the limit leaves, and gives how many those are. */
  async take(dekRef: string, count: number): Promise<number> {
    if (this.#takeHeld(dekRef, count)) return count;
    return this.#turn.take(() => this.#takeMore(dekRef, count));
  }

  /** Returns seals that were never made. */
  giveBack(dekRef: string, count: number): void {
    const seats = this.#seats.get(dekRef);
    if (seats) seats.left += count;
  }

  /** Takes one under the DEK that was used, where that turned out to be another than the one taken for. */
  async settle(taken: string, used: string): Promise<void> {
    if (taken === used) return;
    this.giveBack(taken, 1);
    await this.takeOne(used);
  }

  async #takeMore(dekRef: string, count: number): Promise<number> {
    while (!this.#takeHeld(dekRef, count)) {
      const seats = this.#seats.get(dekRef) ?? { left: 0, block: FIRST_BLOCK };
      const got = await this.#reserve(dekRef, Math.max(count - seats.left, seats.block));
      this.#seats.set(dekRef, seats);
      if (got === 0) {
        const rest = Math.min(seats.left, count);
        seats.left -= rest;
        return rest;
      }
      seats.left += got;
      seats.block = Math.min(seats.block * 2, LAST_BLOCK);
    }
    return count;
  }

  /** Reserves a block, or what the limit leaves of it. */
  async #reserve(dekRef: string, block: number): Promise<number> {
    let ask = block;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      try {
        await this.#store.reserve(dekRef, ask, this.#limit);
        return ask;
      } catch (thrown) {
        const error = storeError(thrown);
        if (error.code !== "PRECONDITION_FAILED") throw error;
      }
      // Another process may be quicker once more; the sum has grown then, and this ends at the limit.
      ask = Math.min(ask, this.#limit - (await this.#reserved(dekRef)));
      if (ask <= 0) return 0;
    }
    throw new StrongroomError("STORE_UNAVAILABLE");
  }

  async #reserved(dekRef: string): Promise<number> {
    return (await ofStore(() => this.#store.usage(dekRef)))?.reserved ?? 0;
  }

  #takeHeld(dekRef: string, count: number): boolean {
    const seats = this.#seats.get(dekRef);
    if (!seats || seats.left < count) return count === 0;
    seats.left -= count;
    return true;
  }
}

const FIRST_BLOCK = 2 ** 10;
const LAST_BLOCK = 2 ** 20;
/** Each try more needs another process's reservation between a read and a write. */
const MOST_TRIES = 100;
