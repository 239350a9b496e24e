import { createHash } from "node:crypto";

import {
  CreateTableCommand, DeleteItemCommand, GetItemCommand, PutItemCommand, QueryCommand, ScanCommand,
  TransactWriteItemsCommand, UpdateItemCommand, waitUntilTableExists,
  type AttributeValue, type DynamoDBClient, type PutItemCommandInput, type TransactWriteItem, type UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";

import { bindingCopy, bytesCopy } from "./copies.js";
import { fail, StrongroomError } from "./error.js";
import type { FieldStore, StoredField } from "./field-store.js";
import { inactive, plainActive, plainKey, plainRef, plainRow, reserved } from "./rows.js";
import type { RecordPlace, RowKey, WrapStore } from "./store.js";
import { fieldAt, isSameRow, storedActive, storedUsage, storedWrap } from "./stored.js";
import type { ActiveRow, Binding, UsageRow, WrapRow } from "./types.js";

/**
 * A {@link WrapStore} and a {@link FieldStore} in a DynamoDB table with the keys `pk` and `sk`, both strings,
 * through the official SDK. All reads are consistent.
 *
 * Methods reject with `STORE_UNAVAILABLE` where the table can't be read or written, or holds something that no
 * store wrote there.
 */
export class DynamoStore implements WrapStore, FieldStore {
  readonly #client: DynamoDBClient;
  readonly #table: string;
  #last = 0;

  /** It asks nothing: a missing table is found by the first call. */
  constructor(client: DynamoDBClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  /** Makes the table, paid for by request, and waits until it is there. One that is there already is success. */
  async createTable(): Promise<void> {
    await outcome(async () => {
      const keys = ["pk", "sk"] as const;
      try {
        await this.#client.send(new CreateTableCommand({
          TableName: this.#table,
          BillingMode: "PAY_PER_REQUEST",
          AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
          KeySchema: keys.map((AttributeName, at) => ({ AttributeName, KeyType: at === 0 ? "HASH" : "RANGE" })),
        }));
      } catch (thrown) {
        if (!isNamed(thrown, "ResourceInUseException")) throw thrown;
      }
      await waitUntilTableExists({ client: this.#client, maxWaitTime: 300 }, { TableName: this.#table });
    });
  }

  rows(dekRef: string, reader: string): Promise<WrapRow[]> {
    return this.#find(0, `wrap#${dekRef}`, `${b(reader)}#`);
  }

  async rowsByOwner(owner: string, at?: RecordPlace): Promise<WrapRow[]> {
    if (!at) return this.#find(1, `owner#${b(owner)}`, "");
    // An org DEK's items have neither.
    if (at.table === "" || at.record === "") return [];
    return this.#find(1, `owner#${b(owner)}`, `${b(at.table)}#${b(at.record)}#`);
  }

  rowsByReader(reader: string): Promise<WrapRow[]> {
    return this.#find(2, `reader#${b(reader)}`, "");
  }

  async putIfAbsent(row: WrapRow): Promise<void> {
    const copy = plainRow(row);
    const content = { row: { S: JSON.stringify(copy) }, stored: { N: `${this.#now()}` } };
    const writes = placesOf(copy).map(([pk, sk], at) => ({
      Put: {
        TableName: this.#table, Item: { ...key(pk, sk), ...content },
        ...(at === 0 && { ConditionExpression: "attribute_not_exists(pk)" }),
      },
    }));
    try {
      await this.#transact(writes);
    } catch (thrown) {
      if (!(thrown instanceof StrongroomError) || thrown.code !== "PRECONDITION_FAILED") throw thrown;
      const found = await this.#get(...placesOf(copy)[0]);
      if (!found || !isSameRow(storedWrap(found["row"]?.S), copy)) throw thrown;
    }
  }

  async active(org: string): Promise<ActiveRow | undefined> {
    const found = await this.#get(`active#${b(org)}`, "-");
    return found && storedActive(found["row"]?.S, org, Number(found["rev"]?.N));
  }

  async compareAndSetActive(active: ActiveRow): Promise<void> {
    const copy = plainActive(active);
    const condition = copy.rev === 1
      ? { ConditionExpression: "attribute_not_exists(pk)" }
      : { ConditionExpression: "rev = :before", ExpressionAttributeValues: { ":before": { N: `${copy.rev - 1}` } } };
    await this.#put({ ...key(`active#${b(copy.org)}`, "-"), row: { S: JSON.stringify(copy) }, rev: { N: `${copy.rev}` } }, condition);
  }

  async delete(row: RowKey): Promise<void> {
    const { dekRef, reader, keyId } = plainKey(row);
    const place: Place = [`wrap#${dekRef}`, `${b(reader)}#${b(keyId)}`];
    const item = await this.#get(...place);
    if (!item) return;
    // Where the other two items lie is the stored row's word.
    const places = placesOf(storedWrap(item["row"]?.S));
    if (!isPlace(places[0], place)) fail("STORE_UNAVAILABLE");
    await this.#transact(places.map(([pk, sk]) => ({ Delete: { TableName: this.#table, Key: key(pk, sk) } })));
  }

  async usage(dekRef: string): Promise<UsageRow | undefined> {
    const ref = plainRef(dekRef);
    const found = await this.#get(`usage#${ref}`, "-");
    return found && usageOf(ref, found);
  }

  async reserve(dekRef: string, count: number, limit: number): Promise<number> {
    // On an empty row, for the rules alone.
    reserved({ dekRef: plainRef(dekRef), reserved: 0 }, count, limit);
    const after = await this.#update(dekRef, {
      UpdateExpression: "ADD reserved :count",
      ConditionExpression: "attribute_not_exists(reserved) OR reserved <= :most",
      ExpressionAttributeValues: { ":count": { N: `${count}` }, ":most": { N: `${limit - count}` } },
    });
    return after.reserved;
  }

  async markInactive(dekRef: string, at: number): Promise<UsageRow> {
    inactive({ dekRef: plainRef(dekRef), reserved: 0 }, at);
    return this.#update(dekRef, {
      UpdateExpression: "SET inactiveSince = if_not_exists(inactiveSince, :at)",
      ExpressionAttributeValues: { ":at": { N: `${at}` } },
    });
  }

  async deleteUsage(dekRef: string): Promise<void> {
    const Key = key(`usage#${plainRef(dekRef)}`, "-");
    await write(() => this.#client.send(new DeleteItemCommand({ TableName: this.#table, Key })));
  }

  async fields(owner: string, table: string, record: string): Promise<StoredField[]> {
    return (await this.#query(recordKey(owner, table, record), "")).map(fieldOf);
  }

  /** Stores an envelope, in the place of whatever was there. Rejects with `LIMIT` for one over 390,000 bytes. */
  async put(binding: Binding, envelope: Uint8Array): Promise<void> {
    await this.#put(fieldItem(binding, envelope), {});
  }

  /** As {@link FieldStore.replace}; `LIMIT` as for {@link put}. */
  async replace(binding: Binding, old: Uint8Array, envelope: Uint8Array): Promise<void> {
    const values = { ":old": { B: bytesCopy(old) } };
    await this.#put(fieldItem(binding, envelope), { ConditionExpression: "envelope = :old", ExpressionAttributeValues: values });
  }

  /** Reads the whole table, a page at a time: fields are stored by record, and no index is consistent. */
  async *all(owner: string): AsyncGenerator<StoredField> {
    let from: Item | undefined;
    do {
      const page = await outcome(() => this.#client.send(new ScanCommand({
        TableName: this.#table, ConsistentRead: true, FilterExpression: "begins_with(pk, :owner)",
        ExpressionAttributeValues: { ":owner": { S: `fields#${b(owner)}#` } }, ...(from && { ExclusiveStartKey: from }),
      })));
      yield* (page.Items ?? []).map(fieldOf);
      from = page.LastEvaluatedKey;
    } while (from);
  }

  /** Rows in the order in which they were put. A row says itself what it is: a key that says otherwise is damage. */
  async #find(at: number, pk: string, prefix: string): Promise<WrapRow[]> {
    const found = (await this.#query(pk, prefix)).map((item) => {
      const [row, sk, stored] = [storedWrap(item["row"]?.S), item["sk"]?.S ?? "", Number(item["stored"]?.N)];
      if (!isPlace(placesOf(row)[at] as Place, [pk, sk]) || !Number.isSafeInteger(stored)) fail("STORE_UNAVAILABLE");
      return { row, sk, stored };
    });
    return found.sort((a, z) => a.stored - z.stored || (a.sk < z.sk ? -1 : 1)).map(({ row }) => row);
  }

  async #get(pk: string, sk: string): Promise<Item | undefined> {
    const command = new GetItemCommand({ TableName: this.#table, Key: key(pk, sk), ConsistentRead: true });
    return (await outcome(() => this.#client.send(command))).Item;
  }

  async #query(pk: string, prefix: string): Promise<Item[]> {
    const found: Item[] = [];
    let from: Item | undefined;
    do {
      const page = await outcome(() => this.#client.send(new QueryCommand({
        TableName: this.#table, ConsistentRead: true,
        KeyConditionExpression: prefix === "" ? "pk = :pk" : "pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues: { ":pk": { S: pk }, ...(prefix !== "" && { ":sk": { S: prefix } }) },
        ...(from && { ExclusiveStartKey: from }),
      })));
      found.push(...(page.Items ?? []));
      from = page.LastEvaluatedKey;
    } while (from);
    return found;
  }

  async #put(Item: Item, condition: Partial<PutItemCommandInput>): Promise<void> {
    await write(() => this.#client.send(new PutItemCommand({ TableName: this.#table, Item, ...condition })));
  }

  async #transact(TransactItems: TransactWriteItem[]): Promise<void> {
    await write(() => this.#client.send(new TransactWriteItemsCommand({ TransactItems })));
  }

  async #update(dekRef: string, change: Partial<UpdateItemCommandInput>): Promise<UsageRow> {
    const command = { TableName: this.#table, Key: key(`usage#${dekRef}`, "-"), ReturnValues: "ALL_NEW" as const, ...change };
    const { Attributes } = await write(() => this.#client.send(new UpdateItemCommand(command)));
    return usageOf(dekRef, Attributes ?? {});
  }

  /** Microseconds since 1970, each later than the last. */
  #now(): number {
    this.#last = Math.max(this.#last + 1, Date.now() * 1_000);
    return this.#last;
  }
}

