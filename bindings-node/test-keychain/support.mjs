// A module run in a process of its own, with the keychain's names at hand.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const HEAD = "import { KeychainError, osKeychain } from '@strongroom/node/keychain';";

/** What it prints; it must end with success. */
export function inOwnProcess(env, code) {
  return execFileSync(process.execPath, ['--input-type=module', '-e', HEAD + code], {
    cwd: PACKAGE, env: { ...process.env, ...env }, encoding: 'utf8', timeout: 60_000,
  });
}
