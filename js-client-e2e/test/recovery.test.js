// Connection state recovery: what a client that has lost its connection finds when it is back.
import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Browser, noBrowser, servePage } from '../harness/browser.js';
import { EACH_TRANSPORT, EVERY_CLIENT } from '../harness/client.js';
import { eventually } from '../harness/expect.js';
import { eachClient, eachTarget } from '../harness/matrix.js';
import { secondsFromNow, sign } from '../harness/tokens.js';

const FOR_LONG = { WS_RECOVERY: '60000', WS_PRESENCE_GRACE: '60000' };
const CLIENTS = [...EACH_TRANSPORT, ...EVERY_CLIENT.filter(({ parser, deflate }) => parser && !deflate)];

const freshToken = (userId) => ({ token: sign({ userId }) });

/** Breaks the connection of a user's client, and waits until the server knows: `peer` sends notifications until then. */
async function lose(client, peer) {
  client.breakConnection();
  await client.disconnected();
  const probe = { targetUserId: client.userId, type: 'INFO', title: 'probe' };
  return eventually(() => peer.ask('publish-notification', probe), ({ delivered }) => !delivered);
}

/** Connects again. @returns what the client received before `connect`, without the probes */
async function comeBack(client) {
  client.socket.connect();
  await eventually(() => client.kept('connect'), ([connect]) => connect);
  const missed = [];
  for (const [event, argument] of client.kept('update', 'notification', 'user-joined', 'user-left', 'connect')) {
    if (event === 'connect') break;
    if (argument.title !== 'probe') missed.push([event, argument.payload ?? argument.title ?? argument.userId]);
    else await client.next('notification');
  }
  for (const [event] of missed) await client.next(event);
  await client.connected();
  assert.equal((await client.next('authenticated')).socketId, client.id);
  return missed;
}

/**
 * Opens two members of a new room. The client receives an event after it has joined: Node would send it what the room got
 * before, if that came after its last event.
 */
async function members(world, t, claims = {}, options = {}) {
  const roomId = world.name('room');
  const peer = await world.user(t);
  const client = await world.user(t, undefined, claims, options);
  for (const member of [peer, client]) await member.ask('join-room', roomId);
  await peer.next('user-joined');
  await peer.next('user-presence');
  await client.ask('authenticate', { token: sign({ userId: client.userId, ...claims }) });
  await client.next('authenticated');
  return { roomId, peer, client };
}

