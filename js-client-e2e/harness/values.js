import { randomBytes } from 'node:crypto';

/** The name of the values that clients with the msgpack parser send wrong: it takes every whole number as one of 64 bits. */
export const HUGE = 'whole numbers above 64 bits';

/** JSON of every kind, by name. */
export const VALUES = {
  'null': null,
  'booleans': [true, false],
  'zero and empty values': [0, '', [], {}],
  'numbers': [-1, 0.1, 5e-324, 9007199254740991, -9007199254740991],
  [HUGE]: [1e21, 1.7976931348623157e308],
  'text beyond ASCII': { 'clé': 'ñandú 日本語 \u{1F680}\u200D\u{1F469} \u0000\u001f\u2028\u2029 </script> "\\' },
  'keys that look like protocol fields': { _placeholder: false, num: 0, __proto__x: 1, constructor: 'x', type: 'y', timestamp: 'z' },
  'key order': { z: 1, a: { y: 1, b: 2 }, m: [3] },
  'deep nesting': JSON.parse('['.repeat(200) + ']'.repeat(200)),
  'arrays and objects with null': [null, [null], { a: null }],
};

/** Bytes that are no text. */
export const FILE = randomBytes(3000);

/** Binary data in every position, by name. */
export const BINARY = {
  'at the top': FILE,
  'inside': { name: 'foto.png', data: FILE, parts: [Buffer.from([0, 255]), { deeper: Buffer.from('x') }], end: null },
  'empty': { data: Buffer.alloc(0) },
};

/** Returns a value with all bytes in it as hexadecimal text: clients give them as Buffer or as ArrayBuffer. */
export function plain(value) {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return { bytes: Buffer.from(value).toString('hex') };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
