import { fromBase64 } from "./base64.js";
import { wipe } from "./check.js";
import { toBase64url } from "./copies.js";
import { fail, StrongroomError } from "./error.js";
import { Flights } from "./flights.js";
import { Asker } from "./kms.js";
import { isDenial, type DekLives } from "./dek-lives.js";
import { storeError, type WrapStore } from "./store.js";
import type { KmsReply, KmsRequest, Scope, WrapRow } from "./types.js";
import type { Vault } from "./vault.js";

/** One call of a user: what it began in, and what it need not try again. */
export interface Errand {
  readonly era: number;
  /** DEKs that the KMS or the rows have refused to this errand. */
  readonly failed: Map<string, unknown>;
}

/** Where DEKs rest between two sessions of a process, beside the vault. */
export interface DekCache {
  /** The rows that came with a DEK's entry. */
  rowsOf(dekRef: string): readonly WrapRow[];
  /** A DEK came in, by these rows. */
  keep(dekRef: string, rows: readonly WrapRow[], check: () => void): void;
  /** The KMS denied a DEK. */
  drop(dekRef: string): void;
  /** A version of an org's DEK was the active one, and held. */
  saw(org: string, version: number): void;
  /** Deletes everything; the seen versions stay. */
  empty(): Promise<void>;
}

/** Brings DEKs into a vault: rows from the store, answers from the KMS, one flight for each DEK. */
export class DekSource {
  readonly #vault: Vault;
  readonly #org: string;
  readonly #cmks: readonly string[];
  readonly #store: WrapStore;
  readonly #asker: Asker;
  readonly #lives: DekLives;
  readonly #cache: DekCache;
  readonly #deks = new Flights<void>();
  readonly #byKms = new Flights<void>();
  readonly #refreshes = new Flights<void>();
  /** DEKs on their way to the KMS. */
  readonly #leaving = new Set<Uint8Array>();
  /** What the core said of a DEK once: its dek_ref commits to it. */
  readonly #kinds = new Map<string, Scope>();
  /** The dek_ref read last, as bytes and as text: batches have long runs of one. */
  #lastRef: { readonly bytes: Uint8Array; readonly text: string } | undefined;
  #era = 0;

  constructor(
    vault: Vault, org: string, cmks: readonly string[], store: WrapStore, asker: Asker, lives: DekLives, cache: DekCache,
  ) {
    this.#vault = vault;
    this.#org = org;
    this.#cmks = cmks;
    this.#store = store;
    this.#asker = asker;
    this.#lives = lives;
    this.#cache = cache;
  }

