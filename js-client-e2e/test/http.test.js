// Plain HTTP: the operators' routes, the browser bundle, refused handshakes, origins.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { WebSocket } from 'ws';
import { equalWithTimestamp, eventually, soon } from '../harness/expect.js';
import { eachTarget } from '../harness/matrix.js';

eachTarget('health and statistics', {}, (world) => {
  const json = async (path) => {
    const response = await world.server.get(path);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type'), /^application\/json/);
    return response.json();
  };
  /** Waits until the server has noticed that all clients are closed. */
  const statsAtRest = () => {
    const atRest = ({ activeConnections, connectedUsers, rooms }) => activeConnections + connectedUsers + rooms === 0;
    return eventually(() => json('/api/ws/stats'), atRest);
  };

  it('/healthz and /readyz are 200', async () => {
    for (const path of ['/healthz', '/readyz']) assert.equal((await world.server.get(path)).status, 200);
  });

  it('an unknown route is 404', async () => {
    assert.equal((await world.server.get('/api/ws/nothing')).status, 404);
  });

  it('/api/ws/health counts users and rooms', async (t) => {
    await statsAtRest();
    const member = await world.user(t);
    await world.user(t, member.userId);
    await member.ask('join-room', world.name('room'));
    const { uptime, ...health } = await json('/api/ws/health');
    assert.ok(Number.isInteger(uptime) && uptime >= 0, `uptime ${uptime} is in whole milliseconds`);
    const { healthy, connectedUsers, rooms, timestamp } = health;
    equalWithTimestamp({ healthy, connectedUsers, rooms, timestamp }, { healthy: true, connectedUsers: 1, rooms: 1 });
    assert.ok((await json('/api/ws/health')).uptime >= uptime);
  });

  it('/api/ws/stats counts connections, messages and errors', async (t) => {
    const before = await statsAtRest();
    const alice = await world.user(t);
    const bob = await world.user(t);
    const roomId = world.name('room');
    for (const user of [alice, bob]) await user.ask('join-room', roomId);
    await alice.ask('publish-update', { roomId, type: 'X' });
    await alice.ask('publish-notification', { targetUserId: bob.userId, type: 'INFO', title: 'x' });

    const during = await json('/api/ws/stats');
    const { connections, disconnections, activeConnections, connectedUsers, rooms, errors, timestamp } = during;
    equalWithTimestamp(
      { connections, disconnections, activeConnections, connectedUsers, rooms, errors, timestamp },
      {
        connections: before.connections + 2, disconnections: before.disconnections, activeConnections: 2,
        connectedUsers: 2, rooms: 1, errors: before.errors,
      },
    );
    assert.ok(during.messagesPublished >= before.messagesPublished + 2, 'an update and a notification were published');
    assert.ok(during.messagesReceived >= before.messagesReceived + 4, 'four events were received');

    await alice.request('publish-update', { roomId, type: '' });
    const failed = await json('/api/ws/stats');
    assert.equal(failed.errors, during.errors + 1);
    assert.equal(failed.messagesPublished, during.messagesPublished);

    for (const user of [alice, bob]) user.close();
    const after = await statsAtRest();
    assert.equal(after.connections, during.connections);
    assert.equal(after.disconnections, before.disconnections + 2);
  });
});

eachTarget('the browser bundle', {}, (world) => {
  for (const [file, type] of [
    ['socket.io.js', /javascript/], ['socket.io.min.js', /javascript/], ['socket.io.esm.min.js', /javascript/],
    ['socket.io.msgpack.min.js', /javascript/], ['socket.io.js.map', /json/],
  ]) {
    it(`serves ${file}, and 304 for its ETag`, async () => {
      const response = await world.server.get(`/socket.io/${file}`);
      assert.equal(response.status, 200);
      assert.match(response.headers.get('content-type'), type);
      const text = await response.text();
      assert.ok(text.length > 10_000);
      if (file === 'socket.io.js') assert.match(text, /Socket\.IO v4\./);
      const etag = response.headers.get('etag');
      assert.ok(etag);
      assert.equal((await world.server.get(`/socket.io/${file}`, { 'if-none-match': etag })).status, 304);
    });
  }
});

