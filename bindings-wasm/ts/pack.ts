// An operation's arguments as the module's src/args.rs reads them.

export type Argument = string | number | bigint | boolean | Uint8Array | Uint32Array | undefined;

/** Writes packed arguments to where they are to lie: `room` says where, for their length. */
export function pack(args: readonly Argument[], room: (length: number) => DataView): void {
  const parts = args.map((value) => (typeof value === 'string' ? encoder.encode(value) : value));
  const view = room(parts.reduce((sum: number, part) => sum + sizeOf(part), 0));
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part === undefined ? ABSENT : sizeOf(part) - 4, true);
    if (typeof part === 'object') {
      new Uint8Array(view.buffer, view.byteOffset + at + 4).set(
        new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
      );
    } else if (part !== undefined) {
      // -1 becomes the greatest number, which src/ops.rs knows.
      view.setBigUint64(at + 4, BigInt(part), true);
    }
    at += sizeOf(part);
  }
}

function sizeOf(part: Exclude<Argument, string>): number {
  if (typeof part === 'object') return 4 + part.byteLength;
  return part === undefined ? 4 : 12;
}

const encoder = new TextEncoder();

/** Stands where a length would. */
const ABSENT = 0xffff_ffff;
