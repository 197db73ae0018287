// A real browser, on a page of a different origin than the server, with the client that the server serves.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Browser, noBrowser, servePage } from '../harness/browser.js';
import { eachTarget } from '../harness/matrix.js';
import { sign } from '../harness/tokens.js';

const LIMIT = { timeout: 60_000 }; // code in the page has no timeout

const TRANSPORTS = {
  'polling': ['polling'],
  'websocket': ['websocket'],
  'polling with upgrade': ['polling', 'websocket'],
};

if (noBrowser) describe('a browser', () => it('is installed', { skip: noBrowser }, () => {}));
else await testBrowser();

async function testBrowser() {
  const [home, foreign] = await Promise.all([servePage(), servePage()]);
  let browser;
  before(async () => (browser = await Browser.launch()));
  after(async () => {
    for (const page of [home, foreign]) page.close();
    await browser?.close();
  });

  /** Opens a page of the origin and loads the client from the server. */
  async function open(t, world, { origin }) {
    const page = await browser.visit(t, origin);
    await page.addScriptTag({ url: `${world.server.url}/socket.io/socket.io.js` });
    return page;
  }

  /** As open, and connects as a user. */
  async function openConnected(t, world, transports, userId = world.name('user')) {
    const page = await open(t, world, home);
    const connected = await page.evaluate(connect, { url: world.server.url, transports, token: sign({ userId }) });
    assert.equal(connected.authenticated?.userId, userId, JSON.stringify(connected));
    assert.equal(connected.transport, transports.at(-1));
    return page;
  }

  eachTarget('a browser', { WS_CORS_ORIGINS: home.origin }, (world) => {
    for (const [name, transports] of Object.entries(TRANSPORTS)) {
      describe(name, () => {
        it('connects, and is a device of its user', LIMIT, async (t) => {
          const userId = world.name('user');
          const page = await openConnected(t, world, transports, userId);
          const roomId = world.name('room');
          const peer = await world.user(t);
          await peer.ask('join-room', roomId);
          const { total } = await page.evaluate(request, ['join-room', { roomId }]);
          assert.equal(total, 2);
          assert.equal((await peer.next('user-joined')).userId, userId);
          await page.close();
          assert.equal((await peer.next('user-left')).userId, userId);
        });

        it('sends ArrayBuffer, typed array, Blob and File, and receives binary as ArrayBuffer', LIMIT, async (t) => {
          const roomId = world.name('room');
          const peer = await world.user(t);
          await peer.ask('join-room', roomId);
          const page = await openConnected(t, world, transports);
          await page.evaluate(request, ['join-room', { roomId }]);

          const bytes = [...randomBytes(2000)];
          const shown = await page.evaluate(publishBinary, { roomId, bytes });
          const kinds = ['buffer', 'view', 'blob', 'file'];
          assert.deepStrictEqual(Object.keys(shown), kinds);
          for (const kind of kinds) assert.deepStrictEqual(shown[kind], { type: 'ArrayBuffer', bytes }, kind);

          const { payload } = await peer.next('update');
          assert.equal(payload.name, 'ñandú.png');
          for (const kind of kinds) assert.deepStrictEqual(payload[kind], Buffer.from(bytes), kind);

          const data = randomBytes(200_000);
          await page.evaluate(awaitUpdate);
          await peer.ask('publish-update', { roomId, type: 'FILE', payload: { data } });
          assert.deepStrictEqual(await page.evaluate(showUpdate), { type: 'ArrayBuffer', base64: data.toString('base64') });
        });

        it('sends and receives several hundred kilobytes', LIMIT, async (t) => {
          const roomId = world.name('room');
          const page = await openConnected(t, world, transports);
          await page.evaluate(request, ['join-room', { roomId }]);
          assert.equal(await page.evaluate(echoesLargeText, { roomId }), true);
        });

        it('is refused with an invalid token, with the reason', LIMIT, async (t) => {
          const page = await open(t, world, home);
          const refused = await page.evaluate(connect, { url: world.server.url, transports, token: 'bad' });
          assert.deepStrictEqual(refused, { message: 'Authentication failed', data: { code: 'token_invalid' } });
        });

        it('is refused from a foreign origin', LIMIT, async (t) => {
          const page = await open(t, world, foreign);
          const token = sign({ userId: world.name('user') });
          const refused = await page.evaluate(connect, { url: world.server.url, transports, token });
          assert.match(refused.message, /^(xhr poll|websocket) error$/);
        });
      });
    }

    it('loads the client as a module, from another origin', LIMIT, async (t) => {
      const page = await browser.visit(t, home.origin);
      const url = `${world.server.url}/socket.io/socket.io.esm.min.js`;
      assert.equal(await page.evaluate(async (url) => typeof (await import(url)).io, url), 'function');
    });
  });

  eachTarget('a browser, with compression', { WS_CORS_ORIGINS: home.origin, WS_PER_MESSAGE_DEFLATE: 'true' }, (world) => {
    it('offers it, and sends and receives large text', LIMIT, async (t) => {
      const roomId = world.name('room');
      const page = await openConnected(t, world, TRANSPORTS['polling with upgrade']);
      assert.match(await page.evaluate(() => window.socket.io.engine.transport.ws.extensions), /^permessage-deflate/);
      await page.evaluate(request, ['join-room', { roomId }]);
      assert.equal(await page.evaluate(echoesLargeText, { roomId }), true);
    });
  });

  // The first ten minutes: the server as "make run" starts it, and a page of a development server on another port.
  eachTarget('a page on localhost, without any setting', { WS_CORS_ORIGINS: '' }, (world) => {
    if (world.target === 'reference') return; // Node admits no origin by itself
    for (const host of ['localhost', '127.0.0.1']) {
      it(`connects from ${host}, and upgrades`, LIMIT, async (t) => {
        const userId = world.name('user');
        const page = await open(t, world, { origin: home.origin.replace('127.0.0.1', host) });
        const token = sign({ userId });
        const connected = await page.evaluate(connect, { url: world.server.url, transports: ['polling', 'websocket'], token, withCredentials: false });
        assert.equal(connected.authenticated?.userId, userId, JSON.stringify(connected));
        assert.equal(connected.transport, 'websocket');
      });
    }
  });
}

