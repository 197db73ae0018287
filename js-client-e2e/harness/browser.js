import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** The reason to skip the browser tests, or false. Only a missing browser is a reason. */
export const noBrowser = !existsSync(CHROMIUM) && `no Chromium at ${CHROMIUM}; set CHROMIUM to its path`;

/** A Chromium with one page, which the tests use one after the other: each new page takes a second of CPU. */
export class Browser {
  #browser;
  #page;

  static async launch() {
    const browser = new Browser();
    browser.#browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync',
      ],
    });
    return browser;
  }

  /**
   * Visits the origin. When the test ends, the page leaves it.
   *
   * @param {import('node:test').TestContext} t
   * @returns {Promise<import('playwright-core').Page>} the page, which the test may close
   */
  async visit(t, origin) {
    if (!this.#page || this.#page.isClosed()) this.#page = await this.#browser.newPage();
    const page = this.#page;
    t.after(() => page.isClosed() || page.goto('about:blank'));
    await page.goto(origin);
    return page;
  }

  async close() {
    await this.#browser.close();
  }
}

/**
 * Starts a web server with one empty page, as an origin to connect from.
 *
 * @returns {Promise<{origin: string, close: () => void}>}
 */
export async function servePage() {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Connection': 'close' });
    response.end('<!doctype html><title>a page of another origin</title>');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
