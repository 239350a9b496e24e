import { createHmac } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { inspect } from '@strongroom/node';

import { bareVault, orgRow } from './bare.mjs';
import { kmsAs, say, stopwatch } from './command.mjs';
import { itemOf, sealedLines } from './export.mjs';
import { Needles } from './needles.mjs';

/**
 * Searches files for every DEK of the orgs and for pieces of plaintexts, and a control file that has
 * them all, to show that the search would have found them.
 */
export async function* search(given) {
  const elapsed = stopwatch();
  const vault = bareVault(given);
  const { deks, kmsCalls } = await allDeks(vault, given);
  say(`${deks.length} DEKs in hand`);
  const pieces = await plaintextPieces(vault, given, PIECES);
  vault.close();
  const secrets = [...deks, ...pieces];
  const needles = new Needles(secrets);

  const found = new Set();
  let bytes = 0;
  for (const file of given.files) {
    const hay = readFileSync(file);
    bytes += hay.length;
    needles.findIn(hay, found);
    say(`${file}: ${hay.length} bytes searched`);
  }
  const control = findInControl(needles, secrets, dirname(given.files[0]));
  secrets.forEach((secret) => secret.fill(0));
  yield {
    ok: found.size === 0 && control === needles.size && bytes > 0 && pieces.length === PIECES,
    deks: deks.length, pieces: pieces.length, needles: needles.size, files: given.files.length, bytes,
    found: found.size, control, controlExpected: needles.size, kmsCalls, ms: elapsed(),
  };
}

/**
 * Every DEK of the orgs as bytes: org DEKs from the KMS's answers, record DEKs as the vault would send
 * them to the KMS to be wrapped, which here is not asked.
 */
async function allDeks(vault, given) {
  const deks = [];
  let kmsCalls = 0;
  for (const org of given.orgs) {
    const kms = kmsAs(org, given);
    const row = await orgRow(org, given.store);
    const reply = await kms.send(vault.unwrapRequest(org, row));
    deks.push(checked(Buffer.from(reply.Plaintext), row));
    vault.admit(org, row, reply);
    kmsCalls += kms.calls;

    const rows = (await given.store.rowsByOwner(org)).filter(({ provider, reader }) => provider === 'local' && reader === org);
    for (const local of rows) {
      const request = vault.wrapRequest(vault.admit(org, local), given.cmks[org][0], local.created);
      deks.push(checked(Buffer.from(vault.takeRequestPlaintext(request.id)), local));
    }
  }
  return { deks, kmsCalls };
}

/** A DEK that is the one its row names, by the specification's formula and not by the package. */
function checked(dek, { purpose, version, owner, table = '', record = '', dekRef }) {
  const head = Buffer.alloc(5);
  head.writeUInt8(purpose === 'org-dek' ? 1 : 2);
  head.writeUInt32BE(version, 1);
  const parts = [owner, table, record].map((part) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(Buffer.byteLength(part));
    return Buffer.concat([length, Buffer.from(part)]);
  });
  const identity = Buffer.concat([Buffer.from('strongroom/v1/dek-ref\0'), head, ...parts]);
  if (createHmac('sha256', dek).update(identity).digest('base64url') !== dekRef) throw new Error('not the DEK of its row');
  return dek;
}

/** Pieces of that many different plaintexts, from all tables in turn. */
async function plaintextPieces(vault, given, wanted) {
  const tables = new Map();
  for await (const line of sealedLines(given.export, given.orgs)) {
    const item = itemOf(line, given.manifest);
    if (inspect(item.envelope).ctLen < PIECE) continue;
    if (!tables.has(line.table)) tables.set(line.table, []);
    tables.get(line.table).push(item);
  }
  const pieces = new Map();
  for (let turn = 0; pieces.size < wanted && tables.size > 0; turn++) {
    for (const [table, items] of tables) {
      // By a step that has no factor in common with the length, so that in the end each has had its turn.
      const item = items[(turn * STEP) % items.length];
      if (turn === items.length) tables.delete(table);
      const plaintext = vault.open(item.binding, item.envelope);
      const piece = pieceOf(plaintext);
      plaintext.fill(0);
      if (piece && pieces.size < wanted) pieces.set(piece.toString('hex'), piece);
    }
  }
  return [...pieces.values()];
}

/** 16 bytes from the middle of a plaintext; nothing if they are too short or too plain to mean anything. */
function pieceOf(plaintext) {
  if (plaintext.length < PIECE) return undefined;
  const from = Math.floor((plaintext.length - PIECE) / 2);
  const piece = Buffer.from(plaintext.subarray(from, from + PIECE));
  return new Set(piece).size < MIN_DISTINCT ? undefined : piece;
}

/** How many of the needles the search finds in a file that really has every secret in every spelling. */
function findInControl(needles, secrets, folder) {
  const path = join(folder, `control-${process.pid}.bin`);
  try {
    writeFileSync(path, controlText(secrets), { mode: 0o600, flag: 'wx' });
    return needles.findIn(readFileSync(path)).size;
  } finally {
    rmSync(path, { force: true });
  }
}

/** Each secret among other bytes, as ordinary encoders write it. */
function controlText(secrets) {
  const parts = [];
  for (const secret of secrets) {
    parts.push(secret, Buffer.from(`\n${secret.toString('hex')}\n${secret.toString('hex').toUpperCase()}\n`));
    for (const offset of [0, 1, 2]) {
      const among = Buffer.concat([Buffer.alloc(offset, 0xa5), secret, Buffer.alloc(4, 0x5a)]);
      parts.push(Buffer.from(`${among.toString('base64')}\n${among.toString('base64url')}\n`));
    }
  }
  return Buffer.concat(parts);
}

const PIECES = 500;
/** Bytes of a piece. */
const PIECE = 16;
/** A piece of blanks or dashes stands anywhere. */
const MIN_DISTINCT = 6;
/** A prime that is larger than any table, so that it has no factor in common with a table's size. */
const STEP = 1_000_003;
