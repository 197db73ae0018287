import { authenticationFailed, EventError } from './errors.js';
import { now } from './service.js';
import { isMissing } from './tokens.js';
import { authenticateArgument, key, notificationArgument, roomArgument, updateArgument } from './validation.js';

/**
 * Every documented event (contract, section 2). `reply` is the event that answers a client that passed no callback; with
 * `always` it is sent in addition to the ack. `open` events need no user; events with `ownLimit` have their own rate limit.
 */
const EVENTS = {
  'authenticate': {
    reply: 'authenticated',
    always: true,
    open: true,
    handle(service, socket, argument) {
      const { token, userId } = authenticateArgument(argument);
      const claims = service.verify(token);
      service.checkUser(socket, claims);
      if (userId !== undefined && key(userId) !== key(claims.userId)) throw authenticationFailed('token_invalid');
      return service.authenticate(socket, claims);
    },
  },
  'join-room': {
    reply: 'room-joined',
    handle: (service, socket, argument) => service.joinRoom(socket, roomArgument(argument).roomId),
  },
  'leave-room': {
    reply: 'room-left',
    handle: (service, socket, argument) => service.leaveRoom(socket, roomArgument(argument).roomId),
  },
  'publish-notification': {
    reply: 'notification-sent',
    handle: (service, socket, argument) => service.publishNotification(socket, notificationArgument(argument)),
  },
  'publish-update': {
    reply: 'update-published',
    handle: (service, socket, argument) => service.publishUpdate(socket, updateArgument(argument)),
  },
  'ping': {
    reply: 'pong',
    always: true,
    open: true,
    ownLimit: true,
    handle: () => ({ timestamp: now() }),
  },
};

/** Registers middleware, connection handlers and events on a Socket.IO server. */
export function register(io, service, config) {
  // An invalid token refuses the connection; a missing or empty one does so only if a token is required. Clients of
  // protocol 3 have no CONNECT payload: their token is in the query, and their refusal is either a text or data.
  io.use((socket, next) => {
    const protocol3 = socket.conn.protocol === 3;
    const { token } = protocol3 ? socket.handshake.query : socket.handshake.auth;
    if (isMissing(token) && !config.authRequired) return next();
    try {
      const claims = service.verify(token);
      service.checkUser(socket, claims);
      socket.data.claims = claims; // as all data, a recovered socket gets them back
      next();
    } catch (error) {
      next(Object.assign(new Error(error.message), !protocol3 && { data: { code: error.reason } }));
    }
  });

  io.on('connection', (socket) => {
    service.stats.connections++;
    socket.on('disconnecting', (reason) => {
      service.stats.disconnections++;
      service.disconnecting(socket, reason);
    });
    for (const [name, event] of Object.entries(EVENTS)) {
      socket.on(name, (...args) => receive(service, socket, name, event, args));
    }
    if (socket.recovered) service.back(socket);
    const claims = socket.data.claims ?? socket.data.session;
    if (claims) socket.emit('authenticated', service.authenticate(socket, claims));
    else socket.data.authTimeout = setTimeout(() => socket.disconnect(), config.authTimeout);
  });
}

function receive(service, socket, name, event, args) {
  service.stats.messagesReceived++;
  const ack = typeof args.at(-1) === 'function' ? args.pop() : undefined;
  try {
    admit(service, socket, event);
    const answer = event.handle(service, socket, args[0]);
    ack?.(answer);
    if (!ack || event.always) socket.emit(event.reply, answer);
  } catch (thrown) {
    service.stats.errors++;
    const error = EventError.from(thrown).toWire();
    if (error.code === 'internal') console.error(thrown);
    if (ack) ack({ success: false, error });
    else socket.emit('error', error.message, { ...error, event: name });
  }
}

// Pings have their own limit, so that a client that has used up its events can still check its connection.
function admit(service, socket, event) {
  const { session } = socket.data;
  const subject = session ? `user:${session.userId}` : `socket:${socket.id}`;
  const allowed = event.ownLimit ? service.pings.allow(socket.id) : service.userEvents.allow(subject);
  if (!allowed) throw new EventError('rate_limited', 'Rate limit exceeded');
  if (!session && !event.open) throw new EventError('unauthenticated', 'Unauthorized');
}
