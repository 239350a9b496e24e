import { fromBase64 } from "./base64.js";
import { wipe } from "./check.js";
import { StrongroomError } from "./error.js";
import { Turn } from "./flights.js";
import { expiryOf, readEntry, readJsonSecret, writeEntry, type CachedDek } from "./keychain-entry.js";
import { now } from "./kms-session.js";
import { MAX_TTL } from "./kms-vault-options.js";
import type { CachingVault } from "./cache.js";
import type { DekLives } from "./dek-lives.js";
import type { DekCache } from "./dek-source.js";
import type { Keychain, Keychains } from "./keychain.js";
import type { WrapRow } from "./types.js";

/**
 * The keychain beside a vault: cached DEKs and the session under the service's name, the highest versions
 * seen under another that sign-out leaves alone. Without a keychain it is there and does nothing.
 */
export class KeychainCache implements DekCache {
  readonly #warn: (message: string) => void;
  readonly #warned = new Set<string>();
  readonly #rows = new Map<string, readonly WrapRow[]>();
  readonly #seen = new Map<string, number>();
  #entries: Keychain | undefined;
  #versions: Keychain | undefined;
  #vault: { readonly vault: CachingVault; readonly lives: DekLives } | undefined;
  /** One call at a time: a sign-out must not overtake what is being written. */
  readonly #turn = new Turn();

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  /** Opens both keychains; with neither everything stays in memory. */
  async open(from: Keychains | undefined, service: string): Promise<void> {
    if (!from) {
      this.#says("there is no keychain: DEKs are kept in memory only, and the highest versions seen are not kept");
      return;
    }
    this.#entries = await this.#tried("be opened", () => from.open(service));
    this.#versions = await this.#tried("be opened; the highest versions seen are not kept", () =>
      from.open(`${service}.versions`),
    );
  }

  /** Lets entries be made of this vault's DEKs. */
  attach(vault: CachingVault, lives: DekLives): void {
    this.#vault = { vault, lives };
  }

  /** The highest versions seen of each org. */
  async minVersions(): Promise<ReadonlyMap<string, number>> {
    const versions = this.#versions;
    if (!versions) return this.#seen;
    for (const account of (await this.#tried("be read", () => versions.accounts())) ?? []) {
      const version = await this.#tried("give a version", () => versionOf(versions, account));
      if (version !== undefined && /^[A-Za-z0-9_-]+$/.test(account)) this.#seen.set(orgOf(account), version);
    }
    return this.#seen;
  }

  saw(org: string, version: number): void {
    const versions = this.#versions;
    if (!versions || (this.#seen.get(org) ?? 0) >= version) return;
    this.#seen.set(org, version);
    void this.#turn.take(() =>
      this.#tried("keep a version", async () => {
        const account = accountOf(org);
        // Another process of the product may have seen more.
        const known = await versionOf(versions, account);
        if ((known ?? 0) < version) await versions.set(account, utf8(JSON.stringify({ version })));
      }),
    );
  }

  rowsOf(dekRef: string): readonly WrapRow[] {
    return this.#rows.get(dekRef) ?? [];
  }

  keep(dekRef: string, rows: readonly WrapRow[], check: () => void): void {
    const [entries, made] = [this.#entries, this.#vault];
    const end = made?.lives.end(dekRef);
    if (!entries || !made || end === undefined) return;
    void this.#turn.take(() =>
      this.#tried("keep a DEK", async () => {
        let secret: Uint8Array;
        try {
          check();
          secret = secretOf(made.vault, dekRef, Math.floor(end / 1_000), rows);
        } catch {
          // A sign-out, or the DEK is gone again.
          return;
        }
        try {
          await entries.set(DEK + dekRef, secret);
        } catch (thrown) {
          // Larger than this keychain takes: it stays in memory.
          if (!(thrown instanceof StrongroomError && thrown.code === "LIMIT")) throw thrown;
        } finally {
          wipe(secret);
        }
      }),
    );
  }

  drop(dekRef: string): void {
    this.#rows.delete(dekRef);
    const entries = this.#entries;
    if (entries) void this.#turn.take(() => this.#tried("delete a DEK", () => entries.delete(DEK + dekRef)));
  }

  /** Deletes everything under the service's name and reads back that nothing is left; STORE_UNAVAILABLE otherwise. */
  async empty(): Promise<void> {
    this.#rows.clear();
    const entries = this.#entries;
    if (!entries) return;
    const isEmpty = await this.#turn.take(() =>
      this.#tried("be emptied", async () => {
        let failure: unknown;
        for (const account of await entries.accounts()) {
          await entries.delete(account).catch((thrown: unknown) => void (failure ??= thrown));
        }
        if (failure !== undefined) throw failure;
        const left = (await entries.accounts()).length;
        if (left > 0) throw new Error(`${left} entries are left`);
        return true;
      }),
    );
    if (!isEmpty) throw new StrongroomError("STORE_UNAVAILABLE");
  }

  /** Makes the keychain this session's. What another left there is deleted. */
  async begin(org: string, session: string | undefined): Promise<void> {
    const entries = this.#entries;
    if (!entries) return;
    const known = await this.#tried("give the session", () => secretAt(entries, SESSION, readJsonSecret, () => NO_MEMBERS));
    const isOurs = known?.org === org && known.session === session;
    if (known && !isOurs) await this.empty().catch(() => undefined);
    const expires = now() + MAX_TTL;
    const isFresh = isOurs && typeof known.expires === "number" && known.expires > now() && known.expires <= expires;
    if (isFresh) return;
    await this.#turn.take(() =>
      this.#tried("keep the session", () => entries.set(SESSION, utf8(JSON.stringify({ org, session, expires })))),
    );
  }

  /** Deletes the entries whose time is over, or that are none. */
  async sweep(): Promise<void> {
    const entries = this.#entries;
    if (!entries) return;
    await this.#turn.take(() =>
      this.#tried("delete what is over", async () => {
        for (const account of await entries.accounts()) {
          const expires = await secretAt(entries, account, expiryOf, () => 0);
          // No entry is for longer than twelve hours, whatever it says.
          const isGood = expires === undefined || (expires > now() && expires <= now() + MAX_TTL + MAX_AHEAD);
          if (!isGood) await entries.delete(account);
        }
      }),
    );
  }

  /** The DEKs that have an entry. */
  async deks(): Promise<string[]> {
    const accounts = (await this.#tried("be read", async () => this.#entries?.accounts())) ?? [];
    return accounts.filter((account) => account.startsWith(DEK)).map((account) => account.slice(DEK.length)).sort();
  }

  /** A DEK's entry. What is none by its form has no rows. */
  async entry(dekRef: string): Promise<CachedDek | undefined> {
    const entries = this.#entries;
    return entries && this.#tried("give a DEK", () => secretAt(entries, DEK + dekRef, readEntry, () => NO_ENTRY));
  }

  /** Notes the rows that came with the entry of a DEK that was taken in. */
  imported(dekRef: string, rows: readonly WrapRow[]): void {
    this.#rows.set(dekRef, rows);
  }

  /** What the keychain refuses is a warning. */
  async #tried<T>(what: string, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : "no reason given";
      this.#says(`the keychain can't ${what}; DEKs are kept in memory only: ${reason}`);
      return undefined;
    }
  }

  #says(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#warn(message);
  }
}

