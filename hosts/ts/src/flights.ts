/** Work that is done once however many callers wait for it. */
export class Flights<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** Joins the work going on under this name, or starts it. A finished one is forgotten, failed or not. */
  join(name: string, start: () => Promise<T>): Promise<T> {
    const running = this.#running.get(name);
    if (running) return running;
    const started = start().finally(() => {
      if (this.#running.get(name) === started) this.#running.delete(name);
    });
    this.#running.set(name, started);
    return started;
  }

  /** The work going on under this name, if any. */
  running(name: string): Promise<T> | undefined {
    return this.#running.get(name);
  }

  /** Lets nobody join what is going on now. */
  clear(): void {
    this.#running.clear();
  }
}
