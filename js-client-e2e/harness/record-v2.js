/**
 * Calls `keep` with everything that a socket of client 2.x receives. It has no onAny, and its event `error` is the packet
 * ERROR as well as an event of that name, so the packet is kept as `error packet`.
 *
 * @param {object} socket
 * @param {(event: string, args: any[]) => void} keep
 */
export function recordV2(socket, keep) {
  const { onevent, emit } = socket;
  // An event that arrives before CONNECT is delivered, and therefore kept, after it.
  socket.onevent = function (packet) {
    const [event, ...args] = packet.data;
    if (this.connected) keep(event, args);
    else this.once('connect', () => keep(event, args));
    onevent.call(this, packet);
  };
  socket.emit = function (event, ...args) {
    if (event === 'error') keep('error packet', args);
    return emit.call(this, event, ...args);
  };
  for (const event of ['connect', 'disconnect', 'connect_error']) socket.on(event, (...args) => keep(event, args));
}
