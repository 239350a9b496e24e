// The development KMS, as a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Starts one that keeps its files in this folder and lets pages of these origins call. */
export async function serveKms(dir, origins = []) {
  const program = process.env.STRONGROOM_CLI;
  if (!program) throw new Error('STRONGROOM_CLI must name the built strongroom program');
  const allow = origins.flatMap((origin) => ['--allow-origin', origin]);
  const child = spawn(program, ['kms', 'serve', '--dir', dir, '--listen', '127.0.0.1:0', ...allow], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the KMS ended with ${code}`))),
  ]);
  return {
    endpoint: JSON.parse(line).endpoint,
    /** What was asked of it, in order. */
    operations: () =>
      readFileSync(join(dir, 'log.jsonl'), 'utf8').trim().split('\n').map((entry) => JSON.parse(entry).eventName),
    close: () => child.kill(),
  };
}
