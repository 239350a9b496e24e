import { entries } from "./check.js";
import { fail } from "./error.js";
import { object } from "./json.js";

const { hasOwn } = Object;
const { isArray } = Array;

/** Writes a vault's options in the core's spelling. */
export function vaultOptions(value: unknown): string {
  if (value === undefined) return "{}";
  if (typeof value !== "object" || value === null || isArray(value)) fail("BAD_INPUT");
  const members = entries(value).map(([name, member]) => {
    if (typeof name !== "string" || !hasOwn(SPELLING, name)) fail("UNKNOWN_OPTION");
    return [SPELLING[name as keyof typeof SPELLING], member] as const;
  });
  return object(members, NESTED);
}

/** An object of lists: `cmks`. */
const NESTED = 2;

const SPELLING = {
  ttl: "ttl",
  session: "session",
  region: "region",
  sealLimit: "seal_limit",
  fieldLimit: "field_limit",
  cmks: "cmks",
  minVersions: "min_versions",
  dangerEndpoint: "danger_endpoint",
};
