// Tests of the program: SERVER_URL is server.mjs, or main.go on one library or the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client, connected, others } from './client.mjs';

const url = process.env.SERVER_URL;
const open = (...args) => connected(url, ...args);
const sorted = (list) => [...list].sort();

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
  test(`events and acknowledgements over ${transports}`, async () => {
    const c = await open('/', { transports });
    const args = [1, 2.5, 'text ☕ 😀', true, null, [1, ['a']], { a: { b: [] }, 'ü': '' }];
    c.emit('echo', ...args);
    assert.deepEqual(await c.next('echo-back'), args);
    c.emit('echo');
    assert.deepEqual(await c.next('echo-back'), []);
    assert.deepEqual(await c.ask('ack', ...args), args);
    assert.deepEqual(await c.ask('ack'), []);
    assert.deepEqual(await c.ask('kinds', 1, 'x', false, null, [], {}, Buffer.from('b')),
      [['number', 'string', 'boolean', 'null', 'array', 'object', 'binary']]);
  });

  test(`binary over ${transports}`, async () => {
    const c = await open('/', { transports });
    const b = Buffer.from([0, 255, 10, 13]);
    c.emit('binary', b);
    assert.deepEqual(await c.next('binary-back'), [{ inside: b, size: 4 }, b, Buffer.from([1, 2]), 'text']);
    assert.deepEqual(await c.next('binary-in-struct'), [{ inside: [b] }]);
    assert.deepEqual(await c.ask('ack', { deep: [b, { b }] }, b), [{ deep: [b, { b }] }, b]);
  });
}

test('an upgrade from polling', async () => {
  const c = await open('/', { transports: ['polling', 'websocket'] });
  assert.deepEqual(await c.next('upgraded'), ['websocket']);
  assert.equal((await c.ask('handshake'))[0].transport, 'websocket');
});

test('structs and maps are encoded as by encoding/json', async () => {
  const c = await open();
  c.emit('struct');
  assert.deepEqual(await c.next('struct-back'), [{ name: 'a<b>&c', ratio: 0.5, tags: ['x'], at: '1970-01-01T00:00:01.5Z' }, { n: 1 }]);
});

test('events of a client arrive in order', async () => {
  const c = await open();
  for (let i = 0; i < 500; i++) c.emit('echo', i);
  for (let i = 0; i < 500; i++) assert.deepEqual(await c.next('echo-back'), [i]);
});

test('the server asks', async () => {
  const c = await open();
  c.on('question', (v, ack) => ack(v + 1, Buffer.from([v])));
  assert.deepEqual(await c.ask('ask', 5), [6, Buffer.from([5])]);
  assert.equal((await c.ask('ask-with-ack', 6))[0], 7);
  assert.equal((await c.ask('ask-and-wait', 7))[0], 8);
});

test('an acknowledgement that does not come', async () => {
  const c = await open();
  assert.deepEqual(await c.ask('ask-in-vain'), [true]);
});

for (const event of ['ask-in-order', 'roll-in-order']) {
  test(`${event}: what is emitted behind an event with an acknowledgement arrives behind it`, async () => {
    const c = await open();
    c.emit(event);
    for (let i = 0; i < 40; i++) assert.equal((await c.next('step'))[0], i);
  });
}

test('send, volatile and reserved names', async () => {
  const c = await open();
  c.emit('send', 'a', 1);
  assert.deepEqual(await c.next('message'), ['a', 1]);
  c.emit('volatile', 'v');
  assert.deepEqual(await c.next('said'), ['v']);
  assert.deepEqual(await c.ask('reserved'), [true]);
});

test('the handshake', async () => {
  const c = await open('/', { query: { x: 'a b' }, auth: { token: 't', list: [1] }, extraHeaders: { 'X-Test': 'yes', 'User-Agent': 'agent' } });
  const [h] = await c.ask('handshake');
  assert.match(h.address, /127\.0\.0\.1$/);
  delete h.address;
  assert.deepEqual(h, {
    query: 'a b', header: 'yes', auth: { token: 't', list: [1] }, secure: false, path: true, recent: true, transport: 'websocket',
    agent: 'agent', recovered: false,
  });
});

test('middleware refuses with data', async () => {
  const c = client(url, '/', { auth: { refuse: 'because' } });
  const [err] = await c.next('connect_error');
  assert.equal(err.message, 'because');
  assert.deepEqual(err.data, { code: 7 });
});

test('allowRequest refuses', async () => {
  const answer = await fetch(`${url}/socket.io/?EIO=4&transport=polling&forbid=1`);
  assert.equal(answer.status, 403);
  assert.deepEqual(await answer.json(), { code: 4, message: 'go away' });
});

