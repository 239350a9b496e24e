/**
 * What a backend (the Node addon, the wasm module) offers to the facade. Not part of the public API.
 *
 * A backend converts and calls the core, nothing else. It may rely on this: strings are well-formed,
 * numbers are whole and 0..2^53-1, and bytes are plain views on an attached, unshared `ArrayBuffer`
 * with no properties of their own. Everything else is judged by the core.
 *
 * Every function throws, on an error, an `Error` whose `code` is the error's name. Handles are small
 * whole numbers; an unknown or closed one is `BAD_INPUT`.
 */
export interface Raw {
  version(): string;
  assertFipsEndpoint(endpoint: string, region: string): void;
  sealedLength(length: number, padded: boolean): number;
  /** JSON `{version, suite, padded, dekRef, ctLen}`. */
  inspect(envelope: Uint8Array): string;
  toText(envelope: Uint8Array): string;
  fromText(text: string): Uint8Array;
  /** JSON object of strings. */
  kmsContext(rowJson: string): string;

  vaultNew(optionsJson: string): number;
  /** Wipes what the vault holds. May be called twice. */
  vaultClose(handle: number): void;

  mintRequest(handle: number, org: string, cmk: string, version: number, created: number): string;
  /** JSON `{"row": {...}, "active": {...}}`. */
  admitMinted(handle: number, id: number, ...reply: RawReply): string;
  setActive(handle: number, activeJson: string): void;
  unwrapRequest(handle: number, org: string, rowJson: string): string;
  /** The dek_ref, 32 bytes. Without a reply (`hasReply` false) `endpoint` is empty and the rest undefined. */
  admit(handle: number, org: string, rowJson: string, hasReply: boolean, ...reply: RawReply): Uint8Array;
  /** `lengths` cuts `envelopes` into its parts. The answer is 32 bytes for each dek_ref. */
  missing(handle: number, envelopes: Uint8Array, lengths: Uint32Array): Uint8Array;

  /** Writes the envelope into `out` and returns its length. */
  seal(
    handle: number,
    org: string, table: string, record: string, field: string, revision: bigint | undefined,
    plaintext: Uint8Array, scope: RawScope, padded: boolean, out: Uint8Array,
  ): number;
  /** Writes the plaintext into `out` and returns its length; `out` is untouched on an error. */
  open(
    handle: number,
    org: string, table: string, record: string, field: string, revision: bigint | undefined,
    envelope: Uint8Array, out: Uint8Array,
  ): number;
  /** A batch: see `frame.ts` for the layout of `frame` and `out`. */
  sealFrame(handle: number, frame: Uint8Array, out: Uint8Array): number;
  openFrame(handle: number, frame: Uint8Array, out: Uint8Array): number;
  /** -1 means: as it was. */
  reseal(
    handle: number,
    org: string, table: string, record: string, field: string, revision: bigint | undefined,
    envelope: Uint8Array, scope: -1 | RawScope, padded: -1 | 0 | 1,
  ): Uint8Array;
  rebind(
    handle: number,
    org: string, table: string, record: string, field: string, revision: bigint | undefined,
    toOrg: string, toTable: string, toRecord: string, toField: string, toRevision: bigint | undefined,
    envelope: Uint8Array,
  ): Uint8Array;

  generateRecordDek(
    handle: number, org: string, table: string, record: string, version: number, created: number,
  ): string;
  wrapLocal(handle: number, org: string, dekRef: Uint8Array, created: number): string;
  wrapRequest(handle: number, dekRef: Uint8Array, cmk: string, created: number): string;
  shareRequest(handle: number, dekRef: Uint8Array, reader: string, cmk: string, created: number): string;
  /** Writes the DEK of an `Encrypt` request into `out` (32 bytes), once. */
  takeRequestPlaintext(handle: number, id: number, out: Uint8Array): void;
  admitShared(handle: number, id: number, ...reply: RawReply): string;
  shredRequest(handle: number, org: string, cmk: string, days: number): string;
  tombstone(handle: number, org: string): void;
  /** JSON list of the dek_refs (base64url) whose keychain entries the host must delete. */
  signOut(handle: number): string;
  /** JSON list of `{dekRef, kind, org, version, reader, ends, seals}`. */
  status(handle: number): string;
}

/** What only the addon has: a browser keeps no keychain entries. */
export interface RawWithCache extends Raw {
  /** Writes the entry into `out` (8,192 bytes) and returns its length. */
  cacheExport(handle: number, dekRef: Uint8Array, out: Uint8Array): number;
  /** Wipes `entry`, whatever the outcome. The answer is the dek_ref. */
  cacheImport(handle: number, entry: Uint8Array): Uint8Array;
}

/** A KMS reply, taken apart. The backend wipes `plaintext`, whatever the outcome. */
export type RawReply = [
  endpoint: string,
  error: string | undefined,
  keyId: string | undefined,
  plaintext: Uint8Array | undefined,
  ciphertextBlob: Uint8Array | undefined,
];

/** 0 org, 1 record. */
export type RawScope = 0 | 1;
