// Authorization (contract, section 3) and rate limits.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EACH_TRANSPORT } from '../harness/client.js';
import { equalWithTimestamp, eventually } from '../harness/expect.js';
import { eachClient, eachTarget } from '../harness/matrix.js';
import { sign } from '../harness/tokens.js';

const unauthorized = (reason) => ({ success: false, error: { code: 'unauthorized', message: 'Unauthorized', reason } });
const NOT_A_MEMBER = unauthorized('not_a_member');
const NOT_ALLOWED = unauthorized('room_not_allowed');
const ADMIN_ONLY = unauthorized('admin_only');
const RATE_LIMITED = { success: false, error: { code: 'rate_limited', message: 'Rate limit exceeded' } };

eachTarget('the claim rooms', {}, (world) => {
  it('lists the rooms that a user may join', async (t) => {
    const client = await world.user(t, undefined, { rooms: ['lobby', 'order-*', 'a.c', '42'] });
    for (const roomId of ['lobby', 'order-1', 'order-1-2', 'a.c', 42, '42']) await client.ask('join-room', { roomId });
    for (const roomId of ['other', 'lobby2', 'my-order-1', 'Lobby', 'abc', 421]) {
      assert.deepStrictEqual(await client.request('join-room', roomId), NOT_ALLOWED, String(roomId));
    }
  });

  it('may be a single name', async (t) => {
    const client = await world.user(t, undefined, { rooms: 'order-*' });
    await client.ask('join-room', 'order-');
    assert.deepStrictEqual(await client.request('join-room', 'lobby'), NOT_ALLOWED);
  });

  it('may be empty or null, which allows no room', async (t) => {
    for (const rooms of [[], null]) {
      const client = await world.user(t, undefined, { rooms });
      for (const roomId of ['lobby', 'null']) assert.deepStrictEqual(await client.request('join-room', roomId), NOT_ALLOWED);
    }
  });

  it('in a fresh token ends the memberships that it does not cover', async (t) => {
    const [kept, ended] = [world.name('kept'), world.name('ended')];
    const watcher = await world.user(t);
    const client = await world.user(t);
    for (const user of [watcher, client]) for (const roomId of [kept, ended]) await user.ask('join-room', roomId);
    await client.ask('authenticate', { token: sign({ userId: client.userId, rooms: ['kept*', kept] }) });
    equalWithTimestamp(await client.next('room-left'), { success: true, roomId: ended });
    equalWithTimestamp(await watcher.next('user-left'), { userId: client.userId, roomId: ended });
    for (const roomId of [ended, kept]) await watcher.ask('publish-update', { roomId, type: 'X' });
    assert.equal((await client.next('update')).roomId, kept);
    assert.deepStrictEqual(await client.request('publish-update', { roomId: ended, type: 'X' }), NOT_A_MEMBER);
    assert.deepStrictEqual(await client.unread('update', 'room-left'), []);
  });

  it('applies to the socket, whatever the user\'s other devices may do', async (t) => {
    const roomId = world.name('room');
    const wide = await world.user(t);
    await wide.ask('join-room', roomId);
    const narrow = await world.user(t, wide.userId, { rooms: [] });
    assert.deepStrictEqual(await narrow.request('publish-update', { roomId, type: 'X' }), NOT_A_MEMBER);
    assert.deepStrictEqual(await wide.unread('update'), []);
  });

  it('a refused join has no effect in the room', async (t) => {
    const roomId = world.name('secret');
    const member = await world.user(t);
    await member.ask('join-room', roomId);
    const outsider = await world.user(t, undefined, { rooms: ['lobby'] });
    outsider.emit('join-room', { roomId });
    assert.deepStrictEqual(await outsider.arguments('error'), ['Unauthorized', { ...NOT_ALLOWED.error, event: 'join-room' }]);
    await member.ask('publish-update', { roomId, type: 'X' });
    assert.deepStrictEqual(await outsider.unread('update'), []);
    assert.deepStrictEqual(await member.unread('user-joined', 'user-presence'), []);
  });
});