test('CORS headers', async () => {
  const answer = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { Origin: 'http://a.example' } });
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  assert.equal(answer.headers.get('access-control-allow-credentials'), 'true');
});

test('namespaces', async () => {
  const refused = client(url, '/chat');
  const [err] = await refused.next('connect_error');
  assert.equal(err.message, 'not allowed');
  const a = await open('/chat', { auth: { token: 'secret' } });
  const b = await open('/chat', { auth: { token: 'secret' } });
  const root = await open();
  assert.deepEqual(await a.next('welcome'), ['/chat']);
  a.emit('say', 'hi', { n: 1 });
  assert.deepEqual(await b.next('said'), ['hi', { n: 1 }]);
  await root.settled();
  assert.equal(root.count('said'), 0);
  const missing = client(url, '/missing');
  assert.equal((await missing.next('connect_error'))[0].message, 'Invalid namespace');
});

test('namespaces of a pattern', async () => {
  const one = await open('/dynamic-1');
  const one2 = await open('/dynamic-1');
  const two = await open('/dynamic-2');
  assert.deepEqual(await one.next('welcome'), ['/dynamic-1']);
  assert.deepEqual(await two.next('welcome'), ['/dynamic-2']);
  one.emit('say', 'in one');
  assert.deepEqual(await one2.next('said'), ['in one']);
  assert.deepEqual(await one.next('said'), ['in one']);
  one.emit('say-to-all', 'in all');
  for (const c of [one, one2, two]) assert.deepEqual(await c.next('said'), ['in all']);
  assert.equal((await client(url, '/dynamic-x').next('connect_error'))[0].message, 'Invalid namespace');
  for (const c of [one, one2]) c.disconnect(); // the namespace goes, and comes again
  assert.deepEqual(await (await open('/dynamic-1')).next('welcome'), ['/dynamic-1']);
});

test('a namespace that a function admits', async () => {
  assert.deepEqual(await (await open('/by-function', { auth: { open: true } })).next('welcome'), ['/by-function']);
  assert.equal((await client(url, '/by-function-x', { auth: { open: true } }).next('connect_error'))[0].message, 'Invalid namespace');
});

test('several namespaces over one connection', async () => {
  const root = await open('/', { forceNew: false, auth: { token: 'secret' } });
  const chat = await open('/chat', { forceNew: false, auth: { token: 'secret' } });
  assert.equal(root.io, chat.io);
  chat.disconnect();
  await root.settled();
  assert.ok(root.connected);
});

test('rooms', async () => {
  const c = await open();
  assert.deepEqual(await c.ask('join', 'a', 'b'), [sorted([c.id, 'a', 'b', 'early'])]);
  assert.deepEqual(await c.ask('leave', 'a'), [sorted([c.id, 'b', 'early'])]);
  assert.deepEqual(await c.ask('rooms'), [true, true]);
});

/** Three clients: one in a, one in b, one in both. */
async function crowd(...names) {
  const list = await Promise.all([open('/', { query: { name: 'ana', x: 1 } }), open('/', { query: { name: 'bo' } }), open('/', { query: { name: 'cy' } })]);
  const [a, b] = names;
  await Promise.all([list[0].ask('join', a), list[1].ask('join', b), list[2].ask('join', a, b)]);
  return list;
}

/** What each of the clients got as "said" since the last call. */
async function said(...clients) {
  await Promise.all(clients.map((c) => c.settled()));
  return Promise.all(clients.map(async (c) => {
    const got = [];
    while (c.count('said') > 0) got.push((await c.next('said'))[0]);
    return got.join();
  }));
}

test('broadcasts', async () => {
  const [a, b, c] = await crowd('r1', 'r2');
  const emit = async (...args) => {
    a.emit(...args);
    await a.settled();
    return said(a, b, c);
  };
  assert.deepEqual(await emit('to', 'r1', 1), ['', '', '1']);
  assert.deepEqual(await emit('to', b.id, 2), ['', '2', '']);
  assert.deepEqual(await emit('broadcast', 3), ['', '3', '3']);
  assert.deepEqual(await emit('except', 'r2', 4), ['', '', '']);
  assert.deepEqual(await emit('io', 5), ['5', '5', '5']);
  assert.deepEqual(await emit('io-to', 'r1', 'r2', 6), ['6', '6', '6']);
  assert.deepEqual(await emit('io-except', 'r1', 'r2', 7), ['7', '', '']);
  assert.deepEqual(await emit('io-local', 8), ['8', '8', '8']);
  assert.deepEqual(await emit('io', Buffer.from('9')), ['9', '9', '9']);
});

