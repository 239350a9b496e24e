// The whole of what a window can have done: seal a field, open a field. It names the table, the
// record and the field; the org is the session's. Vault, DEKs, rows and credentials stay here.
import { StrongroomError } from '@strongroom/node';

export const SEAL = 'fields:seal';
export const OPEN = 'fields:open';

/**
 * Answers the windows' calls with `{ok: true, value}` or `{ok: false, code}`: an error that crosses
 * as an exception would lose its code and bring its stack along.
 *
 * @param ipcMain Electron's, or a stand-in
 * @param session of `openSession`
 * @param isOwnPage whether a URL is the app's own page; whatever else is shown in a window gets nothing
 */
export function serveFields(ipcMain, session, isOwnPage) {
  const serve = (channel, work) =>
    ipcMain.handle(channel, async ({ senderFrame }, ...args) => {
      // A frame that is gone is null. One inside the page is somebody else's.
      if (!senderFrame || senderFrame.parent || !isOwnPage(senderFrame.url)) return { ok: false, code: 'NOT_ALLOWED' };
      try {
        return { ok: true, value: await work(...args) };
      } catch (error) {
        return { ok: false, code: error instanceof StrongroomError ? error.code : 'INTERNAL' };
      }
    });
  serve(SEAL, (at, plaintext) => seal(session, placeOf(session, at), plaintext));
  serve(OPEN, (at, envelope) => session.vault.open(placeOf(session, at), envelope));
}

/** Seals as the manifest says. A record whose fields are sealed by its own DEK gets that first. */
async function seal({ vault, manifest }, at, plaintext) {
  const options = manifest.sealOptions(at.table, at.field);
  try {
    return await vault.seal(at, plaintext, options);
  } catch (error) {
    if (options.scope !== 'record' || error.code !== 'NO_ACTIVE_DEK') throw error;
    await vault.generateRecordDek(at.table, at.record);
    return await vault.seal(at, plaintext, options);
  } finally {
    // The message's own copy; the window keeps the one that it typed.
    if (plaintext instanceof Uint8Array) plaintext.fill(0);
  }
}

/** The binding of a place that a window names: a listed field, and no other org's. */
function placeOf({ org, manifest }, at) {
  if (typeof at !== 'object' || at === null) throw new StrongroomError('BAD_INPUT');
  const { table, record, field, ...others } = at;
  if (Object.keys(others).length > 0) throw new StrongroomError('BAD_INPUT');
  return manifest.binding(org, table, record, field);
}
