import { invalid } from './errors.js';

/**
 * Validates the arguments of events (contract, section 2). Each function returns the argument with defaults filled in,
 * or throws an `invalid` error that names the field and the allowed values. Unknown fields are dropped.
 */

const TYPES = ['INFO', 'SUCCESS', 'ERROR', 'ALERT', 'WARNING'];
const PRIORITIES = ['low', 'normal', 'high'];
const NAME = '1 to 256 characters without control characters';
const ID = `a string of ${NAME}, or an integer`;

/** `join-room` and `leave-room` take `{roomId}` or the bare id. */
export function roomArgument(argument) {
  return { roomId: id('roomId', isObject(argument) ? argument.roomId : argument) };
}

export function notificationArgument(argument) {
  const { targetUserId, userId, type, title, message, payload, priority } = object(argument);
  return {
    targetUserId: id('targetUserId', targetUserId ?? userId),
    type: oneOf('type', TYPES, type),
    title: text('title', 1, 100, title),
    message: text('message', 0, 500, message ?? ''),
    payload: payload === undefined || payload === null ? null : object(payload, 'payload'),
    priority: oneOf('priority', PRIORITIES, priority ?? 'normal'),
  };
}

export function updateArgument(argument) {
  const { roomId, type, payload } = object(argument);
  if (!isName(type)) throw invalid('type', `a string of ${NAME}`);
  return { roomId: id('roomId', roomId), type, payload: payload ?? null };
}

export function authenticateArgument(argument) {
  const { token, userId } = object(argument);
  return { token, userId: userId === undefined || userId === null ? undefined : id('userId', userId) };
}

/** Ids are strings or integers; `42` and `"42"` name the same room or user. */
export function isId(value) {
  return Number.isSafeInteger(value) || isName(value);
}

export const key = String;

function isName(value) {
  return typeof value === 'string' && within(value, 1, 256) && !/\p{Cc}/u.test(value);
}

// Length is counted in code points, so an emoji is one character.
function within(value, min, max) {
  const length = [...value].length;
  return length >= min && length <= max;
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

function object(value, field = 'argument') {
  if (!isObject(value)) throw invalid(field, 'an object');
  return value;
}

function id(field, value) {
  if (!isId(value)) throw invalid(field, ID);
  return value;
}

function text(field, min, max, value) {
  if (typeof value !== 'string' || !within(value, min, max)) throw invalid(field, `a string of ${min} to ${max} characters`);
  return value;
}

function oneOf(field, allowed, value) {
  if (!allowed.includes(value)) throw invalid(field, `one of ${allowed.join(', ')}`);
  return value;
}
