// The shim's operations for every JavaScript host: converts a line's values, calls
// the package, converts the answer back. It checks nothing and repairs nothing; a
// value of the wrong type is handed on as it is, for the package to judge.
import { encode, toBytes, toHex, toValue } from './values.mjs';

/**
 * Makes the function that answers one line.
 *
 * `pkg` is the package's main entry. `hazmat` is what only test builds export
 * beside it; without it fewer operations are offered.
 */
export function shim({ name, pkg, hazmat }) {
  const vaults = new Map();
  const ops = {
    ...withoutVault(pkg),
    ...onVaults(vaults, pkg),
    ...(hazmat && testOnly(vaults, hazmat)),
  };
  ops.hello = () => ({
    protocol: 1,
    name,
    version: pkg.version(),
    strings: ['utf16'],
    // `hz_` operations are the bare cipher, for the public test vectors: no host has to offer them.
    ops: Object.keys(ops).filter((op) => op !== 'hello' && !op.startsWith('hz_')),
    extras: [...(hazmat ? ['iv'] : []), 'dynamic', 'wiped', 'large', 'cmks', 'min_versions', 'field_limit', 'danger_endpoint'],
  });
  return (line) => JSON.stringify(answer(ops, JSON.parse(line)));
}

function answer(ops, line) {
  const wiped = {};
  try {
    const { op, ...members } = line;
    return { ok: true, out: encode(ops[op](toValue(members), wiped)), ...seen(wiped) };
  } catch (error) {
    return { ...refusal(error), ...seen(wiped) };
  }
}

function refusal(error) {
  if (error instanceof Error && error.name === 'StrongroomError') {
    return { ok: false, err: error.code, num: error.number, msg: error.message };
  }
  return { ok: false, err: 'CRASH', num: 0, msg: String(error?.stack ?? error) };
}

/** What SHIM's `wiped` reports: set only when a buffer carried a plaintext DEK. */
function seen({ buffer }) {
  return buffer instanceof Uint8Array && buffer.every((byte) => byte === 0) ? { wiped: true } : {};
}

function withoutVault(pkg) {
  return {
    inspect: ({ env }) => header(pkg.inspect(toBytes(env))),
    to_text: ({ env }) => pkg.toText(toBytes(env)),
    from_text: ({ text }) => pkg.fromText(text),
    kms_context: ({ row }) => pkg.kmsContext(row),
  };
}

function onVaults(vaults, { Vault }) {
  const on = (call) => (members, wiped) => call(vaults.get(members.vault), members, wiped);
  const ops = {
    'vault.new': ({ options }) => keep(vaults, new Vault(camel(options))),
    'vault.mint_request': on((v, m) => v.mintRequest(m.org, m.cmk, m.version, seconds(m.created))),
    'vault.admit_minted': on((v, m, wiped) => v.admitMinted(m.request, reply(m.reply, wiped))),
    'vault.set_active': on((v, m) => done(v.setActive(m.active))),
    'vault.unwrap_request': on((v, m) => v.unwrapRequest(m.org, m.row)),
    'vault.admit': on((v, m, wiped) => v.admit(m.org, m.row, reply(m.reply, wiped))),
    'vault.missing': on((v, m) => v.missing(each(m.envs, toBytes))),
    'vault.seal': on((v, m) => v.seal(bind(m.bind), toBytes(m.pt), camel(m.options))),
    'vault.seal_many': on((v, m) => v.sealMany(each(m.items, sealItem)).map(result)),
    'vault.open': on((v, m) => v.open(bind(m.bind), toBytes(m.env))),
    'vault.open_many': on((v, m) => v.openMany(each(m.items, openItem)).map(result)),
    'vault.reseal': on((v, m) => v.reseal(bind(m.bind), toBytes(m.env), camel(m.options))),
    'vault.rebind': on((v, m) => v.rebind(bind(m.from), bind(m.to), toBytes(m.env))),
    'vault.generate_record_dek': on((v, m) => v.generateRecordDek(m.org, m.table, m.record, m.version, seconds(m.created))),
    'vault.wrap_local': on((v, m) => v.wrapLocal(m.org, toBytes(m.dek_ref), seconds(m.created))),
    'vault.wrap_request': on((v, m) => encrypt(v, v.wrapRequest(toBytes(m.dek_ref), m.cmk, seconds(m.created)))),
    'vault.share_request': on((v, m) => encrypt(v, v.shareRequest(toBytes(m.dek_ref), m.reader, m.cmk, seconds(m.created)))),
    'vault.admit_shared': on((v, m) => v.admitShared(m.request, reply(m.reply))),
    'vault.shred_request': on((v, m) => v.shredRequest(m.org, m.cmk, m.days)),
    'vault.status': on((v) => v.status().map(status)),
    'vault.tombstone': on((v, m) => done(v.tombstone(m.org))),
    'vault.sign_out': on((v) => v.signOut()),
    'vault.close': on((v) => done(v.close())),
  };
  if (Vault.prototype.cacheExport) {
    ops['vault.cache_export'] = on((v, m) => v.cacheExport(toBytes(m.dek_ref)));
    ops['vault.cache_import'] = on((v, m) => v.cacheImport(toBytes(m.entry)));
  }
  return ops;
}

