// Authentication (contract, section 3): handshake tokens, the event authenticate, expiry, events that need a user.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EACH_TRANSPORT } from '../harness/client.js';
import { checkError, equalWithTimestamp } from '../harness/expect.js';
import { eachClient, eachTarget } from '../harness/matrix.js';
import { secondsFromNow, sign, unchecked } from '../harness/tokens.js';

const OTHER_SECRET = 'another secret, which the server does not have, of at least 64 bytes as HS512 requires';
const PREVIOUS_SECRET = 'the previous secret, whose tokens are still valid, of at least 64 bytes as HS512 requires';

const alice = { userId: 'alice' };
const INVALID = {
  'of another key': () => sign(alice, { secret: OTHER_SECRET }),
  'of another key and expired': () => sign({ ...alice, exp: secondsFromNow(-3600) }, { secret: OTHER_SECRET }),
  'without a signature': () => sign(alice, { secret: '', algorithm: 'none' }),
  'with a changed payload': () => tampered(sign(alice), { userId: 'mallory' }),
  'not valid yet': () => sign({ ...alice, nbf: secondsFromNow(3600) }),
  'without a user': () => sign({ role: 'admin' }),
  'with an object for a user': () => sign({ userId: { $ne: null } }),
  'whose rooms are not names': () => sign({ ...alice, rooms: [{ any: true }] }),
  'that is not a token': () => 'not-a-token',
  'that is a number': () => 42,
  'that is blank': () => ' ',
  'whose exp is null': () => unchecked({ ...alice, exp: null }),
  'whose exp is a string': () => unchecked({ ...alice, exp: String(secondsFromNow(3600)) }),
  'whose nbf is beyond 64 bits': () => unchecked({ ...alice, nbf: 1e19 }),
  'that is an object': () => ({ toString: 'x' }),
};
const expired = () => sign({ ...alice, exp: secondsFromNow(-3600) });

const VALID = {
  'HS256': [alice, 'alice', { algorithm: 'HS256' }],
  'HS384': [alice, 'alice', { algorithm: 'HS384' }],
  'HS512': [alice, 'alice', { algorithm: 'HS512' }],
  'the claim sub': [{ sub: 'alice@example.com' }, 'alice@example.com', {}],
  'userId before sub': [{ sub: 'someone', userId: 'alice' }, 'alice', {}],
  'an exp beyond 64 bits': [{ ...alice, exp: 1e300 }, 'alice', {}],
  'a number for a user': [{ userId: 42 }, 42, {}],
  'a clock 20 s ahead': [{ ...alice, nbf: 20 }, 'alice', {}],
};

function tampered(token, claims) {
  const [header, , signature] = token.split('.');
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
}

eachClient('handshake', {}, (world) => {
  for (const [what, token] of Object.entries(INVALID)) {
    it(`refuses a token ${what}`, async (t) => {
      const error = await world.open(t, { token: token() }).refused();
      assert.equal(error.message, 'Authentication failed');
      assert.deepStrictEqual(error.data, { code: 'token_invalid' });
    });
  }

  it('refuses an expired token', async (t) => {
    const error = await world.open(t, { token: expired() }).refused();
    assert.equal(error.message, 'Authentication failed');
    assert.deepStrictEqual(error.data, { code: 'token_expired' });
  });

  for (const [what, [claims, userId, options]] of Object.entries(VALID)) {
    it(`accepts ${what}`, async (t) => {
      const nbf = claims.nbf && { nbf: secondsFromNow(claims.nbf) };
      const client = await world.open(t, { token: sign({ ...claims, ...nbf }, options) }).connected();
      assert.strictEqual((await client.next('authenticated')).userId, userId);
    });
  }

  it('a refused client may connect with a valid token', async (t) => {
    const client = world.open(t, { token: 'bad' });
    await client.refused();
    client.socket.auth = { token: sign(alice) };
    client.socket.connect();
    await client.connected();
    equalWithTimestamp(await client.next('authenticated'), { success: true, userId: 'alice', socketId: client.id });
  });
}, EACH_TRANSPORT);

