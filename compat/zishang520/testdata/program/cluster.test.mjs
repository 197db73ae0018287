// Tests of two servers of one cluster, SERVER_URL and OTHER_URL.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { connected, others } from './client.mjs';

const urls = [process.env.SERVER_URL, process.env.OTHER_URL];

// A server accepts clients before Redis has confirmed its subscriptions.
before(async () => {
  for (const u of urls) {
    const c = await connected(u);
    while ((await c.ask('server-side-ack', 'x'))[0].length !== 1);
  }
});

test('broadcasts reach the clients of both servers', async () => {
  const [a, b] = await Promise.all(urls.map((u) => connected(u)));
  await Promise.all([a, b].map((c) => c.ask('join', 'r')));
  a.emit('to', 'r', { n: 1, b: Buffer.from('x') });
  assert.deepEqual(await b.next('said'), [{ n: 1, b: Buffer.from('x') }]);
  b.emit('io', 'all');
  for (const c of [a, b]) assert.deepEqual(await c.next('said'), ['all']);
  b.emit('io-local', 'local');
  assert.deepEqual(await b.next('said'), ['local']);
  a.emit('io', 'last');
  assert.deepEqual(await a.next('said'), ['last']);
});

test('acknowledgements of both servers', async () => {
  const clients = await Promise.all(urls.map((u) => connected(u)));
  await Promise.all(clients.map((c) => c.ask('join', 'r2')));
  clients.forEach((c, i) => c.on('name?', (ack) => ack(`c${i}`)));
  assert.deepEqual(await clients[0].ask('roll-call', 'r2', 5000), [['c0', 'c1'], true]);
});

test('fetchSockets of both servers', async () => {
  const clients = await Promise.all(urls.map((u, i) => connected(u, '/', { query: { name: `c${i}`, x: i }, extraHeaders: { 'X-Test': 'h' } })));
  await Promise.all(clients.map((c) => c.ask('join', 'r3')));
  const [list, ok] = await clients[0].ask('fetch', 'r3');
  assert.ok(ok);
  assert.deepEqual(list.map((s) => [s.data, s.query, s.header]).sort(), [[{ name: 'c0' }, '0', 'h'], [{ name: 'c1' }, '1', 'h']]);
  await clients[0].ask('remote', clients[1].id, 'emit', 'over there');
  assert.deepEqual(await clients[1].next('said'), ['over there']);
  clients[0].emit('disconnect-sockets', clients[1].id, false);
  assert.equal((await clients[1].next('disconnect'))[0], 'io server disconnect');
});

test('onAnyOutgoing sees broadcasts of the other server', async () => {
  const [a, b] = await Promise.all(urls.map((u) => connected(u)));
  await a.ask('observe');
  b.emit('io', 'x');
  await a.next('said');
  const [, sent] = await a.ask('observed');
  assert.deepEqual(sent.filter((name) => !others.includes(name)), ['said']);
});

test('serverSideEmit', async () => {
  const [a, b] = await Promise.all(urls.map((u) => connected(u)));
  a.emit('server-side', 1, { a: ['x'] });
  assert.deepEqual(await b.next('hello-from-other'), [1, { a: ['x'] }]);
  for (let i = 0; i < 50; i++) a.emit('server-side', i);
  for (let i = 0; i < 50; i++) assert.deepEqual(await b.next('hello-from-other'), [i]);
  assert.equal(a.count('hello-from-other'), 0);
  assert.deepEqual(await a.ask('server-side-ack', 'x'), [['x of 1'], true]);
});
