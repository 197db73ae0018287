import { after, before, describe } from 'node:test';
import { Client, CLIENTS, ONE_CLIENT } from './client.js';
import { TestServer } from './server.js';
import { targets } from './targets.js';
import { sign } from './tokens.js';

// The servers of this file's tests, by target and environment. Node's takes half a second of CPU to start.
const servers = new Map();
after(() => Promise.all([...servers.values()].map((starting) => starting.then((server) => server.stop(), () => {}))));

/** @returns {Promise<TestServer>} a server that runs until all tests of the file have ended */
function sharedServer(target, env) {
  const key = JSON.stringify([target, env]);
  if (!servers.has(key)) servers.set(key, TestServer.start(target, env));
  return servers.get(key);
}

/**
 * Runs the same tests against every target. The tests of a file share one server process per target and environment.
 *
 * @param {string} title
 * @param {Record<string, string>} env additional environment variables of the servers
 * @param {(world: World) => void} define declares the tests
 */
export function eachTarget(title, env, define) {
  for (const target of targets) withServer(`${title}: ${target}`, target, env, define);
}

/**
 * As eachTarget, and for each kind of client in `clients`. With `atOnce` the kinds and their tests run at once. Node's server
 * has one parser, so clients with another one get a reference server of their own; Puente serves all of them on one port.
 */
export function eachClient(title, env, define, clients = CLIENTS, atOnce = false) {
  const options = { concurrency: atOnce };
  const run = (title, target, env, clients) =>
    withServer(title, target, env, (world) => {
      describe('clients', options, () => {
        for (const client of clients) describe(client.name, options, () => define(world.with(client)));
      });
    });
  for (const target of targets) {
    if (target !== 'reference') {
      run(`${title}: ${target}`, target, env, clients);
      continue;
    }
    for (const parser of new Set(clients.map((client) => client.parser))) {
      const group = clients.filter((client) => client.parser === parser);
      const name = parser ? `${target} with ${parser}` : target;
      run(`${title}: ${name}`, target, parser ? { ...env, REFERENCE_PARSER: parser } : env, group);
    }
  }
}

function withServer(title, target, env, define) {
  describe(title, () => {
    const world = new World(target);
    before(() => world.start(env));
    define(world);
  });
}

/** The fixtures of a test: a server, clients that are closed when the test ends, and unique names. */
class World {
  static #names = 0;

  constructor(target) {
    this.target = target;
    this.client = ONE_CLIENT;
  }

  async start(env) {
    try {
      this.running = await sharedServer(this.target, env);
    } catch (error) {
      this.failure = error; // not thrown here: the runner would count the tests as cancelled, not as failed
    }
  }

  get server() {
    if (this.failure) throw this.failure;
    return this.running;
  }

  /** Returns the same world with another kind of client. The server may start later. */
  with(client) {
    return Object.assign(Object.create(this), { client });
  }

  /** Returns a name that is unique in this process, so that tests can share a server. */
  name(prefix) {
    return `${prefix}-${++World.#names}`;
  }

  /**
   * Opens a client, without waiting until it is connected.
   *
   * @param {import('node:test').TestContext} t the test; its end closes the client
   * @param {object} [auth] the payload of CONNECT
   * @param {object} [options] options of socket.io-client; `url` replaces the server's URL
   */
  open(t, auth, { url = this.server.url, ...options } = {}) {
    const client = new Client(url, this.client, { auth, ...options });
    t.after(() => client.close());
    return client;
  }

  /**
   * Opens a client with a token of the user, and waits until it is authenticated.
   *
   * @param {string|number} [userId] default: a new user
   * @param {object} [claims] additional claims
   */
  async user(t, userId = this.name('user'), claims = {}, options = {}) {
    const client = this.open(t, { token: sign({ userId, ...claims }) }, options);
    await client.connected();
    await client.next('authenticated');
    return Object.assign(client, { userId });
  }

  /** Starts a server of the same target with its own environment, and stops it when the test ends. */
  async ownServer(t, env) {
    const server = await TestServer.start(this.target, env);
    t.after(() => server.stop());
    return server;
  }
}
