import assert from 'node:assert/strict';
import { io as io4 } from 'socket.io-client';
import { io as io3 } from 'socket.io-client-v3';
import { soon, WAIT } from './expect.js';

/** The clients that connect: which generation of socket.io-client, over which transports. */
export const CLIENTS = [
  { name: '4.x, polling', io: io4, transports: ['polling'] },
  { name: '4.x, websocket', io: io4, transports: ['websocket'] },
  { name: '4.x, polling with upgrade', io: io4, transports: ['polling', 'websocket'], upgrades: true },
  { name: '3.x, polling', io: io3, transports: ['polling'] },
  { name: '3.x, websocket', io: io3, transports: ['websocket'] },
  { name: '3.x, polling with upgrade', io: io3, transports: ['polling', 'websocket'], upgrades: true },
];

/** For tests in which the generation of the client can make no difference. */
export const EACH_TRANSPORT = CLIENTS.filter(({ io }) => io === io4);

/** For tests that look at the server and connect only to make something happen. */
export const ONE_CLIENT = CLIENTS[1];

/**
 * A client whose events are kept from the first on, so that a test may look for one after the fact. Events are
 * consumed in the order in which they came, per name.
 */
export class Client {
  #unread = [];
  #waiting = new Set();

  constructor(url, { io, transports }, options = {}) {
    this.socket = io(url, { transports, forceNew: true, reconnection: false, ...options });
    this.socket.onAny((event, ...args) => this.#keep({ event, args }));
    for (const event of ['connect', 'disconnect', 'connect_error']) {
      this.socket.on(event, (...args) => this.#keep({ event, args }));
    }
  }

  #keep(received) {
    this.#unread.push(received);
    for (const wake of this.#waiting) wake();
  }

  get id() {
    return this.socket.id;
  }

  get transport() {
    return this.socket.io.engine.transport.name;
  }

  async connected() {
    await this.arguments('connect');
    return this;
  }

  /** @returns {Promise<Error>} why the server refused the connection */
  async refused() {
    const [error] = await this.arguments('connect_error');
    return error;
  }

  /** @returns {Promise<string>} why the client says that it was disconnected */
  async disconnected() {
    const [reason] = await this.arguments('disconnect');
    return reason;
  }

  emit(...args) {
    this.socket.emit(...args);
  }

  /** Emits with a callback. @returns {Promise<any>} what the server acknowledged with */
  request(event, ...args) {
    return within(`an ack of ${event}`, () => this.#unread, (resolve) => this.socket.emit(event, ...args, resolve));
  }

  /** As request, for an event that must succeed. */
  async ask(event, ...args) {
    const answer = await this.request(event, ...args);
    assert.equal(answer.success, true, `${event}: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** @returns {Promise<any>} the only argument of the next event of that name, which may have come already */
  async next(event) {
    const args = await this.arguments(event);
    assert.equal(args.length, 1, `${event} has one argument`);
    return args[0];
  }

  /** @returns {Promise<any[]>} as next, for events with any number of arguments */
  arguments(event) {
    let wake;
    return within(event, () => this.#unread, (resolve) => {
      wake = () => {
        const at = this.#unread.findIndex((received) => received.event === event);
        if (at < 0) return;
        this.#waiting.delete(wake); // now, lest the next event of this batch be taken and lost
        resolve(this.#unread.splice(at, 1)[0].args);
      };
      this.#waiting.add(wake);
      wake();
    }).finally(() => this.#waiting.delete(wake));
  }

  async take(count, event) {
    const taken = [];
    while (taken.length < count) taken.push(await this.next(event));
    return taken;
  }

  /**
   * What has come and was not consumed. The server answers in order, so after a ping's answer nothing that it
   * sent this client earlier is still under way: this is how a test shows that something was not sent.
   */
  async unread(...events) {
    await this.request('ping');
    return this.kept(...events);
  }

  /** What has come by now and was not consumed, of a client that cannot ask any more. */
  kept(...events) {
    return this.#unread.filter(({ event }) => events.includes(event)).map(({ event, args }) => [event, ...args]);
  }

  /** Resolves when polling has given way to WebSocket, which it must not have yet. */
  upgraded() {
    return soon(this.socket.io.engine, 'upgrade');
  }

  /** Loses the connection as a network would: nothing is said on the Socket.IO level. */
  breakConnection() {
    this.socket.io.engine.close();
  }

  close() {
    this.socket.disconnect();
  }
}

function within(what, unread, executor) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no ${what} within ${WAIT} ms; unread: ${unread().map(({ event }) => event)}`));
    }, WAIT);
    executor((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
