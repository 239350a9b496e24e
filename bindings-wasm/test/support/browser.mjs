// Chromium, and a loopback server that sends a Content-Security-Policy.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';

import { chromium } from 'playwright-core';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
};

/** A headless Chromium: the one that CHROME names, or the system's. */
export function launch() {
  const executablePath = [process.env.CHROME, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
    (path) => path && existsSync(path),
  );
  if (!executablePath) throw new Error('no Chromium: apt-get install chromium, or set CHROME');
  return chromium.launch({ executablePath, args: ['--disable-dev-shm-usage', '--js-flags=--max-old-space-size=4096'] });
}

/**
 * Serves folders by their URL prefix, longest first, with this policy, or what this function
 * says then, on every answer.
 * `requests` lists what was asked for.
 */
export async function serveFolders(folders, policy) {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  const requests = [];
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    requests.push(pathname);
    const prefix = prefixes.find((start) => pathname.startsWith(start));
    try {
      const body = await readFile(join(folders[prefix], pathname.slice(prefix.length)));
      response.writeHead(200, {
        'content-type': TYPES[extname(pathname)] ?? 'application/octet-stream',
        'content-security-policy': typeof policy === 'function' ? policy() : policy,
        'cache-control': 'no-store',
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    requests,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
