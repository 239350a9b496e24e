// Standard input's lines to `answer`, its answers to standard output, in order.
// Not `readline`: it is slow and hungry on lines of 64 MiB.
import { once } from 'node:events';

/** Answers every line; `answer` takes a list of lines and gives the list of answers, or a promise of it. */
export async function serve(answer) {
  for await (const lines of wholeLines(process.stdin)) {
    for (const text of await answer(lines)) {
      if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
    }
  }
}

async function* wholeLines(stream) {
  let pieces = [];
  for await (const chunk of stream) {
    const end = chunk.lastIndexOf(0x0a);
    if (end < 0) {
      pieces.push(chunk);
      continue;
    }
    const text = Buffer.concat([...pieces, chunk.subarray(0, end)]).toString('utf8');
    pieces = [chunk.subarray(end + 1)];
    yield text.split('\n').filter((line) => line !== '');
  }
}
