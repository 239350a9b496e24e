import { bytes, flag, text, whole } from "./check.js";
import { translate } from "./error.js";
import { toJson } from "./json.js";
import { Vault } from "./vault.js";
import type { Raw } from "./raw.js";
import type { UntrustedHeader, VaultOptions, WrapRow } from "./types.js";

/** What a package exports: the core's operations over one backend. */
export interface Api {
  readonly Vault: VaultConstructor;
  /** `strongroom X.Y.Z format 1 aes=BACKEND`; all but the last part is the same in every host. */
  version(): string;
  /**
   * Refuses every URL but the FIPS endpoint of the KMS in this region.
   *
   * Throws `ENDPOINT_POLICY`; `BAD_INPUT` for an ill-formed region.
   */
  assertFipsEndpoint(endpoint: string, region: string): void;
  /** Length of the envelope of a plaintext of this length, in bytes. */
  sealedLength(length: number, padded: boolean): number;
  /** Reads an envelope's header without any key. Throws the format errors. */
  inspect(envelope: Uint8Array): UntrustedHeader;
  /** The printable form of an envelope: `sr1.` and base64url. */
  toText(envelope: Uint8Array): string;
  /** The envelope of a printable form. Exactly one spelling is taken. */
  fromText(printable: string): Uint8Array;
  /** The KMS encryption context of a row of provider `aws-kms`. */
  kmsContext(row: WrapRow): Record<string, string>;
}

/** `new Vault(options)`. Throws `UNKNOWN_OPTION`, `BAD_INPUT`, `LIMIT` for its options. */
export type VaultConstructor = new (options?: VaultOptions) => Vault;

/** Makes the public API over a backend. */
export function bind(backend: Raw): Api {
  const raw = translated(backend);
  return {
    Vault: vaultOver(raw, Vault),
    version: () => raw.version(),
    assertFipsEndpoint: (endpoint, region) => raw.assertFipsEndpoint(text(endpoint), text(region)),
    sealedLength: (length, padded) => raw.sealedLength(whole(length), flag(padded)),
    inspect: (envelope) => JSON.parse(raw.inspect(bytes(envelope))) as UntrustedHeader,
    toText: (envelope) => raw.toText(bytes(envelope)),
    fromText: (printable) => raw.fromText(text(printable)),
    kmsContext: (row) => JSON.parse(raw.kmsContext(toJson(row))) as Record<string, string>,
  };
}

/** The class that users make vaults of: `Base` with its backend filled in. */
export function vaultOver<V extends Vault, R extends Raw>(
  raw: R,
  Base: new (raw: R, options?: VaultOptions) => V,
): new (options?: VaultOptions) => V {
  const Bound = class extends (Base as new (raw: R, options?: VaultOptions) => Vault) {
    constructor(options?: VaultOptions) {
      super(raw, options);
    }
  };
  Object.defineProperty(Bound, "name", { value: "Vault" });
  return Bound as unknown as new (options?: VaultOptions) => V;
}

/** The backend with every error turned into a StrongroomError. */
export function translated<R extends Raw>(backend: R): R {
  const safe: Record<string, unknown> = {};
  for (const [name, call] of Object.entries(backend as unknown as Record<string, (...args: unknown[]) => unknown>)) {
    safe[name] = (...args: unknown[]) => {
      try {
        return call(...args);
      } catch (thrown) {
        throw translate(thrown);
      }
    };
  }
  return safe as unknown as R;
}
