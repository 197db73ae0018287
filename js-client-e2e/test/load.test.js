// Many clients, many events, order.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { eachClient } from '../harness/matrix.js';

const range = (count) => Array.from({ length: count }, (_, i) => i);

eachClient('under load', {}, (world) => {
  it('100 clients connect at once, and one update reaches them all', async (t) => {
    const roomId = world.name('room');
    const clients = await Promise.all(range(100).map(() => world.user(t)));
    await Promise.all(clients.map((client) => client.ask('join-room', roomId)));
    await clients[0].ask('publish-update', { roomId, type: 'X', payload: 'to all' });
    const updates = await Promise.all(clients.map((client) => client.next('update')));
    for (const { payload } of updates) assert.equal(payload, 'to all');
    const { users, total } = await clients[99].ask('join-room', roomId);
    assert.equal(total, 100);
    assert.deepStrictEqual(users.sort(), clients.map(({ userId }) => userId).sort());
  });

  it('a user joins and leaves 50 rooms at once', async (t) => {
    const client = await world.user(t);
    const rooms = range(50).map(() => world.name('room'));
    const joined = await Promise.all(rooms.map((roomId) => client.ask('join-room', { roomId })));
    assert.deepStrictEqual(joined.map(({ roomId }) => roomId), rooms);
    const left = await Promise.all(rooms.map((roomId) => client.ask('leave-room', { roomId })));
    assert.deepStrictEqual(left.map(({ roomId }) => roomId), rooms);
  });

  it('100 notifications to one user arrive once each', async (t) => {
    const target = await world.user(t);
    const senders = await Promise.all(range(4).map(() => world.user(t)));
    const titles = range(100).map(String);
    await Promise.all(titles.map((title, i) => {
      return senders[i % 4].ask('publish-notification', { targetUserId: target.userId, type: 'INFO', title });
    }));
    const received = await target.take(100, 'notification');
    assert.deepStrictEqual(received.map(({ title }) => title).sort(), [...titles].sort());
    assert.deepStrictEqual(await target.unread('notification'), []);
  });

  it('1,000 events arrive in the order of sending, also during an upgrade', async (t) => {
    const roomId = world.name('room');
    const [publisher, member] = await Promise.all([world.user(t), world.user(t)]);
    for (const client of [publisher, member]) await client.ask('join-room', roomId);
    for (const payload of range(1000)) publisher.emit('publish-update', { roomId, type: 'X', payload });
    for (const client of [publisher, member]) {
      const updates = await client.take(1000, 'update');
      assert.deepStrictEqual(updates.map(({ payload }) => payload), range(1000));
    }
    assert.equal((await publisher.take(1000, 'update-published')).length, 1000);
    assert.deepStrictEqual(await member.unread('update'), []);
  });
});
