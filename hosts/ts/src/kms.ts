import { wipe } from "./check.js";
import { wipeReply } from "./copies.js";
import { StrongroomError } from "./error.js";
import { fromOutside } from "./outside.js";
import type { KmsReply, KmsRequest } from "./types.js";

/** Something that can ask a KMS: `awsKms(client)`, or your own over another SDK. */
export interface Kms {
  /**
   * Asks the KMS exactly this and reports what came back.
   *
   * An error of the KMS is a reply, `{endpoint, error: name}`; the core judges it. What is thrown
   * and is no StrongroomError counts as `KMS_UNAVAILABLE`. `endpoint` must come from what the SDK
   * resolved; a client that would ask another URL than `request.endpoint` must send nothing and
   * throw `ENDPOINT_POLICY`.
   *
   * @param plaintext the DEK of an `Encrypt` request. It stays the caller's, who overwrites it
   *   afterwards: keep no copy.
   */
  send(request: KmsRequest, plaintext?: Uint8Array): Promise<KmsReply>;
}

/** How often and how patiently a throttled or unreachable KMS is asked again. */
export interface RetryOptions {
  /** Calls in all, 1 to 20. 5 if absent. Denied is final whatever stands here. */
  readonly tries?: number | undefined;
  /** Longest wait before the second call, in milliseconds; it doubles with every call up to 5 s. 100 if absent. */
  readonly backoffMs?: number | undefined;
}

/** Asks a KMS with a limit on calls at once and with retries. */
export class Asker {
  readonly #kms: Kms;
  readonly #tries: number;
  readonly #backoffMs: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(kms: Kms, { tries = 5, backoffMs = 100 }: RetryOptions) {
    const fits = Number.isSafeInteger(tries) && tries >= 1 && tries <= MAX_TRIES && backoffMs >= 0 && backoffMs <= MAX_WAIT;
    if (!fits || typeof kms?.send !== "function") throw new StrongroomError("BAD_INPUT");
    this.#kms = kms;
    this.#tries = tries;
    this.#backoffMs = backoffMs;
  }

  /**
   * Asks until `admit`, which hands the reply to the core, takes an answer. Only the core's
   * `KMS_THROTTLED` and `KMS_UNAVAILABLE` are worth another call; everything else is final.
   *
   * @param check throws as soon as nobody wants the answer any more. It runs before each call, which
   *   may come long after this one began, and before a reply goes to `admit`.
   */
  async ask<T>(
    request: KmsRequest, admit: (reply: KmsReply) => T, check: () => void, plaintext?: Uint8Array,
  ): Promise<T> {
    await this.#enter();
    try {
      for (let call = 1; ; call++) {
        check();
        try {
          return await this.#once(request, admit, check, plaintext);
        } catch (thrown) {
          check();
          if (!(thrown instanceof StrongroomError) || !TRANSIENT.has(thrown.code) || call >= this.#tries) throw thrown;
        }
        // Full jitter: many clients that were throttled together do not come back together.
        await sleep(Math.random() * Math.min(MAX_WAIT, this.#backoffMs * 2 ** (call - 1)));
      }
    } finally {
      if (plaintext) wipe(plaintext);
      this.#leave();
    }
  }

  async #once<T>(
    request: KmsRequest, admit: (reply: KmsReply) => T, check: () => void, plaintext?: Uint8Array,
  ): Promise<T> {
    let reply: KmsReply;
    try {
      reply = await this.#kms.send(request, plaintext);
    } catch (thrown) {
      throw fromOutside(thrown, "KMS_UNAVAILABLE");
    }
    try {
      check();
    } catch (thrown) {
      wipeReply(reply);
      throw thrown;
    }
    return admit(reply);
  }

  async #enter(): Promise<void> {
    if (this.#running < MAX_AT_ONCE) this.#running++;
    else await new Promise<void>((go) => this.#waiting.push(go));
  }

  /** Hands the place on, so that nobody can slip in between. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running--;
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

declare function setTimeout(work: () => void, milliseconds: number): unknown;

const TRANSIENT: ReadonlySet<string> = new Set(["KMS_THROTTLED", "KMS_UNAVAILABLE"]);
const MAX_TRIES = 20;
/** Milliseconds. */
const MAX_WAIT = 5_000;
/** Calls at once. A cold page with hundreds of DEKs would run into the KMS's own limits otherwise. */
const MAX_AT_ONCE = 16;
