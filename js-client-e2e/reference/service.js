import { Directory } from './directory.js';
import { unauthorized, authenticationFailed } from './errors.js';
import { RateLimit } from './ratelimit.js';
import { verifyToken } from './tokens.js';
import { key } from './validation.js';

const USERS_SHOWN = 1000; // names in an answer to join-room; `total` counts all
const LONGEST_TIMER = 2 ** 31 - 1; // setTimeout fires at once if the delay is longer

// The reasons for which Socket.IO keeps a socket's session.
const RECOVERABLE = new Set([
  'transport error', 'transport close', 'forced close', 'ping timeout', 'server shutting down', 'forced server close',
]);

export const now = () => new Date().toISOString();

// The room names that backends with @socket.io/redis-emitter publish to.
const userRoom = (userId) => `user:${userId}`;
const room = (roomId) => `room:${roomId}`;

/**
 * The documented service: users, rooms, notifications, updates. An authenticated socket has its session in
 * `socket.data.session`: the token's claims, the rooms that it joined and the timer of the token's expiry.
 */
export class Service {
  directory = new Directory();
  away = new Directory(); // the users whose clients may come back
  stats = { connections: 0, disconnections: 0, messagesPublished: 0, messagesReceived: 0, errors: 0 };

  /**
   * @param {import('socket.io').Server} io
   * @param {ReturnType<import('./config.js').readConfig>} config
   */
  constructor(io, config) {
    this.io = io;
    this.config = config;
    this.userEvents = new RateLimit(config.rateLimit, config.rateWindow);
    this.pings = new RateLimit(config.rateLimit, config.rateWindow);
  }

  verify(token) {
    return verifyToken(token, this.config.tokens);
  }

  /** A socket keeps its user: the token of another user is refused. */
  checkUser(socket, claims) {
    const { session } = socket.data;
    if (session && key(session.userId) !== key(claims.userId)) throw authenticationFailed('user_mismatch');
  }

  /**
   * Registers the socket to the user of a verified token, or renews the token of a socket that has a user. When the token
   * expires, the transport is closed, so that the client reconnects and calls its `auth` function for a fresh token; after
   * a DISCONNECT it would do neither.
   */
  authenticate(socket, claims) {
    const previous = socket.data.session;
    this.checkUser(socket, claims);
    clearTimeout(previous?.expiry);
    clearTimeout(socket.data.authTimeout);
    socket.data.session = {
      ...claims,
      userId: previous?.userId ?? claims.userId,
      joined: previous?.joined ?? new Map(),
      expiry: setTimeout(() => this.#expire(socket), Math.min(claims.endsAt - Date.now(), LONGEST_TIMER)),
    };
    if (!previous) {
      this.directory.register(claims.userId, socket.id);
      socket.join(userRoom(claims.userId));
    }
    for (const roomId of [...socket.data.session.joined.values()]) {
      if (!mayJoin(socket, roomId)) socket.emit('room-left', this.leaveRoom(socket, roomId));
    }
    return { success: true, userId: socket.data.session.userId, socketId: socket.id, timestamp: now() };
  }

  #expire(socket) {
    // The token is still valid if its lifetime exceeds LONGEST_TIMER.
    if (this.config.ignoreExpiry || socket.data.session.endsAt > Date.now()) return;
    const error = authenticationFailed('token_expired').toWire();
    socket.emit('error', error.message, { ...error, event: 'authenticate' });
    socket.conn.close(); // after queued packets
  }

  joinRoom(socket, roomId) {
    const { userId, joined } = socket.data.session;
    if (!mayJoin(socket, roomId)) throw unauthorized('room_not_allowed');
    if (!joined.has(key(roomId))) {
      joined.set(key(roomId), roomId);
      socket.join(room(roomId));
      if (this.directory.join(roomId, userId, socket.id)) this.#announce(socket, roomId, 'user-joined', 'online');
    }
    const users = this.directory.usersIn(roomId);
    return { success: true, roomId, users: users.slice(0, USERS_SHOWN), total: users.length, timestamp: now() };
  }

