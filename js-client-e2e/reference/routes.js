import { now } from './service.js';

/**
 * The routes for operators (contract, section 5).
 *
 * @param {() => import('./service.js').Service} service returns the service; it is called at each request, since the HTTP
 *   server is created first
 */
export function routes(service) {
  const startedAt = Date.now();
  const population = ({ directory }) => ({ connectedUsers: directory.userCount, rooms: directory.roomCount, timestamp: now() });
  const table = {
    '/healthz': () => ({ healthy: true }),
    '/readyz': () => ({ ready: true }),
    '/api/ws/health': () => ({ healthy: true, uptime: Date.now() - startedAt, ...population(service()) }),
    '/api/ws/stats': () => {
      const { stats } = service();
      return { ...stats, activeConnections: stats.connections - stats.disconnections, ...population(service()) };
    },
  };
  return (request, response) => {
    const answer = Object.hasOwn(table, request.url) ? table[request.url]() : undefined;
    response.writeHead(answer ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(answer ?? { error: 'not found' }));
  };
}
