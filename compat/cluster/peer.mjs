// The Node side of the mixed clusters: servers with the official adapters, the
// official emitter, and the clients of Node and Puente servers.
//
// Each line on standard input is a command {do, ...} and is answered, in order,
// with a line {result} or {error}. Binary values are {"$bin": hex}.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { Emitter } from "@socket.io/redis-emitter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io as connect } from "socket.io-client";

const servers = {};
const emitters = {};
const clients = {};
const waitTimeout = 20_000;

const unpack = (v) => {
  if (Array.isArray(v)) return v.map(unpack);
  if (v === null || typeof v !== "object") return v;
  if (typeof v.$bin === "string") return Buffer.from(v.$bin, "hex");
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, unpack(x)]));
};
const pack = (v) => {
  if (Array.isArray(v)) return v.map(pack);
  if (v === null || typeof v !== "object") return v;
  if (ArrayBuffer.isView(v) || v instanceof ArrayBuffer) return { $bin: Buffer.from(v).toString("hex") };
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, pack(x)]));
};

async function redis(url) {
  const client = createClient({ url });
  client.on("error", () => {});
  await client.connect();
  return client;
}

const adapters = {
  classic: (pub, sub, key) => createAdapter(pub, sub, { key }),
  "classic specific": (pub, sub, key) => createAdapter(pub, sub, { key, publishOnSpecificResponseChannel: true }),
  static: (pub, sub, key) => createShardedAdapter(pub, sub, { channelPrefix: key, subscriptionMode: "static" }),
  dynamic: (pub, sub, key) => createShardedAdapter(pub, sub, { channelPrefix: key }),
  "dynamic-private": (pub, sub, key) =>
    createShardedAdapter(pub, sub, { channelPrefix: key, subscriptionMode: "dynamic-private" }),
};

function serve(io, name) {
  for (const nsp of [io.of("/"), io.of("/chat")]) {
    nsp.on("connection", (socket) => {
      socket.data.of = socket.handshake.auth.name;
      socket.on("join", (rooms, done) => (socket.join(rooms), done()));
      socket.on("leave", (room, done) => (socket.leave(room), done()));
      // The two lines that the migration guide adds to a Node server.
      socket.on("iam", (userId, done) => {
        socket.join(`user:${userId}`);
        socket.data.userId = userId;
        done();
      });
      socket.on("rooms", (done) => done([...socket.rooms].filter((r) => r !== socket.id).sort()));
    });
    nsp.received = [];
    nsp.on("note", (...args) => nsp.received.push(pack(args)));
    nsp.on("question", (arg, done) => done({ from: name, arg }));
  }
}

// select returns the target of an operation: a server's namespace or an emitter.
function select(c) {
  let to = (servers[c.server] ?? emitters[c.server]).of(c.nsp || "/");
  if (c.rooms?.length) to = to.to(c.rooms);
  if (c.except?.length) to = to.except(c.except);
  for (const flag of c.flags ?? []) to = flag === "volatile" ? to.volatile : to.compress(false);
  return to;
}

async function until(what, cond) {
  for (const end = Date.now() + waitTimeout; !cond(); await new Promise((r) => setTimeout(r, 5))) {
    if (Date.now() > end) throw new Error(`timed out: ${what()}`);
  }
}

const commands = {
  async server({ name, redis: url, key, adapter }) {
    const [pub, sub] = [await redis(url), await redis(url)];
    const http = createServer();
    const io = new Server(http, { adapter: adapters[adapter](pub, sub, key) });
    serve(io, name);
    servers[name] = io;
    io.redis = [pub, sub];
    await new Promise((done) => http.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${http.address().port}`;
  },
  async emitter({ name, redis: url, key }) {
    const client = await redis(url);
    emitters[name] = new Emitter(client, { key });
    emitters[name].redis = client;
  },
  async stop({ names }) {
    for (const name of names) {
      clients[name]?.disconnect();
      await servers[name]?.close();
      for (const c of servers[name]?.redis ?? []) await c.close();
      await emitters[name]?.redis.close();
      delete clients[name], delete servers[name], delete emitters[name];
    }
  },
  async client({ name, url, nsp, rooms, token }) {
    const auth = { name, token };
    const c = connect(url + (nsp || ""), { transports: ["websocket"], forceNew: true, reconnection: false, auth });
    c.got = [];
    c.onAny((event, ...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
      c.got.push([event, ...args]);
      if (!event.includes("silent")) ack?.({ from: name, bin: Buffer.from([1, 255]) });
    });
    clients[name] = c;
    await new Promise((done, fail) => (c.on("connect", done), c.on("connect_error", fail)));
    if (rooms) await c.timeout(waitTimeout).emitWithAck("join", rooms);
    return c.id;
  },
  // got waits until a client has n events of that name, and returns all of them.
  async got({ name, event, n = 0 }) {
    const list = () => clients[name].got.filter((e) => e[0] === event);
    await until(() => `${name} has ${n} times ${event}: ${JSON.stringify(list())}`, () => list().length >= n);
    return list().map((e) => pack(e.slice(1)));
  },
  has: ({ name, event }) => clients[name].got.some((e) => e[0] === event),
  ask: ({ name, event, args }) => clients[name].timeout(waitTimeout).emitWithAck(event, ...(args ?? [])),
  gone: ({ name }) => until(() => `${name} is disconnected`, () => !clients[name].connected),
  notes: async ({ server, nsp, n }) => {
    const { received } = servers[server].of(nsp || "/");
    await until(() => `${n} notes: ${JSON.stringify(received)}`, () => received.length >= n);
    return received;
  },

  // write sends encoded packets and attachments, without the client's encoder.
  write: ({ name, args }) => unpack(args).forEach((message) => clients[name].io.engine.write(message)),
  emit: (c) => void select(c).emit(c.event, ...unpack(c.args ?? [])),
  emitWithAck: async (c) => {
    try {
      return await select(c).timeout(c.timeout).emitWithAck(c.event, ...unpack(c.args ?? []));
    } catch (e) {
      return { timeout: true, answers: e.responses };
    }
  },
  fetchSockets: async (c) =>
    (await select(c).fetchSockets()).map(({ id, rooms, data, handshake }) => ({
      id,
      rooms: [...rooms].filter((r) => r !== id).sort(),
      data,
      auth: handshake.auth,
      keys: Object.keys(handshake).sort(),
    })),
  socketsJoin: (c) => void select(c).socketsJoin(c.args),
  socketsLeave: (c) => void select(c).socketsLeave(c.args),
  disconnectSockets: (c) => void select(c).disconnectSockets(true),
  serverSideEmit: (c) => void select(c).serverSideEmit(c.event, ...unpack(c.args)),
  serverSideEmitWithAck: (c) => select(c).serverSideEmitWithAck(c.event, ...unpack(c.args)),
  serverCount: (c) => servers[c.server].of("/").adapter.serverCount(),
  allRooms: async (c) => [...(await servers[c.server].of("/").adapter.allRooms())].filter((r) => r.length !== 20).sort(),
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const c = JSON.parse(line);
    answer = { result: pack((await commands[c.do](c)) ?? null) };
  } catch (e) {
    answer = { error: String(e.stack ?? e) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit(0);
