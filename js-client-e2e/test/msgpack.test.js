// Clients with socket.io-msgpack-parser. Node's server serves only such clients, Puente serves all kinds in one room.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { io } from 'socket.io-client';
import * as parser from 'socket.io-msgpack-parser';
import { Browser, noBrowser, servePage } from '../harness/browser.js';
import { EACH_TRANSPORT } from '../harness/client.js';
import { equalWithTimestamp } from '../harness/expect.js';
import { eachClient, eachTarget } from '../harness/matrix.js';
import { roundTrip } from '../harness/roundtrip.js';
import { sign } from '../harness/tokens.js';

const ENV = { REFERENCE_PARSER: 'socket.io-msgpack-parser' };

const packed = (client) => ({ ...client, name: `${client.name}, msgpack`, io: (url, options) => io(url, { ...options, parser }) });
const CLIENTS = EACH_TRANSPORT.map(packed);

const JSON_VALUES = {
  'null': null,
  'booleans': [true, false],
  'zero and empty values': [0, '', [], {}],
  'numbers': [-1, 0.1, 5e-324, -1e-300, 1.5e18, 127, 128, 255, 256, 65535, 65536, 2 ** 32, -32, -33, -129, -32769, -(2 ** 31) - 1],
  'integers of 64 bits': [2 ** 53 + 2, -(2 ** 40), 2 ** 63, Number.MIN_SAFE_INTEGER],
  'text of every length': ['x'.repeat(31), 'x'.repeat(32), 'ñ'.repeat(200), '日\u{1F680}'.repeat(20_000), '\u0000\u001f\u2028"\\'],
  'keys that look like protocol fields': { _placeholder: false, num: 0, type: 2, nsp: '/', data: [], id: 1 },
  'key order': { z: 1, a: { y: 1, b: 2 }, m: [3] },
  'lists and objects of every length': [Array(16).fill(1), Array(70_000).fill(null), Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i]))],
  'deep nesting': JSON.parse('['.repeat(200) + ']'.repeat(200)),
};

const file = randomBytes(3000);

/** What is binary in a received value, as Buffers. */
const bytes = (value) => (ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : Buffer.from(value));

eachClient('msgpack', ENV, (world) => {
  it('connects with a token, and is refused with the reason', async (t) => {
    const userId = world.name('user');
    const client = world.open(t, { token: sign({ userId }) });
    await client.connected();
    const { timestamp, ...authenticated } = await client.next('authenticated');
    assert.deepStrictEqual(authenticated, { success: true, userId, socketId: client.id });
    const refused = await world.open(t, { token: 'bad' }).refused();
    assert.equal(refused.message, 'Authentication failed');
    assert.deepStrictEqual(refused.data, { code: 'token_invalid' });
  });

  it('has the documented events, with and without acknowledgement', async (t) => {
    const alice = await world.user(t);
    const bob = await world.user(t);
    const roomId = 4200 + Math.floor(Math.random() * 1e9); // a number
    equalWithTimestamp(await alice.ask('join-room', { roomId }), { success: true, roomId, users: [alice.userId], total: 1 });
    bob.emit('join-room', { roomId });
    const joined = await bob.next('room-joined');
    assert.equal(joined.total, 2);
    equalWithTimestamp(await alice.next('user-joined'), { userId: bob.userId, roomId });
    equalWithTimestamp(await alice.ask('publish-update', { roomId, type: 'X' }), { success: true, roomId });
    equalWithTimestamp(await bob.next('update'), { roomId, type: 'X', payload: null, from: alice.userId });
    const sent = await alice.ask('publish-notification', { targetUserId: bob.userId, type: 'INFO', title: 'hi', payload: { n: 1 } });
    assert.equal(sent.delivered, true);
    const { timestamp, ...notification } = await bob.next('notification');
    assert.deepStrictEqual(notification, { type: 'INFO', title: 'hi', message: '', payload: { n: 1 }, priority: 'normal', from: alice.userId });
    equalWithTimestamp(await alice.ask('leave-room', { roomId }), { success: true, roomId });
    equalWithTimestamp(await bob.next('user-left'), { userId: alice.userId, roomId });
    const error = await alice.request('publish-update', { roomId, type: '' });
    assert.equal(error.error.code, 'invalid');
    bob.close();
    assert.equal(await bob.disconnected(), 'io client disconnect');
  });

  for (const [name, value] of Object.entries(JSON_VALUES)) {
    it(`JSON passes unchanged: ${name}`, async (t) => {
      for (const received of await roundTrip(world, t, value)) {
        assert.deepStrictEqual(received, value);
        assert.equal(JSON.stringify(received), JSON.stringify(value), 'keys keep their order');
      }
    });
  }

  it('a Date, undefined and NaN arrive, at least as JSON has them', async (t) => {
    const at = new Date(1_700_000_000_123);
    const value = { at, list: [undefined, NaN, 1], missing: undefined };
    for (const received of await roundTrip(world, t, value)) assert.equal(JSON.stringify(received), JSON.stringify(value));
  });

  it('binary stays binary, in every place and of every kind', async (t) => {
    const value = { file, empty: Buffer.alloc(0), view: new Uint8Array([1, 2]), buffer: new Uint8Array([3, 4]).buffer, parts: [Buffer.from([5]), { deeper: Buffer.from('x') }], end: null };
    for (const received of await roundTrip(world, t, value)) {
      assert.deepStrictEqual(Object.keys(received), Object.keys(value));
      for (const key of ['file', 'empty', 'view', 'buffer']) assert.deepStrictEqual(bytes(received[key]), bytes(value[key]), key);
      assert.deepStrictEqual(bytes(received.parts[0]), value.parts[0]);
      assert.deepStrictEqual(bytes(received.parts[1].deeper), value.parts[1].deeper);
      assert.equal(received.end, null);
    }
  });
}, CLIENTS);

