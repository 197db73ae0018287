import jwt from 'jsonwebtoken';

/** The key of every server that the harness starts. */
export const SECRET = 'a secret of the tests that is long enough for HS512, or so it is hoped by all';

/**
 * @param {object} claims
 * @param {object} [options] as in jsonwebtoken's sign; `secret` replaces the servers' key
 */
export function sign(claims, { secret = SECRET, ...options } = {}) {
  return jwt.sign(claims, secret, options);
}

/** A token whose claims may be of any type: `sign` looks at them first. */
export const unchecked = (claims) => jwt.sign(JSON.stringify(claims), SECRET);

/** @param {number} offset seconds from now, negative for the past */
export const secondsFromNow = (offset) => Math.floor(Date.now() / 1000) + offset;
