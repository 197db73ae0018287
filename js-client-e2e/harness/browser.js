import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** The reason to skip the browser tests, or false. Only a missing browser is a reason. */
export const noBrowser = !existsSync(CHROMIUM) && `no Chromium at ${CHROMIUM}; set CHROMIUM to its path`;

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
