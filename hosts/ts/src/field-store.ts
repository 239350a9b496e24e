import { bindingCopy, bytesCopy } from "./copies.js";
import { fail } from "./error.js";
import type { Binding } from "./types.js";

/** A sealed field and where it lives. */
export interface StoredField {
  readonly binding: Binding;
  readonly envelope: Uint8Array;
}

/**
 * The product's own table of sealed fields, as far as promoting and revoking must change it and retiring
 * must look through it. A product implements it over its database; {@link MemoryFieldStore} and the
 * package's SQLite and DynamoDB entries have ready-made ones.
 *
 * Every method rejects with `STORE_UNAVAILABLE` when the storage can't be reached or read.
 */
export interface FieldStore {
  /** Every field of a record with its binding, revision included, in any order. */
  fields(owner: string, table: string, record: string): Promise<StoredField[]>;
  /** Puts an envelope in the place of another. `PRECONDITION_FAILED` unless exactly the old one stands at that binding. */
  replace(binding: Binding, old: Uint8Array, envelope: Uint8Array): Promise<void>;
  /** Every field of an owner, in any order: at least what stands there from the beginning to the end. */
  all(owner: string): AsyncIterable<StoredField>;
}

/** Keeps fields in this process, for tests and for data that need not last. */
export class MemoryFieldStore implements FieldStore {
  readonly #fields = new Map<string, StoredField>();

  /** Stores an envelope, in the place of whatever was there. */
  async put(binding: Binding, envelope: Uint8Array): Promise<void> {
    const place = bindingCopy(binding);
    this.#fields.set(fieldName(place), { binding: place, envelope: bytesCopy(envelope) });
  }

  async fields(owner: string, table: string, record: string): Promise<StoredField[]> {
    return this.#found(({ binding }) => binding.org === owner && binding.table === table && binding.record === record);
  }

  async replace(binding: Binding, old: Uint8Array, envelope: Uint8Array): Promise<void> {
    const stored = this.#fields.get(fieldName(bindingCopy(binding)));
    if (!stored || !isEqual(stored.envelope, old)) fail("PRECONDITION_FAILED");
    await this.put(binding, envelope);
  }

  async *all(owner: string): AsyncGenerator<StoredField> {
    yield* this.#found(({ binding }) => binding.org === owner);
  }

  #found(is: (field: StoredField) => boolean): StoredField[] {
    return [...this.#fields.values()].filter(is).map(({ binding, envelope }) => ({ binding: { ...binding }, envelope: envelope.slice() }));
  }
}

/** Whether two envelopes are the same. They are public: nothing is told by how long this takes. */
export function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function fieldName({ org, table, record, field, revision }: Binding): string {
  return JSON.stringify([org, table, record, field, revision?.toString()]);
}
