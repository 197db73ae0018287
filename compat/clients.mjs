// What a client can do with a server that behaves as README.md lists. A line of JSON on stdin, {url, plain, client}, is answered
// with a line {kind, name, cells} or {kind, name, error}; `client` is an index of EVERY_CLIENT, and behind the last one there is
// no kind. `plain` is the URL of a server of the same kind without options.
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { Client, EVERY_CLIENT } from '../js-client-e2e/harness/client.js';

const VALUES = [0, -1.5, 'ñ😀', true, null, [], { a: { b: [1] } }];
const WAYS = { 'polling': 'HTTP long-polling', 'websocket': 'WebSocket', 'polling,websocket': 'upgrade' };
// Another client of the same kind finds these out.
const UNKNOWN = Object.fromEntries([...Object.values(WAYS), 'compressed WebSocket messages'].map((feature) => [feature, '']));
const bytes = (value) => Buffer.from(value).toString('hex');

async function probe(url, plain, kind) {
  const open = [];
  const connect = (to, auth) => {
    const client = new Client(to, kind, { auth });
    open.push(client);
    return client;
  };
  try {
    const client = await connect(url, { token: 'x' }).connected();
    if (client.transport !== kind.transports.at(-1)) await client.upgraded();
    const cells = { ...UNKNOWN, [WAYS[kind.transports.join()]]: 'yes' };
    cells['where the token for `/` is sent'] = (await client.next('auth')).token ? '`auth`' : '`query`';

    client.emit('message', ...VALUES);
    assert.deepStrictEqual(await client.arguments('message-back'), VALUES);
    cells['events'] = 'yes';

    client.emit('message', { deep: [Buffer.from([1, 2, 255])] }, Buffer.alloc(3000));
    const [{ deep }, large] = await client.arguments('message-back');
    assert.equal(bytes(deep[0]), '0102ff');
    assert.equal(large.byteLength, 3000);
    cells['binary data, unchanged'] = 'yes';

    assert.equal(bytes(await client.request('message-with-ack', Buffer.from([7]))), '07');
    client.socket.once('question', (question, answer) => answer(question, Buffer.from([8])));
    client.emit('ask', 'q');
    const [text, answer] = await client.arguments('answer');
    assert.deepStrictEqual([text, bytes(answer)], ['q', '08']);
    cells['acknowledgements, both ways'] = 'yes';

    const member = await connect(`${url}/members`, { token: 'secret' }).connected();
    assert.equal((await member.next('auth')).token, 'secret');
    cells['namespaces, each with a token of its own'] = 'yes';
    const refusal = await connect(`${url}/members`, { explain: 1 }).refused();
    cells['what a refused client gets'] = refusal.message === 'not a member' ? 'message and data' : 'message or data';
    assert.deepStrictEqual(refusal.data ?? refusal, { code: 'E_MEMBER', hint: ['sign up'] });

    let kept = false;
    client.socket.once('ping', () => (kept = true));
    client.emit('ping');
    cells['an event named `ping`'] = kept ? 'no: the client does not send it' : 'yes';

    const { ws } = client.socket.io.engine.transport;
    if (kind.deflate) {
      assert.equal(ws.extensions, 'permessage-deflate');
      const before = ws._socket.bytesRead;
      client.emit('repeat', 'x', 50_000, 1);
      assert.equal((await client.next('repeated')).length, 50_000);
      assert.ok(ws._socket.bytesRead - before < 5000);
      cells['compressed WebSocket messages'] = 'with `WS_PER_MESSAGE_DEFLATE`';
    }

    const other = connect(plain);
    const connected = await Promise.race([other.connected().then(() => true), other.arguments('connect_error').then(() => false)]);
    if (connected && kind.deflate && !kind.upgrades) assert.equal(other.socket.io.engine.transport.ws.extensions, '');
    cells['setting needed'] = connected ? 'none' : '`WS_ALLOW_EIO3`';
    return cells;
  } finally {
    for (const client of open) client.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { url, plain, client } = JSON.parse(line);
  const kind = EVERY_CLIENT[client];
  const answer = kind ? await probe(url, plain, kind).then((cells) => ({ cells: Object.entries(cells) }), (error) => ({ error: error.stack })) : {};
  console.log(JSON.stringify({ ...answer, kind: kind?.kind, name: kind?.name, parser: kind?.parser }));
}
