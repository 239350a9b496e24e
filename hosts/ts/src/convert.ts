import { bytes, flag, members, optional, text, u64, wipe, type Members } from "./check.js";
import { fail } from "./error.js";
import { fromBase64 } from "./base64.js";
import type { RawReply, RawScope } from "./raw.js";
import type { KmsRequest } from "./types.js";

/** A binding's parts, in the order in which every raw function takes them. */
export type BindingParts = [
  org: string, table: string, record: string, field: string, revision: bigint | undefined,
];

/** Takes a binding apart. */
export function binding(value: unknown): BindingParts {
  const [org, table, record, field, revision] = members(value, BINDING, "BAD_INPUT");
  return [text(org), text(table), text(record), text(field), optional(revision, u64)];
}

/** Reads the options of a seal or a reseal; what is absent is `undefined`. */
export function sealOptions(value: unknown): { scope: RawScope | undefined; padded: boolean | undefined } {
  if (value === undefined) return { scope: undefined, padded: undefined };
  const [scope, padded] = members(value, SEAL_OPTIONS, "UNKNOWN_OPTION");
  return { scope: optional(scope, scopeNumber), padded: optional(padded, flag) };
}

/** A reply's members, each read once. */
export interface ReadReply {
  readonly plaintext: unknown;
  readonly others: Members<typeof REPLY>;
}

/** Takes a reply apart. Bytes last: see `bytes`. */
export function reply({ plaintext, others }: ReadReply): RawReply {
  const [endpoint, error, keyId, ciphertextBlob] = others;
  return [
    text(endpoint),
    optional(error, text),
    optional(keyId, text),
    optional(plaintext, bytes),
    optional(ciphertextBlob, bytes),
  ];
}

/** Hands a reply to `use` and wipes the DEK in it, whatever the outcome. */
export function withReply<T>(value: unknown, use: (read: ReadReply) => T): T {
  // First of all, so that it can be wiped whatever comes after, another member's getter included.
  const [plaintext] = members(value, PLAINTEXT);
  try {
    return use({ plaintext, others: members(value, REPLY) });
  } finally {
    wipe(plaintext);
  }
}

/** A request as the core writes it, with its bytes as bytes. */
export function request(json: string): KmsRequest {
  const parsed = JSON.parse(json) as KmsRequest & { params: { CiphertextBlob?: unknown } };
  const blob = parsed.params.CiphertextBlob as string | undefined;
  if (blob !== undefined) parsed.params.CiphertextBlob = fromBase64(blob);
  return parsed;
}

function scopeNumber(value: unknown): RawScope {
  if (value === "org") return 0;
  if (value === "record") return 1;
  return fail("BAD_INPUT");
}

const BINDING = ["org", "table", "record", "field", "revision"] as const;
const SEAL_OPTIONS = ["scope", "padded"] as const;
const REPLY = ["endpoint", "error", "KeyId", "CiphertextBlob"] as const;
/** What of a reply is to be wiped. */
export const PLAINTEXT = ["Plaintext"] as const;
