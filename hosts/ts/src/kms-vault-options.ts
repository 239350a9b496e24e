import { entries, items, members, text } from "./check.js";
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
}

/** The same, read once. */
export interface ReadOptions {
  readonly org: string;
  /** The org's own. */
  readonly cmks: readonly string[];
  readonly asker: Asker;
  readonly store: WrapStore;
  /** What the vault inside is made of. */
  readonly vault: VaultOptions;
}

/** Throws `UNKNOWN_OPTION`, `BAD_INPUT`, `LIMIT`; the vault's own options are the vault's to judge. */
export function readOptions(options: unknown): ReadOptions {
  const [org, listed, kms, store, tries, backoffMs, ...rest] = members(options, OPTIONS, "UNKNOWN_OPTION");
  const cmks = cmksCopy(listed);
  const asker = new Asker(kms as Kms, { tries, backoffMs } as RetryOptions);
  if (typeof store !== "object" || store === null) fail("BAD_INPUT");
  const own = text(org);
  // A list without a CMK for the session is no list: nothing could ever be asked.
  if (Object.keys(cmks).length === 0 || cmks[own]?.length === 0) fail("BAD_INPUT");
  const others = Object.fromEntries(VAULT_OPTIONS.map((name, at) => [name, rest[at]]));
  return {
    org: own,
    cmks: cmks[own] ?? [],
    asker,
    store: store as WrapStore,
    vault: { ...others, cmks } as VaultOptions,
  };
}

function cmksCopy(value: unknown): Record<string, string[]> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail("BAD_INPUT");
  const copy: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const [org, list] of entries(value)) copy[text(org)] = items(list).map(text);
  return copy;
}

const VAULT_OPTIONS = ["ttl", "session", "region", "sealLimit", "fieldLimit", "minVersions", "dangerEndpoint"] as const;
const OPTIONS = ["org", "cmks", "kms", "store", "tries", "backoffMs", ...VAULT_OPTIONS] as const;
