// The documented events on a socket.io Server, for the Node and the Bun peer. It imports nothing, so that each peer
// uses its own packages.

const number = (name, fallback) => Number(process.env[name] ?? fallback);

/** Fixed-window limit per key. */
class RateLimit {
  constructor(limit, windowMs) {
    this.limit = limit;
    this.windowMs = windowMs;
    this.windows = new Map();
  }

  allow(key) {
    if (this.limit === 0) return true;
    const now = Date.now();
    let w = this.windows.get(key);
    if (w === undefined || now >= w.ends) {
      w = { count: 0, ends: now + this.windowMs };
      this.windows.set(key, w);
    }
    return ++w.count <= this.limit;
  }
}

const now = () => new Date().toISOString();
const isId = (v) => (typeof v === "string" && v.length >= 1 && v.length <= 256) || Number.isSafeInteger(v);
const idOf = (arg) => (arg !== null && typeof arg === "object" ? arg.roomId : arg);

/**
 * Serves the events.
 * @param io the socket.io Server
 * @param verify (token) => claims; throws if the token is not valid
 */
export function attach(io, verify) {
  const limit = new RateLimit(number("WS_RATE_LIMIT", 100), number("WS_RATE_WINDOW", 60000));
  const presenceMax = number("WS_PRESENCE_MAX", 1000);
  const users = new Map(); // user -> number of sockets
  const rooms = new Map(); // room -> Map(user -> number of sockets)

  io.use((socket, next) => {
    try {
      const claims = verify(socket.handshake.auth.token ?? socket.handshake.query.token); // the second of clients of protocol 3
      socket.data.user = claims.userId ?? claims.sub;
      next();
    } catch {
      const err = new Error("Authentication failed");
      err.data = { code: "token_invalid" };
      next(err);
    }
  });

  const leave = (socket, user, id) => {
    const members = rooms.get(`room:${id}`);
    const devices = members?.get(user);
    if (devices === undefined) return;
    if (devices > 1) {
      members.set(user, devices - 1);
      return;
    }
    members.delete(user);
    if (members.size === 0) rooms.delete(`room:${id}`);
    else if (members.size <= presenceMax) {
      const event = { userId: user, roomId: id, timestamp: now() };
      socket.to(`room:${id}`).emit("user-left", event);
      socket.to(`room:${id}`).emit("user-presence", { userId: user, roomId: id, status: "offline", timestamp: event.timestamp });
    }
  };

  io.on("connection", (socket) => {
    const user = socket.data.user;
    const joined = new Map(); // room -> id as the client sent it
    users.set(user, (users.get(user) ?? 0) + 1);
    socket.join(`user:${user}`);
    socket.emit("authenticated", { success: true, userId: user, socketId: socket.id, timestamp: now() });

    // on handles an event, and answers with its ack, or with the reply event if the client passed none.
    const on = (name, reply, handle) =>
      socket.on(name, (arg, ack) => {
        let value;
        if (!limit.allow(user)) value = { success: false, error: { code: "rate_limited", message: "Rate limit exceeded" } };
        else value = handle(arg);
        if (typeof ack === "function") ack(value);
        else if (value.success) socket.emit(reply, value);
        else socket.emit("error", value.error.message, { ...value.error, event: name });
      });
    const refuse = (code, message) => ({ success: false, error: { code, message } });

    socket.on("ping", (ack) => {
      if (!limit.allow(socket.id)) return;
      const value = { timestamp: now() };
      socket.emit("pong", value);
      if (typeof ack === "function") ack(value);
    });

    on("join-room", "room-joined", (arg) => {
      const id = idOf(arg);
      if (!isId(id)) return refuse("invalid", "roomId must be 1 to 256 characters");
      const room = `room:${id}`;
      let members = rooms.get(room);
      if (members === undefined) rooms.set(room, (members = new Map()));
      const timestamp = now();
      if (!joined.has(room)) {
        joined.set(room, id);
        const devices = members.get(user) ?? 0;
        members.set(user, devices + 1);
        socket.join(room);
        if (devices === 0 && members.size > 1 && members.size <= presenceMax) {
          socket.to(room).emit("user-joined", { userId: user, roomId: id, timestamp });
          socket.to(room).emit("user-presence", { userId: user, roomId: id, status: "online", timestamp });
        }
      }
      const names = [];
      for (const name of members.keys()) if (names.push(name) === 1000) break;
      return { success: true, roomId: id, users: names, total: members.size, timestamp };
    });

    on("leave-room", "room-left", (arg) => {
      const id = idOf(arg);
      if (!isId(id)) return refuse("invalid", "roomId must be 1 to 256 characters");
      const room = `room:${id}`;
      if (joined.delete(room)) {
        socket.leave(room);
        leave(socket, user, id);
      }
      return { success: true, roomId: id, timestamp: now() };
    });

    on("publish-update", "update-published", (arg) => {
      if (arg === null || typeof arg !== "object" || !isId(arg.roomId)) return refuse("invalid", "roomId must be 1 to 256 characters");
      if (typeof arg.type !== "string" || arg.type.length < 1 || arg.type.length > 256) return refuse("invalid", "type must be 1 to 256 characters");
      const room = `room:${arg.roomId}`;
      if (!rooms.get(room)?.has(user)) return refuse("unauthorized", "Unauthorized");
      const timestamp = now();
      io.to(room).emit("update", { roomId: arg.roomId, type: arg.type, payload: arg.payload ?? null, from: user, timestamp });
      return { success: true, roomId: arg.roomId, timestamp };
    });

    socket.on("disconnect", () => {
      const devices = users.get(user);
      if (devices > 1) users.set(user, devices - 1);
      else users.delete(user);
      for (const id of joined.values()) leave(socket, user, id);
    });
  });
}