// The functions below run in the page. They keep the socket and the awaited update in globals.

/** @returns the answer to the token and the transport, after any upgrade; or the error with which the server refused */
function connect({ url, transports, token, withCredentials = true }) {
  return new Promise((resolve) => {
    const socket = (window.socket = io(url, { transports, auth: { token }, withCredentials, reconnection: false }));
    let authenticated;
    const settle = () => {
      const transport = socket.io.engine.transport.name;
      if (authenticated && transport === transports.at(-1)) resolve({ authenticated, transport });
    };
    socket.on('connect', () => socket.io.engine.on('upgrade', settle));
    socket.on('authenticated', (answer) => {
      authenticated = answer;
      settle();
    });
    socket.on('connect_error', ({ message, data }) => resolve({ message, data }));
  });
}

function request([event, argument]) {
  return window.socket.emitWithAck(event, argument);
}

async function publishBinary({ roomId, bytes }) {
  const view = new Uint8Array(bytes);
  const update = new Promise((resolve) => window.socket.once('update', resolve));
  const payload = {
    name: 'ñandú.png',
    buffer: view.buffer,
    view,
    blob: new Blob([view]),
    file: new File([view], 'ñandú.png', { type: 'image/png' }),
  };
  window.socket.emit('publish-update', { roomId, type: 'FILE', payload });
  const { buffer, view: viewed, blob, file } = (await update).payload;
  const show = (value) => ({ type: value.constructor.name, bytes: [...new Uint8Array(value)] });
  return { buffer: show(buffer), view: show(viewed), blob: show(blob), file: show(file) };
}

function awaitUpdate() {
  window.update = new Promise((resolve) => window.socket.once('update', resolve));
}

async function showUpdate() {
  const { data } = (await window.update).payload;
  let text = '';
  for (const byte of new Uint8Array(data)) text += String.fromCharCode(byte);
  return { type: data.constructor.name, base64: btoa(text) };
}

async function echoesLargeText({ roomId }) {
  const text = 'añ日\u{1F680}'.repeat(40_000);
  const update = new Promise((resolve) => window.socket.once('update', resolve));
  window.socket.emit('publish-update', { roomId, type: 'TEXT', payload: text });
  return (await update).payload === text;
}
