import { entries, items } from "./check.js";
import { fail } from "./error.js";

const { stringify } = JSON;
const { isFinite } = Number;
const { is } = Object;
const { isArray } = Array;

/**
 * Writes an object's own members as JSON text for the core, which judges it. Every fault stays
 * visible there: what JSON can't express becomes `null`, which the core takes for no member, and a
 * lone surrogate becomes the escape that the core refuses. A member that is `undefined` is absent.
 *
 * @param depth how many levels of objects and lists lie below this one
 */
export function toJson(value: unknown, depth = 0): string {
  if (typeof value !== "object" || value === null || isArray(value)) fail("BAD_INPUT");
  return object(entries(value), depth);
}

/** {@link toJson} with the members already taken out. */
export function object(members: readonly (readonly [string | symbol, unknown])[], depth: number): string {
  const parts = members.map(([name, member]) =>
    // A symbol names no member of anything: written as one that nobody knows and with no value.
    typeof name === "string" ? `${stringify(name)}:${any(member, depth)}` : `${stringify(String(name))}:null`,
  );
  return `{${parts.join(",")}}`;
}

function any(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
    case "boolean":
      return stringify(value);
    case "number":
      if (is(value, -0)) return "-0";
      return isFinite(value) ? stringify(value) : "null";
    case "object":
      if (value === null || depth === 0) return "null";
      if (!isArray(value)) return object(entries(value), depth - 1);
      return `[${items(value).map((item) => any(item, depth - 1)).join(",")}]`;
    default:
      return "null";
  }
}
