// Every kind of client, over each transport, with and without compression: what an application does with its connection.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Client, EVERY_CLIENT } from '../harness/client.js';
import { checkError, equalWithTimestamp, soon } from '../harness/expect.js';
import { eachClient } from '../harness/matrix.js';
import { TestServer } from '../harness/server.js';
import { sign } from '../harness/tokens.js';
import { BINARY, HUGE, plain, VALUES } from '../harness/values.js';

const EVERYTHING_ON = { WS_ALLOW_EIO3: 'true', WS_PER_MESSAGE_DEFLATE: 'true' };
const RECONNECT = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };
// What msgpack has and JSON has not. Puente's handlers see JSON, and pass on what JSON.stringify would have made of it.
const DATE = new Date(1700000000000);
const SAME = { big: 2 ** 53 + 2, view: { bytes: '01000102' } };
const BEYOND_JSON = {
  sent: { date: DATE, list: [undefined, NaN, Infinity], big: 2 ** 53 + 2, view: new Uint16Array([1, 513]) },
  received: {
    reference: { date: DATE, list: [undefined, NaN, Infinity], ...SAME },
    puente: { date: DATE.toJSON(), list: [null, null, null], ...SAME },
  },
};

eachClient('a client', EVERYTHING_ON, (world) => {
  /** Opens a client as an application does, and waits until its transport is the last one. */
  async function connect(t, userId = world.name('user')) {
    const client = await world.user(t, userId);
    if (client.transport !== world.client.transports.at(-1)) await client.upgraded();
    return client;
  }

  it('connects with its token', async (t) => {
    const userId = world.name('user');
    const client = world.open(t, { token: sign({ userId }) });
    await client.connected();
    equalWithTimestamp(await client.next('authenticated'), { success: true, userId, socketId: client.id });
  });

  it('is refused with a bad token', async (t) => {
    const client = world.open(t, { token: 'bad' });
    const refusal = await client.refused();
    if (world.client.protocol3) assert.equal(refusal, 'Authentication failed');
    else assert.deepStrictEqual({ message: refusal.message, data: refusal.data }, { message: 'Authentication failed', data: { code: 'token_invalid' } });
  });

  it('is refused in an unknown namespace, and stays connected to the main one', async (t) => {
    const client = await connect(t);
    const other = client.socket.io.socket('/nowhere', { query: { token: 'x' } });
    const [{ message }] = await soon(other, world.client.protocol3 ? 'error' : 'connect_error');
    assert.equal(message, 'Invalid namespace');
    await client.ask('join-room', world.name('room'));
  });

  it('receives answers by callback and by event', async (t) => {
    const client = await connect(t);
    const roomId = world.name('room');
    equalWithTimestamp(await client.request('join-room', { roomId }), { success: true, roomId, users: [client.userId], total: 1 });
    client.emit('leave-room', roomId);
    equalWithTimestamp(await client.next('room-left'), { success: true, roomId });
    const error = { code: 'invalid', message: /^roomId must be / };
    const answer = await client.request('join-room', { roomId: true });
    assert.equal(answer.success, false);
    checkError(answer.error, error);
    client.emit('join-room', { roomId: true });
    const [message, details] = await client.arguments('error');
    assert.equal(message, details.message);
    checkError(details, { ...error, event: 'join-room' });
  });

  it('sees others come, go and publish', async (t) => {
    const [alice, bob] = [await connect(t), await connect(t)];
    const roomId = world.name('room');
    await alice.ask('join-room', roomId);
    await bob.ask('join-room', roomId);
    equalWithTimestamp(await alice.next('user-joined'), { userId: bob.userId, roomId });
    equalWithTimestamp(await alice.next('user-presence'), { userId: bob.userId, roomId, status: 'online' });

    await bob.ask('publish-update', { roomId, type: 'ORDER', payload: { status: 'done' } });
    for (const member of [alice, bob]) {
      equalWithTimestamp(await member.next('update'), { roomId, type: 'ORDER', payload: { status: 'done' }, from: bob.userId });
    }
    const answer = await bob.ask('publish-notification', { targetUserId: alice.userId, type: 'ALERT', title: 'Pedido' });
    assert.equal(answer.delivered, true);
    equalWithTimestamp(await alice.next('notification'), {
      type: 'ALERT', title: 'Pedido', message: '', payload: null, priority: 'normal', from: bob.userId,
    });

    bob.close();
    equalWithTimestamp(await alice.next('user-left'), { userId: bob.userId, roomId });
    equalWithTimestamp(await alice.next('user-presence'), { userId: bob.userId, roomId, status: 'offline' });
    assert.deepStrictEqual(await alice.unread('user-joined', 'user-left', 'user-presence', 'update', 'notification', 'error'), []);
  });

  it('sends and receives JSON and bytes unchanged', async (t) => {
    const client = await connect(t);
    const roomId = world.name('room');
    await client.ask('join-room', roomId);
    const payloads = Object.entries({ ...VALUES, ...BINARY }).filter(([name]) => !world.client.parser || name !== HUGE);
    for (const [name, payload] of payloads) client.emit('publish-update', { roomId, type: name, payload });
    for (const [name, payload] of payloads) {
      const update = await client.next('update');
      assert.equal(update.type, name);
      assert.equal(JSON.stringify(plain(update.payload)), JSON.stringify(plain(payload)), name);
    }
  });

  if (world.client.parser) {
    it('sends and receives what JSON has not', async (t) => {
      const [alice, bob] = [await connect(t), await connect(t)];
      const roomId = world.name('room');
      for (const member of [alice, bob]) await member.ask('join-room', roomId);
      await alice.ask('publish-update', { roomId, type: 'MSGPACK', payload: BEYOND_JSON.sent });
      for (const member of [alice, bob]) {
        const { payload } = await member.next('update');
        assert.deepStrictEqual({ ...payload, view: plain(payload.view) }, BEYOND_JSON.received[world.target]);
      }
    });
  }

  it('is another device after its connection broke', async (t) => {
    const client = await world.user(t, undefined, {}, RECONNECT);
    const { id } = client;
    client.breakConnection();
    assert.notEqual(await client.disconnected(), 'io server disconnect');
    await client.connected();
    assert.notEqual(client.id, id);
    assert.equal((await client.next('authenticated')).socketId, client.id);
  });

  const { deflate } = world.client;
  if (deflate === undefined) return; // polling has no frames
  it(deflate ? 'compresses large messages both ways' : 'does not compress', async (t) => {
    const client = await connect(t);
    const roomId = world.name('room');
    await client.ask('join-room', roomId);
    const { ws } = client.socket.io.engine.transport;
    assert.equal(ws.extensions, deflate ? 'permessage-deflate' : '');
    const payload = 'añ日\u{1F680}'.repeat(1000);
    const size = Buffer.byteLength(payload);
    const before = { sent: ws._socket.bytesWritten, received: ws._socket.bytesRead };
    await client.ask('publish-update', { roomId, type: 'TEXT', payload });
    assert.equal((await client.next('update')).payload, payload);
    const sent = ws._socket.bytesWritten - before.sent;
    const received = ws._socket.bytesRead - before.received;
    for (const [way, bytes] of Object.entries({ sent, received })) {
      assert.ok(deflate ? bytes < size / 4 : bytes > size, `${bytes} bytes ${way} for ${size}`);
    }
  });
}, EVERY_CLIENT, true);