// Two parsers on one port, which Node does not have.
eachTarget('both parsers in one room', {}, (world) => {
  if (world.target === 'reference') return;
  for (const client of CLIENTS) {
    it(client.name, async (t) => {
      const roomId = world.name('room');
      const members = [await world.user(t), await world.with(client).user(t)];
      for (const member of members) await member.ask('join-room', roomId);
      const payload = { text: 'ñ', list: [1, -1, 1.5, 2 ** 53, null], at: new Date(0), file, parts: [Buffer.alloc(0), { x: file }] };
      const expected = { ...payload, at: payload.at.toJSON() };
      for (const sender of members) {
        await sender.ask('publish-update', { roomId, type: 'X', payload });
        for (const receiver of members) assert.deepStrictEqual((await receiver.next('update')).payload, expected);
      }
      const [plain, other] = members;
      other.close();
      assert.equal((await plain.next('user-left')).userId, other.userId);
    });
  }
});

if (noBrowser) describe('the msgpack bundle in a browser', () => it('has a browser', { skip: noBrowser }, () => {}));
else await testBundle();

async function testBundle() {
  const home = await servePage();
  let browser;
  before(async () => (browser = await Browser.launch()));
  after(async () => {
    home.close();
    await browser?.close();
  });
  eachTarget('the msgpack bundle in a browser', { ...ENV, WS_CORS_ORIGINS: home.origin }, (world) => {
    for (const { name, transports } of CLIENTS) {
      it(name, { timeout: 60_000 }, async (t) => {
        const page = await browser.visit(t, home.origin);
        await page.addScriptTag({ url: `${world.server.url}/socket.io/socket.io.msgpack.min.js` });
        const [userId, roomId] = [world.name('user'), world.name('room')];
        const peer = await world.with(world.target === 'reference' ? CLIENTS[1] : EACH_TRANSPORT[1]).user(t);
        await peer.ask('join-room', roomId);
        const fromPage = [...randomBytes(2000)];
        const shown = await page.evaluate(talk, { url: world.server.url, transports, token: sign({ userId }), roomId, bytes: fromPage });
        assert.equal(shown.authenticated, userId);
        assert.deepStrictEqual(shown.echo, { text: 'ñandú \u{1F680}', n: 2 ** 40, at: '1970-01-01T00:00:00.000Z', buffer: fromPage });
        const { payload } = await peer.next('update');
        assert.deepStrictEqual(bytes(payload.buffer), Buffer.from(fromPage));
        await page.evaluate(awaitUpdate);
        await peer.ask('publish-update', { roomId, type: 'FILE', payload: { file } });
        assert.deepStrictEqual(await page.evaluate(showUpdate), [...file]);
        const refused = await page.evaluate(refusal, { url: world.server.url, transports });
        assert.deepStrictEqual(refused, { message: 'Authentication failed', data: { code: 'token_invalid' } });
      });
    }
  });
}

// The functions below run in the page.

async function talk({ url, transports, token, roomId, bytes }) {
  const socket = (window.socket = io(url, { transports, auth: { token }, withCredentials: true, reconnection: false, forceNew: true }));
  const { userId } = await new Promise((resolve, reject) => {
    socket.on('authenticated', resolve);
    socket.on('connect_error', reject);
  });
  await socket.emitWithAck('join-room', { roomId });
  const update = new Promise((resolve) => socket.once('update', resolve));
  // The bundle sends typed arrays as objects.
  const payload = { text: 'ñandú \u{1F680}', n: 2 ** 40, at: new Date(0), buffer: new Uint8Array(bytes).buffer };
  await socket.emitWithAck('publish-update', { roomId, type: 'X', payload });
  const echo = (await update).payload;
  echo.at = new Date(echo.at).toJSON();
  echo.buffer = [...new Uint8Array(echo.buffer)];
  return { authenticated: userId, echo };
}

function awaitUpdate() {
  window.update = new Promise((resolve) => window.socket.once('update', resolve));
}

async function showUpdate() {
  return [...new Uint8Array((await window.update).payload.file)];
}

function refusal({ url, transports }) {
  return new Promise((resolve) => {
    const socket = io(url, { transports, auth: { token: 'bad' }, withCredentials: true, reconnection: false, forceNew: true });
    socket.on('connect_error', ({ message, data }) => resolve({ message, data }));
  });
}