/** The keys of the three items of a row. */
function placesOf({ dekRef, owner, reader, table, record, keyId }: WrapRow): [Place, Place, Place] {
  const end = `${b(reader)}#${b(keyId)}`;
  return [
    [`wrap#${dekRef}`, end],
    [`owner#${b(owner)}`, `${b(table ?? "")}#${b(record ?? "")}#${dekRef}#${end}`],
    [`reader#${b(reader)}`, `${dekRef}#${b(keyId)}`],
  ];
}

function isPlace(one: Place, other: Place): boolean {
  return one[0] === other[0] && one[1] === other[1];
}

function usageOf(dekRef: string, item: Item): UsageRow {
  // Without seals where the DEK was only ever marked.
  const { reserved: seals, inactiveSince } = item;
  return storedUsage(dekRef, seals ? Number(seals.N) : 0, inactiveSince && Number(inactiveSince.N));
}

function fieldItem(binding: Binding, envelope: Uint8Array): Item {
  const { org, table, record, field, revision } = bindingCopy(binding);
  const copy = bytesCopy(envelope);
  if (copy.length > MAX_ENVELOPE) fail("LIMIT");
  const names = { org: { S: org }, tbl: { S: table }, record: { S: record }, field: { S: field } };
  return { ...key(recordKey(org, table, record), `${b(field)}#${revision ?? ""}`), ...names, envelope: { B: copy } };
}

