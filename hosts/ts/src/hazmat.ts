import { translated } from "./bind.js";
import { bytes, flag, members, optional, text, u64, whole } from "./check.js";
import { binding, type BindingParts } from "./convert.js";
import { toJson } from "./json.js";
import type { Raw } from "./raw.js";
import type { Binding, VaultOptions, WrapRow } from "./types.js";
import type { Vault } from "./vault.js";

/** What test builds of a backend offer beyond {@link Raw}. No released package has any of it. */
export interface RawHazmat extends Raw {
  hzDekRef(key: Uint8Array, identityJson: string): Uint8Array;
  hzBindingAad(header: Uint8Array, ...at: BindingParts): Uint8Array;
  hzSeal(
    key: Uint8Array, identityJson: string, org: string, table: string, record: string, field: string,
    revision: bigint | undefined, plaintext: Uint8Array, padded: boolean, iv: Uint8Array | undefined,
  ): Uint8Array;
  hzOpen(
    key: Uint8Array, identityJson: string, org: string, table: string, record: string, field: string,
    revision: bigint | undefined, envelope: Uint8Array,
  ): Uint8Array;
  hzSealMany(
    key: Uint8Array, identityJson: string, org: string, table: string, record: string, field: string,
    revision: bigint | undefined, n: number,
  ): Uint8Array[];
  hzReseal(
    fromKey: Uint8Array, fromIdentityJson: string, toKey: Uint8Array, toIdentityJson: string, org: string, table: string,
    record: string, field: string, revision: bigint | undefined, envelope: Uint8Array,
  ): Uint8Array;
  hzWrapLocal(
    kek: Uint8Array, kekIdentityJson: string, key: Uint8Array, identityJson: string, purpose: string, reader: string,
    created: number, iv: Uint8Array | undefined,
  ): string;
  hzUnwrapLocal(
    kek: Uint8Array, kekIdentityJson: string, rowJson: string, org: string, table: string, record: string, field: string,
    revision: bigint | undefined, envelope: Uint8Array,
  ): Uint8Array;
  hzVaultNew(optionsJson: string, wall: bigint, mono: bigint): number;
  hzSetClock(handle: number, wall: bigint, mono: bigint): void;
  hzRng(ok: boolean): void;
  hzGcmSeal(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, data: Uint8Array): Uint8Array;
  hzGcmOpen(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, data: Uint8Array): Uint8Array;
}

/** Both clocks, in seconds. */
export interface Clock {
  readonly wall: bigint;
  readonly mono: bigint;
}

/** A bare DEK with what it is for. */
export interface BareDek {
  readonly key: Uint8Array;
  /** `{kind: "org", org, version}` or `{kind: "record", org, version, table, record}`. */
  readonly identity: object;
}

/**
 * What only tests may do: bare DEKs, fixed IVs, clocks that are set, a generator that fails, the bare
 * cipher. Arguments are judged as the released operations judge theirs.
 *
 * @param makeApi the package's own way to bind its API: `bind` or `bindWithCache`
 */
export function bindHazmat<R extends RawHazmat, V extends Vault>(
  backend: R,
  makeApi: (raw: R) => { readonly Vault: new (options?: VaultOptions) => V },
) {
  const raw = translated(backend);
  const handles = new WeakMap<Vault, number>();
  let start: Clock = { wall: 0n, mono: 0n };
  let made = 0;
  const vaultNew = (options: string): number => (made = backend.hzVaultNew(options, start.wall, start.mono));
  const { Vault } = makeApi({ ...backend, vaultNew });

  return {
    dekRef: (key: Uint8Array, identity: object): Uint8Array => raw.hzDekRef(bytes(key), toJson(identity)),
    bindingAad: (header: Uint8Array, at: Binding): Uint8Array => {
      const place = binding(at);
      return raw.hzBindingAad(bytes(header), ...place);
    },
    seal: (
      key: Uint8Array, identity: object, at: Binding, plaintext: Uint8Array,
      { padded, iv }: { padded?: boolean; iv?: Uint8Array } = {},
    ): Uint8Array => {
      const [who, place, pad] = [toJson(identity), binding(at), optional(padded, flag) ?? false];
      return raw.hzSeal(bytes(key), who, ...place, bytes(plaintext), pad, optional(iv, bytes));
    },
    open: (key: Uint8Array, identity: object, at: Binding, envelope: Uint8Array): Uint8Array => {
      const [who, place] = [toJson(identity), binding(at)];
      return raw.hzOpen(bytes(key), who, ...place, bytes(envelope));
    },
    sealMany: (key: Uint8Array, identity: object, at: Binding, n: number): Uint8Array[] => {
      const [who, place] = [toJson(identity), binding(at)];
      return raw.hzSealMany(bytes(key), who, ...place, whole(n));
    },
    reseal: (from: BareDek, to: BareDek, at: Binding, envelope: Uint8Array): Uint8Array => {
      const place = binding(at);
      const [source, target] = [toJson(from.identity), toJson(to.identity)];
      return raw.hzReseal(bytes(from.key), source, bytes(to.key), target, ...place, bytes(envelope));
    },
    wrapLocal: (
      kek: Uint8Array, kekIdentity: object, key: Uint8Array, identity: object, purpose: string, reader: string,
      created: number, iv?: Uint8Array,
    ): WrapRow => {
      const [by, who] = [toJson(kekIdentity), toJson(identity)];
      return JSON.parse(
        raw.hzWrapLocal(bytes(kek), by, bytes(key), who, text(purpose), text(reader), whole(created), optional(iv, bytes)),
      ) as WrapRow;
    },
    unwrapLocal: (kek: Uint8Array, kekIdentity: object, row: WrapRow, at: Binding, envelope: Uint8Array): Uint8Array => {
      const [by, json, place] = [toJson(kekIdentity), toJson(row), binding(at)];
      return raw.hzUnwrapLocal(bytes(kek), by, json, ...place, bytes(envelope));
    },
    /** A vault whose clocks stand still until {@link setClock}. */
    vault: (options: VaultOptions | undefined, at: Clock): V => {
      start = clock(at);
      const vault = new Vault(options);
      handles.set(vault, made);
      return vault;
    },
    setClock: (vault: Vault, at: Clock): void => {
      const { wall, mono } = clock(at);
      raw.hzSetClock(handles.get(vault) ?? 0, wall, mono);
    },
    rng: (ok: boolean): void => raw.hzRng(flag(ok)),
    gcmSeal: (key: Uint8Array, iv: Uint8Array, aad: Uint8Array, data: Uint8Array): Uint8Array =>
      raw.hzGcmSeal(bytes(key), bytes(iv), bytes(aad), bytes(data)),
    gcmOpen: (key: Uint8Array, iv: Uint8Array, aad: Uint8Array, data: Uint8Array): Uint8Array =>
      raw.hzGcmOpen(bytes(key), bytes(iv), bytes(aad), bytes(data)),
  };
}

function clock(value: unknown): Clock {
  const [wall, mono] = members(value, ["wall", "mono"], "BAD_INPUT");
  return { wall: u64(wall), mono: u64(mono) };
}
