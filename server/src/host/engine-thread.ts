/**
 * Starts the worker thread in which the model runs. The runtime blocks that thread, so a `cancel` can't wait
 * in its message queue: this side looks at what it forwards and sets a shared flag that the worker reads
 * between segments. Each pass has a flag of its own, for one may wait behind the one that goes on.
 */
import '../no-telemetry.ts';
import { Worker } from 'node:worker_threads';
import { decodeFrame, type Transport } from '@tracewire/protocol';
import { portTransport } from './port-transport.ts';

/** What `worker.ts` finds in `workerData`. */
export interface EngineThreadData {
  /** `CANCEL_FLAGS` Int32, of passes in the order of their commands, in turn: 1 once that pass is cancelled. */
  readonly cancelFlags: SharedArrayBuffer;
}

/** More than there are passes in the thread at a time. */
export const CANCEL_FLAGS = 8;

export interface EngineThread {
  /** Carries `hostCommands` to the worker and `hostEvents` back; it closes when the worker ends. */
  readonly transport: Transport;
  /** Whether the thread keeps the process alive; at first it does. */
  keepProcess(keep: boolean): void;
}

export function startEngineThread(): EngineThread {
  const cancelFlags = new SharedArrayBuffer(CANCEL_FLAGS * Int32Array.BYTES_PER_ELEMENT);
  const workerData: EngineThreadData = { cancelFlags };
  // A local run stands in the user's process, whose own flags (`--input-type`, `--test`) are not for this thread.
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData, execArgv: [] });
  return {
    transport: withCancelFlags(portTransport(worker), new Int32Array(cancelFlags)),
    keepProcess: (keep) => (keep ? worker.ref() : worker.unref()),
  };
}

/** Keeps the flags in step with the commands that pass: a run, or several together, clears the next one; its `cancel` sets it. */
export function withCancelFlags(transport: Transport, flags: Int32Array): Transport {
  const passes = new Array<unknown>(flags.length);
  let next = 0;
  return {
    listen: (handlers) => transport.listen(handlers),
    close: (code, reason) => transport.close(code, reason),
    send(parts) {
      const command = headerOf(parts);
      if (command?.type === 'run' || command?.type === 'run_together') {
        passes[next] = command['run'];
        Atomics.store(flags, next, 0);
        next = (next + 1) % flags.length;
      } else if (command?.type === 'cancel') {
        const at = passes.indexOf(command['run']);
        if (at >= 0) Atomics.store(flags, at, 1);
      }
      transport.send(parts);
    },
  };
}

/** The header stands whole in the first part: both encodeFrame and a forwarded message put it there. */
function headerOf([head]: readonly Uint8Array[]) {
  return head && decodeFrame(head).header;
}