/** A field. An item whose key names it as another is damage. */
function fieldOf({ pk, sk, org, tbl, record, field, envelope }: Item): StoredField {
  const found = fieldAt(org?.S, tbl?.S, record?.S, field?.S, sk?.S?.split("#")[1], envelope?.B);
  const { binding } = found;
  const place: Place = [recordKey(binding.org, binding.table, binding.record), `${b(binding.field)}#${binding.revision ?? ""}`];
  return isPlace(place, [pk?.S ?? "", sk?.S ?? ""]) ? found : fail("STORE_UNAVAILABLE");
}

function recordKey(owner: string, table: string, record: string): string {
  return `fields#${b(owner)}#${b(table)}#${b(record)}`;
}

/** Writes again for as long as another's transaction is in the way. */
async function write<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (thrown) {
      if (!isConflict(thrown) || attempt === ATTEMPTS) return outcome(() => Promise.reject(thrown));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10 * 2 ** Math.min(attempt, 5)));
    }
  }
}

async function outcome<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (thrown) {
    const isCondition = isNamed(thrown, "ConditionalCheckFailedException") || reasonsOf(thrown).includes("ConditionalCheckFailed");
    throw new StrongroomError(isCondition ? "PRECONDITION_FAILED" : "STORE_UNAVAILABLE");
  }
}

function isConflict(thrown: unknown): boolean {
  const reasons = reasonsOf(thrown);
  return isNamed(thrown, "TransactionConflictException") ||
    (reasons.includes("TransactionConflict") && !reasons.includes("ConditionalCheckFailed"));
}

function reasonsOf(thrown: unknown): unknown[] {
  const { CancellationReasons } = (thrown ?? {}) as { CancellationReasons?: { Code?: string }[] };
  return (CancellationReasons ?? []).map(({ Code }) => Code);
}

function isNamed(thrown: unknown, name: string): boolean {
  return (thrown as { name?: unknown } | undefined)?.name === name;
}

function key(pk: string, sk: string): Item {
  return { pk: { S: pk }, sk: { S: sk } };
}

/** A name in characters that no key's parts are set apart by. A long one is hashed: a sort key holds 1,024 bytes. */
function b(name: string): string {
  const bytes = Buffer.from(name);
  return bytes.length > MAX_PLAIN ? `~${createHash("sha256").update(bytes).digest("base64url")}` : bytes.toString("base64url");
}

type Place = [pk: string, sk: string];
type Item = Record<string, AttributeValue>;

/** How many bytes a name may have that four of fit into a sort key. */
const MAX_PLAIN = 180;
/** Leaves room for the longest names in an item of 400 KB. */
const MAX_ENVELOPE = 390_000;
const ATTEMPTS = 20;
