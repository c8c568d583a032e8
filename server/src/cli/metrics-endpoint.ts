/** `/metrics` on a port of its own, so that whoever may scrape it need not be let in to the models. */
import { createServer, type Server } from 'node:http';
import { TracewireError } from '@tracewire/protocol';
import type { Metrics } from '../gateway/metrics.ts';

/** Rejects with `address_in_use` or `bad_configuration`. */
export function serveMetrics(metrics: Metrics, host: string, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics' || request.method !== 'GET') {
      response.statusCode = 404;
      return void response.end('The metrics are at /metrics.\n');
    }
    metrics.text().then(
      (text) => response.setHeader('content-type', metrics.contentType).end(text),
      () => response.writeHead(500).end('The metrics can’t be read.\n'),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code === 'EADDRINUSE' ? 'address_in_use' : 'bad_configuration';
      const message = `Can’t listen on port ${port} of ${host} for the metrics: ${error.message}. Choose another with --metrics-port or --metrics-host.`;
      reject(new TracewireError({ code, message }));
    });
    server.listen(port, host, () => resolve(server.unref()));
  });
}