/** What needs a bare DEK, a fixed IV, a clock or a failing generator. */
function testOnly(vaults, hz) {
  return {
    dek_ref: (m) => hz.dekRef(toBytes(m.key), m.identity),
    binding_aad: (m) => hz.bindingAad(toBytes(m.header), bind(m.bind)),
    seal: (m) => hz.seal(toBytes(m.key), m.identity, bind(m.bind), toBytes(m.pt), { padded: m.padded, iv: toBytes(m.iv) }),
    open: (m) => hz.open(toBytes(m.key), m.identity, bind(m.bind), toBytes(m.env)),
    seal_many: (m) => hz.sealMany(toBytes(m.key), m.identity, bind(m.bind), m.n),
    reseal: (m) => hz.reseal(bareDek(m.from), bareDek(m.to), bind(m.bind), toBytes(m.env)),
    wrap_local: (m) =>
      hz.wrapLocal(toBytes(m.kek), m.kek_identity, toBytes(m.key), m.identity, m.purpose, m.reader, seconds(m.created), toBytes(m.iv)),
    unwrap_local: (m) => hz.unwrapLocal(toBytes(m.kek), m.kek_identity, m.row, bind(m.probe.bind), toBytes(m.probe.env)),
    hz_gcm_seal: (m) => hz.gcmSeal(toBytes(m.key), toBytes(m.iv), toBytes(m.aad), toBytes(m.pt)),
    hz_gcm_open: (m) => hz.gcmOpen(toBytes(m.key), toBytes(m.iv), toBytes(m.aad), toBytes(m.ct)),
    'vault.new': ({ options, clock: at }) => keep(vaults, hz.vault(camel(options), clock(at))),
    'vault.set_clock': (m) => done(hz.setClock(vaults.get(m.vault), clock(m))),
    'vault.rng': ({ ok }) => done(hz.rng(ok)),
  };
}

function keep(vaults, vault) {
  const number = vaults.size + 1;
  vaults.set(number, vault);
  return number;
}

function done() {
  return true;
}

/** An `Encrypt` request with the DEK where the KMS expects it. */
function encrypt(vault, request) {
  const plaintext = vault.takeRequestPlaintext(request.id);
  return { ...request, params: { ...request.params, Plaintext: plaintext } };
}

function bind(value) {
  return isObject(value) && 'revision' in value ? { ...value, revision: u64(value.revision) } : value;
}

function reply(value, wiped = {}) {
  if (!isObject(value)) return value;
  const converted = { ...value };
  for (const member of ['Plaintext', 'CiphertextBlob']) {
    if (member in value) converted[member] = toBytes(value[member]);
  }
  wiped.buffer = converted.Plaintext;
  return converted;
}

function bareDek({ key, identity }) {
  return { key: toBytes(key), identity };
}

function sealItem({ bind: at, pt, options }) {
  return { binding: bind(at), plaintext: toBytes(pt), options: camel(options) };
}

function openItem({ bind: at, env }) {
  return { binding: bind(at), envelope: toBytes(env) };
}

function result(item) {
  return item.ok ? { ok: true, out: item.value } : refusal(item.error);
}

function header({ dekRef, ctLen, ...rest }) {
  return { ...rest, dek_ref: fromBase64Url(dekRef), ct_len: ctLen };
}

function status({ dekRef, ends, ...rest }) {
  return { ...rest, dek_ref: fromBase64Url(dekRef), ends: String(ends) };
}

function fromBase64Url(text) {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return toHex(Uint8Array.from(binary, (unit) => unit.charCodeAt(0)));
}

function each(list, convert) {
  return Array.isArray(list) ? list.map(convert) : list;
}

/** Option names as the JavaScript packages spell them. */
function camel(options) {
  if (!isObject(options)) return options;
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()), value]),
  );
}

function clock({ wall, mono }) {
  return { wall: u64(wall), mono: u64(mono) };
}

function u64(value) {
  return typeof value === 'string' && /^-?\d+$/.test(value) ? BigInt(value) : value;
}

function seconds(value) {
  return typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
