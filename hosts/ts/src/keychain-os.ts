import { fail } from "./error.js";
import type { Keychain, Keychains } from "./keychain.js";

/**
 * The operating system's keychain for `KmsVault.resume`: the Secret Service on Linux, the Keychain on macOS,
 * the Credential Manager on Windows. It needs the package `@napi-rs/keyring`, loaded at the first `open`.
 *
 * There is no fall-back: where the store is absent, locked or doesn't answer within 5 s, calls reject with a
 * `KeychainError`, and the vault keeps in memory what it has. On Linux that includes a machine whose kernel
 * could keep the secret. Where an entry of a locked keychain is written or read, the system may ask the person
 * to unlock it; that isn't waited for.
 *
 * `accounts` gets the secrets with their names from `@napi-rs/keyring`, as strings that can't be overwritten.
 */
export function osKeychain(): Keychains {
  return { open };
}

/** Why the keychain can't be used. Its message holds no name of an account and no secret. */
export class KeychainError extends Error {
  override readonly name = "KeychainError";
}

async function open(service: string): Promise<Keychain> {
  const checked = name(service);
  const keychain = new OsKeychain(await load(), checked);
  // One that is absent or locked is found now, not at the first DEK.
  await keychain.accounts();
  return keychain;
}

class OsKeychain implements Keychain {
  readonly #module: Keyring;
  readonly #service: string;
  #isStuck = false;

  constructor(module: Keyring, service: string) {
    this.#module = module;
    this.#service = service;
  }

  async get(account: string): Promise<Uint8Array | undefined> {
    const numbers = await this.#ask(this.#entry(account, (entry) => entry.getSecret()));
    if (!numbers) return undefined;
    const secret = Uint8Array.from(numbers);
    numbers.fill(0);
    return secret;
  }

  async set(account: string, secret: Uint8Array): Promise<void> {
    if (!(secret instanceof Uint8Array)) fail("BAD_INPUT");
    if (secret.length > MAX_SECRET) fail("LIMIT");
    await this.#ask(this.#entry(account, (entry) => entry.setSecret(secret)));
  }

  async delete(account: string): Promise<void> {
    await this.#ask(this.#entry(account, (entry) => entry.deleteCredential()));
  }

  async accounts(): Promise<string[]> {
    // The module's list is neither pinned nor bounded: on a daemon that hangs, the process could never end.
    await this.get("strongroom");
    const found = await this.#ask(() => this.#module.findCredentialsAsync(this.#service));
    return found.map(({ account }) => account);
  }

  #entry<T>(account: string, call: (entry: Entry) => Promise<T>): () => Promise<T> {
    const checked = name(account);
    // Pinned: by itself the module would go on with the kernel's keyring.
    return () => call(new this.#module.AsyncEntry(this.#service, checked, { linux: { store: "secret-service" } }));
  }

  /** A call that hangs holds one of Node's few threads: none is made after it. */
  async #ask<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isStuck) throw new KeychainError(STUCK);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#isStuck = true;
        reject(new KeychainError(STUCK));
      }, PATIENCE);
    });
    try {
      return await Promise.race([call(), late]);
    } catch (thrown) {
      throw thrown instanceof KeychainError ? thrown : new KeychainError("the keychain is absent, locked or refuses");
    } finally {
      clearTimeout(timer);
    }
  }
}

async function load(): Promise<Keyring> {
  try {
    const loaded = (await import(MODULE)) as Keyring & { default?: Keyring };
    return loaded.default ?? loaded;
  } catch {
    throw new KeychainError(`no keychain: install the package ${MODULE}`);
  }
}

function name(text: unknown): string {
  if (typeof text !== "string" || text === "" || text.includes("\0") || !text.isWellFormed()) fail("BAD_INPUT");
  if (Buffer.byteLength(text) > MAX_NAME) fail("BAD_INPUT");
  return text;
}

interface Keyring {
  AsyncEntry: new (service: string, account: string, options: { linux: { store: "secret-service" } }) => Entry;
  findCredentialsAsync(service: string): Promise<{ account: string }[]>;
}

interface Entry {
  getSecret(): Promise<number[] | null>;
  setSecret(secret: Uint8Array): Promise<void>;
  deleteCredential(): Promise<boolean>;
}

/** Not a literal: the compiler would want the types of a package that need not be there. */
const MODULE: string = "@napi-rs/keyring";
const STUCK = "the keychain doesn't answer";
/** Milliseconds. A locked keychain may wait for a person. */
const PATIENCE = 5_000;
const MAX_NAME = 1_024;
/** Windows: CRED_MAX_CREDENTIAL_BLOB_SIZE. */
const MAX_SECRET = process.platform === "win32" ? 2_560 : 1 << 20;
