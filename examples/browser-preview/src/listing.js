/** Digests opened fields: two hosts opened the same if their digests are the same. */
export class Listing {
  #lines = [];
  fields = 0;
  bytes = 0;

  /** Takes values in, each with its place, and wipes them. */
  async add(places, values) {
    const digests = await Promise.all(values.map(digest));
    places.forEach(({ org, table, record, field }, at) => {
      this.#lines.push(`${org}\t${table}\t${record}\t${field}\t${digests[at]}\n`);
      this.fields += 1;
      this.bytes += values[at].length;
      values[at].fill(0);
    });
  }

  async facts() {
    const all = new TextEncoder().encode(this.#lines.join(''));
    return { fields: this.fields, bytes: this.bytes, digest: await digest(all) };
  }
}

/** SHA-256 as hex. */
async function digest(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
