import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { commandOf } from './targets.js';
import { SECRET } from './tokens.js';

const READY_WITHIN = 30_000;
const STOPPED_WITHIN = 30_000;
const ATTEMPTS = 3; // another process may take the free port before the server binds it

// The servers get only these variables, so that the machine's environment does not configure them.
const ENVIRONMENT = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  HTTP_HOST: '127.0.0.1',
  JWT_SECRET: SECRET,
  WS_RATE_LIMIT: '0', // no limit, unless a test sets one
  LOG_LEVEL: 'error',
  SHUTDOWN_TIMEOUT: '1000',
};

/** A server in a child process. It is ready when `start` resolves. */
export class TestServer {
  #child;
  #release;
  #output = '';

  /**
   * @param {string} target
   * @param {Record<string, string>} [env] additional variables; HTTP_PORT sets the port
   */
  static async start(target, env = {}) {
    const command = commandOf(target);
    for (let attempt = 1; ; attempt++) {
      const server = new TestServer(command, { ...ENVIRONMENT, HTTP_PORT: String(await freePort()), ...env });
      if (await server.#becomesReady()) return server;
      await server.stop('SIGKILL');
      if (attempt === ATTEMPTS) throw new Error(`${target} did not become ready; it printed:\n${server.#output}`);
    }
  }

  constructor([file, ...args], env) {
    this.port = env.HTTP_PORT;
    this.url = `http://127.0.0.1:${this.port}`;
    this.#child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = once(this.#child, 'exit').then(([code, signal]) => ({ code, signal }));
    this.exited.catch(() => {}); // if it cannot be spawned, becomesReady returns false
    this.#child.stdout.on('data', (chunk) => (this.#output += chunk));
    this.#child.stderr.on('data', (chunk) => (this.#output += chunk));
    if (this.#child.pid !== undefined) this.#release = killWithThisProcess(this.#child.pid);
  }

  async #becomesReady() {
    const deadline = Date.now() + READY_WITHIN;
    while (Date.now() < deadline && this.#alive) {
      const response = await this.get('/readyz').catch(() => undefined);
      if (response?.ok) return true;
      await delay(20);
    }
    return false;
  }

  get #alive() {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** @returns {Promise<Response>} the response; the connection is not kept alive, so that it does not delay a stop */
  get(path, headers = {}) {
    return fetch(this.url + path, { headers: { connection: 'close', ...headers } });
  }

  /** @returns how the process ended: `{code, signal}` */
  async stop(signal = 'SIGTERM') {
    if (this.#child.pid === undefined) return {};
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOPPED_WITHIN);
    const end = await this.exited;
    clearTimeout(timer);
    this.#release();
    return end;
  }
}

/**
 * Kills a process when this one ends in any way: a test run that is killed runs no handlers. A guard process reads from
 * a pipe, which the kernel closes when this process ends.
 *
 * @returns {() => void} ends the guard; call it when the process has exited
 */
function killWithThisProcess(pid) {
  const guard = spawn('sh', ['-c', 'read released || kill -9 "$1"', 'sh', pid], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  guard.stdin.unref();
  return () => guard.stdin.end('released\n');
}

/** A port below those of outgoing connections (from 32768 on Linux), which could get it before the server has it. */
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const probe = createServer().listen(port, '127.0.0.1');
    const free = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}
