// The page in a Chromium that nobody sees.
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';

import { chromium } from 'playwright-core';

/** Opens the page in a browser of its own: `CHROME`'s, or the system's. `say` gets its progress. */
export async function openPage(url, say) {
  const executablePath = [process.env.CHROME, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
    (path) => path && existsSync(path),
  );
  if (!executablePath) throw new Error('no Chromium: apt-get install chromium, or set CHROME');
  const browser = await chromium.launch({ executablePath, args: ['--disable-dev-shm-usage'] });
  const context = await browser.newContext();
  const page = await context.newPage();
  const crashed = new Promise((resolve, reject) => {
    page.on('pageerror', reject);
    page.on('crash', () => reject(new Error('the page crashed')));
  });
  crashed.catch(() => undefined);
  page.on('console', (message) => {
    if (message.type() === 'info') say(message.text());
  });
  const unless = (work) => Promise.race([work, crashed]);
  try {
    await unless(page.goto(url));
    await unless(page.waitForFunction(() => globalThis.demo !== undefined, undefined, { polling: 50 }));
  } catch (error) {
    await browser.close();
    throw error;
  }
  return {
    /** Has the page do a piece of the demo. */
    demo: (name, ...args) => unless(page.evaluate(([method, given]) => globalThis.demo[method](...given), [name, args])),
    /** Has the page run a function of a test. */
    run: (work) => unless(page.evaluate(work)),
    /** Unfolds the first field of a record (of the first one, without a name) as a person would, and folds it again. */
    async look(record = '') {
      const value = page.locator('#fields pre').first();
      const changed = (isEmpty) =>
        unless(page.waitForFunction((empty) => (document.querySelector('#fields pre').textContent === '') === empty, isEmpty, { polling: 20 }));
      await page.locator('#filter').fill(record);
      await page.locator('#records button').first().click();
      await page.locator('#title', { hasText: record }).waitFor();
      await page.locator('#fields summary').first().click();
      await changed(false);
      const seen = { refused: await value.evaluate((element) => element.className === 'refused'), text: await value.textContent() };
      await page.locator('#fields summary').first().click();
      await changed(true);
      return seen;
    },
    /** The cookies of the whole browser, not only those that the page can read. */
    cookies: async () => (await context.cookies()).length,
    close: () => browser.close(),
  };
}

/** A place that the page may not talk to, which counts who comes. */
export async function foreignPlace() {
  let visits = 0;
  const server = createServer((request, response) => {
    visits += 1;
    response.end();
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    visits: () => visits,
    close: () => server.close(),
  };
}
