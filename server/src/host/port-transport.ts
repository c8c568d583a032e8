/**
 * A transport between two threads: over a Worker as its parent sees it, and over `parentPort` inside it.
 * A message is copied once into a buffer of its own, which then moves: the receiver's bytes start at
 * offset 0, so typed arrays can view the payload. A close is the one thing posted that is no list of messages.
 */
import { type MessagePort, Worker } from 'node:worker_threads';
import { copyOf, Inbox, type Transport } from '@tracewire/protocol';

/** How long a worker may take to end by itself after a close before it is terminated. */
const CLOSE_GRACE_MS = 5000;

interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** Both ends speak to each other; `port` is a `Worker`, a `parentPort`, or a port of a `MessageChannel`. */
export function portTransport(port: MessagePort | Worker): Transport {
  const inbox = new Inbox();
  let waiting: Uint8Array<ArrayBuffer>[] = [];
  const post = (): void => {
    const batch = waiting;
    waiting = [];
    const buffers = batch.map((bytes) => bytes.buffer);
    if (batch.length > 0 && !inbox.closed) port.postMessage(batch, buffers);
  };
  receive(port, inbox);
  return {
    send(parts) {
      if (inbox.closed) return;
      // Posting costs more than most messages, so those of one turn go together, before the runtime can block the thread.
      if (waiting.length === 0) queueMicrotask(post);
      // One part may be a view of a pool or of something still in use, so even that is copied.
      waiting.push(copyOf(parts));
    },
    listen: (handlers) => inbox.listen(handlers),
    close(code = 1000, reason = '') {
      if (inbox.closed) return;
      post();
      port.postMessage({ code, reason } satisfies Closing);
      inbox.abandon(code, reason);
      shut(port);
    },
  };
}

function receive(port: MessagePort | Worker, inbox: Inbox): void {
  const onMessage = (data: readonly Uint8Array<ArrayBuffer>[] | Closing): void => {
    if (!('code' in data)) {
      for (const bytes of data) inbox.deliver(bytes);
      return;
    }
    inbox.end(data.code, data.reason);
    shut(port);
  };
  if (port instanceof Worker) {
    let fault: unknown;
    port.on('message', onMessage);
    port.on('error', (error) => {
      fault = error;
    });
    port.on('exit', (code) => inbox.end(1011, exitReason(code, fault)));
    return;
  }
  port.on('message', onMessage);
  port.on('close', () => inbox.end(1006, 'the other thread closed its port'));
}

/** Lets the thread's event loop end; a worker that goes on regardless is terminated. */
function shut(port: MessagePort | Worker): void {
  if (!(port instanceof Worker)) {
    port.close();
    return;
  }
  const timer = setTimeout(() => void port.terminate(), CLOSE_GRACE_MS);
  timer.unref();
  port.once('exit', () => clearTimeout(timer));
}

function exitReason(code: number, fault: unknown): string {
  if (fault === undefined) return `the thread ended with code ${code}`;
  return `the thread failed: ${fault instanceof Error ? fault.message : String(fault)}`;
}