eachTarget('refused handshakes', {}, (world) => {
  for (const [query, status, body] of [
    ['EIO=4&transport=carrier-pigeon', 400, '{"code":0,"message":"Transport unknown"}'],
    ['EIO=4&transport=__proto__', 400, '{"code":0,"message":"Transport unknown"}'],
    ['EIO=4', 400, '{"code":0,"message":"Transport unknown"}'],
    ['EIO=4&transport=polling&sid=unknown', 400, '{"code":1,"message":"Session ID unknown"}'],
    ['EIO=4&transport=websocket', 400, '{"code":3,"message":"Bad request"}'],
    ['EIO=3&transport=polling', 400, '{"code":5,"message":"Unsupported protocol version"}'],
  ]) {
    it(`GET ?${query}`, async () => {
      const response = await world.server.get(`/socket.io/?${query}`);
      assert.equal(response.status, status);
      assert.equal(await response.text(), body);
    });
  }

  it('a handshake must be a GET', async () => {
    const response = await fetch(`${world.server.url}/socket.io/?EIO=4&transport=polling`, {
      method: 'POST', body: '40', headers: { connection: 'close' },
    });
    assert.equal(response.status, 400);
    assert.equal(await response.text(), '{"code":2,"message":"Bad handshake method"}');
  });
});

const PAGE = 'https://app.example.com';

async function handshake(server, origin) {
  const response = await server.get('/socket.io/?EIO=4&transport=polling', origin && { origin });
  await response.text();
  return response;
}

/** @returns {Promise<number>} the status of a WebSocket handshake, 101 if the connection was opened */
async function upgrade(server, origin) {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { origin });
  const status = await Promise.race([
    soon(socket, 'open').then(() => 101),
    soon(socket, 'unexpected-response').then(([, response]) => response.statusCode),
  ]);
  socket.on('error', () => {}); // terminate may interrupt the handshake
  socket.terminate();
  return status;
}

eachTarget('origins, one configured', { WS_CORS_ORIGINS: `https://other.example.com,${PAGE}` }, (world) => {
  it('lets its pages read answers, errors and preflights, with credentials', async () => {
    const answers = [
      await handshake(world.server, PAGE),
      await world.server.get('/socket.io/?EIO=4&transport=none', { origin: PAGE }),
      await fetch(`${world.server.url}/socket.io/?EIO=4&transport=polling`, {
        method: 'OPTIONS',
        headers: { origin: PAGE, 'access-control-request-method': 'POST', connection: 'close' },
      }),
    ];
    for (const { headers } of answers) {
      assert.equal(headers.get('access-control-allow-origin'), PAGE);
      assert.equal(headers.get('access-control-allow-credentials'), 'true');
      assert.match(headers.get('vary'), /origin/i);
    }
    assert.match(answers[2].headers.get('access-control-allow-methods'), /POST/);
  });

  it('does not let a foreign page', async () => {
    const { headers } = await handshake(world.server, 'https://evil.example.com');
    assert.equal(headers.get('access-control-allow-origin'), null);
  });

  it('refuses WebSocket handshakes from foreign pages only', async () => {
    for (const origin of [PAGE, undefined, world.server.url]) {
      assert.equal(await upgrade(world.server, origin), 101, String(origin));
    }
    for (const origin of ['https://evil.example.com', 'null', `${PAGE}.evil.example.com`, 'http://app.example.com']) {
      assert.notEqual(await upgrade(world.server, origin), 101, origin);
    }
  });
});

eachTarget('origins, none configured', {}, (world) => {
  it('lets no page read XHR responses, and any page open a WebSocket, as on Node', async () => {
    assert.equal((await handshake(world.server, PAGE)).headers.get('access-control-allow-origin'), null);
    assert.equal(await upgrade(world.server, PAGE), 101);
  });
});
