// An unmodified frontend shows the same on every server. After changing the frontend, record its output again:
//     PUENTE_E2E_RECORD=1 PUENTE_E2E_TARGETS=reference node --test js-client-e2e/test/existing-frontend.test.js
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eachTarget } from '../harness/matrix.js';
import { SECRET } from '../harness/tokens.js';

const fixture = (name) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const FRONTEND = fixture('existing-frontend.js');
const RECORDING = fixture('existing-frontend.log');

eachTarget('an existing frontend', {}, (world) => {
  it('shows what was recorded on Node, line by line', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [FRONTEND, world.server.url], {
      env: { PATH: process.env.PATH, JWT_SECRET: SECRET },
      timeout: 20_000,
    });
    const shown = normalize(stdout);
    if (process.env.PUENTE_E2E_RECORD && world.target === 'reference') writeFileSync(RECORDING, unparse(shown));
    assert.deepStrictEqual(shown, parse(readFileSync(RECORDING, 'utf8')));
  });
});

const parse = (log) => log.trimEnd().split('\n').map((line) => JSON.parse(line));
const unparse = (lines) => lines.map((line) => `${JSON.stringify(line)}\n`).join('');

/**
 * Parses the log and replaces what no frontend may rely on: times, socket ids, the order of `users`, and the text of a
 * validation message after the name of the field.
 */
function normalize(log) {
  const replace = (key, value) => {
    if (key === 'timestamp') return '<time>';
    if (key === 'socketId') return '<id>';
    return key === 'users' ? value.sort() : value;
  };
  return log.trimEnd().split('\n').map((line) => {
    const [who, event, ...args] = JSON.parse(line, replace);
    return [who, event, ...(event === 'error' ? args.map((text) => text.replace(/^title\b.*/, 'title …')) : args)];
  });
}
