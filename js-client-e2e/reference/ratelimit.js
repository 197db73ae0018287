/**
 * A fixed window per subject: `limit` events, then none until the window that the first one opened has passed. 0 means
 * no limit. A subject is dropped at the end of its window.
 */
export class RateLimit {
  #windows = new Map();
  #limit;
  #windowMs;

  constructor(limit, windowMs) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** @returns {boolean} whether another event of the subject is allowed; if so, it is counted */
  allow(subject) {
    if (this.#limit === 0) return true;
    const count = this.#windows.get(subject) ?? 0;
    if (count === this.#limit) return false;
    if (count === 0) setTimeout(() => this.#windows.delete(subject), this.#windowMs).unref();
    this.#windows.set(subject, count + 1);
    return true;
  }
}