function secretOf(vault: CachingVault, dekRef: string, expires: number, rows: readonly WrapRow[]): Uint8Array {
  const entry = vault.cacheExport(fromBase64(dekRef));
  try {
    return writeEntry({ expires, entry, rows });
  } finally {
    wipe(entry);
  }
}

/** What an account's secret reads as, `undefined` where there is no such account. */
async function secretAt<T>(
  from: Keychain, account: string, read: (secret: Uint8Array) => T, malformed: () => T,
): Promise<T | undefined> {
  const secret = await from.get(account);
  if (secret === undefined) return undefined;
  try {
    return read(secret);
  } catch {
    return malformed();
  } finally {
    wipe(secret);
  }
}

async function versionOf(from: Keychain, account: string): Promise<number | undefined> {
  const known = await secretAt(from, account, readJsonSecret, () => NO_MEMBERS);
  const version = known?.version;
  const isVersion = Number.isSafeInteger(version) && (version as number) > 0 && (version as number) < 2 ** 32;
  return isVersion ? (version as number) : undefined;
}

function accountOf(org: string): string {
  return Buffer.from(org, "utf8").toString("base64url");
}

function orgOf(account: string): string {
  return Buffer.from(account, "base64url").toString("utf8");
}

const utf8 = (text: string) => new TextEncoder().encode(text);

const DEK = "dek.";
const SESSION = "session";
const NO_ENTRY: CachedDek = { expires: 1, entry: new Uint8Array(), rows: [] };
const NO_MEMBERS: Record<string, unknown> = {};
/** Seconds by which another host's clock may be ahead, as the core allows. */
const MAX_AHEAD = 300;
