/**
 * Starts the worker thread in which the model runs. The runtime blocks that thread, so a `cancel` can't wait
 * in its message queue: this side looks at what it forwards and sets a shared flag that the worker reads
 * between segments.
 */
import '../no-telemetry.ts';
import { Worker } from 'node:worker_threads';
import { decodeFrame, type Transport } from '@tracewire/protocol';
import { portTransport } from './port-transport.ts';

/** What `worker.ts` finds in `workerData`. */
export interface EngineThreadData {
  /** One Int32: 1 once the current run is cancelled. */
  readonly cancelFlag: SharedArrayBuffer;
}

export interface EngineThread {
  /** Carries `hostCommands` to the worker and `hostEvents` back; it closes when the worker ends. */
  readonly transport: Transport;
  /** Whether the thread keeps the process alive; at first it does. */
  keepProcess(keep: boolean): void;
}

export function startEngineThread(): EngineThread {
  const cancelFlag = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const workerData: EngineThreadData = { cancelFlag };
  // A local run stands in the user's process, whose own flags (`--input-type`, `--test`) are not for this thread.
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData, execArgv: [] });
  return {
    transport: withCancelFlag(portTransport(worker), new Int32Array(cancelFlag)),
    keepProcess: (keep) => (keep ? worker.ref() : worker.unref()),
  };
}

/** Keeps the flag in step with the commands that pass: a run, or several together, clears it; its `cancel` sets it. */
export function withCancelFlag(transport: Transport, flag: Int32Array): Transport {
  let current: unknown;
  return {
    listen: (handlers) => transport.listen(handlers),
    close: (code, reason) => transport.close(code, reason),
    send(parts) {
      const command = headerOf(parts);
      if (command?.type === 'run' || command?.type === 'run_together') {
        current = command['run'];
        Atomics.store(flag, 0, 0);
      } else if (command?.type === 'cancel' && command['run'] === current) {
        Atomics.store(flag, 0, 1);
      }
      transport.send(parts);
    },
  };
}

/** The header stands whole in the first part: both encodeFrame and a forwarded message put it there. */
function headerOf([head]: readonly Uint8Array[]) {
  return head && decodeFrame(head).header;
}