  /** Begins a piece of work. */
  begin(): Errand {
    return { era: this.#era, failed: new Map() };
  }

  /** Ends the era: no piece of work going on now asks the KMS or brings a DEK in any more (`UNKNOWN_DEK`). */
  cancel(): void {
    this.#era++;
    this.#deks.clear();
    this.#byKms.clear();
    this.#refreshes.clear();
    this.#lives.clear();
    this.#leaving.forEach(wipe);
  }

  /** Whether a piece of work is of an era that is over. */
  isOver(errand: Errand): boolean {
    return errand.era !== this.#era;
  }

  /** Refuses a piece of work of an era that is over. */
  check(errand: Errand): void {
    if (this.isOver(errand)) fail("UNKNOWN_DEK");
  }

  /** The dek_ref (base64url) of an envelope that the vault made or opened. */
  refOf(envelope: Uint8Array): string {
    const bytes = envelope.subarray(REF_AT, REF_END);
    if (!this.#lastRef?.bytes.every((byte, at) => byte === bytes[at])) {
      this.#lastRef = { bytes: bytes.slice(), text: toBase64url(bytes) };
    }
    return this.#lastRef.text;
  }

  /** Whether the vault holds this DEK (base64url). */
  holds(dekRef: string): boolean {
    // The smallest envelope that could need it: listing all DEKs takes long where there are thousands.
    const probe = new Uint8Array(SMALLEST);
    probe.set([MAGIC, VERSION, SUITE]);
    probe.set(fromBase64(dekRef), REF_AT);
    return this.#vault.missing([probe]).length === 0;
  }

  /** The kind of a DEK that is held. */
  kind(dekRef: string): Scope {
    if (!this.#kinds.has(dekRef)) {
      this.#kinds.clear();
      for (const held of this.#vault.status()) this.#kinds.set(held.dekRef, held.kind);
    }
    return this.#kinds.get(dekRef) ?? fail("UNKNOWN_DEK");
  }

  /** Brings in what these envelopes need. The answer says what could not be had, in the envelopes' order. */
  async fetch(envelopes: readonly Uint8Array[], errand: Errand): Promise<Map<string, StrongroomError>> {
    const failures = new Map<string, StrongroomError>();
    const refs = this.#vault.missing(envelopes).map(toBase64url);
    const outcomes = await Promise.allSettled(refs.map((ref) => this.hold(ref, errand)));
    outcomes.forEach((outcome, at) => {
      if (outcome.status === "rejected") failures.set(refs[at] as string, outcome.reason as StrongroomError);
    });
    return failures;
  }

  /** Brings in one DEK (base64url): by a local row if its KEK can be had, otherwise by the KMS. */
  async hold(dekRef: string, errand: Errand): Promise<void> {
    this.check(errand);
    return this.#deks.join(dekRef, async () => {
      const rows = await this.#rows(dekRef);
      let first: unknown;
      for (const row of rows.filter((row) => row.provider === "local")) {
        try {
          return await this.#admitLocal(row, errand);
        } catch (thrown) {
          first ??= thrown;
        }
      }
      const byKms = rows.filter((row) => row.provider !== "local");
      if (byKms.length === 0 && first !== undefined) throw first;
      // While the rows were read it may have come in as another DEK's KEK.
      if (!this.holds(dekRef)) await this.#unwrap(dekRef, async () => byKms, errand);
    });
  }

  /** Notes a version of this org's DEK that was the active one, and held. */
  saw(version: number): void {
    this.#cache.saw(this.#org, version);
  }

  /** Notes a DEK that was minted here and is the active one now. */
  minted(row: WrapRow, errand: Errand): void {
    this.#lives.born(row.dekRef);
    this.#cache.keep(row.dekRef, [row], () => this.check(errand));
  }

  /** Asks the KMS and hands the reply to `admit`, unless the era is over. `plaintext` is wiped afterwards. */
  async ask<T>(request: KmsRequest, admit: (reply: KmsReply) => T, errand: Errand, plaintext?: Uint8Array): Promise<T> {
    if (plaintext) this.#leaving.add(plaintext);
    try {
      return await this.#asker.ask(request, admit, () => this.check(errand), plaintext);
    } finally {
      if (plaintext) this.#leaving.delete(plaintext);
    }
  }

  async #admitLocal(row: WrapRow, errand: Errand): Promise<void> {
    this.check(errand);
    try {
      this.#admitted(row);
      return;
    } catch (thrown) {
      if (!isGone(thrown)) throw thrown;
    }
    // Only by the KEK's own KMS rows: rows that name each other as KEKs would wait for each other.
    const rows = async () => (await this.#rows(row.keyId)).filter((kek) => kek.purpose === "org-dek");
    await this.#unwrap(row.keyId, rows, errand);
    this.check(errand);
    this.#admitted(row);
  }

