/**
 * The documented service on Node: Socket.IO 4.8 and jsonwebtoken, one process, in memory. Every assertion of this suite
 * must hold here too, so that it describes Node's behaviour. It reads the same environment variables as Puente
 * (config.js) and has the same routes for operators (routes.js).
 */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { readConfig } from './config.js';
import { register } from './events.js';
import { routes } from './routes.js';
import { Service } from './service.js';

const config = readConfig(process.env);

const http = createServer(routes(() => service));
const io = new Server(http, {
  parser: config.parser && (await import(config.parser)).default,
  pingInterval: config.pingInterval,
  pingTimeout: config.pingTimeout,
  maxHttpBufferSize: config.maxHttpBufferSize,
  allowEIO3: config.allowEIO3,
  perMessageDeflate: config.perMessageDeflate,
  cors: config.corsOrigins && { origin: config.corsOrigins, credentials: true },
  // Not without the middleware: a token that has expired meanwhile is refused.
  ...(config.recovery && { connectionStateRecovery: { maxDisconnectionDuration: config.recovery, skipMiddlewares: false } }),
  allowRequest: (request, decide) => decide(null, admitsOrigin(request)),
});
const service = new Service(io, config);
register(io, service, config);

http.listen(config.port, config.host, () => {
  console.log(`reference server on http://${config.host}:${http.address().port}`);
});
process.once('SIGTERM', () => io.close(() => process.exit(0)));

// CORS prevents a foreign page from reading XHR responses, but browsers do not apply it to WebSocket handshakes.
function admitsOrigin({ headers: { upgrade, origin, host } }) {
  if (!upgrade || !origin || !config.corsOrigins) return true;
  return config.corsOrigins.includes(origin) || (URL.canParse(origin) && new URL(origin).host === host);
}
