import { key } from './validation.js';

/**
 * The connected users and their rooms. A user has devices (sockets); a room has users, each with one device or more, so
 * that presence is announced once per user. Ids are stored as they were first sent and compared as strings. No method
 * waits or emits.
 */
export class Directory {
  /** @type {Map<string, {userId: string|number, devices: Set<string>}>} */
  #users = new Map();
  /** @type {Map<string, Map<string, {userId: string|number, devices: Set<string>}>>} */
  #rooms = new Map();

  get userCount() {
    return this.#users.size;
  }

  get roomCount() {
    return this.#rooms.size;
  }

  register(userId, device) {
    addDevice(this.#users, userId, device);
  }

  unregister(userId, device) {
    removeDevice(this.#users, userId, device);
  }

  isConnected(userId) {
    return this.#users.has(key(userId));
  }

  /** @returns {boolean} whether this is the user's first device in the room */
  join(roomId, userId, device) {
    let room = this.#rooms.get(key(roomId));
    if (!room) this.#rooms.set(key(roomId), (room = new Map()));
    return addDevice(room, userId, device);
  }

  /** @returns {boolean} whether this was the user's last device in the room; an empty room disappears */
  leave(roomId, userId, device) {
    const room = this.#rooms.get(key(roomId));
    if (!room) return false;
    const last = removeDevice(room, userId, device);
    if (room.size === 0) this.#rooms.delete(key(roomId));
    return last;
  }

  isMember(roomId, userId) {
    return this.#rooms.get(key(roomId))?.has(key(userId)) ?? false;
  }

  usersIn(roomId) {
    return [...(this.#rooms.get(key(roomId))?.values() ?? [])].map((user) => user.userId);
  }
}

function addDevice(users, userId, device) {
  const user = users.get(key(userId));
  if (user) {
    user.devices.add(device);
    return false;
  }
  users.set(key(userId), { userId, devices: new Set([device]) });
  return true;
}

function removeDevice(users, userId, device) {
  const user = users.get(key(userId));
  if (!user?.devices.delete(device) || user.devices.size > 0) return false;
  return users.delete(key(userId));
}
