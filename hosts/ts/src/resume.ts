import { fromBase64 } from "./base64.js";
import { entries, text, wipe } from "./check.js";
import { toBase64url } from "./copies.js";
import { fail } from "./error.js";
import { KeychainCache } from "./keychain-cache.js";
import { bindKmsVault, KmsVault, type KmsVaultFactory, type KmsVaultOptions } from "./kms-vault.js";
import { KmsSession, type KmsVaultApi } from "./kms-session.js";
import { readOptions } from "./kms-vault-options.js";
import type { CachingVault } from "./cache.js";
import type { Errand } from "./dek-source.js";
import type { Keychains } from "./keychain.js";

/** What a `KmsVault` that goes on where the last one stopped is made of. */
export interface ResumeOptions extends KmsVaultOptions {
  /** The operating system's keychain. Without one everything stays in memory, and `onWarning` is told. */
  readonly keychain?: Keychains | undefined;
  /** The product's one service name. Versions are kept under this and `.versions`. */
  readonly service: string;
  /** The session that entries are made for. */
  readonly session: string;
  /** Is told, once for each reason, where the keychain is absent, locked or fails. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** How a package with a keychain exports `KmsVault`. */
export interface ResumableKmsVaultFactory<V extends CachingVault> extends KmsVaultFactory<V> {
  /**
   * Makes a vault that goes on where the last one of the same session stopped: DEKs that it left in the
   * keychain are in it, for what is left of their time, and versions below the highest ever seen are
   * refused. What comes in is written to the keychain, `signOut` empties it, and what is over is deleted
   * at once and every minute until `close`.
   *
   * A keychain that is absent, locked or fails midway means that DEKs are kept in memory only. DEKs of an
   * org whose `active` row can't be read stay where they are. Rejects as `create` does.
   */
  resume(options: ResumeOptions): Promise<KmsVault<V>>;
}

/** `bindKmsVault`, for a package whose vault has the keychain calls. */
export function bindResumable<V extends CachingVault>(api: KmsVaultApi<V>): { KmsVault: ResumableKmsVaultFactory<V> } {
  const { KmsVault: Bound } = bindKmsVault(api);
  const Made = Bound as unknown as new (session: KmsSession<V>) => KmsVault<V>;
  const resume = (options: ResumeOptions) => resumed(api, Made, options);
  return { KmsVault: Object.assign(Bound, { resume }) };
}

async function resumed<V extends CachingVault>(
  api: KmsVaultApi<V>, Made: new (session: KmsSession<V>) => KmsVault<V>, options: unknown,
): Promise<KmsVault<V>> {
  const { keychain, service, warn, others } = split(options);
  // Before anything of the keychain is asked for.
  const { org, vault: told } = readOptions(others);
  const cache = new KeychainCache(warn);
  await cache.open(keychain, service);
  const minVersions = highest(others.minVersions, await cache.minVersions());
  const session = new KmsSession(api, { ...others, minVersions }, cache);
  cache.attach(session.vault, session.lives);
  await cache.begin(org, told.session);
  await cache.sweep();
  const errand = session.source.begin();
  for (const dekRef of await cache.deks()) await takeIn(session, cache, dekRef, errand);
  const timer = setInterval(() => void cache.sweep(), SWEEP_EVERY);
  timer.unref();
  session.onClose = () => clearInterval(timer);
  return new Made(session);
}

function split(options: unknown): {
  keychain: Keychains | undefined; service: string; warn: (message: string) => void; others: Record<string, unknown>;
} {
  if (typeof options !== "object" || options === null) fail("BAD_INPUT");
  const { keychain, service, onWarning, ...others } = Object.fromEntries(entries(options)) as Record<string, unknown>;
  const hasOpen = typeof (keychain as Keychains | undefined)?.open === "function";
  if (keychain !== undefined && !hasOpen) fail("BAD_INPUT");
  if (onWarning !== undefined && typeof onWarning !== "function") fail("BAD_INPUT");
  if (text(service) === "" || text(others.session) === "") fail("BAD_INPUT");
  const warn = (onWarning ?? (() => undefined)) as (message: string) => void;
  return { keychain: keychain as Keychains | undefined, service: text(service), warn, others };
}

/** What the product knows joined with what the keychain does. */
function highest(told: unknown, seen: ReadonlyMap<string, number>): unknown {
  if (told !== undefined && (typeof told !== "object" || told === null)) return told;
  const joined = new Map<unknown, unknown>(told === undefined ? [] : entries(told));
  for (const [org, version] of seen) {
    const other = joined.get(org);
    if (other === undefined || (typeof other === "number" && other < version)) joined.set(org, version);
  }
  return Object.fromEntries(joined as Map<string, unknown>);
}

/** Takes a DEK in from the keychain. One of a tombstoned org, or that the vault refuses, is deleted there. */
async function takeIn<V extends CachingVault>(
  session: KmsSession<V>, cache: KeychainCache, dekRef: string, errand: Errand,
): Promise<void> {
  const cached = await cache.entry(dekRef);
  if (!cached) return;
  try {
    const rows = cached.rows.filter((row) => row.dekRef === dekRef && row.reader === session.org);
    for (const org of new Set([session.org, ...rows.map((row) => row.owner)])) {
      await session.readiness.freshen(org, errand);
      if (!session.readiness.hasRead(org)) return;
    }
    session.source.check(errand);
    const isTaken = rows.length > 0 && takes(session, cached.entry, dekRef);
    if (!isTaken) return cache.drop(dekRef);
    session.lives.bornUntil(dekRef, cached.expires * 1_000);
    cache.imported(dekRef, rows);
  } finally {
    wipe(cached.entry);
  }
}

function takes<V extends CachingVault>(session: KmsSession<V>, entry: Uint8Array, dekRef: string): boolean {
  try {
    return toBase64url(session.vault.cacheImport(entry)) === toBase64url(fromBase64(dekRef));
  } catch {
    return false;
  }
}

/** Milliseconds. */
const SWEEP_EVERY = 60_000;