eachClient('a lost connection', FOR_LONG, (world) => {
  it('is recovered, with all that was missed, time after time', async (t) => {
    const { roomId, peer, client } = await members(world, t);
    const elsewhere = world.name('room');
    await peer.ask('join-room', elsewhere);
    const { id } = client;
    assert.equal(client.socket.recovered, false);
    const publish = async (kind) => {
      const expected = [];
      for (let i = 0; i < 10; i++) {
        const payload = kind === 'binary' ? { i, data: Buffer.from([i, 255]) } : { i, kind };
        await peer.ask('publish-update', { roomId, type: 'X', payload });
        await peer.ask('publish-update', { roomId: elsewhere, type: 'X', payload: 'not for it' });
        await peer.ask('publish-notification', { targetUserId: client.userId, type: 'INFO', title: `${kind} ${i}` });
        expected.push(['update', payload], ['notification', `${kind} ${i}`]);
      }
      return expected;
    };
    for (const kind of ['text', 'nothing', 'nothing', 'binary']) {
      await lose(client, peer);
      const expected = kind === 'nothing' ? [] : await publish(kind);
      assert.deepStrictEqual(await comeBack(client), expected, kind);
      assert.equal(client.socket.recovered, true);
      assert.equal(client.id, id);
    }
    await peer.ask('publish-update', { roomId, type: 'X', payload: 'afterwards' });
    assert.equal((await client.next('update')).payload, 'afterwards');
    assert.deepStrictEqual(await client.unread('update', 'notification', 'authenticated', 'connect'), []);
    await client.ask('publish-update', { roomId, type: 'X', payload: 'from it' }); // it is a member
  });

  it('changes nothing for the other members, if it is short', async (t) => {
    const { roomId, peer, client } = await members(world, t);
    await lose(client, peer);
    const { users } = await peer.ask('join-room', roomId);
    assert.deepStrictEqual(users.toSorted(), [peer.userId, client.userId].toSorted());
    assert.deepStrictEqual(await comeBack(client), []);
    assert.deepStrictEqual(await peer.unread('user-left', 'user-joined', 'user-presence'), []);
  });

  it('leaves notifications pending', async (t) => {
    const { peer, client } = await members(world, t);
    await lose(client, peer);
    const notification = { targetUserId: client.userId, type: 'INFO', title: 'for later' };
    const { delivered, pending } = await peer.ask('publish-notification', notification);
    assert.deepStrictEqual({ delivered, pending }, { delivered: false, pending: true });
    assert.deepStrictEqual(await comeBack(client), [['notification', 'for later']]);
    const now = await peer.ask('publish-notification', notification);
    assert.deepStrictEqual([now.delivered, now.pending], [true, undefined]);
    assert.equal((await client.next('notification')).title, 'for later');
    assert.deepStrictEqual(await client.unread('notification'), []);
  });

  it('is not recovered after disconnect()', async (t) => {
    const { roomId, peer, client } = await members(world, t);
    const { id } = client;
    client.socket.disconnect();
    assert.equal(await client.disconnected(), 'io client disconnect');
    await peer.next('user-left');
    await peer.ask('publish-update', { roomId, type: 'X', payload: 'missed' });
    const { delivered, pending } = await peer.ask('publish-notification', { targetUserId: client.userId, type: 'INFO', title: 'missed' });
    assert.deepStrictEqual([delivered, pending], [false, undefined]);
    assert.deepStrictEqual(await comeBack(client), []);
    assert.equal(client.socket.recovered, false);
    assert.notEqual(client.id, id);
    await peer.ask('publish-update', { roomId, type: 'X', payload: 'missed' });
    assert.deepStrictEqual(await client.unread('update', 'notification'), []);
  });

  it('is recovered with another token of the user', async (t) => {
    const { roomId, peer, client } = await members(world, t);
    const { id } = client;
    await lose(client, peer);
    await peer.ask('publish-update', { roomId, type: 'X', payload: 'missed' });
    client.socket.auth = { token: sign({ userId: client.userId, role: 'admin' }) };
    assert.deepStrictEqual(await comeBack(client), [['update', 'missed']]);
    assert.equal(client.id, id);
    await client.ask('publish-update', { roomId: world.name('room'), type: 'X' }); // as an admin may
  });

  it('is not recovered in rooms that the next token does not allow', async (t) => {
    const { roomId, peer, client } = await members(world, t);
    await lose(client, peer);
    client.socket.auth = { token: sign({ userId: client.userId, rooms: ['other'] }) };
    await comeBack(client);
    await peer.next('user-left');
    await peer.ask('publish-update', { roomId, type: 'X', payload: 'not for it' });
    assert.deepStrictEqual(await client.unread('update'), []);
    const { error } = await client.request('publish-update', { roomId, type: 'X' });
    assert.equal(error.code, 'unauthorized');
  });

  it('is recovered later if the token has expired', async (t) => {
    const { roomId, peer, client } = await members(world, t);
    const { id } = client;
    await lose(client, peer);
    client.socket.auth = { token: sign({ userId: client.userId, exp: secondsFromNow(-3600) }) };
    client.socket.connect();
    assert.deepStrictEqual((await client.refused()).data, { code: 'token_expired' });
    await peer.ask('publish-update', { roomId, type: 'X', payload: 'missed' });
    client.socket.auth = freshToken(client.userId);
    assert.deepStrictEqual(await comeBack(client), [['update', 'missed']]);
    assert.equal(client.id, id);
  });

  // Node sends what was missed before it calls the middleware, so its service must refuse the client.
  it('is another socket for another user', async (t) => {
    const { roomId, peer, client } = await members(world, t);
    const { id } = client;
    await lose(client, peer);
    client.socket.auth = freshToken(world.name('another'));
    if (world.target === 'reference') {
      client.socket.connect();
      await client.refused();
      return;
    }
    await peer.ask('publish-update', { roomId, type: 'X', payload: 'not for it' });
    assert.deepStrictEqual(await comeBack(client), []);
    assert.equal(client.socket.recovered, false);
    assert.notEqual(client.id, id);
    await peer.ask('publish-update', { roomId, type: 'X', payload: 'not for it' });
    assert.deepStrictEqual(await client.unread('update'), []);
  });

  it('is recovered by the client itself, with the token that its auth function gives', async (t) => {
    const options = { reconnection: true, reconnectionDelay: 500, randomizationFactor: 0 };
    const { roomId, peer, client } = await members(world, t, {}, options);
    const { id } = client;
    client.socket.auth = (callback) => callback(freshToken(client.userId));
    client.breakConnection();
    await client.disconnected();
    for (let i = 0; i < 5; i++) await peer.ask('publish-update', { roomId, type: 'X', payload: i });
    await client.connected();
    assert.deepStrictEqual((await client.take(5, 'update')).map(({ payload }) => payload), [0, 1, 2, 3, 4]);
    assert.deepStrictEqual([client.socket.recovered, client.id], [true, id]);
  });
}, CLIENTS);

