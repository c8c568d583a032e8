/** A real server in this process, on a socket of its own, with other limits than the command line's. */
import type { Limits } from '@tracewire/protocol';
import { startEngineThread } from '../../server/dist/host/engine-thread.js';
import { Gateway } from '../../server/src/gateway/gateway.ts';
import { DEFAULT_LIMITS } from '../../server/src/gateway/limits.ts';
import { Listener } from '../../server/src/gateway/listener.ts';
import { SILENT } from '../../server/src/gateway/log.ts';
import { ServedModel } from '../../server/src/gateway/served-model.ts';
import { tinyGpt2Config } from '../support/served-model.ts';

export interface LimitedServer {
  readonly url: string;
  close(): void;
}

export async function startLimited(changed: Partial<Limits>): Promise<LimitedServer> {
  const limits = { ...DEFAULT_LIMITS, ...changed };
  const served = new ServedModel({
    config: tinyGpt2Config(limits),
    log: SILENT,
    queuedRuns: limits.queuedRuns,
    start: async () => {
      const { transport } = startEngineThread();
      return { transport, kill: () => transport.close(1001, '') };
    },
  });
  const listener = await Listener.bind({ host: '127.0.0.1', port: 0 });
  await served.load();
  const gateway = new Gateway({ models: [served], log: SILENT, version: '1', limits });
  listener.open(gateway);
  return {
    url: listener.url,
    close() {
      gateway.close();
      listener.close();
    },
  };
}
