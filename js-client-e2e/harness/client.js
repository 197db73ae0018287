import assert from 'node:assert/strict';
import { io as io4 } from 'socket.io-client';
import io2 from 'socket.io-client-v2';
import { io as io3 } from 'socket.io-client-v3';
import msgpack from 'socket.io-msgpack-parser';
import { soon, WAIT } from './expect.js';
import { recordV2 } from './record-v2.js';

/** The kinds of client: a version of socket.io-client and its transports. */
export const CLIENTS = [
  { name: '4.x, polling', io: io4, transports: ['polling'] },
  { name: '4.x, websocket', io: io4, transports: ['websocket'] },
  { name: '4.x, polling with upgrade', io: io4, transports: ['polling', 'websocket'], upgrades: true },
  { name: '3.x, polling', io: io3, transports: ['polling'] },
  { name: '3.x, websocket', io: io3, transports: ['websocket'] },
  { name: '3.x, polling with upgrade', io: io3, transports: ['polling', 'websocket'], upgrades: true },
];

const KINDS = [
  { kind: '4.8', io: io4 },
  { kind: '3.1', io: io3 },
  { kind: '2.5', io: io2, protocol3: true },
  { kind: '4.8 with msgpack', io: io4, parser: 'socket.io-msgpack-parser' },
];

const WAYS = [
  { way: 'polling', transports: ['polling'] },
  { way: 'websocket', transports: ['websocket'], deflate: false },
  { way: 'websocket, compressed', transports: ['websocket'], deflate: true },
  { way: 'upgrade', transports: ['polling', 'websocket'], upgrades: true, deflate: false },
  { way: 'upgrade, compressed', transports: ['polling', 'websocket'], upgrades: true, deflate: true },
];

/** Every kind of client that one port of Puente serves, over each transport, on WebSocket with and without compression. */
export const EVERY_CLIENT = KINDS.flatMap((kind) => WAYS.map((way) => ({ ...kind, ...way, name: `${kind.kind}, ${way.way}` })));

/** For tests in which the client's version makes no difference. */
export const EACH_TRANSPORT = CLIENTS.filter(({ io }) => io === io4);

/** For tests of the server, to which the kind of client does not matter. */
export const ONE_CLIENT = CLIENTS[1];

/**
 * A client that records every event from the start, so that a test may ask for an event that has already arrived.
 * Events of one name are consumed in the order of their arrival.
 */
export class Client {
  #unread = [];
  #waiting = new Set();

  constructor(url, { io, transports, protocol3, parser, deflate }, { auth, ...options } = {}) {
    this.protocol3 = protocol3;
    this.socket = io(url, {
      transports,
      forceNew: true,
      reconnection: false,
      ...(protocol3 ? { query: auth } : { auth }), // protocol 3 has no CONNECT payload
      ...(parser && { parser: msgpack }),
      ...(deflate === false && { perMessageDeflate: false }),
      ...options,
    });
    const keep = (event, args) => this.#keep({ event, args });
    if (protocol3) recordV2(this.socket, keep);
    else record(this.socket, keep);
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

  /** @returns {Promise<Error>} the error with which the server refused the connection; of protocol 3 what it sent instead */
  async refused() {
    const [error] = await this.arguments(this.protocol3 ? 'error packet' : 'connect_error');
    return error;
  }

  /** @returns {Promise<string>} the client's reason for the disconnection */
  async disconnected() {
    const [reason] = await this.arguments('disconnect');
    return reason;
  }

  emit(...args) {
    this.socket.emit(...args);
  }

  /** Emits with a callback. @returns {Promise<any>} the server's acknowledgement */
  request(event, ...args) {
    return within(`an ack of ${event}`, () => this.#unread, (resolve) => this.socket.emit(event, ...args, resolve));
  }

  /** As request, but the event must succeed. */
  async ask(event, ...args) {
    const answer = await this.request(event, ...args);
    assert.equal(answer.success, true, `${event}: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** @returns {Promise<any>} the only argument of the next event of that name, which may have arrived already */
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
        this.#waiting.delete(wake); // now, or it would consume and lose the next event of this batch
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
   * Returns received events that were not consumed, after a ping was answered. The server sends in order, so all that it
   * sent this client earlier has arrived by then: a test can show that something was not sent.
   */
  async unread(...events) {
    if (this.protocol3) await this.ask('leave-room', 'never joined'); // client 2.x keeps the event "ping" for itself
    else await this.request('ping');
    return this.kept(...events);
  }

  /** Returns received events that were not consumed, without a ping: for clients that are disconnected. */
  kept(...events) {
    return this.#unread.filter(({ event }) => events.includes(event)).map(({ event, args }) => [event, ...args]);
  }

  /** Resolves when the transport is upgraded to WebSocket. Call it before the upgrade. */
  upgraded() {
    return soon(this.socket.io.engine, 'upgrade');
  }

  /** Closes the connection as a network failure would, without a Socket.IO packet. */
  breakConnection() {
    this.socket.io.engine.close();
  }

  close() {
    this.socket.disconnect();
  }
}

function record(socket, keep) {
  socket.onAny((event, ...args) => {
    // With recovery the client has a secret, and a text at the end of an event is its offset.
    if (socket._pid && typeof args.at(-1) === 'string') args.pop();
    keep(event, args);
  });
  for (const event of ['connect', 'disconnect', 'connect_error']) socket.on(event, (...args) => keep(event, args));
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
