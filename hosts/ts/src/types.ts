import type { StrongroomError } from "./error.js";

/** Where a value lives. Every part is mandatory, 1 to 1,024 bytes of UTF-8, compared byte for byte. */
export interface Binding {
  /** The org that owns the record, also when a reader opens a share. */
  readonly org: string;
  /** The table's logical name, which survives a rename of the table in the database. */
  readonly table: string;
  readonly record: string;
  /** The field's logical name. */
  readonly field: string;
  /** A revision to bind the value to, 0 to 2^64-1. It must be given again to open. */
  readonly revision?: bigint | undefined;
}

/** Which DEK seals: the org's active one, or the record's own, so that the record can be shared. */
export type Scope = "org" | "record";

/** How a value is sealed. */
export interface SealOptions {
  /** `org` if absent. Never picked silently otherwise. */
  readonly scope?: Scope | undefined;
  /** Hides the length up to a multiple of 64 bytes. `false` if absent. */
  readonly padded?: boolean | undefined;
}

/** What a reseal changes. What is absent stays as it was. */
export interface ResealOptions {
  readonly scope?: Scope | undefined;
  readonly padded?: boolean | undefined;
}

/** The options of a vault. An unknown one is `UNKNOWN_OPTION`. */
export interface VaultOptions {
  /** How long a DEK is kept after it came in, in seconds: 1 to 43,200, which is the default. */
  readonly ttl?: number | undefined;
  /** The session that keychain entries are made for. Without it nothing goes to or comes from a keychain. */
  readonly session?: string | undefined;
  /** The AWS region of the KMS endpoint. `us-east-1` if absent. */
  readonly region?: string | undefined;
  /** Seals of one DEK by this vault: 2^28 if absent, at most 2^32. */
  readonly sealLimit?: number | undefined;
  /** Longest field in bytes: 16 MiB if absent, at most 64 MiB. */
  readonly fieldLimit?: number | undefined;
  /**
   * Which CMKs (key ARNs) wrap for each org. Give it: a vault without it trusts the `keyId` of its
   * rows, and so whoever can write rows chooses the CMK.
   */
  readonly cmks?: Readonly<Record<string, readonly string[]>> | undefined;
  /** The highest DEK version known of each org, from a place that the store's writers can't change. */
  readonly minVersions?: Readonly<Record<string, number>> | undefined;
  /** DANGER: the one URL to be asked instead of the KMS's FIPS endpoint, for a local KMS in development. */
  readonly dangerEndpoint?: string | undefined;
}

/** A stored wrap of a DEK. Immutable. Only the core judges it; hosts store it and hand it on. */
export interface WrapRow {
  readonly v: number;
  readonly purpose: "org-dek" | "record-dek" | "share";
  readonly owner: string;
  /** The org that can unwrap it: the owner, except for a share. */
  readonly reader: string;
  readonly table?: string;
  readonly record?: string;
  readonly version: number;
  /** Unix seconds. */
  readonly created: number;
  /** base64url. */
  readonly dekRef: string;
  readonly provider: "aws-kms" | "local";
  /** The CMK's key ARN; for `local` the dek_ref of the reader's org DEK. */
  readonly keyId: string;
  /** base64. */
  readonly blob: string;
}

/** Which version of an org's DEK seals now. One for each org, written by compare-and-set. */
export interface ActiveRow {
  readonly org: string;
  /** base64url. */
  readonly dekRef: string;
  readonly version: number;
  readonly state: "active" | "tombstoned";
  /** 1 for the first, one more with every write. */
  readonly rev: number;
}

/** Counts, over all processes, the seals that were reserved under a DEK. */
export interface UsageRow {
  readonly dekRef: string;
  /** Seals that processes have taken, used or not; up to 2^53-1. */
  readonly reserved: number;
  /** Unix seconds (from 1) in which another DEK became the active one. */
  readonly inactiveSince?: number;
}

/** What the KMS must be asked: plain data, with the KMS API's own names in `params`. Holds no DEK. */
export interface KmsRequest {
  /** Names the request towards the vault that made it. */
  readonly id: number;
  readonly op: "GenerateDataKey" | "Decrypt" | "Encrypt" | "ScheduleKeyDeletion";
  readonly region: string;
  readonly fips: boolean;
  /** The URL that must be asked, and no other. */
  readonly endpoint: string;
  readonly params: KmsParams;
}

/** The members that a request's operation needs, and no others. */
export interface KmsParams {
  readonly KeyId: string;
  readonly KeySpec?: "AES_256";
  readonly EncryptionAlgorithm?: "SYMMETRIC_DEFAULT";
  readonly CiphertextBlob?: Uint8Array;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
  readonly PendingWindowInDays?: number;
}

/** What the KMS answered. Other members of an SDK's answer may stand there and mean nothing. */
export interface KmsReply {
  /** The URL that was really asked, from what the SDK resolved and never from the request. */
  readonly endpoint: string;
  /** The SDK's error name, for example `AccessDeniedException`. */
  readonly error?: string | undefined;
  readonly KeyId?: string | undefined;
  /** A DEK. The vault overwrites the buffer with zeros, whatever the outcome. */
  readonly Plaintext?: Uint8Array | undefined;
  readonly CiphertextBlob?: Uint8Array | undefined;
}

/** A freshly minted DEK's rows: store `row` first (put-if-absent), then `active` (compare-and-set). */
export interface Minted {
  readonly row: WrapRow;
  readonly active: ActiveRow;
}

/** A DEK that a vault holds. */
export interface DekStatus {
  /** base64url. */
  readonly dekRef: string;
  readonly kind: "org" | "record";
  /** The owner. */
  readonly org: string;
  readonly version: number;
  readonly reader: string;
  /** The unix second at which it is over. */
  readonly ends: number;
  /** How many IVs this vault has used under it. */
  readonly seals: number;
}

/** What an envelope says about itself. Nothing of it is authenticated: anybody can have written it. */
export interface UntrustedHeader {
  readonly version: number;
  readonly suite: number;
  readonly padded: boolean;
  /** base64url. */
  readonly dekRef: string;
  /** Length of the ciphertext in bytes, without the tag. */
  readonly ctLen: number;
}

/** One value to seal in a batch. */
export interface SealItem {
  readonly binding: Binding;
  readonly plaintext: Uint8Array;
  readonly options?: SealOptions | undefined;
}

/** One envelope to open in a batch. */
export interface OpenItem {
  readonly binding: Binding;
  readonly envelope: Uint8Array;
}

/** The answer for one item of a batch: an envelope or a plaintext, or why there is none. */
export type BatchResult =
  | { readonly ok: true; readonly value: Uint8Array }
  | { readonly ok: false; readonly error: StrongroomError };
