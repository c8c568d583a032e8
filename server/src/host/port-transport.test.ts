import { MessageChannel, Worker } from 'node:worker_threads';
import { encodeFrame, type Transport } from '@tracewire/protocol';
import { expect, it } from 'vitest';
import { withCancelFlags } from './engine-thread.ts';
import { portTransport } from './port-transport.ts';

const BUILT = new URL('../../dist/host/port-transport.js', import.meta.url).href;

/** A worker whose code has `transport`, its side of the conversation. */
function worker(code: string): Worker {
  const source = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(BUILT)}).then(({ portTransport }) => {
      const transport = portTransport(parentPort);
      ${code}
    });`;
  return new Worker(source, { eval: true });
}

function collect(transport: Transport) {
  const messages: Uint8Array[] = [];
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    transport.listen({
      message: (bytes) => messages.push(bytes),
      close: (code, reason) => resolve({ code, reason }),
    });
  });
  return { messages, closed };
}

it('carries bytes between threads, aligned, and leaves the sender’s buffers alone', async () => {
  const pooled = Buffer.from('pooled');
  const thread = worker(`transport.listen({
    message: (bytes) => { transport.send([bytes, new Uint8Array([9])]); transport.close(1000, 'done'); },
    close() {},
  });`);
  const transport = portTransport(thread);
  transport.send([pooled.subarray(1)]);
  const { messages, closed } = collect(transport);
  expect(await closed).toEqual({ code: 1000, reason: 'done' });
  expect(Buffer.from(messages[0] ?? []).toString('latin1')).toBe('ooled\t');
  expect(messages[0]?.byteOffset).toBe(0);
  expect(pooled.toString()).toBe('pooled');
});

it('closes with the reason when the thread fails', async () => {
  const thread = worker(`transport.listen({ message: () => { throw new Error('boom'); }, close() {} });`);
  const transport = portTransport(thread);
  transport.send([new Uint8Array(1)]);
  expect(await collect(transport).closed).toEqual({ code: 1011, reason: 'the thread failed: boom' });
});

it('closes when the thread exits', async () => {
  const thread = worker('process.exit(3);');
  expect(await collect(portTransport(thread)).closed).toEqual({
    code: 1011,
    reason: 'the thread ended with code 3',
  });
});

it('lets the thread end by itself after a close, having told it why', async () => {
  const thread = worker(`transport.listen({
    message() {},
    close: (code, reason) => { process.exitCode = reason === 'enough' && code === 1001 ? 0 : 1; },
  });`);
  const exit = new Promise((resolve) => thread.once('exit', resolve));
  portTransport(thread).close(1001, 'enough');
  expect(await exit).toBe(0);
});

it('works over the ports of a channel', async () => {
  const { port1, port2 } = new MessageChannel();
  const [a, b] = [portTransport(port1), portTransport(port2)];
  a.send([new Uint8Array([1]), new Uint8Array([2])]);
  a.close(1000, 'bye');
  const { messages, closed } = collect(b);
  expect(await closed).toEqual({ code: 1000, reason: 'bye' });
  expect(messages.map((bytes) => [...bytes])).toEqual([[1, 2]]);
});

it('sets the cancel flag of that run only, and clears each for the next run that has it', () => {
  const sent: unknown[] = [];
  const flags = new Int32Array(new SharedArrayBuffer(8));
  const inner: Transport = { send: (parts) => sent.push(parts), listen() {}, close() {} };
  const transport = withCancelFlags(inner, flags);
  const graph = { invokes: [], nodes: [] };
  transport.send(encodeFrame({ type: 'run', run: 'a', graph }));
  transport.send(encodeFrame({ type: 'cancel', run: 'b' }));
  expect([...flags]).toEqual([0, 0]);
  transport.send(encodeFrame({ type: 'run', run: 'b', graph }));
  transport.send(encodeFrame({ type: 'cancel', run: 'b' }));
  expect([...flags]).toEqual([0, 1]);
  transport.send(encodeFrame({ type: 'cancel', run: 'a' }));
  transport.send(encodeFrame({ type: 'run', run: 'c', graph }));
  expect([...flags]).toEqual([0, 1]);
  expect(sent).toHaveLength(6);
});