test('acknowledgements of a broadcast', async () => {
  const [a, b, c] = await crowd('r3', 'r4');
  for (const [s, name] of [[a, 'ana'], [c, 'cy']]) s.on('name?', (ack) => ack(name));
  assert.deepEqual(await a.ask('roll-call', 'r3', 5000), [['ana', 'cy'], true]);
  assert.deepEqual(await a.ask('roll-call', 'r4', 100), [['cy'], false]);
  assert.deepEqual(await a.ask('roll-call', 'nobody', 5000), [[], true]);
  b.disconnect();
});

test('fetchSockets', async () => {
  const [a, b, c] = await crowd('r5', 'r6');
  const [list, ok] = await b.ask('fetch', 'r5');
  assert.ok(ok);
  assert.deepEqual(list, sorted([a.id, c.id]).map((id) => (id === a.id
    ? { id, rooms: sorted([id, 'r5', 'early']), data: { name: 'ana' }, query: '1', header: null }
    : { id, rooms: sorted([id, 'r5', 'r6', 'early']), data: { name: 'cy' }, query: null, header: null })));
  assert.deepEqual(await b.ask('remote', 'r5', 'emit', 'hi'), [2]);
  assert.deepEqual(await said(a, b, c), ['hi', '', 'hi']);
  await b.ask('remote', 'r5', 'join', 'r7');
  assert.equal((await b.ask('fetch', 'r7'))[0].length, 2);
  await b.ask('remote', 'r6', 'leave', 'r7');
  assert.equal((await b.ask('fetch', 'r7'))[0].length, 1);
  await b.ask('remote', 'r7', 'disconnect', null);
  assert.equal((await a.next('disconnect'))[0], 'io server disconnect');
});

test('socketsJoin, socketsLeave and disconnectSockets', async () => {
  const [a, b, c] = await crowd('r8', 'r9');
  b.emit('sockets-join', 'r8', 'r10');
  assert.equal((await b.ask('fetch', 'r10'))[0].length, 2);
  b.emit('sockets-leave', 'r9', 'r10');
  assert.equal((await b.ask('fetch', 'r10'))[0].length, 1);
  b.emit('disconnect-sockets', 'r10', false);
  assert.equal((await a.next('disconnect'))[0], 'io server disconnect');
  b.emit('disconnect-sockets', c.id, true);
  await c.next('disconnect');
  await b.settled();
});

test('middleware of a socket', async () => {
  const c = await open();
  c.emit('forbidden');
  assert.deepEqual(await c.next('problem'), ['forbidden event']);
  c.emit('swallowed');
  assert.deepEqual(await said(c), ['']);
});

test('onAny and onAnyOutgoing', async () => {
  const c = await open();
  const other = await open();
  await c.ask('observe');
  c.emit('echo', 1);
  c.emit('forbidden');
  c.emit('nobody listens');
  await c.next('problem');
  other.emit('broadcast', 'x');
  await c.next('said');
  const [came, sent] = await c.ask('observed');
  assert.deepEqual(came, ['echo', 'forbidden', 'nobody listens', 'observed']);
  assert.deepEqual(sent.filter((name) => !others.includes(name)), ['echo-back', 'problem', 'said']);
  c.emit('echo', 2);
  await c.next('echo-back');
  assert.deepEqual((await c.ask('observed'))[0].length, 4);
});

test('once and off', async () => {
  const c = await open();
  c.emit('once');
  c.emit('once');
  assert.deepEqual(await said(c), ['once']);
  c.emit('on-off');
  assert.deepEqual(await c.ask('off'), [true, 0]);
  c.emit('on-off');
  assert.deepEqual(await said(c), ['again']);
});

test('disconnects', async () => {
  const watcher = await open();
  const from = async (socket, event) => {
    for (;;) {
      const args = await watcher.next(event);
      if (args[0] === socket.was) return args.slice(1);
    }
  };
  for (const [act, reason, options, clientReason] of [
    [(c) => c.disconnect(), 'client namespace disconnect'],
    [(c) => c.emit('hang-up', false), 'server namespace disconnect', {}, 'io server disconnect'],
    [(c) => c.emit('hang-up', true), 'server namespace disconnect', {}, 'io server disconnect'],
    [(c) => c.io.engine.close(), 'transport close'],
    [(c) => c.io.engine.close(), 'transport close', { transports: ['polling'] }],
  ]) {
    const c = await open('/', options);
    c.was = c.id;
    await c.ask('ack'); // the listeners of "connection" have returned: they listen to the connection's close
    act(c);
    assert.deepEqual(await from(c, 'leaving'), [reason, true], reason);
    assert.deepEqual(await from(c, 'left'), [reason, 0, false], reason);
    if (reason === 'transport close') assert.deepEqual(await from(c, 'closed'), [reason]);
    if (clientReason) assert.equal((await c.next('disconnect'))[0], clientReason);
  }
});
