/**
 * The host process: one model, its own memory. It connects to the socket that the gateway names, starts the
 * engine's thread, and passes messages between the two; so the socket is served while the runtime blocks.
 * It ends with its gateway: no orphan keeps a model's weights in memory.
 */
import { connect } from 'node:net';
import { startEngineThread } from './engine-thread.ts';
import { socketTransport } from './socket-transport.ts';

function main(path: string | undefined): void {
  if (path === undefined) fail('the gateway starts this program; it takes the path of a socket');
  const gateway = socketTransport(connect(path));
  const { transport: engine } = startEngineThread();
  gateway.listen({
    message: (bytes) => engine.send([bytes]),
    close: endNow,
  });
  engine.listen({
    message: (bytes) => gateway.send([bytes]),
    close: (_code, reason) => fail(reason),
  });
}

/** `process.exit` would wait for the engine's thread, which may be deep inside the runtime. */
function endNow(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** Says why on stderr, which the gateway logs. */
function fail(reason: string): never {
  process.stderr.write(`tracewire host: ${reason}\n`);
  process.exit(1);
}

// Ctrl-C reaches the whole process group; the gateway decides when its hosts end.
process.on('SIGINT', () => {});
process.on('uncaughtException', (error) => fail(error.stack ?? error.message));
main(process.argv[2]);
