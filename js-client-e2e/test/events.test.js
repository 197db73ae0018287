// The documented events (contract, section 2): answers in both forms, and their recipients.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { checkTimestamp, equalWithTimestamp } from '../harness/expect.js';
import { eachClient } from '../harness/matrix.js';
import { sign } from '../harness/tokens.js';

eachClient('documented events', {}, (world) => {
  it('authenticate answers by ack and by event', async (t) => {
    const userId = world.name('user');
    const client = await world.open(t).connected();
    const answer = await client.request('authenticate', { token: sign({ userId }), userId });
    equalWithTimestamp(answer, { success: true, userId, socketId: client.id });
    assert.deepStrictEqual(await client.next('authenticated'), answer);
  });

  it('authenticate without a callback answers by event', async (t) => {
    const userId = world.name('user');
    const client = await world.open(t).connected();
    client.emit('authenticate', { token: sign({ userId }) });
    equalWithTimestamp(await client.next('authenticated'), { success: true, userId, socketId: client.id });
  });

  it('a handshake token authenticates', async (t) => {
    const userId = world.name('user');
    const client = await world.open(t, { token: sign({ userId }) }).connected();
    equalWithTimestamp(await client.next('authenticated'), { success: true, userId, socketId: client.id });
  });

  it('join-room accepts {roomId} or the bare id, and answers only by ack', async (t) => {
    const client = await world.user(t);
    for (const form of [(roomId) => ({ roomId }), (roomId) => roomId]) {
      const roomId = world.name('room');
      const answer = await client.request('join-room', form(roomId));
      equalWithTimestamp(answer, { success: true, roomId, users: [client.userId], total: 1 });
    }
    assert.deepStrictEqual(await client.unread('room-joined', 'user-joined', 'user-presence', 'error'), []);
  });

  it('join-room without a callback answers with room-joined', async (t) => {
    const client = await world.user(t);
    for (const form of [(roomId) => ({ roomId }), (roomId) => roomId]) {
      const roomId = world.name('room');
      client.emit('join-room', form(roomId));
      equalWithTimestamp(await client.next('room-joined'), { success: true, roomId, users: [client.userId], total: 1 });
    }
  });

  it('leave-room answers in both forms', async (t) => {
    const client = await world.user(t);
    const [first, second] = [world.name('room'), world.name('room')];
    await client.ask('join-room', first);
    await client.ask('join-room', second);
    equalWithTimestamp(await client.request('leave-room', { roomId: first }), { success: true, roomId: first });
    client.emit('leave-room', second);
    equalWithTimestamp(await client.next('room-left'), { success: true, roomId: second });
    assert.deepStrictEqual(await client.unread('room-left', 'user-left', 'user-presence', 'error'), []);
  });

  it('others in the room receive joins and leaves', async (t) => {
    const roomId = world.name('room');
    const alice = await world.user(t);
    const bob = await world.user(t);
    await alice.ask('join-room', roomId);

    const { users, total } = await bob.ask('join-room', roomId);
    assert.deepStrictEqual(users.sort(), [alice.userId, bob.userId].sort());
    assert.equal(total, 2);
    equalWithTimestamp(await alice.next('user-joined'), { userId: bob.userId, roomId });
    equalWithTimestamp(await alice.next('user-presence'), { userId: bob.userId, roomId, status: 'online' });

    await bob.ask('leave-room', roomId);
    equalWithTimestamp(await alice.next('user-left'), { userId: bob.userId, roomId });
    equalWithTimestamp(await alice.next('user-presence'), { userId: bob.userId, roomId, status: 'offline' });
    assert.deepStrictEqual(await bob.unread('user-joined', 'user-left', 'user-presence'), []);
  });

  it('a user that disconnects leaves its rooms', async (t) => {
    const rooms = [world.name('room'), world.name('room')];
    const alice = await world.user(t);
    const bob = await world.user(t);
    for (const roomId of rooms) {
      await alice.ask('join-room', roomId);
      await bob.ask('join-room', roomId);
    }
    bob.close();
    const left = await alice.take(2, 'user-left');
    assert.deepStrictEqual(left.map(({ roomId }) => roomId).sort(), [...rooms].sort());
    for (const event of left) equalWithTimestamp(event, { userId: bob.userId, roomId: event.roomId });
    const offline = (await alice.take(4, 'user-presence')).filter(({ status }) => status === 'offline');
    assert.deepStrictEqual(offline.map(({ roomId }) => roomId).sort(), [...rooms].sort());
    assert.equal((await alice.ask('join-room', rooms[0])).total, 1);
  });

  it('publish-notification reaches every device of the user, and only those', async (t) => {
    const sender = await world.user(t);
    const phone = await world.user(t);
    const laptop = await world.user(t, phone.userId);
    const notification = { type: 'ALERT', title: 'Pedido', message: 'listo', payload: { orderId: 7 }, priority: 'high' };

    const answer = await sender.request('publish-notification', { targetUserId: phone.userId, ...notification });
    equalWithTimestamp(answer, { success: true, delivered: true });
    for (const device of [phone, laptop]) {
      equalWithTimestamp(await device.next('notification'), { ...notification, from: sender.userId });
    }
    assert.deepStrictEqual(await sender.unread('notification', 'notification-sent'), []);
  });

  it('publish-notification without a callback answers with notification-sent, and fills in defaults', async (t) => {
    const client = await world.user(t);
    client.emit('publish-notification', { userId: client.userId, type: 'INFO', title: 'to myself', unknown: 'ignored' });
    equalWithTimestamp(await client.next('notification'), {
      type: 'INFO', title: 'to myself', message: '', payload: null, priority: 'normal', from: client.userId,
    });
    equalWithTimestamp(await client.next('notification-sent'), { success: true, delivered: true });
  });

  it('publish-notification reports that the user has no device', async (t) => {
    const client = await world.user(t);
    const targetUserId = world.name('nobody');
    const answer = await client.request('publish-notification', { targetUserId, type: 'INFO', title: 'hello?' });
    equalWithTimestamp(answer, { success: true, delivered: false });
  });

  it('publish-update reaches the room, the publisher included', async (t) => {
    const roomId = world.name('room');
    const alice = await world.user(t);
    const bob = await world.user(t);
    const outsider = await world.user(t);
    for (const member of [alice, bob]) await member.ask('join-room', roomId);

    const answer = await alice.request('publish-update', { roomId, type: 'ORDER', payload: { status: 'done' } });
    equalWithTimestamp(answer, { success: true, roomId });
    for (const member of [alice, bob]) {
      equalWithTimestamp(await member.next('update'), { roomId, type: 'ORDER', payload: { status: 'done' }, from: alice.userId });
    }
    assert.deepStrictEqual(await alice.unread('update-published'), []);
    assert.deepStrictEqual(await outsider.unread('update', 'user-joined', 'user-presence'), []);
  });

  it('publish-update without a callback answers with update-published', async (t) => {
    const roomId = world.name('room');
    const client = await world.user(t);
    await client.ask('join-room', roomId);
    client.emit('publish-update', { roomId, type: 'EMPTY' });
    equalWithTimestamp(await client.next('update'), { roomId, type: 'EMPTY', payload: null, from: client.userId });
    equalWithTimestamp(await client.next('update-published'), { success: true, roomId });
  });

  it('ping answers by event, and by ack as well', async (t) => {
    const client = await world.open(t).connected();
    client.emit('ping');
    checkTimestamp((await client.next('pong')).timestamp);
    const answer = await client.request('ping');
    assert.deepStrictEqual(Object.keys(answer), ['timestamp']);
    checkTimestamp(answer.timestamp);
    assert.deepStrictEqual(await client.next('pong'), answer);
  });

  it('an unhandled event is not answered and does not end the connection', async (t) => {
    const client = await world.user(t);
    const answers = [];
    client.socket.emit('chat-message', { roomId: 'x', message: 'hi' }, (answer) => answers.push(answer));
    assert.deepStrictEqual(await client.unread('error', 'disconnect'), []);
    assert.deepStrictEqual(answers, []);
  });
});
