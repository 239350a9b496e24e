// Makes dist/ of wasm-bindgen's glue and the TypeScript: bundles, types, the module.
//
//   node scripts/build.mjs [--glue DIR] [--reports DIR] [--package DIR] [--hazmat]
//
// `--glue` holds strongroom.js and strongroom_bg.wasm, `--reports` the same of the
// reports crate. `--package` is the package folder to fill, by default this one.
// `--hazmat` adds the entry that only test builds have.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { build } from 'rolldown';

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: options } = parseArgs({
  options: {
    glue: { type: 'string', default: join(here, '../target/wasm-glue/release') },
    reports: { type: 'string', default: join(here, '../target/wasm-glue/reports') },
    package: { type: 'string', default: here },
    hazmat: { type: 'boolean', default: false },
  },
});
const glue = resolve(options.glue);
const reports = resolve(options.reports);
const dist = join(resolve(options.package), 'dist');

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const vault = module(join(glue, 'strongroom_bg.wasm'), 'strongroom.wasm');
const report = module(join(reports, 'reports_bg.wasm'), 'reports.wasm');

const common = {
  cwd: here,
  platform: 'browser',
  external: [/^@aws-sdk\//],
  tsconfig: join(here, 'tsconfig.json'),
  resolve: {
    alias: {
      '#glue': join(glue, 'strongroom.js'),
      '#hazmat-glue': join(glue, 'strongroom.js'),
      '#reports-glue': join(reports, 'reports.js'),
    },
  },
  transform: {
    target: 'es2022',
    define: {
      WASM_INTEGRITY: JSON.stringify(vault.integrity),
      REPORTS_INTEGRITY: JSON.stringify(report.integrity),
      WASM_BASE64: JSON.stringify(vault.base64),
    },
  },
};

/** The only words for the console are wasm-bindgen's, of calls that aren't made here. */
const minify = { compress: { target: 'es2022', dropConsole: true }, mangle: true, codegen: { removeWhitespace: true } };

/** The modules of the main entry. */
const VAULT =
  /hosts\/ts\/src\/(base64|bind|check|convert|error|frame|json|options|vault)\.ts$|bindings-wasm\/ts\/(exports|instance|pack|raw)\.ts$|\/strongroom\.js$|\/snippets\//;

// One graph, so that the entries share the instance and the error class.
await bundle(
  { index: 'ts/index.ts', 'kms-vault': 'ts/kms-vault.ts', 'aws-kms': 'ts/aws-kms.ts' },
  {
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    // One file for all that the main entry needs: two would be larger together.
    advancedChunks: { groups: [{ name: 'shared', test: VAULT }] },
  },
);
await bundle({ reports: 'ts/reports.ts' }, { format: 'esm', entryFileNames: '[name].js' });
await bundle({ inline: 'ts/inline.ts' }, { format: 'esm', entryFileNames: '[name].js' });
await bundle({ inline: 'ts/inline.ts' }, { format: 'cjs', entryFileNames: '[name].cjs' });
await bundle({ 'strongroom.classic': 'ts/inline.ts' }, { format: 'iife', name: 'Strongroom', entryFileNames: '[name].js' });
if (options.hazmat) await bundle({ hazmat: 'ts/hazmat.ts' }, { format: 'esm', entryFileNames: '[name].js' });

types();
if (resolve(options.package) !== here) {
  cpSync(join(here, 'package.json'), join(resolve(options.package), 'package.json'));
}

function module(from, to) {
  const bytes = readFileSync(from);
  writeFileSync(join(dist, to), bytes);
  return {
    base64: bytes.toString('base64'),
    integrity: `sha256-${createHash('sha256').update(bytes).digest('base64')}`,
  };
}

function bundle(input, output) {
  return build({ ...common, input, output: { dir: dist, minify, ...output } });
}

/** Declarations, and the same again for `require`, which wants a package of its own kind. */
function types() {
  cpSync(join(reports, 'reports.d.ts'), join(dist, 'reports-glue.d.ts'));
  const project = join(dist, 'tsconfig.json');
  const paths = { '#reports-glue': ['./reports-glue.d.ts'] };
  const config = {
    extends: join(here, 'tsconfig.json'),
    compilerOptions: { paths },
    include: [join(here, 'ts')],
    exclude: options.hazmat ? [] : [join(here, 'ts/hazmat.ts')],
  };
  writeFileSync(project, JSON.stringify(config));
  const tsc = join(here, 'node_modules/.bin/tsc');
  const run = spawnSync(tsc, ['--project', project, '--outDir', join(dist, 'types')], { stdio: 'inherit' });
  rmSync(project);
  if (run.status !== 0) process.exit(1);
  cpSync(join(dist, 'types'), join(dist, 'types-cjs'), { recursive: true });
  writeFileSync(join(dist, 'types-cjs/package.json'), '{ "type": "commonjs" }\n');
}
