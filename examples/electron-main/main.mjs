// The Electron main process: one signed-in org, one window. `electron . session.json`
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { JsonLinesStore, readManifest } from '@strongroom/node';
import { app, BrowserWindow, ipcMain, session as webSession } from 'electron';

import { serveFields } from './ipc.mjs';
import { localCredentials, openSession } from './session.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const page = join(here, 'renderer/index.html');
const pageUrl = pathToFileURL(page).href;

// Not awaited here: Electron is only ready once this module has been evaluated.
app.whenReady().then(start).catch(giveUp);

async function start() {
  const session = signIn(process.argv.at(-1));
  serveFields(ipcMain, session, (url) => url === pageUrl);
  app.on('window-all-closed', () => app.quit());
  app.on('will-quit', () => session.close());

  // The page has no use for any of these.
  webSession.defaultSession.setPermissionRequestHandler((contents, permission, decide) => decide(false));
  app.on('web-contents-created', (event, contents) => {
    contents.setWindowOpenHandler(() => ({ action: 'deny' }));
    contents.on('will-navigate', (navigation) => navigation.preventDefault());
    contents.on('will-attach-webview', (attachment) => attachment.preventDefault());
  });

  const window = new BrowserWindow({
    width: 720,
    height: 560,
    webPreferences: {
      preload: join(here, 'preload.cjs'),
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
    },
  });
  await window.loadFile(page);
}

/**
 * Stands in for a product's sign-in, which gives the org, the org's key ARNs and temporary credentials.
 * Here they stand in a file: {"org", "cmks", "region"?, "credentials"?, "dangerEndpoint"?}.
 */
function signIn(path) {
  const { org, cmks, region, credentials = localCredentials(org), dangerEndpoint } = JSON.parse(readFileSync(path, 'utf8'));
  if (dangerEndpoint) console.error(`danger_endpoint: ${dangerEndpoint} (local KMS, loopback)`);
  const store = new JsonLinesStore(join(app.getPath('userData'), 'rows.jsonl'));
  const manifest = readManifest(readFileSync(join(here, '../product/fields.json')));
  return openSession({ org, cmks, region, credentials, dangerEndpoint, store, manifest });
}

function giveUp(error) {
  console.error(`can't start: ${error.message}`);
  app.exit(1);
}
