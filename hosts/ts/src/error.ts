/** The names of all errors. A name is never reused for another meaning. */
export type ErrorName = keyof typeof ERRORS;

/**
 * What every call of this package throws (or rejects with) when it refuses.
 *
 * Match on {@link code} or {@link number}, never on the wording. No message holds a key, a value or
 * a binding.
 */
export class StrongroomError extends Error {
  /** The error's name in the core's table, for example `AUTH_FAILED`. */
  readonly code: ErrorName;
  /** The error's number in the core's table, for example 30. */
  readonly number: number;

  /** Makes the error of this name, for stores and adapters of your own. */
  constructor(code: ErrorName) {
    const [number, text] = ERRORS[code];
    super(text);
    this.code = code;
    this.number = number;
  }
}

// On the prototype and not on each error, as the built-in errors have it.
Object.defineProperty(StrongroomError.prototype, "name", { value: "StrongroomError", configurable: true });

/** Throws the error of this name. */
export function fail(code: ErrorName): never {
  throw new StrongroomError(code);
}

/** Turns whatever a backend threw into the package's own error. What is not from the table is INTERNAL. */
export function translate(thrown: unknown): StrongroomError {
  if (thrown instanceof StrongroomError) return thrown;
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return new StrongroomError(typeof code === "string" && Object.hasOwn(ERRORS, code) ? (code as ErrorName) : "INTERNAL");
}

/** The name of an error's number; a number that is not in the table is INTERNAL. */
export function nameOf(number: number): ErrorName {
  const names = Object.keys(ERRORS) as ErrorName[];
  return names.find((name) => ERRORS[name][0] === number) ?? "INTERNAL";
}

/** A copy of the core's table; a test compares the two. */
export const ERRORS = {
  BAD_INPUT: [1, "an argument is missing or not allowed"],
  LIMIT: [2, "a limit is exceeded"],
  UNKNOWN_OPTION: [3, "unknown option"],
  NOT_AN_ENVELOPE: [10, "not an envelope"],
  UNSUPPORTED_VERSION: [11, "unsupported format version"],
  UNSUPPORTED_SUITE: [12, "unsupported suite"],
  MALFORMED: [13, "not well-formed"],
  TRUNCATED: [14, "truncated"],
  UNKNOWN_DEK: [20, "this DEK is not in the vault"],
  NO_ACTIVE_DEK: [21, "no active DEK to seal under"],
  KEY_MISMATCH: [22, "the DEK does not match its reference"],
  ROW_INCONSISTENT: [23, "the row is inconsistent"],
  BUDGET_EXHAUSTED: [24, "the seal budget of the DEK is exhausted"],
  ACTIVE_ROLLBACK: [25, "the active DEK was rolled back or forked"],
  ORG_TOMBSTONED: [26, "the org is tombstoned"],
  EXPIRED: [27, "the DEK has expired"],
  CLOCK_ROLLBACK: [28, "a clock went back"],
  AUTH_FAILED: [30, "authentication failed"],
  RNG_FAILURE: [31, "the random generator failed"],
  KMS_DENIED: [40, "the KMS denied the request"],
  KMS_PENDING_DELETION: [41, "the CMK is pending deletion"],
  KMS_THROTTLED: [42, "the KMS throttled the request"],
  KMS_UNAVAILABLE: [43, "the KMS is unavailable"],
  KEY_ID_UNEXPECTED: [44, "not the expected CMK"],
  ENDPOINT_POLICY: [45, "this KMS endpoint is not allowed"],
  PRECONDITION_FAILED: [50, "the store holds another state"],
  STORE_UNAVAILABLE: [51, "the store is unavailable"],
  INTERNAL: [255, "internal error"],
} as const satisfies Record<string, readonly [number, string]>;
