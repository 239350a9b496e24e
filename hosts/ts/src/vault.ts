import { bytes, items, members, room, text, whole } from "./check.js";
import { binding, reply, request, sealOptions, withReply } from "./convert.js";
import { fail } from "./error.js";
import { batch } from "./frame.js";
import { toJson } from "./json.js";
import { vaultOptions } from "./options.js";
import type { Raw } from "./raw.js";
import type {
  ActiveRow, BatchResult, Binding, DekStatus, KmsReply, KmsRequest, Minted, OpenItem, ResealOptions, SealItem,
  SealOptions, VaultOptions, WrapRow,
} from "./types.js";

/** A backend and a handle of it: what a vault is made of. Only this package's modules see it. */
export interface Opened {
  readonly raw: Raw;
  readonly handle: number;
}

/** The inside of a vault; `BAD_INPUT` for anything else. */
export let opened: (vault: unknown) => Opened;

/**
 * The DEKs that one session works with, and the rules for them.
 *
 * It makes no KMS call and stores nothing: it says what the KMS must be asked, checks the answers,
 * and seals and opens. `KmsVault` is this with the KMS calls and the storage made for you; start there.
 *
 * Whoever holds a vault may use every DEK in it, so keep one for each session, and give option
 * `cmks`. Every method is synchronous and throws a {@link StrongroomError}; after {@link close} that is
 * `BAD_INPUT`. Orgs, tables, records and fields are well-formed strings of 1 to 1,024 bytes of UTF-8
 * (`BAD_INPUT`, `LIMIT`); bytes are `Uint8Array`s on memory that is not shared.
 */
export class Vault {
  readonly #inside: Opened;

  static {
    opened = (vault) =>
      typeof vault === "object" && vault !== null && #inside in vault ? vault.#inside : fail("BAD_INPUT");
  }

