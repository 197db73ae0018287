import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Why there is no browser here, or false: the only reason for which the browser's tests may be skipped. */
export const noBrowser = !existsSync(CHROMIUM) && `no Chromium at ${CHROMIUM}; name one in the variable CHROMIUM`;

/** @returns {Promise<import('playwright-core').Browser>} */
export function launchBrowser() {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
}

/**
 * A web server of one empty page: an origin to connect from.
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
