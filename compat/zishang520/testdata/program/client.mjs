// Clients for the tests: the official socket.io-client, with every event kept until it is asked for.
import { after } from 'node:test';
import { io } from 'socket.io-client';

/** Events that the program sends to everybody when any client goes, such as those of the test before. */
export const others = ['leaving', 'left', 'closed'];

const sockets = new Set();
after(() => sockets.forEach((s) => s.disconnect()));

/** A client of a namespace; next(name) waits for its next event of a name and gives its arguments. */
export function client(url, namespace = '/', options = {}) {
  const socket = io(url + namespace, { forceNew: true, reconnection: false, transports: ['websocket'], ...options });
  sockets.add(socket);
  const kept = new Map(); // name -> events that came before they were asked for
  const waiting = new Map(); // name -> functions that take them
  const take = (name, args) => {
    const f = waiting.get(name)?.shift();
    if (f) f(args);
    else kept.set(name, [...(kept.get(name) ?? []), args]);
  };
  socket.onAny((name, ...args) => take(name, args));
  for (const name of ['connect', 'connect_error', 'disconnect']) socket.on(name, (...args) => take(name, args));
  socket.next = (name) => {
    const first = kept.get(name)?.shift();
    if (first) return Promise.resolve(first);
    return new Promise((resolve) => waiting.set(name, [...(waiting.get(name) ?? []), resolve]));
  };
  socket.count = (name) => kept.get(name)?.length ?? 0;
  /** Waits until the server has handled all that this client has sent. */
  socket.settled = () => socket.ask('ack');
  /** Emits with an acknowledgement and gives its arguments. */
  socket.ask = (name, ...args) => new Promise((resolve) => socket.emit(name, ...args, (...answer) => resolve(answer)));
  return socket;
}

export async function connected(...args) {
  const socket = client(...args);
  await socket.next('connect');
  return socket;
}