  /** Admits a local row. */
  #admitted(row: WrapRow): void {
    this.#vault.admit(this.#org, row);
    this.#lives.born(row.dekRef, row.keyId);
  }

  /** Starts, in the background, a refresh of a DEK that was used past its soft end. */
  used(dekRef: string, errand: Errand): void {
    if (!this.#lives.claim(dekRef)) return;
    const refresh = () => this.#refresh(dekRef, { era: errand.era, failed: new Map() });
    this.#refreshes.join(dekRef, refresh).catch(() => {
      if (errand.era === this.#era) this.#lives.failed(dekRef);
    });
  }

  /** Brings a DEK in anew while it is still held. */
  async #refresh(dekRef: string, errand: Errand): Promise<void> {
    const rows = await this.#rows(dekRef);
    for (const row of rows.filter((row) => row.provider === "local")) {
      try {
        return await this.#refreshLocal(row, errand);
      } catch {
        this.check(errand);
      }
    }
    await this.#unwrap(dekRef, async () => rows.filter((row) => row.provider !== "local"), errand);
  }

  /** Admits a local row again, after its KEK where that is due. The KMS is asked for nothing else. */
  async #refreshLocal(row: WrapRow, errand: Errand): Promise<void> {
    const kek = row.keyId;
    if (this.#lives.claim(kek)) {
      try {
        await this.#unwrap(kek, async () => (await this.#rows(kek)).filter((found) => found.purpose === "org-dek"), errand);
      } catch (thrown) {
        this.#lives.failed(kek);
        throw thrown;
      }
    }
    this.check(errand);
    this.#admitted(row);
  }

  /**
   * Unwraps a DEK by the first of its rows that the core makes a request of. What the KMS answers is
   * final for the DEK: one call, and no other row after a denial.
   */
  async #unwrap(dekRef: string, find: () => Promise<WrapRow[]>, errand: Errand): Promise<void> {
    this.check(errand);
    if (errand.failed.has(dekRef)) throw errand.failed.get(dekRef);
    this.#lives.check(dekRef);
    const work = async () => {
      let first: unknown;
      for (const row of this.#inOrder(await find())) {
        let request: KmsRequest;
        try {
          request = this.#vault.unwrapRequest(this.#org, row);
        } catch (thrown) {
          first ??= thrown;
          continue;
        }
        // The vault counts a DEK's time from the reply.
        return this.ask(request, (reply) => this.#answered(row, reply, errand), errand);
      }
      throw first ?? new StrongroomError("UNKNOWN_DEK");
    };
    await this.#byKms.join(dekRef, work, (thrown) => errand.failed.set(dekRef, thrown));
  }

  #answered(row: WrapRow, reply: KmsReply, errand: Errand): void {
    try {
      this.#vault.admit(this.#org, row, reply);
    } catch (thrown) {
      this.#lives.denied(row.dekRef, thrown);
      if (isDenial(thrown)) this.#cache.drop(row.dekRef);
      throw thrown;
    }
    this.#lives.born(row.dekRef);
    this.#cache.keep(row.dekRef, [row], () => this.check(errand));
  }

  /** Rows wrapped by the CMKs that stand first in `cmks` first. */
  #inOrder(rows: readonly WrapRow[]): WrapRow[] {
    const rank = (row: WrapRow) => (this.#cmks.indexOf(row.keyId) + 1 || this.#cmks.length + 1);
    return [...rows].sort((a, b) => rank(a) - rank(b));
  }

  async #rows(dekRef: string): Promise<WrapRow[]> {
    const kept = this.#cache.rowsOf(dekRef);
    if (kept.length > 0) return [...kept];
    try {
      const rows: readonly (WrapRow | null | undefined)[] = await this.#store.rows(dekRef, this.#org);
      // Storage's word only: a row of another DEK would bring in what nobody asked for.
      return rows.filter((row): row is WrapRow => row?.dekRef === dekRef);
    } catch (thrown) {
      throw storeError(thrown);
    }
  }
}

/** Whether the vault refused because a DEK is not in it (any more): admitting it again can help. */
export function isGone(thrown: unknown): boolean {
  return thrown instanceof StrongroomError && GONE.has(thrown.code);
}

/** What {@link DekSource.holds} needs to know of an envelope: 52 bytes of header, no ciphertext, 16 of tag. */
const SMALLEST = 68;
const [MAGIC, VERSION, SUITE, REF_AT, REF_END] = [0xf7, 1, 1, 4, 36];

const GONE: ReadonlySet<string> = new Set(["UNKNOWN_DEK", "EXPIRED", "CLOCK_ROLLBACK"]);
