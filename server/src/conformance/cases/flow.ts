/** Sections 2.2 and 2.3, Flow: values in chunks, and never more than the window ahead of acks. */
import type { Dtype } from '@tracewire/protocol';
import type { ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual, NotApplicable, sleep } from '../mismatch.ts';
import { newRunId, type Peer } from '../peer.ts';
import { Sketch } from '../sketch.ts';
import { numbersOf, oneTensor } from '../tensors.ts';
import { listOf } from '../work.ts';

/** More than this is no test but a load. */
const MOST_BYTES = 96 * 1024 * 1024;
const DTYPE: Dtype = 'float32';
const SIZE = 4;

/** A graph that saves a value of so many bytes. */
function big(ids: readonly number[], bytes: number): { readonly sketch: Sketch; readonly saved: number } {
  const sketch = new Sketch({ ids });
  return { sketch, saved: sketch.save(listOf(sketch, 1.5, bytes / SIZE)) };
}

function mustFit({ limits }: Peer, bytes: number): void {
  if (bytes > limits.savedBytes) throw new NotApplicable(`limits.savedBytes is ${limits.savedBytes}`);
  if (bytes > MOST_BYTES) throw new NotApplicable(`it would take ${bytes} bytes`);
}

/** A value of so many bytes, relative to a chunk, comes whole. */
const chunked = (id: string, shows: string, size: (chunkBytes: number) => number): ConformanceCase => ({
  id,
  requirements: ['R-097', 'R-098', 'R-099', 'R-100'],
  shows,
  run: async ({ open, model }) => {
    const peer = await open();
    const bytes = Math.floor(size(peer.limits.chunkBytes) / SIZE) * SIZE;
    mustFit(peer, bytes);
    const { sketch, saved } = big(model.ids, bytes);
    const view = peer.run(sketch.request);
    await view.ended('completed');
    const tensor = oneTensor(view.value(saved));
    mustEqual('the dims', tensor.dims, [bytes / SIZE]);
    const wrong = numbersOf(tensor).findIndex((number) => number !== 1.5);
    check(wrong < 0, 'numbers that are all 1.5', () => `another at ${wrong}`);
    const messages = view.messages.filter(({ type }) => type === 'value' || type === 'chunk').length;
    mustEqual('the number of messages', messages, Math.max(1, Math.ceil(bytes / peer.limits.chunkBytes)));
  },
});

