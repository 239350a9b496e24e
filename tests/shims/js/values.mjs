// A line's values and JavaScript's. Works in Node and in a page, and fast enough for
// lines of 64 MiB, so hex goes through byte tables and never through a digit at a time.

const DIGITS = new TextEncoder().encode('0123456789abcdef');
const VALUE = new Uint8Array(128);
DIGITS.forEach((digit, value) => (VALUE[digit] = value));

/** Bytes from hex; anything but a string is handed on as it is. */
export function toBytes(hex) {
  if (typeof hex !== 'string') return hex;
  const digits = new TextEncoder().encode(hex);
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at += 1) {
    bytes[at] = (VALUE[digits[2 * at]] << 4) | VALUE[digits[2 * at + 1]];
  }
  return bytes;
}

/** Lower-case hex of bytes. */
export function toHex(bytes) {
  const digits = new Uint8Array(2 * bytes.length);
  for (let at = 0; at < bytes.length; at += 1) {
    digits[2 * at] = DIGITS[bytes[at] >> 4];
    digits[2 * at + 1] = DIGITS[bytes[at] & 15];
  }
  return new TextDecoder().decode(digits);
}

/** Replaces every `{"utf16": hex}` by the string of those units, ill-formed or not. */
export function toValue(value) {
  if (Array.isArray(value)) return value.map(toValue);
  if (typeof value !== 'object' || value === null) return value;
  const names = Object.keys(value);
  if (names.length === 1 && names[0] === 'utf16') return fromUnits(toBytes(value.utf16));
  return Object.fromEntries(names.map((name) => [name, toValue(value[name])]));
}

/** Replaces bytes by hex and big integers by decimal strings. */
export function encode(value) {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(encode);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, encode(member)]));
}

function fromUnits(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 2) {
    text += String.fromCharCode((bytes[at] << 8) | bytes[at + 1]);
  }
  return text;
}
