import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url);

/** The servers that every assertion runs against, with their command lines. */
const TARGETS = {
  reference: () => [process.execPath, fileURLToPath(new URL('js-client-e2e/reference/server.js', root))],
  puente: () => [executable(process.env.PUENTE_BIN ?? fileURLToPath(new URL('bin/puente', root)))],
};

/** The targets of this run: those in `PUENTE_E2E_TARGETS`, or all. */
export const targets = (process.env.PUENTE_E2E_TARGETS ?? Object.keys(TARGETS).join(',')).split(',');

/**
 * @param {string} target one of `targets`
 * @returns {[string, ...string[]]} its command line
 * @throws if there is no such target or it is not built: tests that cannot run must fail
 */
export function commandOf(target) {
  if (!Object.hasOwn(TARGETS, target)) throw new Error(`PUENTE_E2E_TARGETS: ${target} is not one of ${Object.keys(TARGETS)}`);
  return TARGETS[target]();
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    throw new Error(`${path} does not exist: run make build, set PUENTE_BIN, or set PUENTE_E2E_TARGETS=reference`);
  }
}
