import { fail, StrongroomError } from "./error.js";
import { Flights, Turn } from "./flights.js";
import { nextVersion, plainActive, plainRow } from "./rows.js";
import { ofStore, type WrapStore } from "./store.js";
import { isGone, type DekSource, type Errand } from "./dek-source.js";
import type { ActiveRow, WrapRow } from "./types.js";
import type { Vault } from "./vault.js";

/**
 * Has the vault ready to seal: the org's active DEK, or the highest version of a record's, as the
 * store says. What the store says is believed for `activeMaxAge`, so that another process's rotation or
 * tombstone is seen then.
 */
export class SealReadiness {
  readonly #vault: Vault;
  readonly #org: string;
  readonly #store: WrapStore;
  readonly #source: DekSource;
  readonly #flights = new Flights<unknown>();
  readonly #storing = new Flights<void>();
  /** Of who works {@link alone}. */
  readonly #turn = new Turn();
  /** When the org's `active` row, or a record's rows, were read last. */
  readonly #read = new Map<string, { readonly at: number; readonly dekRef: string }>();
  /** When the `active` row of this or another owner was read last for opening. */
  readonly #looked = new Map<string, number>();
  /** Record DEKs whose own rows are stored last of all. What is sealed under them waits. */
  readonly #drafts = new Map<string, Draft>();
  /** The highest version of a record's DEK made here. */
  readonly #made = new Map<string, number>();
  /** Rows, by DEK, that are not stored yet. What is sealed under their DEKs may not get out: it could be lost. */
  readonly #unstored = new Map<string, WrapRow>();

  /** Owners whose `active` row could not be read. */
  readonly #unread = new Set<string>();
  /** Milliseconds. */
  readonly #maxAge: number;

  /** @param maxAge in seconds */
  constructor(vault: Vault, org: string, store: WrapStore, source: DekSource, maxAge: number) {
    this.#maxAge = maxAge * 1_000;
    this.#vault = vault;
    this.#org = org;
    this.#store = store;
    this.#source = source;
  }

  /** Has the active DEK held and set, and gives its dek_ref; NO_ACTIVE_DEK if the org has none. */
  async org(errand: Errand): Promise<string> {
    return this.#fresh(ORG) ?? (await this.orgAnew(errand)).dekRef;
  }

