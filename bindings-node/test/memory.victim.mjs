// The process that memory.test.mjs looks through: does what each line of standard input says.
import { createInterface } from 'node:readline';

import { codeOf, ENDPOINT, raw, strongroom, utf8 } from './support.mjs';

const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
const vault = new strongroom.Vault();
// The same DEK in a vault that is known by its handle, for an output buffer of our own.
const handle = raw.vaultNew('{}');
const kept = [];

/** The DEK exists in clear here alone: in memory outside JavaScript's heap, which is wiped. */
function unmask({ mask, masked }) {
  const [a, b] = [bytes(mask), bytes(masked)];
  const dek = new Uint8Array(new ArrayBuffer(32));
  for (let at = 0; at < 32; at++) dek[at] = a[at] ^ b[at];
  return dek;
}

const jobs = {
  admit({ row, keyId, active, ...hidden }) {
    const code = codeOf(() => vault.admit(row.owner, row, { endpoint: ENDPOINT, KeyId: keyId, Plaintext: unmask(hidden) }));
    if (!active) return code;
    raw.admit(handle, row.owner, JSON.stringify(row), true, ENDPOINT, undefined, keyId, unmask(hidden), undefined);
    vault.setActive(active);
    return code === 'nothing thrown' ? 'ok' : code;
  },
  open({ at, envelope }) {
    const out = new Uint8Array(envelope.length / 2 - 68).fill(0xa5);
    const code = codeOf(() => raw.open(handle, at.org, at.table, at.record, at.field, undefined, bytes(envelope), out));
    kept.push(out);
    const untouched = out.every((byte) => byte === 0xa5);
    return [code === 'nothing thrown' ? 'ok' : code, untouched ? 'untouched' : 'written'];
  },
  openMany: ({ at, envelope }) => vault.openMany([{ binding: at, envelope: bytes(envelope) }])[0].error.code,
  reseal: ({ at, envelope }) => codeOf(() => vault.reseal(at, bytes(envelope))),
  /** Every use of the DEK that there is. */
  work({ at, envelope }) {
    const sealed = bytes(envelope);
    for (let round = 0; round < 50; round++) {
      vault.open(at, vault.seal(at, utf8(`round ${round}`), { padded: round % 2 === 0 }));
      vault.reseal(at, sealed);
      vault.rebind(at, { ...at, record: 'r2' }, sealed);
      vault.openMany(vault.sealMany([{ binding: at, plaintext: sealed }]).map(({ value }) => ({ binding: at, envelope: value })));
    }
    const { dekRef, created } = vault.generateRecordDek(at.org, at.table, at.record, 1, 1_700_000_000);
    vault.wrapLocal(at.org, new Uint8Array(Buffer.from(dekRef, 'base64url')), created);
    vault.status();
    return 'ok';
  },
  close() {
    vault.close();
    raw.vaultClose(handle);
    return 'ok';
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  console.log(JSON.stringify(jobs[question.do](question)));
}
