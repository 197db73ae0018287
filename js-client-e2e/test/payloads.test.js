// Payloads arrive as they were sent: JSON of every kind, and binary data as binary.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { it } from 'node:test';
import { eachClient } from '../harness/matrix.js';
import { roundTrip } from '../harness/roundtrip.js';
import { BINARY, FILE, VALUES } from '../harness/values.js';

eachClient('payloads', {}, (world) => {
  for (const [name, value] of Object.entries(VALUES)) {
    it(`JSON passes unchanged: ${name}`, async (t) => {
      for (const received of await roundTrip(world, t, value)) {
        assert.deepStrictEqual(received, value);
        assert.equal(JSON.stringify(received), JSON.stringify(value), 'keys keep their order');
      }
    });
  }

  for (const [name, value] of Object.entries(BINARY)) {
    it(`binary stays binary: ${name}`, async (t) => {
      for (const received of await roundTrip(world, t, value)) assert.deepStrictEqual(received, value);
    });
  }

  it('a notification may contain nested and binary values', async (t) => {
    const client = await world.user(t);
    const payload = { orden: { número: 7, notas: [null, 'ü'] }, recibo: FILE };
    await client.ask('publish-notification', { targetUserId: client.userId, type: 'SUCCESS', title: 'x', payload });
    assert.deepStrictEqual((await client.next('notification')).payload, payload);
  });

  it('a payload of several hundred kilobytes arrives complete', async (t) => {
    const text = 'añ日\u{1F680}"\\'.repeat(20_000);
    const data = randomBytes(400_000);
    for (const received of await roundTrip(world, t, text)) assert.ok(received === text, 'text differs');
    for (const received of await roundTrip(world, t, { data })) assert.ok(data.equals(received.data), 'bytes differ');
  });
});
