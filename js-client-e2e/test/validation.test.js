// The allowed values of each field, and the two forms of an error.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EACH_TRANSPORT } from '../harness/client.js';
import { checkError } from '../harness/expect.js';
import { eachClient, eachTarget } from '../harness/matrix.js';

const rocket = '\u{1F680}'; // one character, two UTF-16 units, four bytes

const BAD_IDS = {
  'missing': undefined, 'null': null, 'a boolean': true, 'an object': {}, 'an array': ['a'], 'a fraction': 1.5,
  'empty': '', 'too long': 'x'.repeat(257), 'with a control character': 'a\nb',
};
const notification = { targetUserId: 'someone', type: 'INFO', title: 'Title' };
const update = (roomId) => ({ roomId, type: 'X' });

/** [event, field that the message must name, invalid arguments by description] */
const REFUSED = [
  ['join-room', 'roomId', { ...BAD_IDS }],
  ['join-room', 'roomId', inField(BAD_IDS, 'roomId', {})],
  ['leave-room', 'roomId', inField(BAD_IDS, 'roomId', {})],
  ['publish-update', 'roomId', inField(BAD_IDS, 'roomId', update())],
  ['publish-update', 'type', inField({ ...BAD_IDS, 'a number': 1 }, 'type', update('room'))],
  ['publish-notification', 'targetUserId', inField(BAD_IDS, 'targetUserId', notification)],
  ['publish-notification', 'type', inField({ 'missing': undefined, 'unknown': 'FATAL', 'lower case': 'info', 'a number': 1 }, 'type', notification)],
  ['publish-notification', 'title', inField({ 'missing': undefined, 'empty': '', 'a number': 1, 'too long': rocket.repeat(101) }, 'title', notification)],
  ['publish-notification', 'message', inField({ 'a number': 1, 'too long': rocket.repeat(501) }, 'message', notification)],
  ['publish-notification', 'payload', inField({ 'text': 'x', 'a number': 1, 'a boolean': true }, 'payload', notification)],
  ['publish-notification', 'priority', inField({ 'unknown': 'urgent', 'a number': 1 }, 'priority', notification)],
];

const ACCEPTED = {
  'a title of 1 character': { title: 'x' },
  'a title of 100 characters': { title: rocket.repeat(100) },
  'a message of 500 characters': { message: rocket.repeat(500) },
  'an empty message': { message: '' },
  'a null payload': { payload: null },
  'an id of 256 characters': { targetUserId: rocket.repeat(256) },
  'a negative id': { targetUserId: -1 },
  ...Object.fromEntries(['INFO', 'SUCCESS', 'ERROR', 'ALERT', 'WARNING'].map((type) => [`type ${type}`, { type }])),
  ...Object.fromEntries(['low', 'normal', 'high'].map((priority) => [`priority ${priority}`, { priority }])),
};

function inField(bad, field, rest) {
  return Object.fromEntries(Object.entries(bad).map(([what, value]) => [what, { ...rest, [field]: value }]));
}

eachTarget('validation', {}, (world) => {
  for (const [event, field, bad] of REFUSED) {
    for (const [what, argument] of Object.entries(bad)) {
      it(`${event} refuses ${field} ${what}${argument?.constructor === Object ? '' : ', bare'}`, async (t) => {
        const client = await world.user(t);
        const { success, error } = await client.request(event, ...(argument === undefined ? [] : [argument]));
        assert.equal(success, false);
        checkError(error, { code: 'invalid', message: new RegExp(field) });
      });
    }
  }

  for (const argument of [undefined, null, 'text', 42, ['x']]) {
    for (const event of ['publish-update', 'publish-notification']) {
      it(`${event} refuses the argument ${JSON.stringify(argument)}`, async (t) => {
        const client = await world.user(t);
        const { success, error } = await client.request(event, ...(argument === undefined ? [] : [argument]));
        assert.equal(success, false);
        assert.equal(error.code, 'invalid');
      });
    }
  }

  for (const [what, fields] of Object.entries(ACCEPTED)) {
    it(`publish-notification accepts ${what}`, async (t) => {
      await (await world.user(t)).ask('publish-notification', { ...notification, ...fields });
    });
  }
});

eachClient('errors', {}, (world) => {
  it('are the acknowledgement if there is a callback', async (t) => {
    const client = await world.user(t);
    const answer = await client.request('join-room', { roomId: false });
    assert.deepStrictEqual(Object.keys(answer).sort(), ['error', 'success']);
    checkError(answer.error, { code: 'invalid', message: /roomId/ });
    assert.deepStrictEqual(await client.unread('error', 'room-joined'), []);
  });

  it('are the event error, with two arguments, if there is none', async (t) => {
    const client = await world.user(t);
    client.emit('publish-notification', { targetUserId: 'x', type: 'INFO', title: '' });
    const args = await client.arguments('error');
    assert.equal(args.length, 2);
    const [text, error] = args;
    checkError(error, { code: 'invalid', event: 'publish-notification', message: /title/ });
    assert.equal(text, error.message);
  });

  it('change nothing and do not end the connection', async (t) => {
    const roomId = world.name('room');
    const member = await world.user(t);
    const outsider = await world.user(t);
    await member.ask('join-room', roomId);
    for (let i = 0; i < 20; i++) outsider.emit('publish-update', { roomId, type: 'X' });
    for (let i = 0; i < 20; i++) {
      const [text, error] = await outsider.arguments('error');
      assert.equal(text, 'Unauthorized');
      assert.deepStrictEqual(error, { code: 'unauthorized', event: 'publish-update', message: 'Unauthorized', reason: 'not_a_member' });
    }
    assert.deepStrictEqual(await member.unread('update'), []);
    assert.equal((await outsider.ask('join-room', roomId)).total, 2);
  });

  it('a client may send the event error, which is not handled', async (t) => {
    const client = await world.user(t);
    client.emit('error', 'mine');
    assert.deepStrictEqual(await client.unread('error', 'disconnect'), []);
  });
}, EACH_TRANSPORT);
