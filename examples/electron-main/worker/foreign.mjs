import { inspect } from '@strongroom/node';

import { admitBy, bareVault, orgRow, refusalOf } from './bare.mjs';
import { kmsAs } from './command.mjs';
import { itemOf, sealedLines } from './export.mjs';

/** One org's caller asks the KMS for another org's DEK. Then the same is asked by the owner's. */
export async function* foreign(given) {
  const { caller, owner, store, manifest } = given;
  const vault = bareVault(given);
  const [stranger, own] = [kmsAs(caller, given), kmsAs(owner, given)];
  const row = await orgRow(owner, store);
  const error = await admitBy(stranger, vault, owner, row).then(
    () => 'ADMITTED',
    ({ code }) => code,
  );
  const { binding, envelope } = await fieldUnder(row.dekRef, given);
  const before = refusalOf(() => vault.open(binding, envelope));

  await admitBy(own, vault, owner, row);
  const twin = refusalOf(() => vault.open(binding, envelope)) === undefined;
  const ok = error === 'KMS_DENIED' && before === 'UNKNOWN_DEK' && twin;
  yield { ok, error, twin, kmsCalls: stranger.calls + own.calls };
  vault.close();

  async function fieldUnder(dekRef) {
    for await (const line of sealedLines(given.export, [owner])) {
      const item = itemOf(line, manifest);
      if (inspect(item.envelope).dekRef === dekRef) return item;
    }
    throw new Error(`the export has no field under ${owner}'s active DEK`);
  }
}
