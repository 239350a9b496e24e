// Of test builds only: bare DEKs, fixed IVs, set clocks, a generator that fails, a trap.
import { bind } from '../../hosts/ts/src/bind.js';
import { bindHazmat, type RawHazmat } from '../../hosts/ts/src/hazmat.js';
import { functionsOf, raw as released } from './raw.js';

export * from './inline.js';

/** In the order of the numbers that src/hazmat.rs gives them. */
const OPERATIONS = {
  errorTable: 'text',
  hzDekRef: 'bytes',
  hzBindingAad: 'bytes',
  hzSeal: 'bytes',
  hzOpen: 'bytes',
  hzSealMany: 'bytes',
  hzReseal: 'bytes',
  hzWrapLocal: 'text',
  hzUnwrapLocal: 'bytes',
  hzVaultNew: 'number',
  hzSetClock: 'nothing',
  hzRng: 'nothing',
  hzGcmSeal: 'bytes',
  hzGcmOpen: 'bytes',
  hzTrap: 'nothing',
} as const;

/** The first number of a test build's operations. */
const FIRST = 100;

/** An envelope of the empty plaintext. */
const EMPTY = 68;

const tests = functionsOf(OPERATIONS, FIRST) as unknown as RawHazmat & { hzTrap(): void };

export const raw = {
  ...released,
  ...tests,
  hzSealMany: (...args: Parameters<RawHazmat['hzSealMany']>): Uint8Array[] => {
    const all = tests.hzSealMany(...args) as unknown as Uint8Array;
    return Array.from({ length: all.length / EMPTY }, (_, at) => all.slice(at * EMPTY, (at + 1) * EMPTY));
  },
};

export const hazmat = bindHazmat(raw, bind);
