// What main.go beside it does, on Node.
import { createServer } from 'node:http';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http, {
  cors: { origin: '*', credentials: true },
  cleanupEmptyChildNamespaces: true,
  allowRequest: (req, fn) => {
    const forbidden = new URL(req.url, 'http://x').searchParams.has('forbid');
    fn(forbidden ? 'go away' : null, !forbidden);
  },
});
if (process.env.REDIS_URL) {
  const pub = createClient({ url: process.env.REDIS_URL });
  const sub = pub.duplicate();
  for (const client of [pub, sub]) client.on('error', (err) => console.error(err));
  await Promise.all([pub.connect(), sub.connect()]);
  io.adapter(process.env.SHARDED ? createShardedAdapter(pub, sub) : createAdapter(pub, sub));
}

io.use((socket, next) => {
  socket.data = { name: socket.handshake.query.name ?? null };
  socket.join('early');
  next();
});
io.use((socket, next) => {
  setImmediate(() => {
    const reason = socket.handshake.auth.refuse;
    next(reason === undefined ? undefined : Object.assign(new Error(reason), { data: { code: 7 } }));
  });
});

const sorted = (set) => [...set].sort();
const kind = (v) => (v === null ? 'null' : Buffer.isBuffer(v) ? 'binary' : Array.isArray(v) ? 'array' : typeof v);

