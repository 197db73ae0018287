import jwt from 'jsonwebtoken';

/** The key of every server that the harness starts. */
export const SECRET = 'the secret of the tests, which has at least the 64 bytes that HS512 requires';

/**
 * @param {object} claims
 * @param {object} [options] options of jsonwebtoken's sign; `secret` replaces SECRET
 */
export function sign(claims, { secret = SECRET, ...options } = {}) {
  return jwt.sign(claims, secret, options);
}

/** Signs claims of any type: `sign` would check their types first. */
export const unchecked = (claims) => jwt.sign(JSON.stringify(claims), SECRET);

/** @param {number} offset seconds from now, negative for the past */
export const secondsFromNow = (offset) => Math.floor(Date.now() / 1000) + offset;
