/** Work that is done once however many callers wait for it. */
export class Flights<T> {
  readonly #running = new Map<string, Flight<T>>();

  /**
   * Joins the work going on under this name, or starts it. A finished one is forgotten, failed or not.
   *
   * @param failed is told of a failure in the same step in which the flight is forgotten, so that
   *   nobody can find it gone and its failure unnoted
   */
  join(name: string, start: () => Promise<T>, failed?: (thrown: unknown) => void): Promise<T> {
    const flight = this.#running.get(name) ?? this.#begin(name, start);
    if (failed) flight.failed.push(failed);
    return flight.done;
  }

  /** The work going on under this name, if any. */
  running(name: string): Promise<T> | undefined {
    return this.#running.get(name)?.done;
  }

  /** Lets nobody join what is going on now. */
  clear(): void {
    this.#running.clear();
  }

  #begin(name: string, start: () => Promise<T>): Flight<T> {
    const failed: Flight<T>["failed"] = [];
    const forget = () => {
      if (this.#running.get(name) === flight) this.#running.delete(name);
    };
    const done = start().then(
      (result) => {
        forget();
        return result;
      },
      (thrown: unknown) => {
        forget();
        for (const tell of failed) tell(thrown);
        throw thrown;
      },
    );
    const flight = { done, failed };
    this.#running.set(name, flight);
    return flight;
  }
}

interface Flight<T> {
  readonly done: Promise<T>;
  readonly failed: ((thrown: unknown) => void)[];
}

/** Work that goes on one at a time, in the order in which it came. */
export class Turn {
  #last: Promise<unknown> = Promise.resolve();

  /** Works when all that came before is done, however it ended. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** Lets nobody wait for what is going on now. */
  clear(): void {
    this.#last = Promise.resolve();
  }
}