  /** {@link org} as the store says now. Gives the row. */
  async orgAnew(errand: Errand): Promise<ActiveRow> {
    const adopt = () =>
      this.alone(async () => {
        const active = await this.stored();
        if (!active) fail("NO_ACTIVE_DEK");
        return this.adopt(active, errand);
      });
    return (await this.#flights.join(ORG, adopt)) as ActiveRow;
  }

  /**
   * Follows the `active` rows of this org and of the owner of what is opened, if they were read too long
   * ago: a tombstone that another host wrote ends the work for that org here too. A store that can't be
   * read stops no opening, and is asked again soon.
   */
  async freshen(owner: string, errand: Errand): Promise<void> {
    const due = [...new Set([this.#org, owner])].filter((org) => !this.#hasLooked(org));
    await Promise.all(due.map((org) => this.#flights.join(JSON.stringify([org]), () => this.#lookAt(org, errand))));
  }

  /** Whether an org's `active` row, or that there is none, was read lately. */
  hasRead(org: string): boolean {
    return this.#hasLooked(org) && !this.#unread.has(org);
  }

  /**
   * Works while nobody else in this session is between reading the `active` row and telling the vault of
   * it: an older row told in between would discard a minted DEK, or be taken for a rollback.
   */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#turn.take(work);
  }

  /** Has the highest version of a record's DEK held and gives its row; NO_ACTIVE_DEK if the record has none. */
  async record(table: string, record: string, errand: Errand): Promise<WrapRow> {
    await this.storeAgain(table, record);
    const rows = (await this.rows(table, record)).filter((row) => row.reader === this.#org);
    const highest = rows.reduce<WrapRow | undefined>((best, row) => (best && best.version >= row.version ? best : row), undefined);
    if (!highest) fail("NO_ACTIVE_DEK");
    if (!this.#source.holds(highest.dekRef)) await this.#source.hold(highest.dekRef, errand);
    this.#remember(recordName(table, record), highest.dekRef);
    return highest;
  }

  /** {@link record}, unless the store was asked a moment ago. */
  async recordSoon(table: string, record: string, errand: Errand): Promise<string> {
    const name = recordName(table, record);
    const fresh = this.#fresh(name);
    if (fresh !== undefined && this.#unstoredOf(table, record).length === 0) return fresh;
    return ((await this.#flights.join(name, () => this.record(table, record, errand))) as WrapRow).dekRef;
  }

  /** A record's rows for all readers. */
  async rows(table: string, record: string, owner = this.#org): Promise<WrapRow[]> {
    const found: unknown = await ofStore(() => this.#store.rowsByOwner(owner, { table, record }));
    if (!Array.isArray(found)) fail("STORE_UNAVAILABLE");
    // Storage's word only: what the core would not read, or speaks of another record, is passed over.
    return found.flatMap((row: unknown) => readable(row)).filter(
      (row) => row.owner === owner && row.table === table && row.record === record,
    );
  }

  /** Notes a row of a DEK made here. Call it in the same step, before anything can be sealed under the DEK. */
  made(row: WrapRow): void {
    this.#unstored.set(row.dekRef, row);
    this.#noteMade(row);
  }

  /** Notes a DEK whose row is to be stored by {@link publish}. Call it as {@link made}. */
  draft(row: WrapRow): Draft {
    let finish: (failure: unknown) => void = () => undefined;
    const done = new Promise<unknown>((resolve) => (finish = resolve));
    const draft = { row, done, finish };
    this.#drafts.set(row.dekRef, draft);
    this.#noteMade(row);
    return draft;
  }

  /** Stores a draft's row once `before` is done: what waits under it goes on, or fails as this does. */
  async publish(draft: Draft, before: () => Promise<void>): Promise<void> {
    try {
      await before();
      await this.#put(draft.row);
    } catch (thrown) {
      draft.finish(thrown);
      throw thrown;
    }
    this.#drafts.delete(draft.row.dekRef);
    draft.finish(undefined);
    this.#read.delete(recordName(draft.row.table ?? "", draft.row.record ?? ""));
  }

  /** The version for a record's next DEK: above every row's and everything made here. */
  nextVersion(rows: readonly WrapRow[], table: string, record: string): number {
    const made = this.#made.get(recordName(table, record)) ?? 0;
    return nextVersion(rows.reduce((highest, row) => Math.max(highest, row.version), made));
  }

  /** Whether all DEKs made here have their rows stored. */
  get isSettled(): boolean {
    return this.#unstored.size === 0 && this.#drafts.size === 0;
  }

  /** Has the row of this DEK stored, if it was made here and is not. What can't be is tried again next time. */
  async settle(dekRef: string): Promise<void> {
    const draft = this.#drafts.get(dekRef);
    if (draft) await this.#published(draft);
    const row = this.#unstored.get(dekRef);
    if (!row) return;
    await this.#storing.join(dekRef, async () => {
      await this.#put(row);
      this.#unstored.delete(dekRef);
    });
  }

  /** Stores what could not be stored before of a record. */
  async storeAgain(table: string, record: string): Promise<void> {
    for (const { dekRef } of this.#unstoredOf(table, record)) await this.settle(dekRef);
  }

  /** The org's `active` row in the store now. */
  async stored(org = this.#org): Promise<ActiveRow | undefined> {
    const found: unknown = await ofStore(() => this.#store.active(org));
    if (found === undefined || found === null) return undefined;
    const active = plainActive(found);
    // Of another org: it would end or change what the session does with that one.
    if (active.org !== org) fail("ROW_INCONSISTENT");
    return active;
  }

  /**
   * {@link tell}, and the row's DEK is held before that.
   *
   * @param isMinted of this session's own rotation: the vault holds the DEK from then on
   */
  async adopt(active: ActiveRow, errand: Errand, isMinted = false): Promise<ActiveRow> {
    const told = await this.#say(active, errand, async (row) => {
      const isHeld = (isMinted && row === active) || row.state !== "active" || this.#source.holds(row.dekRef);
      if (!isHeld) await this.#source.hold(row.dekRef, errand);
    });
    this.#remember(ORG, told.dekRef);
    this.#looks(this.#org, Date.now());
    if (told.state === "active") this.#source.saw(told.version);
    return told;
  }

  /**
   * Says to the vault which row is in the store, and gives the row that was told. A DEK of a newer version
   * may have come in with an envelope since the row was read: then the store is read again. A row that it
   * still gives is a rollback.
   */
  async tell(active: ActiveRow, errand: Errand): Promise<ActiveRow> {
    return this.#say(active, errand, async () => undefined);
  }

  /** Believes nothing read before. */
  forget(): void {
    this.#read.clear();
  }

  /** Lets nobody join what is going on now either. */
  cancel(): void {
    this.#flights.clear();
    this.#turn.clear();
    this.forget();
    this.#looked.clear();
  }

  async #lookAt(org: string, errand: Errand): Promise<void> {
    const look = async () => {
      const active = await this.stored(org);
      this.#source.check(errand);
      if (active && org === this.#org) await this.tell(active, errand);
      // Of other orgs only a tombstone matters here.
      else if (active?.state === "tombstoned") this.#vault.tombstone(org);
    };
    try {
      await (org === this.#org ? this.alone(look) : look());
      this.#looks(org, Date.now());
    } catch {
      if (!this.#source.isOver(errand)) {
        this.#looks(org, Date.now() - Math.max(this.#maxAge - LOOK_AGAIN, 0));
        this.#unread.add(org);
      }
    }
  }

  #hasLooked(org: string): boolean {
    return this.#isYoung(this.#looked.get(org));
  }

  #looks(org: string, at: number): void {
    if (this.#looked.size >= MAX_REMEMBERED) this.#looked.clear();
    this.#looked.set(org, at);
    this.#unread.delete(org);
  }

  #noteMade(row: WrapRow): void {
    if (this.#made.size >= MAX_REMEMBERED) this.#made.clear();
    this.#made.set(recordName(row.table ?? "", row.record ?? ""), row.version);
  }

  async #put(row: WrapRow): Promise<void> {
    await ofStore(() => this.#store.putIfAbsent(row));
  }

  /** Waits until a draft's row is stored, or refuses as its storing was, unless the row is there all the same. */
  async #published(draft: Draft): Promise<void> {
    const failure = await draft.done;
    if (failure === undefined) return;
    const { row } = draft;
    const stored = await this.rows(row.table ?? "", row.record ?? "");
    if (!stored.some(({ dekRef, reader }) => dekRef === row.dekRef && reader === this.#org)) throw failure;
    this.#drafts.delete(row.dekRef);
  }

  async #say(active: ActiveRow, errand: Errand, before: (row: ActiveRow) => Promise<void>): Promise<ActiveRow> {
    for (let row = active, tries = 1; ; tries++) {
      await before(row);
      this.#source.check(errand);
      try {
        this.#vault.setActive(row);
        return row;
      } catch (thrown) {
        if (!(thrown instanceof StrongroomError && thrown.code === "ACTIVE_ROLLBACK") || tries === MOST_TRIES) throw thrown;
        const again = await this.stored();
        if (!again || isSame(again, row)) throw thrown;
        row = again;
      }
    }
  }

  #unstoredOf(table: string, record: string): WrapRow[] {
    if (this.isSettled) return [];
    return [...this.#unstored.values()].filter((row) => row.table === table && row.record === record);
  }

  #remember(name: string, dekRef: string): void {
    if (this.#read.size >= MAX_REMEMBERED) this.#read.clear();
    this.#read.set(name, { at: Date.now(), dekRef });
  }

  #fresh(name: string): string | undefined {
    const read = this.#read.get(name);
    return this.#isYoung(read?.at) ? read?.dekRef : undefined;
  }

  #isYoung(at = -Infinity): boolean {
    const age = Date.now() - at;
    return age >= 0 && age < this.#maxAge;
  }
}

/** A record DEK between its making and the storing of its own row. */
export interface Draft {
  readonly row: WrapRow;
  /** What went wrong, once it is known that something or nothing did. */
  readonly done: Promise<unknown>;
  finish(failure: unknown): void;
}

/** Whether reading the store again can make a refused seal work. */
export function isStale(thrown: unknown): boolean {
  return thrown instanceof StrongroomError && STALE.has(thrown.code);
}

/**
 * Whether reading the store again can make work succeed that was refused so many times: a DEK that was just
 * had can be replaced again before the work, each time by one rotation more; anything else is tried once more.
 */
export function isWorthAnother(thrown: unknown, tries: number): boolean {
  return isStale(thrown) && tries < (isGone(thrown) ? MOST_TRIES : 2);
}

/** The row, if the core would read it. */
function readable(row: unknown): WrapRow[] {
  try {
    return [plainRow(row)];
  } catch {
    return [];
  }
}

function isSame(one: ActiveRow, other: ActiveRow): boolean {
  return one.dekRef === other.dekRef && one.version === other.version && one.state === other.state && one.rev === other.rev;
}

function recordName(table: string, record: string): string {
  return JSON.stringify([table, record]);
}

/** No record's name: those begin with a bracket. */
const ORG = "";
const STALE: ReadonlySet<string> = new Set(["UNKNOWN_DEK", "NO_ACTIVE_DEK", "EXPIRED", "CLOCK_ROLLBACK", "ACTIVE_ROLLBACK"]);
/** Milliseconds after which a store that could not be read for an opening is asked again. */
const LOOK_AGAIN = 5_000;
/** As many as a vault holds DEKs. */
const MAX_REMEMBERED = 4_096;
/** Each try more needs one rotation more, read and overtaken; a store that never gives one row twice is lying. */
const MOST_TRIES = 8;
