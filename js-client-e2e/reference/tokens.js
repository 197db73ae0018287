import jwt from 'jsonwebtoken';
import { authenticationFailed } from './errors.js';
import { isId } from './validation.js';

const ALGORITHMS = ['HS256', 'HS384', 'HS512']; // never "none", whatever the token's header says
const LEEWAY_SECONDS = 30;
const ADMIN = 'admin';

/** An empty or null token counts as missing: frontends send it before they have one. */
export const isMissing = (token) => token === undefined || token === null || token === '';

/**
 * Verifies a token and returns the claims that the service uses.
 *
 * @param {unknown} token as the client sent it
 * @param {{secrets: string[], issuer?: string, audience?: string}} config
 * @returns {{userId: string|number, admin: boolean, rooms?: (string|number)[], endsAt: number}} rooms are patterns,
 *   undefined for any room; endsAt is in ms since the epoch
 * @throws EventError `unauthenticated`, its reason `token_missing`, `token_invalid` or `token_expired`
 */
export function verifyToken(token, config) {
  if (isMissing(token)) throw authenticationFailed('token_missing');
  const claims = verifySignature(token, config);
  const userId = claims.userId ?? claims.sub;
  const rooms = claims.rooms === undefined ? undefined : [claims.rooms ?? []].flat();
  if (!isId(userId) || rooms?.every(isId) === false) throw authenticationFailed('token_invalid');
  return {
    userId,
    admin: claims.role === ADMIN || [claims.roles].flat().includes(ADMIN),
    rooms,
    endsAt: claims.exp === undefined ? Infinity : (claims.exp + LEEWAY_SECONDS) * 1000,
  };
}

// The signature is checked before the dates, so a forged token is `token_invalid` even if it has expired. During a
// rotation two secrets are valid; the first one that verifies decides.
function verifySignature(token, { secrets, issuer, audience }) {
  let reason = 'token_invalid';
  for (const secret of secrets) {
    try {
      return jwt.verify(token, secret, { algorithms: ALGORITHMS, clockTolerance: LEEWAY_SECONDS, issuer, audience });
    } catch (error) {
      if (error instanceof jwt.TokenExpiredError) reason = 'token_expired';
    }
  }
  throw authenticationFailed(reason);
}
