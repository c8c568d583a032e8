/** The engine in this process as something that the suite can judge: all but the socket. */
import { openLocal } from 'tracewire/local';
import type { Target, Wire } from '../../server/src/conformance/wire.ts';
import { CACHE } from '../support/server.ts';

export const LOCAL_TARGET: Target = { name: 'the engine in this process', loopback: true, connect: openWire };

async function openWire(): Promise<Wire> {
  const transport = await openLocal({ cache: CACHE });
  const waiting: Uint8Array[] = [];
  let hear = (bytes: Uint8Array): void => void waiting.push(bytes);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    transport.listen({
      message: (bytes) => hear(bytes),
      close: (code, reason) => resolve({ code, reason }),
    });
  });
  return {
    send: (message) => transport.send([message]),
    listen: (message) => {
      hear = message;
      for (const bytes of waiting.splice(0)) message(bytes);
    },
    closed,
    close: () => transport.close(1000),
    destroy: () => transport.close(1006),
  };
}