eachClient('a user that is away for longer', { WS_RECOVERY: '60000', WS_PRESENCE_GRACE: '200' }, (world) => {
  it('leaves its rooms, is back in them when it is recovered, and missed its own absence', async (t) => {
    const { roomId, peer, client } = await members(world, t);
    for (let i = 0; i < 2; i++) {
      await lose(client, peer);
      assert.equal((await peer.next('user-left')).userId, client.userId);
      const { users } = await peer.ask('join-room', roomId);
      assert.deepStrictEqual(users, [peer.userId]);
      await peer.ask('publish-update', { roomId, type: 'X', payload: 'missed' });
      assert.deepStrictEqual(await comeBack(client), [['update', 'missed']]);
      assert.equal((await peer.next('user-joined')).userId, client.userId);
      assert.equal(client.socket.recovered, true);
    }
    const statuses = (await peer.take(4, 'user-presence')).map(({ status }) => status);
    assert.deepStrictEqual(statuses, ['offline', 'online', 'offline', 'online']);
    assert.deepStrictEqual(await peer.unread('user-left', 'user-joined', 'user-presence'), []);
    assert.deepStrictEqual(await client.unread('user-left', 'user-joined', 'user-presence', 'update'), []);
  });

  it('is present as long as another device is', async (t) => {
    const { roomId, peer, client } = await members(world, t);
    const other = await world.user(t, client.userId);
    await other.ask('join-room', roomId);
    client.breakConnection();
    await client.disconnected();
    await delay(500);
    assert.deepStrictEqual(await peer.unread('user-left', 'user-joined', 'user-presence'), []);
    client.socket.connect();
    await client.connected();
    assert.equal(client.socket.recovered, true);
    other.close();
    await other.disconnected();
    assert.deepStrictEqual(await peer.unread('user-left', 'user-joined', 'user-presence'), []);
  });
}, EACH_TRANSPORT);

eachTarget('a user that is away for too long', { WS_RECOVERY: '500', WS_PRESENCE_GRACE: '100' }, (world) => {
  it('is another socket, without rooms', async (t) => {
    const { roomId, peer, client } = await members(world, t);
    const { id } = client;
    await lose(client, peer);
    const probe = { targetUserId: client.userId, type: 'INFO', title: 'probe' };
    await eventually(() => peer.ask('publish-notification', probe), ({ pending }) => !pending);
    assert.deepStrictEqual(await comeBack(client), []);
    assert.equal(client.socket.recovered, false);
    assert.notEqual(client.id, id);
    await peer.ask('publish-update', { roomId, type: 'X', payload: 'not for it' });
    assert.deepStrictEqual(await client.unread('update', 'notification'), []);
  });
});

