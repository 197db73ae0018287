import { after, before, describe } from 'node:test';
import { Client, CLIENTS, ONE_CLIENT } from './client.js';
import { TestServer } from './server.js';
import { targets } from './targets.js';
import { sign } from './tokens.js';

/**
 * Runs the same tests against every target, each in one server process that the tests share.
 *
 * @param {string} title
 * @param {Record<string, string>} env of the servers, beside what all have
 * @param {(world: World) => void} define declares the tests
 */
export function eachTarget(title, env, define) {
  for (const target of targets) {
    describe(`${title}: ${target}`, () => {
      const world = new World(target);
      before(() => world.start(env));
      after(() => world.stop());
      define(world);
    });
  }
}

/** As eachTarget, once per kind of client as well; `clients` narrows them. */
export function eachClient(title, env, define, clients = CLIENTS) {
  eachTarget(title, env, (world) => {
    for (const client of clients) describe(client.name, () => define(world.with(client)));
  });
}

/** What a test needs: a server, clients that are closed when the test ends, names that no other test uses. */
class World {
  static #names = 0;

  constructor(target) {
    this.target = target;
    this.client = ONE_CLIENT;
  }

  async start(env) {
    try {
      this.running = await TestServer.start(this.target, env);
    } catch (error) {
      this.failure = error; // not thrown here: the runner would count the tests as cancelled, not as failed
    }
  }

  async stop() {
    await this.running?.stop();
  }

  get server() {
    if (this.failure) throw this.failure;
    return this.running;
  }

  /** The same world with another kind of client; the server may start later. */
  with(client) {
    return Object.assign(Object.create(this), { client });
  }

  /** A name that is new in this process, so that tests can share a server. */
  name(prefix) {
    return `${prefix}-${++World.#names}`;
  }

  /**
   * Opens a client, connected or not.
   *
   * @param {import('node:test').TestContext} t closes it at its end
   * @param {object} [auth] the handshake's payload
   * @param {object} [options] of socket.io-client; `url` replaces the server's
   */
  open(t, auth, { url = this.server.url, ...options } = {}) {
    const client = new Client(url, this.client, { auth, ...options });
    t.after(() => client.close());
    return client;
  }

  /**
   * A connected client with a token of the user.
   *
   * @param {string|number} [userId] a new one if not given
   * @param {object} [claims] beside the user's id
   */
  async user(t, userId = this.name('user'), claims = {}, options = {}) {
    const client = this.open(t, { token: sign({ userId, ...claims }) }, options);
    await client.connected();
    await client.next('authenticated');
    return Object.assign(client, { userId });
  }

  /** A server of the same target with an environment of its own, stopped when the test ends. */
  async ownServer(t, env) {
    const server = await TestServer.start(this.target, env);
    t.after(() => server.stop());
    return server;
  }
}
