// Compression of WebSocket messages (permessage-deflate). The official client offers it in Node and in browsers.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLIENTS } from '../harness/client.js';
import { eachClient, eachTarget } from '../harness/matrix.js';

const orders = Array.from({ length: 120 }, (_, i) => ({ id: i, status: 'completed', at: '2024-12-20T15:30:00.000Z', total: i * 7919 }));
const size = JSON.stringify(orders).length; // some 9 KB

const webSocketOnly = CLIENTS.filter(({ transports }) => transports.join() === 'websocket');
const withWebSocket = CLIENTS.filter(({ transports }) => transports.includes('websocket'));

/** The network's socket under a client, and the extensions of the WebSocket. */
const wire = (client) => {
  const { _socket, extensions } = client.socket.io.engine.transport.ws;
  return { bytesRead: _socket.bytesRead, bytesWritten: _socket.bytesWritten, extensions };
};

eachClient('compression', { WS_PER_MESSAGE_DEFLATE: 'true' }, (world) => {
  it('large events arrive equal in both directions, in less than a quarter of their bytes', async (t) => {
    const roomId = world.name('room');
    const [alice, bob] = [await world.user(t), await world.user(t)];
    for (const member of [alice, bob]) {
      if (world.client.upgrades && member.transport !== 'websocket') await member.upgraded();
      await member.ask('join-room', roomId);
    }
    assert.match(wire(alice).extensions, /^permessage-deflate/);
    const before = [wire(alice), wire(bob)];
    await alice.ask('publish-update', { roomId, type: 'ORDERS', payload: orders });
    assert.deepStrictEqual((await bob.next('update')).payload, orders);
    const after = [wire(alice), wire(bob)];
    const sent = after[0].bytesWritten - before[0].bytesWritten;
    const received = after[1].bytesRead - before[1].bytesRead;
    assert.ok(sent < size / 4, `${sent} bytes were sent for ${size}`);
    assert.ok(received < size / 4, `${received} bytes were received for ${size}`);
  });

  it('short and binary events pass beside large ones', async (t) => {
    const roomId = world.name('room');
    const client = await world.user(t);
    if (world.client.upgrades && client.transport !== 'websocket') await client.upgraded();
    await client.ask('join-room', roomId);
    const payloads = ['x', orders, { data: Buffer.alloc(5000, 7) }, null, { data: Buffer.from('y'), orders }];
    for (const payload of payloads) await client.ask('publish-update', { roomId, type: 'X', payload });
    for (const payload of payloads) assert.deepStrictEqual((await client.next('update')).payload, payload);
  });
}, withWebSocket);

describe('compression that is off', () => {
  eachClient('the default', {}, (world) => {
    it('is not negotiated', async (t) => {
      assert.ok(!wire(await world.user(t)).extensions, 'no extension');
    });
  }, webSocketOnly);
});

eachTarget('a client that does not offer compression', { WS_PER_MESSAGE_DEFLATE: 'true' }, (world) => {
  it('gets none', async (t) => {
    const roomId = world.name('room');
    const [plain, other] = [await world.user(t, undefined, {}, { perMessageDeflate: false }), await world.user(t)];
    assert.ok(!wire(plain).extensions, 'no extension');
    assert.match(wire(other).extensions, /^permessage-deflate/);
    for (const member of [plain, other]) await member.ask('join-room', roomId);
    await other.ask('publish-update', { roomId, type: 'ORDERS', payload: orders });
    for (const member of [plain, other]) assert.deepStrictEqual((await member.next('update')).payload, orders);
  });
});
