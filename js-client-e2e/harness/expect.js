import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/** How long to wait for anything that must happen, in ms. Only a failure takes this long. */
export const WAIT = 30_000;

/** As events.once, but rejects after WAIT. */
export const soon = (emitter, event) => once(emitter, event, { signal: AbortSignal.timeout(WAIT) });

/**
 * Polls for a condition that no event announces.
 *
 * @returns the first answer of `ask` that `settled` accepts
 * @throws if none does within WAIT
 */
export async function eventually(ask, settled) {
  for (const deadline = Date.now() + WAIT; ; await delay(20)) {
    const answer = await ask();
    if (settled(answer)) return answer;
    assert.ok(Date.now() < deadline, `still ${JSON.stringify(answer)} after ${WAIT} ms`);
  }
}

/**
 * Compares values with a `timestamp`, which must have the form of toISOString and be within a minute of now.
 *
 * @param {object} actual with a timestamp
 * @param {object} expected without
 */
export function equalWithTimestamp(actual, expected) {
  const { timestamp, ...rest } = actual;
  checkTimestamp(timestamp);
  assert.deepStrictEqual(rest, expected);
}

export function checkTimestamp(timestamp) {
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Math.abs(Date.now() - Date.parse(timestamp)) < 60_000, `${timestamp} is not about now`);
}

/** Checks an error of an event, in either form; `fields` are its fields beside the message. */
export function checkError(error, { message, ...fields }) {
  const { message: actual, ...rest } = error;
  assert.deepStrictEqual(rest, fields);
  if (message instanceof RegExp) assert.match(actual, message);
  else assert.equal(actual, message);
}
