import { fail } from "./error.js";

/** A JSON value in which nothing is lost: members in a map, numbers as they are spelled. */
export type JsonValue = string | boolean | null | JsonNumber | JsonValue[] | JsonObject;
export type JsonObject = Map<string, JsonValue>;

/** A number as it is spelled: `1` and `1.0` are two. */
export class JsonNumber {
  constructor(readonly spelling: string) {}
}

/**
 * Reads JSON text and is strict where `JSON.parse` forgives: a member that stands twice and half a
 * surrogate pair are BAD_INPUT, because hosts would repair them in different ways.
 */
export function readJson(text: string): JsonValue {
  try {
    // It judges the syntax, so that the reader below need not.
    JSON.parse(text);
  } catch {
    fail("BAD_INPUT");
  }
  const tokens = text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  return value(() => (tokens.next().value as RegExpExecArray)[0], 0);
}

function value(next: () => string, depth: number, token = next()): JsonValue {
  if (depth > MAX_DEPTH) fail("BAD_INPUT");
  if (token === "{") return object(next, depth);
  if (token === "[") return list(next, depth);
  if (token.startsWith('"')) return unquoted(token);
  if (token === "true" || token === "false") return token === "true";
  return token === "null" ? null : new JsonNumber(token);
}

function object(next: () => string, depth: number): JsonObject {
  const members: JsonObject = new Map();
  for (let token = next(); token !== "}"; token = next()) {
    if (token === ",") continue;
    const name = unquoted(token);
    if (members.has(name)) fail("BAD_INPUT");
    next(); // the colon
    members.set(name, value(next, depth + 1));
  }
  return members;
}

function list(next: () => string, depth: number): JsonValue[] {
  const found: JsonValue[] = [];
  for (let token = next(); token !== "]"; token = next()) {
    if (token !== ",") found.push(value(next, depth + 1, token));
  }
  return found;
}

function unquoted(token: string): string {
  const text = JSON.parse(token) as string;
  return text.isWellFormed() ? text : fail("BAD_INPUT");
}

/** Far deeper than anything that is read here, and far from the end of the stack. */
const MAX_DEPTH = 64;
