import { entries, items, members, optional, text, whole } from "./check.js";
import { fail } from "./error.js";
import { Asker, type Kms, type RetryOptions } from "./kms.js";
import type { WrapStore } from "./store.js";
import type { VaultOptions } from "./types.js";

/** What a `KmsVault` is made of. The vault's own options stand beside these. */
export interface KmsVaultOptions extends Omit<VaultOptions, "cmks">, RetryOptions {
  /** The org of the session, from the host's own knowledge and never from a row. */
  readonly org: string;
  /**
   * Which CMKs (key ARNs) wrap for each org: the session's own org, whose first CMK mints, and every
   * org that is shared with. From the host's own knowledge: rows that name another are refused.
   */
  readonly cmks: Readonly<Record<string, readonly string[]>>;
  /** Asks the KMS as this org. */
  readonly kms: Kms;
  /** Where rows are kept. */
  readonly store: WrapStore;
  /**
   * After how many seconds an org's `active` row is read again: 1 to 3,600, 300 if absent. That long a
   * host may go on under what another one rotated away or tombstoned.
   */
  readonly activeMaxAge?: number | undefined;
  /** At what age of the active DEK, in seconds, a rotation is due. 90 days if absent. */
  readonly rotateAfter?: number | undefined;
  /** At how many reserved seals a rotation is due. 2^28 if absent. */
  readonly rotateAfterSeals?: number | undefined;
  /** How many seals all processes together may make under one DEK: 1 to 2^32, which is the default. */
  readonly fleetSealLimit?: number | undefined;
  /** For how many seconds a DEK that the KMS denied isn't asked for again: 0 to 300, 30 if absent. */
  readonly denialTtl?: number | undefined;
}

/** The numbers, with their defaults. Seconds, or seals. */
export interface Limits {
  readonly activeMaxAge: number;
  readonly rotateAfter: number;
  readonly rotateAfterSeals: number;
  readonly fleetSealLimit: number;
  readonly denialTtl: number;
  /** How long a DEK is kept. */
  readonly ttl: number;
}

/** The same, read once. */
export interface ReadOptions {
  readonly org: string;
  /** The org's own. */
  readonly cmks: readonly string[];
  /** Every org's. */
  readonly listed: Readonly<Record<string, readonly string[]>>;
  readonly asker: Asker;
  readonly store: WrapStore;
  readonly limits: Limits;
  /** What the vault inside is made of. */
  readonly vault: VaultOptions;
}

/** Throws `UNKNOWN_OPTION`, `BAD_INPUT`, `LIMIT`; the vault's own options are the vault's to judge. */
export function readOptions(options: unknown): ReadOptions {
  const [org, listed, kms, store, tries, backoffMs, maxAge, after, afterSeals, fleetLimit, denialTtl, ...rest] =
    members(options, OPTIONS, "UNKNOWN_OPTION");
  const cmks = cmksCopy(listed);
  const asker = new Asker(kms as Kms, { tries, backoffMs } as RetryOptions);
  if (typeof store !== "object" || store === null) fail("BAD_INPUT");
  const own = text(org);
  // A list without a CMK for the session is no list: nothing could ever be asked.
  if (Object.keys(cmks).length === 0 || cmks[own]?.length === 0) fail("BAD_INPUT");
  const others = Object.fromEntries(VAULT_OPTIONS.map((name, at) => [name, rest[at]]));
  const limits = {
    activeMaxAge: within(maxAge, 300, 1, 3_600),
    rotateAfter: within(after, 7_776_000, 1, Number.MAX_SAFE_INTEGER),
    rotateAfterSeals: within(afterSeals, 2 ** 28, 1, Number.MAX_SAFE_INTEGER),
    fleetSealLimit: within(fleetLimit, MAX_SEALS, 1, MAX_SEALS),
    denialTtl: within(denialTtl, 30, 0, 300),
    // The vault's to judge: with another one there is no vault.
    ttl: typeof others.ttl === "number" ? others.ttl : MAX_TTL,
  };
  return {
    org: own,
    cmks: cmks[own] ?? [],
    listed: cmks,
    asker,
    store: store as WrapStore,
    limits,
    vault: { ...others, cmks } as VaultOptions,
  };
}

function cmksCopy(value: unknown): Record<string, string[]> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail("BAD_INPUT");
  const copy: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const [org, list] of entries(value)) copy[text(org)] = items(list).map(text);
  return copy;
}

/** A whole number: BAD_INPUT for none or one below, LIMIT for one above. */
function within(value: unknown, otherwise: number, least: number, most: number): number {
  const number = optional(value, whole) ?? otherwise;
  if (number < least) fail("BAD_INPUT");
  return number <= most ? number : fail("LIMIT");
}

/** Longest life of a DEK, in seconds. */
export const MAX_TTL = 43_200;
/** NIST SP 800-38D: seals with random IVs under one key. */
const MAX_SEALS = 2 ** 32;
const VAULT_OPTIONS = ["ttl", "session", "region", "sealLimit", "fieldLimit", "minVersions", "dangerEndpoint"] as const;
const OPTIONS = [
  "org", "cmks", "kms", "store", "tries", "backoffMs", "activeMaxAge", "rotateAfter", "rotateAfterSeals",
  "fleetSealLimit", "denialTtl", ...VAULT_OPTIONS,
] as const;
