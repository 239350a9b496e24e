import { nameOf, StrongroomError } from '../../hosts/ts/src/error.js';

/**
 * One instance of a module: lets calls in while it lives.
 *
 * A trap leaves a module in a state that nobody vouches for, and its destructors have
 * not run. So after one its memory is wiped, DEKs and all, and every further call
 * answers INTERNAL.
 */
export class Instance {
  #memory: WebAssembly.Memory | undefined;
  #trapped = false;

  /** Lets calls in. */
  start(memory: WebAssembly.Memory): void {
    this.#memory = memory;
  }

  /** Whether {@link start} has been called. */
  get started(): boolean {
    return this.#memory !== undefined;
  }

  /** Enters the module. An error's number that is thrown becomes the package's own error, anything else is a trap. */
  enter<T>(call: (memory: WebAssembly.Memory) => T): T {
    if (this.#trapped) throw new StrongroomError('INTERNAL');
    if (!this.#memory) throw new StrongroomError('BAD_INPUT');
    try {
      return call(this.#memory);
    } catch (thrown) {
      if (typeof thrown === 'number') throw new StrongroomError(nameOf(thrown));
      this.#trapped = true;
      new Uint8Array(this.#memory.buffer).fill(0);
      throw new StrongroomError('INTERNAL');
    }
  }
}
