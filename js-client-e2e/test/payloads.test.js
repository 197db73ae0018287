// Payloads arrive as they were sent: JSON of every kind, and binary data as binary.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { it } from 'node:test';
import { eachClient } from '../harness/matrix.js';

const VALUES = {
  'null': null,
  'booleans': [true, false],
  'zero and empty values': [0, '', [], {}],
  'numbers': [-1, 0.1, 1e21, 5e-324, 1.7976931348623157e308, 9007199254740991, -9007199254740991],
  'text beyond ASCII': { 'clé': 'ñandú 日本語 \u{1F680}\u200D\u{1F469} \u0000\u001f\u2028\u2029 </script> "\\' },
  'keys that look like protocol fields': { _placeholder: false, num: 0, __proto__x: 1, constructor: 'x', type: 'y', timestamp: 'z' },
  'key order': { z: 1, a: { y: 1, b: 2 }, m: [3] },
  'deep nesting': JSON.parse('['.repeat(200) + ']'.repeat(200)),
  'arrays and objects with null': [null, [null], { a: null }],
};

const file = randomBytes(3000);
const BINARY = {
  'at the top': file,
  'inside': { name: 'foto.png', data: file, parts: [Buffer.from([0, 255]), { deeper: Buffer.from('x') }], end: null },
  'empty': { data: Buffer.alloc(0) },
};

eachClient('payloads', {}, (world) => {
  async function roundTrip(t, payload) {
    const roomId = world.name('room');
    const alice = await world.user(t);
    const bob = await world.user(t);
    for (const member of [alice, bob]) await member.ask('join-room', roomId);
    await alice.ask('publish-update', { roomId, type: 'X', payload });
    return Promise.all([alice, bob].map(async (member) => (await member.next('update')).payload));
  }

  for (const [name, value] of Object.entries(VALUES)) {
    it(`JSON passes unchanged: ${name}`, async (t) => {
      for (const received of await roundTrip(t, value)) {
        assert.deepStrictEqual(received, value);
        assert.equal(JSON.stringify(received), JSON.stringify(value), 'keys keep their order');
      }
    });
  }

  for (const [name, value] of Object.entries(BINARY)) {
    it(`binary stays binary: ${name}`, async (t) => {
      for (const received of await roundTrip(t, value)) assert.deepStrictEqual(received, value);
    });
  }

  it('a notification may contain nested and binary values', async (t) => {
    const client = await world.user(t);
    const payload = { orden: { número: 7, notas: [null, 'ü'] }, recibo: file };
    await client.ask('publish-notification', { targetUserId: client.userId, type: 'SUCCESS', title: 'x', payload });
    assert.deepStrictEqual((await client.next('notification')).payload, payload);
  });

  it('a payload of several hundred kilobytes arrives complete', async (t) => {
    const text = 'añ日\u{1F680}"\\'.repeat(20_000);
    const data = randomBytes(400_000);
    for (const received of await roundTrip(t, text)) assert.ok(received === text, 'text differs');
    for (const received of await roundTrip(t, { data })) assert.ok(data.equals(received.data), 'bytes differ');
  });
});
