// Client 2.5's own bundle in a real browser, which always offers compression, and the msgpack bundle with compression: msgpack.test.js
// has the rest of it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { Browser, noBrowser, servePage } from '../harness/browser.js';
import { EVERY_CLIENT } from '../harness/client.js';
import { eachClient } from '../harness/matrix.js';
import { sign } from '../harness/tokens.js';
import { HUGE, plain, VALUES } from '../harness/values.js';

const LIMIT = { timeout: 60_000 }; // code in the page has no timeout

const KINDS = EVERY_CLIENT.filter(({ protocol3, parser, upgrades, deflate }) => deflate !== false && (protocol3 || (parser && upgrades)));
// Client 2.x brings its own bundle, which the server does not serve.
const V2 = createRequire(import.meta.url).resolve('socket.io-client-v2/dist/socket.io.js');

if (noBrowser) describe('a browser', () => it('is installed', { skip: noBrowser }, () => {}));
else await testBrowser();

async function testBrowser() {
  const home = await servePage();
  let browser;
  before(async () => (browser = await Browser.launch()));
  after(async () => {
    home.close();
    await browser?.close();
  });

  /** Opens a page with the kind of client, which connects when the returned function is called with a token. */
  async function open(t, world) {
    const { protocol3, transports, upgrades } = world.client;
    const page = await browser.visit(t, home.origin);
    await page.addScriptTag(protocol3 ? { path: V2 } : { url: `${world.server.url}/socket.io/socket.io.msgpack.min.js` });
    const connect = (token) => page.evaluate(connectInPage, { url: world.server.url, transports, upgrades, protocol3, token });
    return { page, connect };
  }

  const env = { WS_CORS_ORIGINS: home.origin, WS_ALLOW_EIO3: 'true', WS_PER_MESSAGE_DEFLATE: 'true' };
  eachClient('a browser with another client', env, (world) => {
    it('is refused, connects, joins, publishes JSON and bytes, and receives them', LIMIT, async (t) => {
      const { page, connect } = await open(t, world);
      const { refused } = await connect('bad');
      const message = 'Authentication failed';
      assert.deepStrictEqual(refused, world.client.protocol3 ? message : { message, data: { code: 'token_invalid' } });

      const userId = world.name('user');
      const answer = await connect(sign({ userId }));
      assert.equal(answer.authenticated?.userId, userId, JSON.stringify(answer));
      assert.equal(answer.authenticated.socketId, answer.id);
      assert.equal(answer.transport, world.client.transports.at(-1));
      if (answer.transport === 'websocket') assert.match(answer.extensions, /^permessage-deflate/);

      const roomId = world.name('room');
      assert.equal((await page.evaluate(request, ['join-room', { roomId }])).total, 1);
      const peer = await world.user(t);
      await peer.ask('join-room', roomId);
      assert.equal(await page.evaluate(next, 'user-joined').then((joined) => joined.userId), peer.userId);

      const { [HUGE]: _, ...values } = VALUES;
      const json = JSON.stringify(values); // evaluate does not end with values as deep as some of these
      const bytes = [...randomBytes(3000)];
      await page.evaluate(publish, { roomId, json, bytes });
      assert.deepStrictEqual(plain((await peer.next('update')).payload), { values, bytes: plain(Buffer.from(bytes)) });
      assert.deepStrictEqual(await page.evaluate(nextUpdate), { json, type: 'ArrayBuffer', bytes });

      const data = randomBytes(3000);
      await peer.ask('publish-update', { roomId, type: 'FILE', payload: { values, bytes: data } });
      assert.deepStrictEqual(await page.evaluate(nextUpdate), { json, type: 'ArrayBuffer', bytes: [...data] });
    });
  }, KINDS);
}

// The functions below run in the page. They keep the socket and the received events in globals.

/** @returns the answer to the token, and the connection after any upgrade; or what refused the connection */
function connectInPage({ url, transports, upgrades, protocol3, token }) {
  return new Promise((resolve) => {
    const options = { transports, reconnection: false, forceNew: true, ...(protocol3 ? { query: { token } } : { auth: { token } }) };
    const socket = (window.socket = io(url, options));
    window.received = { 'user-joined': [], 'update': [] };
    for (const [event, list] of Object.entries(window.received)) socket.on(event, (argument) => list.push(argument));
    let authenticated, refused;
    const settle = () => {
      const { transport } = socket.io.engine;
      if (refused) resolve({ refused });
      else if (authenticated && transport.name === transports[transports.length - 1]) {
        resolve({ authenticated, id: socket.id, transport: transport.name, extensions: transport.ws?.extensions });
      }
    };
    socket.on('connect', () => upgrades && socket.io.engine.on('upgrade', settle));
    socket.on('authenticated', (answer) => {
      authenticated = answer;
      settle();
    });
    socket.on(protocol3 ? 'error' : 'connect_error', (error) => {
      refused = protocol3 ? error : { message: error.message, data: error.data };
      settle();
    });
  });
}

function request([event, argument]) {
  return new Promise((resolve) => window.socket.emit(event, argument, resolve));
}

function next(event) {
  return new Promise((resolve) => {
    const look = () => {
      const [first] = window.received[event].splice(0, 1);
      if (first) resolve(first);
      else window.socket.once(event, look);
    };
    look();
  });
}

function publish({ roomId, json, bytes }) {
  const payload = { values: JSON.parse(json), bytes: new Uint8Array(bytes).buffer }; // client 2.x sends a view as JSON
  return new Promise((resolve) => window.socket.emit('publish-update', { roomId, type: 'FILE', payload }, resolve));
}

function nextUpdate() {
  return new Promise((resolve) => {
    const look = () => {
      const [update] = window.received.update.splice(0, 1);
      if (!update) return window.socket.once('update', look);
      const { values, bytes } = update.payload;
      resolve({ json: JSON.stringify(values), type: bytes.constructor.name, bytes: [...new Uint8Array(bytes)] });
    };
    look();
  });
}