  /** @internal Packages bind the backend: see `bind`. */
  constructor(raw: Raw, options?: VaultOptions) {
    this.#inside = { raw, handle: raw.vaultNew(vaultOptions(options)) };
    forgotten.register(this, this.#inside, this.#inside);
  }

  /**
   * What to ask the KMS for a new version of the org's DEK (`GenerateDataKey`).
   *
   * @param cmk the CMK's key ARN
   * @param version above every version seen for the org, else `ACTIVE_ROLLBACK`
   * @param created unix seconds
   */
  mintRequest(org: string, cmk: string, version: number, created: number): KmsRequest {
    const { raw, handle } = opened(this);
    return request(raw.mintRequest(handle, text(org), text(cmk), whole(version), whole(created)));
  }

  /**
   * Takes the answer to a {@link mintRequest}. Nothing is sealed under the DEK before both rows are
   * stored and {@link setActive} has said so.
   *
   * Throws `KMS_*` for an error of the KMS, `KEY_ID_UNEXPECTED`, `ENDPOINT_POLICY`, `KEY_MISMATCH`;
   * after any of these the request can be answered once more.
   */
  admitMinted(requestId: number, answer: KmsReply): Minted {
    return withReply(answer, (read) => {
      const { raw, handle } = opened(this);
      return JSON.parse(raw.admitMinted(handle, whole(requestId), ...reply(read))) as Minted;
    });
  }

  /** Says which `active` row is in the store now: the vault's own after it won, another's after it lost. */
  setActive(active: ActiveRow): void {
    const { raw, handle } = opened(this);
    raw.setActive(handle, toJson(active));
  }

  /**
   * What to ask the KMS to unwrap a row of provider `aws-kms` (`Decrypt`).
   *
   * @param org the org of the host's own session, never taken from the row: a row for another reader
   *   is `ROW_INCONSISTENT`
   */
  unwrapRequest(org: string, row: WrapRow): KmsRequest {
    const { raw, handle } = opened(this);
    return request(raw.unwrapRequest(handle, text(org), toJson(row)));
  }

  /**
   * Checks a row's DEK and keeps it. Rows of provider `local` have no reply and need their KEK held.
   * Returns the dek_ref. The reply's `Plaintext` is zeros afterwards, whatever the outcome.
   */
  admit(org: string, row: WrapRow, answer?: KmsReply): Uint8Array {
    if (answer === undefined) {
      const { raw, handle } = opened(this);
      return raw.admit(handle, text(org), toJson(row), false, "", undefined, undefined, undefined, undefined);
    }
    return withReply(answer, (read) => {
      const { raw, handle } = opened(this);
      return raw.admit(handle, text(org), toJson(row), true, ...reply(read));
    });
  }

  /** The dek_refs, each once, of the DEKs that these envelopes need and the vault does not hold. At most 10,000. */
  missing(envelopes: readonly Uint8Array[]): Uint8Array[] {
    const { raw, handle } = opened(this);
    const parts = items(envelopes).map(bytes);
    const lengths = Uint32Array.from(parts, (part) => part.length);
    const all = room(parts.reduce((sum, part) => sum + part.length, 0));
    let end = 0;
    for (const part of parts) {
      all.set(part, end);
      end += part.length;
    }
    const refs = raw.missing(handle, all, lengths);
    return Array.from({ length: refs.length / REF }, (_, at) => refs.slice(at * REF, (at + 1) * REF));
  }

  /**
   * Seals one value at a place. The envelope opens at exactly this place and nowhere else.
   *
   * Throws `NO_ACTIVE_DEK`, `EXPIRED`, `CLOCK_ROLLBACK`, `BUDGET_EXHAUSTED`, `LIMIT`, `ACTIVE_ROLLBACK`,
   * `ORG_TOMBSTONED`, `RNG_FAILURE`.
   */
  seal(at: Binding, plaintext: Uint8Array, options?: SealOptions): Uint8Array {
    const { raw, handle } = opened(this);
    const place = binding(at);
    const { scope = 0, padded = false } = sealOptions(options);
    const value = bytes(plaintext);
    const length = Math.min(value.length, MAX_FIELD);
    const out = new Uint8Array(padded ? raw.sealedLength(length, true) : length + OVERHEAD);
    return cut(out, raw.seal(handle, ...place, value, scope, padded, out));
  }

  /**
   * Opens one envelope.
   *
   * Throws `UNKNOWN_DEK`, `EXPIRED` or `CLOCK_ROLLBACK` if its DEK must be admitted (again), `AUTH_FAILED`
   * if it was not sealed at this place or its bytes were changed, and the format errors of what is no
   * envelope.
   */
  open(at: Binding, envelope: Uint8Array): Uint8Array {
    const { raw, handle } = opened(this);
    const place = binding(at);
    const sealed = bytes(envelope);
    const out = new Uint8Array(Math.min(Math.max(sealed.length - OVERHEAD, 0), MAX_PADDED));
    return cut(out, raw.open(handle, ...place, sealed, out));
  }

  /** {@link seal} for up to 10,000 values. Each has its own result, in the order of the items. */
  sealMany(list: readonly SealItem[]): BatchResult[] {
    const { raw, handle } = opened(this);
    const convert = (item: unknown) => {
      const [at, value, options] = members(item, SEAL_ITEM, "BAD_INPUT");
      const place = binding(at);
      const { scope = 0, padded = false } = sealOptions(options);
      return { binding: place, scope, padded, value };
    };
    return batch(items(list), convert, MAX_GROWTH, (frame, out) => raw.sealFrame(handle, frame, out));
  }

  /** {@link open} for up to 10,000 envelopes. Each has its own result, in the order of the items. */
  openMany(list: readonly OpenItem[]): BatchResult[] {
    const { raw, handle } = opened(this);
    const convert = (item: unknown) => {
      const [at, value] = members(item, OPEN_ITEM, "BAD_INPUT");
      return { binding: binding(at), scope: 0 as const, padded: false, value };
    };
    return batch(items(list), convert, 0, (frame, out) => raw.openFrame(handle, frame, out));
  }

  /**
   * Opens and seals again at the same place: under the active DEK for an org envelope, under the
   * record's highest version for a record envelope, padded if it was, unless the options say otherwise.
   */
  reseal(at: Binding, envelope: Uint8Array, options?: ResealOptions): Uint8Array {
    const { raw, handle } = opened(this);
    const place = binding(at);
    const { scope = -1, padded } = sealOptions(options);
    return raw.reseal(handle, ...place, bytes(envelope), scope, padded === undefined ? -1 : padded ? 1 : 0);
  }

  /** Opens at one place and seals at another of the same org; a record envelope only within its record. */
  rebind(from: Binding, to: Binding, envelope: Uint8Array): Uint8Array {
    const { raw, handle } = opened(this);
    const [source, target] = [binding(from), binding(to)];
    return raw.rebind(handle, ...source, ...target, bytes(envelope));
  }

  /** Makes a record's own DEK, version `version`, and its local wrap row under the org's active DEK. */
  generateRecordDek(org: string, table: string, record: string, version: number, created: number): WrapRow {
    const { raw, handle } = opened(this);
    return JSON.parse(
      raw.generateRecordDek(handle, text(org), text(table), text(record), whole(version), whole(created)),
    ) as WrapRow;
  }

  /** Another local row of a record DEK held for `org`, under that org's active DEK. */
  wrapLocal(org: string, dekRef: Uint8Array, created: number): WrapRow {
    const { raw, handle } = opened(this);
    const [acting, seconds] = [text(org), whole(created)];
    return JSON.parse(raw.wrapLocal(handle, acting, bytes(dekRef), seconds)) as WrapRow;
  }

  /**
   * What to ask the KMS to wrap a record DEK by the owner's own CMK (`Encrypt`). The DEK itself comes
   * from {@link takeRequestPlaintext}; the answer goes to {@link admitShared}.
   */
  wrapRequest(dekRef: Uint8Array, cmk: string, created: number): KmsRequest {
    const { raw, handle } = opened(this);
    const [key, seconds] = [text(cmk), whole(created)];
    return request(raw.wrapRequest(handle, bytes(dekRef), key, seconds));
  }

  /** Like {@link wrapRequest}, by another org's CMK: that org can then open this record, and nothing else. */
  shareRequest(dekRef: Uint8Array, reader: string, cmk: string, created: number): KmsRequest {
    const { raw, handle } = opened(this);
    const [org, key, seconds] = [text(reader), text(cmk), whole(created)];
    return request(raw.shareRequest(handle, bytes(dekRef), org, key, seconds));
  }

  /** The DEK of an `Encrypt` request, once. Overwrite it as soon as the KMS has answered. */
  takeRequestPlaintext(requestId: number): Uint8Array {
    const { raw, handle } = opened(this);
    const out = new Uint8Array(32);
    raw.takeRequestPlaintext(handle, whole(requestId), out);
    return out;
  }

  /** Takes the answer to a {@link wrapRequest} or {@link shareRequest}; the row is to be stored. */
  admitShared(requestId: number, answer: KmsReply): WrapRow {
    return withReply(answer, (read) => {
      const { raw, handle } = opened(this);
      return JSON.parse(raw.admitShared(handle, whole(requestId), ...reply(read))) as WrapRow;
    });
  }

  /** What to ask the KMS to destroy a CMK after `days`, 7 to 30 (`ScheduleKeyDeletion`). */
  shredRequest(org: string, cmk: string, days: number): KmsRequest {
    const { raw, handle } = opened(this);
    return request(raw.shredRequest(handle, text(org), text(cmk), whole(days)));
  }

  /** Forgets the org's DEKs and refuses everything for it from now on (`ORG_TOMBSTONED`). */
  tombstone(org: string): void {
    const { raw, handle } = opened(this);
    raw.tombstone(handle, text(org));
  }

  /** Wipes every DEK. Returns the dek_refs (base64url) whose keychain entries must be deleted. */
  signOut(): string[] {
    const { raw, handle } = opened(this);
    return JSON.parse(raw.signOut(handle)) as string[];
  }

  /** The DEKs held and not over, by dek_ref. */
  status(): DekStatus[] {
    const { raw, handle } = opened(this);
    return JSON.parse(raw.status(handle)) as DekStatus[];
  }

  /** Wipes everything and ends the vault. May be called twice. */
  close(): void {
    const inside = opened(this);
    forgotten.unregister(inside);
    inside.raw.vaultClose(inside.handle);
  }
}

/** Wipes the DEKs of vaults that nobody closed and nobody can reach any more. */
const forgotten = new FinalizationRegistry<Opened>(({ raw, handle }) => {
  try {
    raw.vaultClose(handle);
  } catch {
    // A wasm instance that trapped answers INTERNAL; nobody is there to be told.
  }
});

/** The first `length` bytes of `out`, with nothing behind them in the same buffer. */
function cut(out: Uint8Array, length: number): Uint8Array {
  if (length === out.length) return out;
  const exact = out.slice(0, length);
  out.fill(0);
  return exact;
}

const SEAL_ITEM = ["binding", "plaintext", "options"] as const;
const OPEN_ITEM = ["binding", "envelope"] as const;

/** Length of a dek_ref. */
const REF = 32;
/** An envelope without its ciphertext: header 52, tag 16. */
const OVERHEAD = 68;
/** The longest field that an option can allow, and its longest padded form. A longer buffer is never of use. */
const MAX_FIELD = 64 * 1024 * 1024;
const MAX_PADDED = MAX_FIELD + 64;
/** How much longer than its part of the frame an item can get: overhead, padding, head. */
const MAX_GROWTH = 136;