eachClient('a restart of the server', EVERYTHING_ON, (world) => {
  // One restart for all clients that a server can have.
  const kinds = EVERY_CLIENT.filter(({ parser }) => world.target !== 'reference' || parser === world.client.parser);
  it('brings every client back', async (t) => {
    const env = { ...EVERYTHING_ON, ...(world.target === 'reference' && world.client.parser && { REFERENCE_PARSER: world.client.parser }) };
    const server = await world.ownServer(t, env);
    const clients = await Promise.all(kinds.map((kind) => world.with(kind).user(t, undefined, {}, { url: server.url, ...RECONNECT })));
    await server.stop('SIGKILL');
    await Promise.all(clients.map((client) => client.disconnected()));
    await world.ownServer(t, { ...env, HTTP_PORT: server.port });
    await Promise.all(clients.map(async (client) => {
      await client.connected();
      await client.next('authenticated');
      await client.ask('join-room', world.name('room'));
    }));
  });
}, oneOfEachParser());

eachClient('one room', EVERYTHING_ON, (world) => {
  if (world.target === 'reference') return; // Node's server has one parser
  it('has every kind of client at once', async (t) => {
    const roomId = world.name('room');
    const clients = await Promise.all(EVERY_CLIENT.map((kind) => world.with(kind).user(t)));
    for (const client of clients) await client.ask('join-room', roomId);
    for (const [at, publisher] of clients.entries()) {
      const payload = { from: EVERY_CLIENT[at].name, text: 'añ日\u{1F680}'.repeat(500), data: Buffer.from([at, 0, 255]), parts: [null, { deeper: Buffer.alloc(2000, at) }] };
      await publisher.ask('publish-update', { roomId, type: 'MIXED', payload });
      await Promise.all(clients.map(async (member, to) => {
        const update = await member.next('update');
        assert.deepStrictEqual(plain(update.payload), plain(payload), `from ${payload.from} to ${EVERY_CLIENT[to].name}`);
        assert.equal(update.from, publisher.userId);
      }));
    }
  });
}, EVERY_CLIENT.slice(0, 1));

function oneOfEachParser() {
  return [...new Set(EVERY_CLIENT.map(({ parser }) => parser))].map((parser) => EVERY_CLIENT.find((kind) => kind.parser === parser));
}
