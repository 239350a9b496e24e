// The page's end: lines come in pieces and answers go out in pieces, because one message
// of the browser's remote control holds far less than a line of 64 MiB.
import { shim } from '/js/ops.mjs';

const entry = new URL(location.href).searchParams.get('entry');
const pkg = await import(entry);
await pkg.init();

const answer = shim({ name: 'wasm-browser', pkg, hazmat: pkg.hazmat });
let inbox = [];
let outbox = '';

globalThis.strongroomShim = {
  /** Keeps one piece of the lines. */
  put(piece) {
    inbox.push(piece);
  },
  /** Answers all lines that came in and gives how long the answers are, and their beginning. */
  run(pieceLength) {
    const lines = inbox.join('').split('\n');
    inbox = [];
    outbox = lines.map(answer).join('\n');
    return { length: outbox.length, piece: outbox.slice(0, pieceLength) };
  },
  /** Another piece of the answers. */
  take(from, to) {
    return outbox.slice(from, to);
  },
};