export const FLOW: readonly ConformanceCase[] = [
  chunked('chunks-one', 'a value of exactly chunkBytes comes in one message', (chunk) => chunk),
  chunked('chunks-two', 'a value of one number more comes in two', (chunk) => chunk + SIZE),
  chunked('chunks-many', 'a value of 2½ chunks comes in three', (chunk) => 2.5 * chunk),
  {
    id: 'window',
    requirements: ['R-081', 'R-112'],
    shows: 'without acks the server sends at most windowBytes of payload; with them, the rest',
    run: async ({ open, model }) => {
      const peer = await open();
      const { windowBytes, chunkBytes } = peer.limits;
      const bytes = Math.ceil((windowBytes + 2.5 * chunkBytes) / SIZE) * SIZE;
      mustFit(peer, bytes);
      const { sketch } = big(model.ids, bytes);
      const view = peer.run({ ...sketch.request, withholdAcks: true });
      await view.until(
        () => (view.payloadBytes + chunkBytes > windowBytes ? true : undefined),
        'a window full of payload',
      );
      await sleep(150);
      check(view.payloadBytes <= windowBytes, `at most ${windowBytes} bytes ahead of acks`, () =>
        String(view.payloadBytes),
      );
      while (view.payloadBytes < bytes) {
        view.ack(view.seq);
        const before = view.payloadBytes;
        await view.until(() => (view.payloadBytes > before ? true : undefined), 'more payload after an ack');
      }
      const { seq } = await view.ended('completed');
      view.ack(seq);
    },
  },
  {
    id: 'window-partial-ack',
    requirements: ['R-112'],
    shows: 'an ack of the first messages opens the window by their payload alone',
    run: async ({ open, model }) => {
      const peer = await open();
      const { windowBytes, chunkBytes } = peer.limits;
      const bytes = Math.ceil((windowBytes + 3 * chunkBytes) / SIZE) * SIZE;
      mustFit(peer, bytes);
      if (chunkBytes * 2 > windowBytes) throw new NotApplicable('the window holds less than two chunks');
      const { sketch } = big(model.ids, bytes);
      const view = peer.run({ ...sketch.request, withholdAcks: true });
      await view.until(
        () => (view.payloadBytes + chunkBytes > windowBytes ? true : undefined),
        'a window full of payload',
      );
      const first = view.messages.find(({ type }) => type === 'value');
      const before = view.payloadBytes;
      view.ack(first && 'seq' in first ? first.seq : 1);
      await view.until(() => (view.payloadBytes > before ? true : undefined), 'one more chunk');
      await sleep(100);
      check(view.payloadBytes <= windowBytes + chunkBytes, `at most ${windowBytes + chunkBytes} bytes`, () =>
        String(view.payloadBytes),
      );
      peer.send({ type: 'cancel', run: view.id });
    },
  },
  {
    id: 'window-others-go-on',
    requirements: ['R-040', 'R-112'],
    shows: 'a run that waits for acks holds up no other',
    run: async ({ open, model }) => {
      const peer = await open();
      const { windowBytes, chunkBytes } = peer.limits;
      const bytes = Math.ceil((windowBytes + 2 * chunkBytes) / SIZE) * SIZE;
      mustFit(peer, bytes);
      const { sketch } = big(model.ids, bytes);
      const waiting = peer.run({ ...sketch.request, withholdAcks: true });
      await waiting.until(
        () => (waiting.payloadBytes + chunkBytes > windowBytes ? true : undefined),
        'a window full of payload',
      );
      const other = big(model.ids, 1024);
      await peer.run(other.sketch.request).ended('completed');
      peer.send({ type: 'cancel', run: waiting.id });
    },
  },
  {
    id: 'window-message-larger',
    requirements: ['R-114'],
    shows: 'a message whose payload is larger than the window is sent alone',
    run: async ({ open, model }) => {
      const peer = await open();
      const { windowBytes, chunkBytes } = peer.limits;
      if (chunkBytes <= windowBytes) throw new NotApplicable('no message is larger than the window');
      mustFit(peer, chunkBytes);
      const { sketch, saved } = big(model.ids, Math.floor(chunkBytes / SIZE) * SIZE);
      const view = peer.run(sketch.request);
      await view.ended('completed');
      view.value(saved);
    },
  },
  {
    id: 'too-large',
    requirements: ['R-082', 'R-101', 'R-102', 'R-299'],
    shows:
      'what is saved past limits.savedBytes is the access error too_large, and counts nothing; the run completes',
    run: async ({ open, model }) => {
      const peer = await open();
      const bytes = peer.limits.savedBytes + SIZE;
      if (bytes > 300 * 1024 * 1024)
        throw new NotApplicable(`limits.savedBytes is ${peer.limits.savedBytes}`);
      const small = new Sketch({ ids: model.ids });
      const save = small.save(listOf(small, 1.5, bytes / SIZE));
      const other = small.save(small.constant(DTYPE, [1], [1]));
      const view = peer.run(small.request);
      await view.ended('completed');
      view.accessError(save, 'too_large');
      view.value(other);
    },
  },
  {
    id: 'nodes-too-many',
    requirements: ['R-049', 'R-081'],
    shows: 'a graph of more than limits.nodes gets bad_message',
    run: async ({ open, model }) => {
      const peer = await open();
      const { nodes } = peer.limits;
      if (nodes > 20_000) throw new NotApplicable(`limits.nodes is ${nodes}`);
      const sketch = new Sketch({ ids: model.ids });
      const one = sketch.constant(DTYPE, [1], [1]);
      while (sketch.nodes.length <= nodes) sketch.save(one);
      await peer.run(sketch.request).refusedWith('bad_message');
      await peer.mustGoOn();
    },
  },
  {
    id: 'requests-too-many',
    requirements: ['R-441'],
    shows:
      'of many more requests than limits.requestsPerSecond some get too_many_requests, each with retryAfterMs',
    run: async ({ open }) => {
      const peer = await open(['resume']);
      const { requestsPerSecond: most } = peer.limits;
      if (most === undefined) throw new NotApplicable('the server has no such limit');
      if (most > 2000) throw new NotApplicable(`limits.requestsPerSecond is ${most}`);
      const run = newRunId();
      const begun = performance.now();
      for (let count = 0; count < 3 * most; count++) peer.send({ type: 'resume', run, after: 0 });
      const codes = new Map<string, number>();
      for (let count = 0; count < 3 * most; count++) {
        const message = await peer.answer();
        const [error] = message.type === 'error' ? message.errors : [];
        check(error !== undefined, 'an error', () => brief(message));
        codes.set(String(error?.code), (codes.get(String(error?.code)) ?? 0) + 1);
        if (error?.code !== 'too_many_requests') continue;
        check((error.retryAfterMs ?? 0) > 0, 'retryAfterMs', () => brief(error));
      }
      if (performance.now() - begun > 1900 && !codes.has('too_many_requests'))
        throw new NotApplicable('the requests were no more than that a second, on a slow machine');
      check(codes.has('too_many_requests'), 'too_many_requests', () => brief([...codes]));
      check((codes.get('run_lost') ?? codes.get('not_offered') ?? 0) >= most, `${most} answers`, () =>
        brief([...codes]),
      );
      // Cases to come should not suffer from this one.
      await sleep(1100);
    },
  },
];