// Tokens are valid until 30 s after exp, so these expire in 2 to 3 s.
eachTarget('a connection that ends with its token', FOR_LONG, (world) => {
  it('is recovered with a fresh one', async (t) => {
    const roomId = world.name('room');
    const peer = await world.user(t);
    const client = await world.user(t, undefined, { exp: secondsFromNow(-27) });
    for (const member of [client, peer]) await member.ask('join-room', roomId);
    const { id } = client;
    await client.next('user-joined');
    await client.arguments('error');
    await client.disconnected();
    await peer.ask('publish-update', { roomId, type: 'X', payload: 'missed' });
    client.socket.auth = freshToken(client.userId);
    assert.deepStrictEqual(await comeBack(client), [['update', 'missed']]);
    assert.equal(client.id, id);
  });
});

eachTarget('a client without a user', { ...FOR_LONG, WS_AUTH_TIMEOUT: '1500' }, (world) => {
  const disconnections = async () => (await (await world.server.get('/api/ws/stats')).json()).disconnections;

  // It has received no event, so it has no offset. Node does not recover it.
  it('is recovered, on Puente, though it has received nothing', async (t) => {
    const before = await disconnections();
    const client = await world.open(t).connected();
    const { id } = client;
    client.breakConnection();
    await client.disconnected();
    await eventually(disconnections, (n) => n > before);
    client.socket.connect();
    await client.connected();
    assert.equal(client.socket.recovered, world.target !== 'reference');
    assert.equal(client.id === id, world.target !== 'reference');
  });

  it('is not recovered after the server has disconnected it', async (t) => {
    const client = await world.open(t).connected();
    const { id } = client;
    client.emit('ping');
    await client.next('pong'); // and the offset
    assert.equal(await client.disconnected(), 'io server disconnect');
    client.socket.connect();
    await client.connected();
    assert.equal(client.socket.recovered, false);
    assert.notEqual(client.id, id);
  });

  it('keeps the user that it has become', async (t) => {
    const userId = world.name('user');
    const roomId = world.name('room');
    const peer = await world.user(t);
    const client = Object.assign(await world.open(t).connected(), { userId });
    await client.ask('authenticate', freshToken(userId));
    for (const member of [client, peer]) await member.ask('join-room', roomId);
    await client.next('authenticated');
    await client.next('user-joined');
    await lose(client, peer);
    await peer.ask('publish-update', { roomId, type: 'X', payload: 'missed' });
    assert.deepStrictEqual(await comeBack(client), [['update', 'missed']]);
    assert.equal(client.socket.recovered, true);
  });
});

const page = await servePage();
after(() => page.close());

eachTarget('a lost connection of a browser', { ...FOR_LONG, WS_CORS_ORIGINS: page.origin }, (world) => {
  it('is recovered, twice', { skip: noBrowser, timeout: 30_000 }, async (t) => {
    const browser = await Browser.launch();
    t.after(() => browser.close());
    const tab = await browser.visit(t, page.origin);
    await tab.addScriptTag({ url: `${world.server.url}/socket.io/socket.io.js` });
    const roomId = world.name('room');
    const userId = world.name('user');
    const id = await tab.evaluate(join, { url: world.server.url, auth: freshToken(userId), roomId });
    const peer = await world.user(t);
    await peer.ask('join-room', roomId);
    const expected = [];
    for (let i = 0; i < 2; i++) {
      await tab.evaluate(() => void window.socket.io.engine.close());
      for (let n = 0; n < 20; n++) {
        const payload = `${i} ${n}`;
        await peer.ask('publish-update', { roomId, type: 'X', payload });
        expected.push(payload);
      }
      assert.deepStrictEqual(await tab.evaluate(connectAgain), { id, recovered: true, updates: expected });
    }
  });
});

// These run in the page.

function join({ url, auth, roomId }) {
  window.updates = [];
  window.socket = io(url, { auth, transports: ['websocket'], reconnection: false });
  window.socket.on('update', ({ payload }) => window.updates.push(payload));
  return window.socket.emitWithAck('join-room', { roomId }).then(() => window.socket.id);
}

/** @returns what there is when the client is connected: what was missed has come before */
function connectAgain() {
  const { socket, updates } = window;
  return new Promise((resolve) => {
    socket.once('connect', () => resolve({ id: socket.id, recovered: socket.recovered, updates }));
    socket.connect();
  });
}
