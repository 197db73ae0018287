// Connecting, upgrading, losing a connection and reconnecting.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CLIENTS, EACH_TRANSPORT } from '../harness/client.js';
import { soon } from '../harness/expect.js';
import { eachClient, eachTarget } from '../harness/matrix.js';
import { TestServer } from '../harness/server.js';
import { sign } from '../harness/tokens.js';

const RECONNECT = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };

eachClient('upgrade', {}, (world) => {
  it('to WebSocket succeeds, and events continue', async (t) => {
    const client = world.open(t, { token: sign({ userId: world.name('user') }) });
    await client.connected();
    if (client.transport === 'polling') await client.upgraded();
    assert.equal(client.transport, 'websocket');
    const { id } = client;
    await client.ask('join-room', world.name('room'));
    assert.equal(client.id, id);
  });
}, CLIENTS.filter(({ upgrades }) => upgrades));

eachClient('reconnection', {}, (world) => {
  it('after a lost connection the user is back with another socket id', async (t) => {
    const roomId = world.name('room');
    const watcher = await world.user(t);
    await watcher.ask('join-room', roomId);
    const client = await world.user(t, undefined, {}, RECONNECT);
    await client.ask('join-room', roomId);
    const before = client.id;

    client.breakConnection();
    assert.notEqual(await client.disconnected(), 'io server disconnect');
    assert.equal((await watcher.next('user-left')).userId, client.userId);
    await client.connected();
    assert.notEqual(client.id, before);
    assert.equal((await client.next('authenticated')).socketId, client.id);
    await client.ask('join-room', roomId);
    assert.equal((await watcher.take(2, 'user-joined'))[1].userId, client.userId);
  });

  it('a client that disconnects and reconnects is a new device of its user', async (t) => {
    const client = await world.user(t);
    const transportClosed = soon(client.socket.io.engine, 'close'); // client 3.x does not reopen before this
    client.close();
    assert.equal(await client.disconnected(), 'io client disconnect');
    await transportClosed;
    client.socket.connect();
    await client.connected();
    await client.next('authenticated');
    assert.equal((await client.ask('join-room', world.name('room'))).total, 1);
  });

  it('events emitted while disconnected are sent after reconnecting', async (t) => {
    const client = await world.user(t, undefined, {}, RECONNECT);
    client.breakConnection();
    await client.disconnected();
    const roomId = world.name('room');
    assert.equal((await client.ask('join-room', roomId)).roomId, roomId);
  });
});

eachClient('a server that is restarted', {}, (world) => {
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    it(`after ${signal}: clients reconnect to the next one`, async (t) => {
      const server = await TestServer.start(world.target);
      t.after(() => server.stop());
      const client = await world.user(t, undefined, {}, { url: server.url, ...RECONNECT });
      const end = await server.stop(signal);
      if (signal === 'SIGTERM') assert.deepStrictEqual(end, { code: 0, signal: null });
      assert.notEqual(await client.disconnected(), 'io server disconnect');

      const next = await TestServer.start(world.target, { HTTP_PORT: server.port });
      t.after(() => next.stop());
      await client.connected();
      await client.next('authenticated');
      await client.ask('join-room', world.name('room'));
    });
  }
}, EACH_TRANSPORT);

eachTarget('a connection', {}, (world) => {
  it('has the heartbeat that the server announces', async (t) => {
    const server = await world.ownServer(t, { WS_PING_INTERVAL: '100', WS_PING_TIMEOUT: '2000' });
    const client = await world.user(t, undefined, {}, { url: server.url });
    for (let beat = 0; beat < 3; beat++) await soon(client.socket.io, 'ping');
    assert.deepStrictEqual(await client.unread('disconnect'), []);
  });

  it('is refused in a namespace that does not exist', async (t) => {
    const client = world.open(t, undefined, { url: `${world.server.url}/nowhere` });
    assert.equal((await client.refused()).message, 'Invalid namespace');
  });

  it('stays open if another namespace is refused', async (t) => {
    const client = await world.user(t);
    const other = client.socket.io.socket('/nowhere');
    await soon(other, 'connect_error');
    await client.ask('join-room', world.name('room'));
  });
});