io.on('connection', (socket) => {
  socket.conn.on('upgrade', () => socket.emit('upgraded', socket.conn.transport.name));
  socket.conn.once('close', (reason) => io.emit('closed', socket.id, reason));
  socket.on('echo', (...args) => socket.emit('echo-back', ...args));
  socket.on('ack', (...args) => {
    const ack = args.pop();
    ack(...args);
    ack('a second acknowledgement is ignored');
  });
  socket.on('kinds', (...args) => args.pop()(args.map(kind)));
  socket.on('binary', (b) => {
    socket.emit('binary-back', { inside: b, size: b.length }, b, Buffer.from([1, 2]), 'text');
    socket.emit('binary-in-struct', { inside: [b] });
  });
  socket.on('struct', () => socket.emit('struct-back',
    { name: 'a<b>&c', ratio: 0.5, tags: ['x'], at: '1970-01-01T00:00:01.5Z' }, { n: 1 }));
  socket.on('ask', (v, ack) => socket.emit('question', v, (...answer) => ack(...answer)));
  socket.on('ask-with-ack', async (v, ack) => ack(await socket.emitWithAck('question', v)));
  socket.on('ask-and-wait', async (v, ack) => ack(await socket.timeout(5000).emitWithAck('question', v)));
  socket.on('ask-in-vain', (ack) => socket.timeout(100).emit('silence', (err) => ack(err !== null)));
  socket.on('ask-in-order', () => {
    for (let i = 0; i < 20; i++) {
      socket.emit('step', i * 2, () => {});
      socket.emit('step', i * 2 + 1);
    }
  });
  socket.on('roll-in-order', () => {
    for (let i = 0; i < 20; i++) {
      io.timeout(1000).emit('step', i * 2, () => {});
      io.emit('step', i * 2 + 1);
    }
  });
  socket.on('send', (...args) => socket.send(...args));
  socket.on('volatile', (...args) => socket.volatile.emit('said', ...args));
  socket.on('reserved', (ack) => {
    try {
      socket.emit('disconnect');
      ack(false);
    } catch {
      ack(true);
    }
  });
  socket.on('handshake', (ack) => {
    const h = socket.handshake;
    ack({
      query: h.query.x ?? null, header: h.headers['x-test'] ?? null, auth: h.auth, address: h.address, secure: h.secure,
      path: h.url.startsWith('/socket.io/?'), recent: Date.now() - h.issued < 60000,
      transport: socket.conn.transport.name, agent: socket.request.headers['user-agent'], recovered: socket.recovered,
    });
  });
  socket.on('hang-up', (close) => socket.disconnect(close));
  socket.on('disconnecting', (reason) => io.emit('leaving', socket.id, reason, socket.rooms.has('early')));
  socket.on('disconnect', (reason) => io.emit('left', socket.id, reason, socket.rooms.size, socket.connected));

  socket.on('join', (...args) => {
    const ack = args.pop();
    socket.join(args);
    ack(sorted(socket.rooms));
  });
  socket.on('leave', (room, ack) => {
    socket.leave(room);
    ack(sorted(socket.rooms));
  });
  socket.on('rooms', (ack) => ack(io.sockets.adapter.rooms.get('early').size > 0, io.sockets.sockets.has(socket.id)));
  socket.on('to', (room, v) => socket.to(room).emit('said', v));
  socket.on('broadcast', (...args) => socket.broadcast.emit('said', ...args));
  socket.on('except', (room, v) => socket.except(room).emit('said', v));
  socket.on('io', (...args) => io.emit('said', ...args));
  socket.on('io-to', (a, b, v) => io.to(a).to(b).emit('said', v));
  socket.on('io-except', (a, b, v) => io.to(a).except(b).emit('said', v));
  socket.on('io-local', (...args) => io.local.volatile.compress(false).emit('said', ...args));
  socket.on('roll-call', (room, wait, ack) => {
    io.in(room).timeout(wait).emit('name?', (err, answers) => ack(answers.sort(), err === null));
  });
  socket.on('fetch', async (room, ack) => {
    const list = await io.in(room).fetchSockets();
    ack(list.map((s) => ({
      id: s.id, rooms: sorted(s.rooms), data: s.data, query: s.handshake.query.x ?? null, header: s.handshake.headers['x-test'] ?? null,
    })).sort((a, b) => (a.id < b.id ? -1 : 1)), true);
  });
  socket.on('remote', async (room, what, v, ack) => {
    const list = await io.in(room).fetchSockets();
    for (const s of list) {
      if (what === 'emit') s.emit('said', v);
      if (what === 'join') s.join(v);
      if (what === 'leave') s.leave(v);
      if (what === 'disconnect') s.disconnect();
    }
    ack(list.length);
  });
  socket.on('sockets-join', (a, b) => io.in(a).socketsJoin(b));
  socket.on('sockets-leave', (a, b) => io.in(a).socketsLeave(b));
  socket.on('disconnect-sockets', (room, close) => io.in(room).disconnectSockets(close));

  socket.use(([name], next) => {
    if (name === 'forbidden') next(new Error('forbidden event'));
    else if (name !== 'swallowed') next();
  });
  socket.on('error', (err) => socket.emit('problem', err.message));
  socket.on('forbidden', () => socket.emit('said', 'must not be reached'));
  socket.on('swallowed', () => socket.emit('said', 'must not be reached'));
  const came = [];
  const went = [];
  const seen = (name) => came.push(name);
  socket.on('observe', (ack) => {
    socket.onAny(seen);
    socket.onAnyOutgoing((name) => went.push(name));
    ack();
  });
  socket.on('observed', (ack) => {
    socket.offAny(seen);
    socket.offAnyOutgoing();
    ack(came, went);
  });
  socket.once('once', () => socket.emit('said', 'once'));
  const again = () => socket.emit('said', 'again');
  socket.on('on-off', again);
  socket.on('off', (ack) => {
    socket.off('on-off', again);
    ack(true, socket.listenerCount('on-off'));
  });

  socket.on('server-side', (...args) => io.serverSideEmit('hello', ...args));
  socket.on('server-side-ack', (v, ack) => io.serverSideEmit('who', v, (err, answers) => ack(answers, err === null)));
});
io.on('hello', (...args) => io.local.emit('hello-from-other', ...args));
io.on('who', (...args) => {
  const ack = args.pop();
  ack(`${args[0]} of ${args.length}`);
});

const chat = io.of('/chat');
chat.use((socket, next) => next(socket.handshake.auth.token === 'secret' ? undefined : new Error('not allowed')));
chat.on('connection', (socket) => {
  socket.emit('welcome', socket.nsp.name);
  socket.on('say', (...args) => chat.emit('said', ...args));
});
const dynamic = io.of(/^\/dynamic-\d+$/);
dynamic.on('connection', (socket) => {
  socket.emit('welcome', socket.nsp.name);
  socket.on('say', (...args) => socket.nsp.emit('said', ...args));
  socket.on('say-to-all', (...args) => dynamic.emit('said', ...args));
});
io.of((name, auth, next) => next(null, name === '/by-function' && auth.open === true)).on('connection', (socket) => {
  socket.emit('welcome', socket.nsp.name);
});

http.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('ready'));
process.on('SIGTERM', () => io.close(() => process.exit(0)));
