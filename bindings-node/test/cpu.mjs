// Loads the released addon on emulated CPUs, with and without the instructions that it was built
// for. Needs qemu-x86_64 (Debian: qemu-user), so it is a job of its own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = `
  try { console.log(require('./native-loader.cjs').version()); } catch (error) { console.log(error.code, error.cause.message); }`;

const expected = {
  Nehalem: /^ERR_STRONGROOM_ADDON this build needs a CPU with AES-NI$/,
  Westmere: /aes=aes-ni$/, // AES-NI without AVX
  SandyBridge: /aes=aes-ni$/,
  max: /aes=vaes$/,
};
for (const [cpu, answer] of Object.entries(expected)) {
  const said = execFileSync('qemu-x86_64', ['-cpu', cpu, process.execPath, '-e', script], {
    cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
  assert.match(said, answer);
  console.log(`ok ${cpu}: ${said}`);
}
