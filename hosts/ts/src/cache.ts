import { bytes, wipe } from "./check.js";
import { bind, translated, vaultOver, type Api } from "./bind.js";
import { opened, Vault } from "./vault.js";
import type { RawWithCache } from "./raw.js";
import type { VaultOptions } from "./types.js";

/** A vault whose DEKs can rest in the operating system's keychain. */
export class CachingVault extends Vault {
  /** @internal Packages bind the backend: see `bindWithCache`. */
  constructor(raw: RawWithCache, options?: VaultOptions) {
    super(raw, options);
  }

  /**
   * A DEK held, as an entry for the keychain: it holds the DEK in clear and ends when the DEK does.
   * Overwrite it when it is stored. Throws `BAD_INPUT` for a vault without option `session`.
   */
  cacheExport(dekRef: Uint8Array): Uint8Array {
    const { raw, handle } = cached(this);
    const out = new Uint8Array(MAX_ENTRY);
    try {
      return out.slice(0, raw.cacheExport(handle, bytes(dekRef), out));
    } finally {
      out.fill(0);
    }
  }

  /**
   * Takes a keychain entry in and returns its dek_ref. `entry` is zeros afterwards, whatever the
   * outcome. Read the `active` rows of owner and reader first: a new vault knows no tombstones.
   */
  cacheImport(entry: Uint8Array): Uint8Array {
    try {
      const { raw, handle } = cached(this);
      return raw.cacheImport(handle, bytes(entry));
    } finally {
      wipe(entry);
    }
  }
}

/** What a package with a keychain cache exports. */
export interface CachingApi extends Omit<Api, "Vault"> {
  readonly Vault: new (options?: VaultOptions) => CachingVault;
}

/** `bind`, for a backend that has the keychain calls. */
export function bindWithCache(backend: RawWithCache): CachingApi {
  return { ...bind(backend), Vault: vaultOver(translated(backend), CachingVault) };
}

function cached(vault: CachingVault): { raw: RawWithCache; handle: number } {
  return opened(vault) as { raw: RawWithCache; handle: number };
}

/** More than any entry takes: three strings of at most 1,024 bytes, a reader, a session, and 150 bytes. */
const MAX_ENTRY = 8_192;
