// The manifest of sealed fields, fields.json:
//
//   {"format": 1, "tables": {"hosts": {"fields": {
//     "password":  {"scope": "record", "padded": true},
//     "headers.*": {"scope": "org", "padded": false}}}}}
//
// 1. UTF-8 without a byte order mark. Every member is mandatory and stands once; others are refused.
// 2. `format` is spelled `1`; any other number is UNSUPPORTED_VERSION, judged before the other members.
// 3. There is at least one table, and one field a table. Names are 1 to 1,024 bytes (LIMIT), taken as
//    they are: never folded, trimmed or normalised.
// 4. `*` stands only at the end of a field's name, behind a prefix and a dot. `headers.*` stands for every
//    field whose name goes on after `headers.`, with dots or without.
// 5. A field named in full comes first, then the longest prefix. A name that ends in `.*` is no field.
// 6. What is not listed is BAD_INPUT; so is every fault of the text that has no other name above.

import { bytes } from "./check.js";
import { fail } from "./error.js";
import { JsonNumber, readJson, type JsonObject, type JsonValue } from "./strict-json.js";
import type { Binding, SealOptions } from "./types.js";

/** Says which fields of a product are sealed and how. All hosts of the product read the same file. */
export class Manifest {
  readonly #tables: ReadonlyMap<string, Fields>;

  /** @internal Made by {@link readManifest}. */
  constructor(tables: ReadonlyMap<string, Fields>) {
    this.#tables = tables;
  }

  /**
   * The binding of a listed field. The vault judges `org` and `record`.
   *
   * Throws `BAD_INPUT` for a field that is not listed.
   */
  binding(org: string, table: string, record: string, field: string, revision?: bigint): Binding {
    this.sealOptions(table, field);
    return revision === undefined ? { org, table, record, field } : { org, table, record, field, revision };
  }

  /**
   * How a listed field is sealed.
   *
   * Throws `BAD_INPUT` for a field that is not listed.
   */
  sealOptions(table: string, field: string): Required<SealOptions> {
    const fields = this.#tables.get(table);
    if (!fields || typeof field !== "string" || field.endsWith(WILDCARD)) fail("BAD_INPUT");
    const named = fields.get(field);
    if (named) return { ...named };
    for (let dot = field.lastIndexOf(".", field.length - 2); dot > 0; dot = field.lastIndexOf(".", dot - 1)) {
      const options = fields.get(field.slice(0, dot) + WILDCARD);
      if (options) return { ...options };
    }
    return fail("BAD_INPUT");
  }
}

/**
 * Reads fields.json, as text or as its bytes.
 *
 * Throws `BAD_INPUT`, `UNSUPPORTED_VERSION`, `LIMIT`: see the rules in docs/spec/manifest.md.
 */
export function readManifest(json: string | Uint8Array): Manifest {
  const root = object(readJson(typeof json === "string" ? json : decode(json)));
  const format = root.get("format");
  if (!(format instanceof JsonNumber)) fail("BAD_INPUT");
  if (format.spelling !== "1") fail("UNSUPPORTED_VERSION");
  only(root, "format", "tables");
  return new Manifest(named(root.get("tables"), readTable));
}

type Fields = ReadonlyMap<string, Required<SealOptions>>;

function readTable(value: JsonValue): Fields {
  const table = object(value);
  only(table, "fields");
  const fields = named(table.get("fields"), readField);
  for (const name of fields.keys()) {
    const star = name.indexOf("*");
    const isWildcard = name.length > WILDCARD.length && name.endsWith(WILDCARD) && star === name.length - 1;
    if (star >= 0 && !isWildcard) fail("BAD_INPUT");
  }
  return fields;
}

function readField(value: JsonValue): Required<SealOptions> {
  const field = object(value);
  only(field, "scope", "padded");
  const [scope, padded] = [field.get("scope"), field.get("padded")];
  if ((scope !== "org" && scope !== "record") || typeof padded !== "boolean") fail("BAD_INPUT");
  return { scope, padded };
}

/** A member that holds at least one thing, by names that can be part of a binding. */
function named<T>(value: JsonValue | undefined, read: (value: JsonValue) => T): Map<string, T> {
  const found = new Map<string, T>();
  for (const [name, member] of object(value)) {
    if (name === "") fail("BAD_INPUT");
    if (new TextEncoder().encode(name).length > MAX_NAME) fail("LIMIT");
    found.set(name, read(member));
  }
  return found.size > 0 ? found : fail("BAD_INPUT");
}

function object(value: JsonValue | undefined): JsonObject {
  return value instanceof Map ? value : fail("BAD_INPUT");
}

function only(members: JsonObject, ...names: string[]): void {
  for (const name of members.keys()) if (!names.includes(name)) fail("BAD_INPUT");
}

function decode(json: unknown): string {
  const utf8 = bytes(json);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(utf8);
  } catch {
    return fail("BAD_INPUT");
  }
}

declare class TextEncoder {
  encode(text: string): Uint8Array;
}
declare class TextDecoder {
  constructor(label: string, options: { fatal: boolean; ignoreBOM: boolean });
  decode(bytes: Uint8Array): string;
}

const WILDCARD = ".*";
/** Bytes of a part of a binding. */
const MAX_NAME = 1_024;
