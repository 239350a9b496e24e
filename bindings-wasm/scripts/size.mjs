// What `.` costs a page: the module and all JavaScript that the entry loads, brotli 11.
//
//   node scripts/size.mjs            exits 1 above the limit
//   node scripts/size.mjs --json     leaves the verdict to who reads it
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';

const GOAL = 25_000;
const LIMIT = 32_000;

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
const files = ['strongroom.wasm', ...loadedBy('index.js')];
const sizes = files.map((file) => {
  const bytes = readFileSync(join(dist, file));
  return { file, bytes: bytes.length, brotli: brotli(bytes) };
});
const total = sizes.reduce((sum, { brotli: size }) => sum + size, 0);

if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ total, goal: GOAL, limit: LIMIT, sizes }));
} else {
  process.exitCode = total > LIMIT ? 1 : 0;
  for (const { file, bytes, brotli: size } of sizes) console.log(`${file}: ${bytes} B, brotli ${size} B`);
  console.log(`together: brotli ${total} B (goal ${GOAL} B, limit ${LIMIT} B)`);
}

/** The entry and what it imports, and so on. */
function loadedBy(entry, seen = new Set()) {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  const code = readFileSync(join(dist, entry), 'utf8');
  for (const [, file] of code.matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g)) loadedBy(file, seen);
  return seen;
}

function brotli(bytes) {
  return brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  }).length;
}