eachClient('handshake, token required', { WS_AUTH_REQUIRED: 'true' }, (world) => {
  for (const [what, auth] of [
    ['no auth', undefined], ['no token', { other: 1 }], ['an empty token', { token: '' }], ['a null token', { token: null }],
    ['a token in a field TOKEN', { TOKEN: sign(alice) }],
  ]) {
    it(`refuses ${what}`, async (t) => {
      const error = await world.open(t, auth).refused();
      assert.equal(error.message, 'Authentication failed');
      assert.deepStrictEqual(error.data, { code: 'token_missing' });
    });
  }

  it('accepts a token', async (t) => {
    await (await world.user(t)).ask('join-room', 'any');
  });
}, EACH_TRANSPORT);

eachTarget('configured keys, issuer and audience', {
  JWT_SECRET_PREVIOUS: PREVIOUS_SECRET, JWT_ISSUER: 'issuer', JWT_AUDIENCE: 'audience',
}, (world) => {
  const named = { issuer: 'issuer', audience: 'audience' };

  it('accepts tokens of the current and the previous secret', async (t) => {
    await world.open(t, { token: sign(alice, named) }).connected();
    await world.open(t, { token: sign(alice, { ...named, secret: PREVIOUS_SECRET }) }).connected();
  });

  for (const [what, options] of Object.entries({
    'another key': { ...named, secret: OTHER_SECRET },
    'another issuer': { ...named, issuer: 'x' },
    'another audience': { ...named, audience: 'x' },
    'neither': {},
  })) {
    it(`refuses tokens of ${what}`, async (t) => {
      const { data } = await world.open(t, { token: sign(alice, options) }).refused();
      assert.deepStrictEqual(data, { code: 'token_invalid' });
    });
  }
});

eachClient('authentication by event', {}, (world) => {
  it('without a user, only authenticate and ping work', async (t) => {
    const client = await world.open(t).connected();
    for (const event of ['join-room', 'leave-room', 'publish-notification', 'publish-update']) {
      const { success, error } = await client.request(event, { roomId: 'room' });
      assert.equal(success, false);
      checkError(error, { code: 'unauthenticated', message: /^(Unauthorized|Authentication failed)$/ });
      client.emit(event, { roomId: 'room' });
      const [text, detail] = await client.arguments('error');
      assert.equal(text, error.message);
      assert.deepStrictEqual(detail, { ...error, event });
    }
    assert.ok((await client.request('ping')).timestamp);
    await client.ask('authenticate', { token: sign(alice) });
    await client.ask('join-room', world.name('room'));
  });

  for (const [reason, token] of [['token_invalid', INVALID['of another key']], ['token_expired', expired]]) {
    it(`answers with the reason ${reason}`, async (t) => {
      const client = await world.open(t).connected();
      const answer = await client.request('authenticate', { token: token() });
      const error = { code: 'unauthenticated', message: 'Authentication failed', reason };
      assert.deepStrictEqual(answer, { success: false, error });
      client.emit('authenticate', { token: token() });
      assert.deepStrictEqual(await client.arguments('error'), ['Authentication failed', { ...error, event: 'authenticate' }]);
      assert.deepStrictEqual(await client.unread('authenticated'), []);
    });
  }

  for (const [what, args] of Object.entries({ 'no argument': [], 'null': [null], 'no token': [{}], 'a bare token': [sign(alice)] })) {
    it(`refuses ${what}`, async (t) => {
      const client = await world.open(t).connected();
      const { success, error } = await client.request('authenticate', ...args);
      assert.equal(success, false);
      assert.match(error.code, /^(invalid|unauthenticated)$/);
      assert.equal((await client.request('join-room', 'room')).error.code, 'unauthenticated');
    });
  }

  it('refuses a userId that is not the token\'s', async (t) => {
    const client = await world.open(t).connected();
    const { success, error } = await client.request('authenticate', { token: sign(alice), userId: 'bob' });
    assert.equal(success, false);
    assert.equal(error.code, 'unauthenticated');
    assert.equal(error.message, 'Authentication failed');
    assert.equal((await client.request('join-room', 'room')).error.code, 'unauthenticated');
  });

  it('accepts userId "42" with a token of user 42', async (t) => {
    const client = await world.open(t).connected();
    assert.strictEqual((await client.ask('authenticate', { token: sign({ userId: 42 }), userId: '42' })).userId, 42);
  });

  it('refuses the token of another user on a socket that has a user', async (t) => {
    const client = await world.user(t);
    const { error } = await client.request('authenticate', { token: sign({ userId: world.name('other') }) });
    assert.deepStrictEqual(error, { code: 'unauthenticated', message: 'Authentication failed', reason: 'user_mismatch' });
    const { users } = await client.ask('join-room', world.name('room'));
    assert.deepStrictEqual(users, [client.userId]);
  });

  it('accepts a fresh token of the same user, and applies its claims', async (t) => {
    const roomId = world.name('room');
    const client = await world.user(t);
    assert.equal((await client.request('publish-update', { roomId, type: 'X' })).error.code, 'unauthorized');
    await client.ask('authenticate', { token: sign({ userId: client.userId, role: 'admin' }) });
    await client.ask('publish-update', { roomId, type: 'X' });
  });
}, EACH_TRANSPORT);

