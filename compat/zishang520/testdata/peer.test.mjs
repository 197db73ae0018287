// Tests of compat/peers/zishang520: the documented events that it serves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import jwt from 'jsonwebtoken';
import { client, connected } from './program/client.mjs';

const url = process.env.SERVER_URL;
const token = (userId) => jwt.sign({ userId }, process.env.JWT_SECRET);
const open = (userId, options = {}) => connected(url, '/', { auth: { token: token(userId) }, ...options });
const recent = (timestamp) => assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

/** The fields of a value without its timestamp, which is checked. */
function timeless({ timestamp, ...rest }) {
  recent(timestamp);
  return rest;
}

test('authentication', async () => {
  const c = await open('ana');
  assert.deepEqual(timeless((await c.next('authenticated'))[0]), { success: true, userId: 'ana', socketId: c.id });
  const refused = client(url, '/', { auth: { token: 'nonsense' } });
  const [err] = await refused.next('connect_error');
  assert.equal(err.message, 'Authentication failed');
  assert.deepEqual(err.data, { code: 'token_invalid' });
});

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
  test(`the documented events over ${transports}`, async () => {
    const roomId = `room-${transports}`;
    const ana = await open('ana', { transports });
    const bo = await open('bo', { transports });
    const joined = timeless((await ana.ask('join-room', { roomId }))[0]);
    assert.deepEqual(joined, { success: true, roomId, users: ['ana'], total: 1 });
    bo.emit('join-room', roomId);
    const reply = timeless((await bo.next('room-joined'))[0]);
    assert.deepEqual(reply.users.sort(), ['ana', 'bo']);
    assert.deepEqual(timeless((await ana.next('user-joined'))[0]), { userId: 'bo', roomId });
    assert.deepEqual(timeless((await ana.next('user-presence'))[0]), { userId: 'bo', roomId, status: 'online' });

    const payload = { text: 'ñ', list: [1, null], bytes: Buffer.from([0, 255]) };
    assert.deepEqual(timeless((await ana.ask('publish-update', { roomId, type: 'T', payload }))[0]), { success: true, roomId });
    for (const c of [ana, bo]) {
      assert.deepEqual(timeless((await c.next('update'))[0]), { roomId, type: 'T', payload, from: 'ana' });
    }
    bo.emit('publish-update', { roomId, type: 'T' });
    await bo.next('update-published');
    assert.deepEqual(timeless((await ana.next('update'))[0]), { roomId, type: 'T', payload: null, from: 'bo' });

    recent((await ana.ask('ping'))[0].timestamp);
    recent((await ana.next('pong'))[0].timestamp);

    assert.deepEqual(timeless((await bo.ask('leave-room', { roomId }))[0]), { success: true, roomId });
    assert.deepEqual(timeless((await ana.next('user-left'))[0]), { userId: 'bo', roomId });
    const [failed] = await bo.ask('publish-update', { roomId, type: 'T' });
    assert.deepEqual(failed, { success: false, error: { code: 'unauthorized', message: 'Unauthorized' } });
    bo.emit('join-room', {});
    assert.deepEqual((await bo.next('error'))[1].code, 'invalid');

    await bo.ask('join-room', { roomId });
    await ana.next('user-joined');
    bo.disconnect();
    assert.deepEqual(timeless((await ana.next('user-left'))[0]), { userId: 'bo', roomId });
  });
}
