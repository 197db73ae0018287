/**
 * What a client is told when an event fails: a stable code for programs, a message for people, and the reason if
 * the code alone does not say it. Anything else that is thrown is a bug and reaches the client as `internal`.
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

  /** The form that travels; `undefined` fields vanish in JSON. */
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
