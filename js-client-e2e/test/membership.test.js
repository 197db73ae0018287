// Membership and presence belong to users, not devices; ids may be numbers.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EACH_TRANSPORT } from '../harness/client.js';
import { equalWithTimestamp } from '../harness/expect.js';
import { eachClient, eachTarget } from '../harness/matrix.js';

eachClient('membership', {}, (world) => {
  it('presence is announced once per user', async (t) => {
    const roomId = world.name('room');
    const watcher = await world.user(t);
    await watcher.ask('join-room', roomId);
    const phone = await world.user(t);
    const laptop = await world.user(t, phone.userId);

    await phone.ask('join-room', roomId);
    const { total } = await laptop.ask('join-room', roomId);
    assert.equal(total, 2);
    await watcher.next('user-joined');
    await watcher.next('user-presence');
    assert.deepStrictEqual(await watcher.unread('user-joined', 'user-presence'), []);
    assert.deepStrictEqual(await phone.unread('user-joined', 'user-presence'), []);

    await phone.ask('leave-room', roomId);
    assert.deepStrictEqual(await watcher.unread('user-left', 'user-presence'), []);
    laptop.close();
    equalWithTimestamp(await watcher.next('user-left'), { userId: phone.userId, roomId });
    equalWithTimestamp(await watcher.next('user-presence'), { userId: phone.userId, roomId, status: 'offline' });
    assert.deepStrictEqual(await watcher.unread('user-left', 'user-presence'), []);
  });

  it('joining or leaving twice succeeds and is announced once', async (t) => {
    const roomId = world.name('room');
    const watcher = await world.user(t);
    const client = await world.user(t);
    await watcher.ask('join-room', roomId);
    for (let i = 0; i < 2; i++) assert.equal((await client.ask('join-room', roomId)).total, 2);
    for (let i = 0; i < 2; i++) await client.ask('leave-room', { roomId });
    for (const event of ['user-joined', 'user-left']) await watcher.next(event);
    assert.equal((await watcher.take(2, 'user-presence')).length, 2);
    assert.deepStrictEqual(await watcher.unread('user-joined', 'user-left', 'user-presence'), []);
  });

  it('a member may publish from a device that has not joined, which receives no updates', async (t) => {
    const roomId = world.name('room');
    const inside = await world.user(t);
    const outside = await world.user(t, inside.userId);
    await inside.ask('join-room', roomId);
    await outside.ask('publish-update', { roomId, type: 'X', payload: 1 });
    assert.equal((await inside.next('update')).payload, 1);
    assert.deepStrictEqual(await outside.unread('update'), []);
  });

  it('42 and "42" name the same room and user; events contain the value that was sent', async (t) => {
    const number = Number(world.name('7').replace('-', '00'));
    const numeric = await world.user(t, number);
    const textual = await world.user(t, String(number));
    const other = await world.user(t);

    assert.strictEqual((await numeric.ask('join-room', number)).roomId, number);
    const joined = await other.ask('join-room', { roomId: String(number) });
    assert.strictEqual(joined.roomId, String(number));
    assert.deepStrictEqual(joined.users.sort(), [number, other.userId].sort());
    await textual.ask('join-room', number);
    assert.deepStrictEqual(await other.unread('user-joined'), []);

    await numeric.ask('publish-update', { roomId: number, type: 'X' });
    const update = await other.next('update');
    assert.strictEqual(update.roomId, number);
    assert.strictEqual(update.from, number);

    await textual.ask('leave-room', String(number));
    assert.deepStrictEqual(await other.unread('user-left'), []);
    await numeric.ask('leave-room', { roomId: number });
    equalWithTimestamp(await other.next('user-left'), { userId: number, roomId: number });

    const { delivered } = await other.ask('publish-notification', { targetUserId: number, type: 'INFO', title: 'x' });
    assert.equal(delivered, true);
    for (const device of [numeric, textual]) assert.strictEqual((await device.next('notification')).from, other.userId);
  });

  it('no update of the room arrives after room-left', async (t) => {
    const roomId = world.name('room');
    const publisher = await world.user(t);
    const leaver = await world.user(t);
    for (const member of [publisher, leaver]) await member.ask('join-room', roomId);
    const order = [];
    leaver.socket.onAny((event) => order.push(event));
    for (let i = 0; i < 200; i++) {
      publisher.emit('publish-update', { roomId, type: 'X', payload: i });
      if (i === 100) leaver.emit('leave-room', roomId);
    }
    await publisher.take(200, 'update-published');
    await leaver.unread();
    const left = order.indexOf('room-left');
    assert.ok(left >= 0, 'room-left arrived');
    assert.deepStrictEqual(order.slice(left).filter((event) => event === 'update'), []);
  });

  it('a member that has left may not publish', async (t) => {
    const roomId = world.name('room');
    const client = await world.user(t);
    await client.ask('join-room', roomId);
    await client.ask('leave-room', roomId);
    const { error } = await client.request('publish-update', { roomId, type: 'X' });
    assert.deepStrictEqual(error, { code: 'unauthorized', message: 'Unauthorized', reason: 'not_a_member' });
  });
}, EACH_TRANSPORT);

eachTarget('rooms above WS_PRESENCE_MAX', { WS_PRESENCE_MAX: '2' }, (world) => {
  it('get no announcements of joins', async (t) => {
    const roomId = world.name('room');
    const first = await world.user(t);
    await first.ask('join-room', roomId);
    const second = await world.user(t);
    await second.ask('join-room', roomId);
    assert.equal((await first.next('user-joined')).userId, second.userId);

    const third = await world.user(t);
    assert.equal((await third.ask('join-room', roomId)).total, 3);
    assert.deepStrictEqual(await first.unread('user-joined'), []);
    assert.deepStrictEqual(await second.unread('user-joined', 'user-presence'), []);
  });
});
