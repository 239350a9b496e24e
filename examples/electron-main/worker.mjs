// The main process's work without windows: each step of the demo is a process of its own.
//
//   node worker.mjs open        --orgs ORG,ORG
//   node worker.mjs reseal      --org ORG --part I/N --out F
//   node worker.mjs share       --org ORG --table T --record R --reader ORG
//   node worker.mjs open-shared --org ORG --owner ORG --table T --record R --unshared R
//   node worker.mjs transplants --orgs ORG,ORG --count N
//   node worker.mjs foreign     --caller ORG --owner ORG
//   node worker.mjs thief       --caller ORG
//   node worker.mjs search      --orgs ORG,ORG --files F,F
//
// and with each of them --kms URL --store F --export F --manifest F --cmks JSON.
//
// Standard output has facts as JSON lines: never a field's value and never a DEK; equality is shown
// by digests. Standard error has progress. The exit code is 0 if everything was as it should be.
import { printFact, readArguments, say } from './worker/command.mjs';
import { foreign } from './worker/foreign.mjs';
import { open } from './worker/open.mjs';
import { openShared } from './worker/open-shared.mjs';
import { reseal } from './worker/reseal.mjs';
import { search } from './worker/search.mjs';
import { share } from './worker/share.mjs';
import { thief } from './worker/thief.mjs';
import { transplants } from './worker/transplants.mjs';

const STEPS = { open, reseal, share, 'open-shared': openShared, transplants, foreign, thief, search };

// The SDK's advice about the next version of Node would stand between the lines of progress.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

const [name, ...args] = process.argv.slice(2);
try {
  if (!Object.hasOwn(STEPS, name)) throw new Error(`name a step: ${Object.keys(STEPS).join(', ')}`);
  const given = readArguments(args);
  say(`danger_endpoint: ${given.kms} (local KMS, loopback)`);
  for await (const fact of STEPS[name](given)) printFact({ step: name, ...fact });
} catch (error) {
  say(`${name}: ${error.stack}`);
  printFact({ step: name, ok: false, error: error.code ?? error.message });
}
