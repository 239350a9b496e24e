/**
 * The operating system's store of secrets under one service name; the package's `keychain` entry has the
 * real ones, and `KmsVault.resume` works with any.
 *
 * An account is printable ASCII. A method rejects wherever the keychain is absent, locked or refuses: what
 * should have gone there stays in memory then, never in a weaker store.
 */
export interface Keychain {
  /** An account's secret, `undefined` if there is none. The caller overwrites it. */
  get(account: string): Promise<Uint8Array | undefined>;
  /**
   * Stores a secret in the place of whatever was there, and must keep no reference to the buffer. Rejects
   * with `LIMIT` for one that is larger than the keychain takes.
   */
  set(account: string, secret: Uint8Array): Promise<void>;
  /** Removes an account. One that isn't there is success. */
  delete(account: string): Promise<void>;
  /** The service's accounts, and no other service's. */
  accounts(): Promise<string[]>;
}

/** Opens the keychain under a service name. Rejects where there is none, or where it is locked. */
export interface Keychains {
  open(service: string): Promise<Keychain>;
}
