// The module behind the facade: its operations by name.
import { answer, call, initSync, room } from '#glue';

import { wipe } from '../../hosts/ts/src/check.js';
import type { Raw } from '../../hosts/ts/src/raw.js';
import { Instance } from './instance.js';
import { pack, type Argument } from './pack.js';

/** How an operation's answer comes out of the module's bytes. */
type Kind = 'nothing' | 'number' | 'text' | 'bytes' | 'out';

/** The operations in the order of the numbers that src/ops.rs gives them. */
const OPERATIONS = {
  version: 'text',
  assertFipsEndpoint: 'nothing',
  inspect: 'text',
  toText: 'text',
  fromText: 'bytes',
  kmsContext: 'text',
  vaultNew: 'number',
  vaultClose: 'nothing',
  mintRequest: 'text',
  admitMinted: 'text',
  setActive: 'nothing',
  unwrapRequest: 'text',
  admit: 'bytes',
  missing: 'bytes',
  seal: 'out',
  open: 'out',
  sealFrame: 'out',
  openFrame: 'out',
  reseal: 'bytes',
  rebind: 'bytes',
  generateRecordDek: 'text',
  wrapLocal: 'text',
  wrapRequest: 'text',
  shareRequest: 'text',
  takeRequestPlaintext: 'out',
  admitShared: 'text',
  shredRequest: 'text',
  tombstone: 'nothing',
  signOut: 'text',
  status: 'text',
  sealedLength: 'number',
} as const satisfies Record<keyof Raw, Kind>;

const instance = new Instance();

/** The functions of these operations, numbered from `first`. */
export function functionsOf(operations: Record<string, Kind>, first: number): Record<string, Call> {
  return Object.fromEntries(
    Object.entries(operations).map(([name, kind], at) => [name, functionOf(first + at, kind, name.startsWith('admit'))]),
  );
}

export const raw = functionsOf(OPERATIONS, 0) as unknown as Raw;

/** Instantiates the module. Once is enough; more changes nothing. */
export function start(module: BufferSource | WebAssembly.Module): void {
  if (!instance.started) instance.start(initSync({ module }).memory);
}

function functionOf(op: number, kind: Kind, takesReply: boolean): Call {
  return (...args) => {
    const out = kind === 'out' ? (args.pop() as Uint8Array) : undefined;
    try {
      return instance.enter((memory) => {
        // Of `out` the module only has to know how much may come out.
        pack(out ? [...args, out.length] : args, (length) => {
          // First: the memory may grow, and then its old buffer is gone.
          const at = room(length);
          return new DataView(memory.buffer, at, length);
        });
        const length = call(op);
        if (length < 0) throw -length;
        try {
          return unpack(new Uint8Array(memory.buffer, answer(), length), kind, out);
        } finally {
          // The answer may be plaintext: this wipes it.
          room(0);
        }
      });
    } finally {
      // A reply's plaintext DEK stands last but one.
      if (takesReply) wipe(args.at(-2));
    }
  };
}

function unpack(answer: Uint8Array, kind: Kind, out: Uint8Array | undefined): unknown {
  if (out) {
    if (answer.length > out.length) throw BAD_INPUT;
    out.set(answer);
    return answer.length;
  }
  if (kind === 'text') return decoder.decode(answer);
  if (kind === 'number') return new DataView(answer.buffer, answer.byteOffset).getUint32(0, true);
  return kind === 'bytes' ? answer.slice() : undefined;
}

const decoder = new TextDecoder();

/** An error's number, as the module answers it. */
const BAD_INPUT = 1;

type Call = (...args: Argument[]) => unknown;