eachClient('authentication timeout', { WS_AUTH_TIMEOUT: '3000' }, (world) => {
  it('disconnects only sockets without a user', async (t) => {
    const authenticated = await world.open(t).connected();
    await authenticated.ask('authenticate', { token: sign({ userId: world.name('user') }) });
    const byHandshake = await world.user(t);
    const idle = await world.open(t, undefined, { reconnection: true, reconnectionDelay: 50 }).connected();
    const failing = await world.open(t).connected();
    failing.emit('authenticate', { token: 'bad' });

    for (const client of [idle, failing]) assert.equal(await client.disconnected(), 'io server disconnect');
    for (const client of [authenticated, byHandshake]) assert.deepStrictEqual(await client.unread('disconnect'), []);
    assert.equal(idle.socket.active ?? false, false, 'after a DISCONNECT the client does not reconnect');
    await delay(300);
    assert.deepStrictEqual(idle.kept('connect', 'disconnect'), [], 'and has no second disconnect reason');
  });
}, EACH_TRANSPORT);

// Tokens are valid until 30 s after exp, so these expire in 2 to 3 s.
eachClient('a token that expires', {}, (world) => {
  it('closes the connection unless it was renewed', async (t) => {
    const userId = world.name('user');
    const renewed = await world.open(t, { token: sign({ userId, exp: secondsFromNow(-26) }) }).connected();
    const ending = await world.open(t, { token: sign({ userId, exp: secondsFromNow(-25) }) }).connected();
    await renewed.ask('authenticate', { token: sign({ userId, exp: secondsFromNow(3600) }) });

    const [text, error] = await ending.arguments('error');
    assert.deepStrictEqual(error, { code: 'unauthenticated', message: text, reason: 'token_expired', event: 'authenticate' });
    assert.match(await ending.disconnected(), /^transport (close|error)$/);
    assert.deepStrictEqual(await renewed.unread('error', 'disconnect'), []);
    await renewed.ask('join-room', world.name('room'));
  });

  it('lets an unmodified client reconnect with a fresh token from its auth function', async (t) => {
    const userId = world.name('user');
    let asked = 0;
    const auth = (callback) => callback({ token: sign({ userId, exp: secondsFromNow(asked++ === 0 ? -28 : 3600) }) });
    const client = await world.open(t, auth, { reconnection: true, reconnectionDelay: 10 }).connected();
    const first = await client.next('authenticated');
    await client.disconnected();
    await client.connected();
    const second = await client.next('authenticated');
    assert.equal(second.userId, userId);
    assert.notEqual(second.socketId, first.socketId);
    assert.equal(asked, 2);
    await client.ask('join-room', world.name('room'));
  });
}, EACH_TRANSPORT, true); // each test waits until its token has expired

eachTarget('a token that expires under WS_TOKEN_EXPIRY=ignore', { WS_TOKEN_EXPIRY: 'ignore' }, (world) => {
  it('keeps its connection open, but cannot open another', async (t) => {
    const userId = world.name('user');
    const token = sign({ userId, exp: secondsFromNow(-28) });
    const client = await world.open(t, { token }).connected();
    let refused;
    do {
      const other = world.open(t, { token });
      refused = await Promise.race([other.refused(), other.connected().then(() => undefined)]);
      other.socket.close();
    } while (!refused);
    assert.deepStrictEqual(refused.data, { code: 'token_expired' });
    assert.deepStrictEqual(await client.unread('error', 'disconnect'), []);
    await client.ask('join-room', world.name('room'));
  });
});