eachTarget('updates', {}, (world) => {
  for (const [what, claims] of Object.entries({
    'role': { role: 'admin' }, 'roles': { roles: ['editor', 'admin'] }, 'a single roles': { roles: 'admin' },
  })) {
    it(`may be published from outside the room by an admin: ${what}`, async (t) => {
      const roomId = world.name('room');
      const member = await world.user(t);
      await member.ask('join-room', roomId);
      const admin = await world.user(t, undefined, claims);
      await admin.ask('publish-update', { roomId, type: 'X', payload: 'from outside' });
      assert.equal((await member.next('update')).payload, 'from outside');
      assert.deepStrictEqual(await admin.unread('update'), []);
    });
  }

  for (const claims of [{ role: 'administrator' }, { roles: ['editor'] }, { role: ['x'] }, { admin: true }]) {
    it(`may not be published from outside the room with ${JSON.stringify(claims)}`, async (t) => {
      const client = await world.user(t, undefined, claims);
      assert.deepStrictEqual(await client.request('publish-update', { roomId: 'elsewhere', type: 'X' }), NOT_A_MEMBER);
    });
  }
});

eachTarget('notifications under WS_NOTIFY_POLICY=admin', { WS_NOTIFY_POLICY: 'admin' }, (world) => {
  it('can be sent by admins only', async (t) => {
    const target = await world.user(t);
    const admin = await world.user(t, undefined, { role: 'admin' });
    const notification = { targetUserId: target.userId, type: 'INFO', title: 'x' };
    assert.deepStrictEqual(await target.request('publish-notification', notification), ADMIN_ONLY);
    await admin.ask('publish-notification', notification);
    assert.equal((await target.next('notification')).from, admin.userId);
    assert.deepStrictEqual(await target.unread('notification'), []);
  });
});

eachClient('rate limit', { WS_RATE_LIMIT: '5' }, (world) => {
  it('counts the events of a user over all its sockets', async (t) => {
    const phone = await world.user(t);
    const laptop = await world.user(t, phone.userId);
    const roomId = world.name('room');
    for (const device of [phone, laptop, phone, laptop, phone]) await device.ask('join-room', roomId);
    for (const device of [phone, laptop]) {
      assert.deepStrictEqual(await device.request('join-room', roomId), RATE_LIMITED);
      device.emit('leave-room', roomId);
      assert.deepStrictEqual(await device.arguments('error'), ['Rate limit exceeded', { ...RATE_LIMITED.error, event: 'leave-room' }]);
    }
    const other = await world.user(t);
    assert.equal((await other.ask('join-room', roomId)).total, 2);
  });

  it('counts pings separately', async (t) => {
    const client = await world.user(t);
    for (let i = 0; i < 5; i++) await client.ask('join-room', 'x');
    assert.deepStrictEqual(await client.request('join-room', 'x'), RATE_LIMITED);
    assert.ok((await client.request('ping')).timestamp);
  });

  it('is per socket before authentication', async (t) => {
    const [guesser, other] = [await world.open(t).connected(), await world.open(t).connected()];
    for (let i = 0; i < 5; i++) {
      assert.equal((await guesser.request('authenticate', { token: 'guess' })).error.code, 'unauthenticated');
    }
    assert.deepStrictEqual(await guesser.request('authenticate', { token: 'guess' }), RATE_LIMITED);
    assert.equal((await other.request('authenticate', { token: 'guess' })).error.code, 'unauthenticated');
  });
}, EACH_TRANSPORT);

eachTarget('rate limit, after its window', { WS_RATE_LIMIT: '3', WS_RATE_WINDOW: '500' }, (world) => {
  it('allows the user\'s events again', async (t) => {
    const client = await world.user(t);
    // Quick events reach the limit, unless the machine is so slow that the window ends first.
    let answer;
    do answer = await client.request('join-room', 'x');
    while (answer.success);
    assert.deepStrictEqual(answer, RATE_LIMITED);
    await eventually(() => client.request('join-room', 'x'), ({ success }) => success);
  });
});
