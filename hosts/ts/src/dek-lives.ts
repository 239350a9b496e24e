import { StrongroomError } from "./error.js";

/** For how long a DEK is held. The core alone ends it; this says when to ask for it again before that. */
interface Life {
  soft: number;
  readonly end: number;
  refreshing: boolean;
}

/** When DEKs that are held are due to be asked for again, and which the KMS has denied a moment ago. Milliseconds. */
export class DekLives {
  readonly #ttl: number;
  readonly #denialTtl: number;
  readonly #lives = new Map<string, Life>();
  readonly #denials = new Map<string, { error: StrongroomError; at: number }>();

  /** Both in seconds. */
  constructor(ttl: number, denialTtl: number) {
    this.#ttl = ttl * 1_000;
    this.#denialTtl = denialTtl * 1_000;
  }

  /** Notes that a DEK came in: by the KMS, or by a local row under `kek`, which it doesn't outlive. */
  born(dekRef: string, kek?: string): void {
    const end = Date.now() + this.#ttl;
    const above = kek === undefined ? undefined : this.#lives.get(kek);
    this.bornUntil(dekRef, Math.min(end, above?.end ?? end));
    const mine = this.#lives.get(dekRef);
    // Before the KEK is due there is nothing to be won.
    if (above && mine && above.end <= end) mine.soft = Math.max(mine.soft, above.soft);
  }

  /**
   * {@link born} with an end. The soft end lies between 80 % and 95 % of the time, at another point for
   * each, so that the hosts of a fleet don't ask all at once.
   */
  bornUntil(dekRef: string, end: number): void {
    if (this.#lives.size >= MAX_REMEMBERED) this.#lives.clear();
    const now = Date.now();
    this.#lives.set(dekRef, { soft: now + (end - now) * (0.8 + 0.15 * Math.random()), end, refreshing: false });
    this.#denials.delete(dekRef);
  }

  /** When a DEK's time ends, if it is known. */
  end(dekRef: string): number | undefined {
    return this.#lives.get(dekRef)?.end;
  }

  /** Claims the refresh of a DEK that is due. */
  claim(dekRef: string): boolean {
    const life = this.#lives.get(dekRef);
    if (!life || life.refreshing) return false;
    const now = Date.now();
    return (life.refreshing = now >= life.soft && now < life.end);
  }

  /** Notes that a refresh failed: the DEK lives on to its end, and is asked for once more in a while. */
  failed(dekRef: string): void {
    const life = this.#lives.get(dekRef);
    if (!life) return;
    const now = Date.now();
    life.refreshing = false;
    life.soft = now + Math.max((life.end - now) / 4, 1_000);
  }

  /** Notes what became of asking the KMS for a DEK, if that was a denial: the core has dropped the DEK. */
  denied(dekRef: string, thrown: unknown): void {
    if (!isDenial(thrown)) return;
    this.#lives.delete(dekRef);
    if (this.#denialTtl === 0) return;
    if (this.#denials.size >= MAX_REMEMBERED) this.#denials.clear();
    this.#denials.set(dekRef, { error: thrown, at: Date.now() });
  }

  /** Throws the KMS's denial of a DEK, if that was a moment ago. */
  check(dekRef: string): void {
    const denial = this.#denials.get(dekRef);
    if (!denial) return;
    const age = Date.now() - denial.at;
    // A clock that went back makes no denial last longer.
    if (age >= 0 && age < this.#denialTtl) throw denial.error;
    this.#denials.delete(dekRef);
  }

  /** Forgets everything. */
  clear(): void {
    this.#lives.clear();
    this.#denials.clear();
  }
}

/** Whether the KMS refuses a DEK for good, as far as it knows now. */
export function isDenial(thrown: unknown): thrown is StrongroomError {
  return thrown instanceof StrongroomError && DENIALS.has(thrown.code);
}

const DENIALS: ReadonlySet<string> = new Set(["KMS_DENIED", "KMS_PENDING_DELETION"]);
const MAX_REMEMBERED = 4_096;
