// Looks for byte strings in files, in every spelling in which one might have slipped in.

/** The spellings that are looked for: each takes secret bytes to what stands in a file. */
export const SPELLINGS = {
  bytes: (secret) => Buffer.from(secret),
  hex: (secret) => Buffer.from(Buffer.from(secret).toString('hex')),
  HEX: (secret) => Buffer.from(Buffer.from(secret).toString('hex').toUpperCase()),
  'base64+0': (secret) => inside(secret, 0, 'base64'),
  'base64+1': (secret) => inside(secret, 1, 'base64'),
  'base64+2': (secret) => inside(secret, 2, 'base64'),
  'base64url+0': (secret) => inside(secret, 0, 'base64url'),
  'base64url+1': (secret) => inside(secret, 1, 'base64url'),
  'base64url+2': (secret) => inside(secret, 2, 'base64url'),
};

/** The characters that depend on the secret alone, wherever it stands `offset` bytes into base64 text. */
function inside(secret, offset, encoding) {
  const text = Buffer.concat([Buffer.alloc(offset), secret]).toString(encoding).replace(/=+$/, '');
  const from = Math.ceil((offset * 8) / 6);
  const to = Math.floor(((offset + secret.length) * 8) / 6);
  return Buffer.from(text.slice(from, to));
}

/** A set of needles, all looked for at once. */
export class Needles {
  /** Needles by their first four bytes. */
  #byHead = new Map();
  /** Which heads there may be: most places of a file are done with after one look here. */
  #heads = new Uint8Array(1 << HEAD_BITS);
  size = 0;

  /** Looks for these secrets, of 16 bytes or more, in every spelling. */
  constructor(secrets) {
    for (const secret of secrets) for (const spell of Object.values(SPELLINGS)) this.#add(spell(secret));
  }

  #add(bytes) {
    const head = bytes.readUInt32LE(0);
    const same = this.#byHead.get(head) ?? [];
    this.#byHead.set(head, same);
    same.push({ bytes, id: this.size });
    this.#heads[slot(head)] = 1;
    this.size += 1;
  }

  /** The needles (by number) that stand somewhere in `hay`, added to `found`. */
  findIn(hay, found = new Set()) {
    let head = 0;
    for (let at = 0; at < hay.length; at++) {
      head = (head >>> 8) | (hay[at] << 24);
      if (at < 3 || this.#heads[slot(head)] === 0) continue;
      const start = at - 3;
      for (const { bytes, id } of this.#byHead.get(head >>> 0) ?? []) {
        if (bytes.equals(hay.subarray(start, start + bytes.length))) found.add(id);
      }
    }
    return found;
  }
}

/** A multiplicative hash; its upper bits are the good ones. */
function slot(head) {
  return Math.imul(head, 0x9e3779b1) >>> (32 - HEAD_BITS);
}

const HEAD_BITS = 20;