  leaveRoom(socket, roomId) {
    const { userId, joined } = socket.data.session;
    if (joined.delete(key(roomId))) {
      socket.leave(room(roomId));
      if (this.directory.leave(roomId, userId, socket.id)) this.#announce(socket, roomId, 'user-left', 'offline');
    }
    return { success: true, roomId, timestamp: now() };
  }

  // Announcing each of n users to n others takes n² packets, so large rooms get no announcements.
  #announce(socket, roomId, event, status) {
    if (this.directory.usersIn(roomId).length > this.config.presenceMax) return;
    const { userId } = socket.data.session;
    const others = socket.to(room(roomId));
    others.emit(event, { userId, roomId, timestamp: now() });
    others.emit('user-presence', { userId, roomId, status, timestamp: now() });
  }

  publishNotification(socket, { targetUserId, ...notification }) {
    const { userId, admin } = socket.data.session;
    if (this.config.notifyPolicy === 'admin' && !admin) throw unauthorized('admin_only');
    this.stats.messagesPublished++;
    this.io.to(userRoom(targetUserId)).emit('notification', { ...notification, from: userId, timestamp: now() });
    const delivered = this.directory.isConnected(targetUserId);
    const pending = !delivered && this.away.isConnected(targetUserId);
    return { success: true, delivered, ...(pending && { pending }), timestamp: now() };
  }

  publishUpdate(socket, { roomId, ...update }) {
    const { userId, admin } = socket.data.session;
    const member = this.directory.isMember(roomId, userId) && mayJoin(socket, roomId);
    if (!admin && !member) throw unauthorized('not_a_member');
    this.stats.messagesPublished++;
    this.io.to(room(roomId)).emit('update', { roomId, ...update, from: userId, timestamp: now() });
    return { success: true, roomId, timestamp: now() };
  }

  /** Ends the socket's session. Called while the socket is still in its rooms. */
  disconnecting(socket, reason) {
    clearTimeout(socket.data.authTimeout);
    const { session } = socket.data;
    if (!session) return;
    clearTimeout(session.expiry);
    if (this.config.recovery && RECOVERABLE.has(reason)) return this.#goAway(socket);
    for (const roomId of [...session.joined.values()]) this.leaveRoom(socket, roomId);
    this.directory.unregister(session.userId, socket.id);
  }

  // The socket keeps its rooms, in which its user is present for a while.
  #goAway(socket) {
    const { session } = socket.data;
    const { userId, joined } = session;
    this.directory.unregister(userId, socket.id);
    this.away.register(userId, socket.id);
    session.grace = setTimeout(() => {
      for (const roomId of joined.values()) {
        if (this.directory.leave(roomId, userId, socket.id)) this.#announce(socket, roomId, 'user-left', 'offline');
      }
    }, this.config.presenceGrace);
    session.window = setTimeout(() => this.away.unregister(userId, socket.id), this.config.recovery);
  }

  /** Makes the session of a recovered socket that of a connected one. */
  back(socket) {
    const { session } = socket.data;
    if (!session) return;
    const { userId, joined } = session;
    for (const timer of [session.grace, session.window]) clearTimeout(timer);
    this.away.unregister(userId, socket.id);
    this.directory.register(userId, socket.id);
    for (const roomId of joined.values()) {
      if (this.directory.join(roomId, userId, socket.id)) this.#announce(socket, roomId, 'user-joined', 'online');
    }
  }
}

const mayJoin = ({ data: { session: { rooms } } }, roomId) => rooms === undefined || admits(rooms, key(roomId));

/** Reports whether a pattern matches the name; `*` matches any characters, including none. */
function admits(patterns, name) {
  return patterns.some((pattern) => {
    const parts = String(pattern).split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`, 'su').test(name);
  });
}
