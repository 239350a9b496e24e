// Makes an envelope and two rows with the inline entry, and loads the reports beside it.
import * as strongroom from '/dist/inline.js';
import * as reports from '/dist/reports.js';
import { AT, CREATED, randomDek, vaultWith } from '/support/fixture.mjs';

async function run() {
  await strongroom.init();
  const { vault, row } = vaultWith(strongroom, randomDek());
  const sealed = vault.seal(AT, new TextEncoder().encode('hunter2'), { padded: true });
  const localRow = vault.generateRecordDek(AT.org, AT.table, AT.record, 1, CREATED);
  try {
    reports.reportEnvelope(sealed);
  } catch (error) {
    globalThis.early = error.code;
  }
  await reports.init();
  globalThis.subject = { reports, sealed, row, localRow, context: strongroom.kmsContext(row) };
}

globalThis.ready = run();
