// The package as users get it: packed, installed into an empty folder without scripts, and used there.
//
//   STRONGROOM_NODE20=... STRONGROOM_NODE24=... node test/pack.mjs
//
// One line a step; the exit code says whether all went well.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'strongroom-pack-'));
const project = join(folder, 'project');

const WANTED = [
  'README.md', 'dist/index.js', 'dist/strongroom.wasm', 'dist/inline.js', 'dist/inline.cjs', 'dist/strongroom.classic.js',
  'dist/kms-vault.js', 'dist/aws-kms.js', 'dist/reports.js', 'dist/reports.wasm',
];

function step(name, work) {
  const answer = work();
  console.log(`ok ${name}${typeof answer === 'string' ? `: ${answer.trim()}` : ''}`);
}

function run(command, args, options = {}) {
  try {
    return execFileSync(command, args, { cwd: project, encoding: 'utf8', stdio: 'pipe', ...options });
  } catch (error) {
    console.error(`not ok ${command} ${args.join(' ')}\n${error.stdout ?? ''}${error.stderr ?? error}`);
    process.exitCode = 1;
    throw error;
  }
}

const tool = (name, file) => join(home, 'node_modules', name, file);

function runtime(name) {
  const binary = process.env[name];
  if (!binary || !existsSync(binary)) throw new Error(`${name} must name a Node binary`);
  return binary;
}

function use(binary) {
  return ['field.cjs', 'field.mjs'].map((sample) => run(binary, [sample])).join('').trim().replaceAll('\n', ', ');
}

try {
  const runtimes = ['STRONGROOM_NODE20', 'STRONGROOM_NODE24'].map(runtime);
  cpSync(join(home, 'test/pack'), project, { recursive: true });
  let tarball;
  step('npm pack', () => {
    const [{ filename, size, files }] = JSON.parse(
      run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: home }));
    tarball = join(folder, filename);
    const stray = files.map(({ path }) => path).filter((path) => /test|hazmat|node_modules|scripts|reports\/|Cargo|\.rs$|\/ts\/[^.]+\.ts$/.test(path));
    if (stray.length > 0) throw new Error(`does not belong into the package: ${stray}`);
    for (const wanted of WANTED) {
      if (!files.some(({ path }) => path === wanted)) throw new Error(`${wanted} is missing`);
    }
    return `${filename}, ${size} bytes, ${files.length} files`;
  });
  step('npm install into an empty folder', () => {
    writeFileSync(join(project, 'package.json'), '{"private": true}');
    run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', tarball]);
    return readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.')).join(' ');
  });
  for (const binary of runtimes) step('seals and opens one field', () => use(binary));
  step('publint', () => void run(process.execPath, [tool('publint', 'src/cli.js'), 'run', '--strict', tarball]));
  step('attw', () => {
    // The classic script and the module have no types. CommonJS has `/inline`; the other entries are ES modules only,
    // and nothing here is for resolvers that don't know `exports`.
    const options = ['--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm', '--exclude-entrypoints', 'classic', 'strongroom.wasm'];
    run(process.execPath, [tool('@arethetypeswrong/cli', 'dist/index.js'), tarball, ...options]);
  });
  step('types', () => {
    // The package needs no types of Node's: the browser's are TypeScript's own.
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--target', 'es2022', '--module', 'node20', '--types', ''];
    run(process.execPath, [tool('typescript', 'bin/tsc'), ...options, 'types.mts', 'types.cts']);
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
