// Compiles the package's JavaScript and types into `dist/`:
//
//   node build.mjs                      the released package, in this folder
//   node build.mjs --hazmat FOLDER      a test build in FOLDER, which gets the whole package
//
// The addon itself (strongroom.<target>.node) is cargo's, and is copied in by xtask.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const here = import.meta.dirname ?? dirname(new URL(import.meta.url).pathname);
const { values: { hazmat } } = parseArgs({ options: { hazmat: { type: 'string' } } });
const target = hazmat ? resolve(hazmat) : here;

// One tree for the compiler: the shared source under `host/`, our own files beside it.
const stage = join(here, 'stage');
rmSync(stage, { recursive: true, force: true });
cpSync(join(here, '../hosts/ts/src'), join(stage, 'host'), { recursive: true });
for (const file of readdirSync(join(here, 'ts'))) cpSync(join(here, 'ts', file), join(stage, file));
if (!hazmat) {
  // Nothing that only tests may call is in a released package.
  rmSync(join(stage, 'hazmat.ts'));
  rmSync(join(stage, 'host/hazmat.ts'), { force: true });
}

const dist = join(target, 'dist');
rmSync(dist, { recursive: true, force: true });
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
execFileSync(process.execPath, [tsc, '-p', here, '--outDir', dist], { stdio: 'inherit' });
rmSync(stage, { recursive: true });

for (const file of readdirSync(join(here, '..'))) {
  if (file.startsWith('LICENSE-')) cpSync(join(here, '..', file), join(target, file));
}
if (hazmat) {
  mkdirSync(target, { recursive: true });
  for (const file of ['package.json', 'native-loader.cjs']) cpSync(join(here, file), join(target, file));
}
