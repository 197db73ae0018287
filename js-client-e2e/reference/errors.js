/**
 * The error of an event that a client receives: a stable code for programs, a message for people, and a reason if the
 * code is not specific enough. Any other exception is a bug, which the client receives as `internal`.
 */
export class EventError extends Error {
  /**
   * @param {'unauthenticated'|'unauthorized'|'invalid'|'rate_limited'|'unavailable'|'internal'} code
   * @param {string} message
   * @param {string} [reason]
   */
  constructor(code, message, reason) {
    super(message);
    this.code = code;
    this.reason = reason;
  }

  /** Returns the error as it is sent. */
  toWire() {
    return { code: this.code, message: this.message, ...(this.reason && { reason: this.reason }) };
  }

  static from(error) {
    return error instanceof EventError ? error : new EventError('internal', 'Internal error');
  }
}

export const invalid = (field, allowed) => new EventError('invalid', `${field} must be ${allowed}`);
export const unauthorized = (reason) => new EventError('unauthorized', 'Unauthorized', reason);
export const authenticationFailed = (reason) => new EventError('unauthenticated', 'Authentication failed', reason);
