import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { toText } from '@strongroom/node';

import { say, sessionOf, stopwatch } from './command.mjs';
import { itemOf, sealedLines } from './export.mjs';

/** Seals each N-th field of an org anew, from the I-th on, into a file of its own. */
export async function* reseal(given) {
  const elapsed = stopwatch();
  const [part, parts] = given.part.split('/').map(Number);
  if (!(part >= 0 && part < parts)) throw new Error('--part is I/N, with I from 0 to N-1');
  const { vault, kms, close } = sessionOf(given.org, given);
  let [seen, fields] = [0, 0];

  async function* resealed() {
    for await (const line of sealedLines(given.export, [given.org])) {
      if (seen++ % parts !== part) continue;
      const { binding, envelope } = itemOf(line, given.manifest);
      const fresh = await vault.reseal(binding, envelope);
      fields += 1;
      if (fields % 2_000 === 0) say(`${fields} fields resealed`);
      yield `${JSON.stringify({ ...line, envelope: toText(fresh) })}\n`;
    }
  }

  await pipeline(Readable.from(resealed()), createWriteStream(given.out, { mode: 0o600 }));
  yield { ok: fields > 0, fields, kmsCalls: kms.calls, ms: elapsed() };
  close();
}
