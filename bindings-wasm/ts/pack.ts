// An operation's arguments as the module's src/args.rs reads them.

export type Argument = string | number | bigint | boolean | Uint8Array | Uint32Array | undefined;

/** Packs arguments. The result may hold secrets: wipe it. */
export function pack(args: readonly Argument[]): Uint8Array {
  const parts = args.map((value) => (typeof value === 'string' ? encoder.encode(value) : value));
  const packed = new Uint8Array(parts.reduce((sum: number, part) => sum + sizeOf(part), 0));
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const part of parts) {
    if (part === undefined) {
      view.setUint32(at, ABSENT, true);
    } else if (typeof part === 'object') {
      view.setUint32(at, part.byteLength, true);
      packed.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at + 4);
    } else if (typeof part === 'bigint') {
      view.setUint32(at, 8, true);
      view.setBigUint64(at + 4, part, true);
    } else {
      // -1 becomes the greatest number, which src/ops.rs knows.
      view.setBigInt64(at, BigInt(part), true);
    }
    at += sizeOf(part);
  }
  return packed;
}

function sizeOf(part: Exclude<Argument, string>): number {
  switch (typeof part) {
    case 'object':
      return 4 + part.byteLength;
    case 'bigint':
      return 12;
    case 'undefined':
      return 4;
    default:
      return 8;
  }
}

const encoder = new TextEncoder();

/** Stands where a length would. */
const ABSENT = 0xffff_ffff;
