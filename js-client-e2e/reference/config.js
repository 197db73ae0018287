/**
 * Configuration: those environment variables of Puente whose features this server has, with the documented defaults. An
 * invalid value is an error that names the variable.
 */

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns the settings of the server; durations are in milliseconds
 */
export function readConfig(env) {
  return {
    host: env.HTTP_HOST ?? '127.0.0.1',
    port: number(env, 'HTTP_PORT', 3001),
    corsOrigins: list(env.WS_CORS_ORIGINS),
    pingInterval: number(env, 'WS_PING_INTERVAL', 30_000),
    pingTimeout: number(env, 'WS_PING_TIMEOUT', 60_000),
    maxHttpBufferSize: number(env, 'WS_MAX_HTTP_BUFFER_SIZE', 1e6),
    allowEIO3: env.WS_ALLOW_EIO3 === 'true',
    perMessageDeflate: env.WS_PER_MESSAGE_DEFLATE === 'true' && {
      threshold: number(env, 'WS_PER_MESSAGE_DEFLATE_THRESHOLD', 1024),
    },

    recovery: number(env, 'WS_RECOVERY', 0),
    presenceGrace: number(env, 'WS_PRESENCE_GRACE', 3000),

    tokens: {
      secrets: [required(env, 'JWT_SECRET'), env.JWT_SECRET_PREVIOUS].filter(Boolean),
      issuer: env.JWT_ISSUER,
      audience: env.JWT_AUDIENCE,
    },
    authRequired: env.WS_AUTH_REQUIRED === 'true',
    authTimeout: number(env, 'WS_AUTH_TIMEOUT', 30_000),
    ignoreExpiry: env.WS_TOKEN_EXPIRY === 'ignore',

    rateLimit: number(env, 'WS_RATE_LIMIT', 100),
    rateWindow: number(env, 'WS_RATE_WINDOW', 60_000),
    notifyPolicy: env.WS_NOTIFY_POLICY ?? 'any',
    presenceMax: number(env, 'WS_PRESENCE_MAX', 1000),
    parser: env.REFERENCE_PARSER, // a package; Puente needs no setting, and ignores this one
  };
}

function required(env, name) {
  if (!env[name]) throw new Error(`${name} must be set`);
  return env[name];
}

// Number, unlike parseInt, reads the documented 1e6 as a million.
function number(env, name, fallback) {
  if (env[name] === undefined) return fallback;
  const value = Number(env[name]);
  if (env[name].trim() === '' || !Number.isInteger(value) || value < 0) {
    throw new Error(`${name}=${env[name]}: must be a whole number, 0 or more`);
  }
  return value;
}

function list(text) {
  return text ? text.split(',').map((item) => item.trim()).filter(Boolean) : undefined;
}
