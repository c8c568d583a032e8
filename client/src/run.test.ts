/** Runs against a scripted server: what is sent, what comes of each answer, and how each ending ends. */
import { encodeFrame, PayloadWriter } from '@tracewire/protocol';
import { expect, test, vi } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { reason } from '../test/reason.ts';
import { f32, LIMITS, REPORT, ScriptedServer, scripted } from '../test/scripted-server.ts';
import {
  type LogEvent,
  type RunReport,
  type Saved,
  type SavedValue,
  Tensor,
  TraceError,
  ValueNotSetError,
} from './index.ts';

test('a trace resolves to what its function returned, filled', async () => {
  const { model, server } = scripted();
  let captured: Saved<Tensor> | undefined;
  const promise = model.trace('Hello', (m) => {
    captured = m.lm_head.output.save();
    return { block: m.transformer.h[0].output.save(), report: m.report(), seven: 7 };
  });
  const run = await server.nextRun();
  expect(run.graph.invokes).toEqual([{ input: { text: 'Hello' } }]);
  const [logits = -1, block = -1] = run.saves;
  run.status('received');
  run.status('queued', { position: 2 });
  run.status('running');
  run.value(block, [f32([1, 2], 1, 2), f32([1], 3)]);
  run.value(logits, f32([2], 4, 5));
  run.complete();

  const result = await promise;
  expect(result.seven).toBe(7);
  expect(result.report.value).toEqual({ ...REPORT, warnings: [] });
  expect(Object.isFrozen(result.block.value)).toBe(true);
  expect((result.block.value as readonly SavedValue[]).map(String)).toEqual([
    'tensor([[1., 2.]], dims [1, 2], float32)',
    'tensor([3.], dims [1], float32)',
  ]);
  expect(captured?.isSet).toBe(true);
  expect(captured?.value).toBeInstanceOf(Tensor);
  expect(captured?.value.toArray()).toEqual([4, 5]);
});

test('an access error is thrown when the value is read, with its text and the line that saved it', async () => {
  const { model, server } = scripted();
  const promise = model.trace([1, 2], (m) => m.transformer.h[1].output.save());
  const run = await server.nextRun();
  run.status('received');
  const message = 'transformer.h.1.output was not reached: the forward pass stopped after transformer.h.0.';
  run.accessError(run.saves[0] ?? -1, { code: 'not_reached', message, node: 0 });
  run.complete({ stoppedAfter: 'transformer.h.0' });
  const saved = await promise;
  expect(saved.isSet).toBe(false);
  expect(saved.error?.code).toBe('not_reached');
  expect(() => saved.value).toThrow(ValueNotSetError);
  expect(() => saved.value).toThrow(`Accessing value before it's been set. ${message}\n    not_reached at `);
  expect(() => saved.value).toThrow(
    /run\.test\.ts:\d+:\d+\n {4}see docs\/errors\/[a-z_]+\.md, or: npx tracewire explain [a-z_]+$/,
  );
});

test('reading a value before the run has ended is a ValueNotSetError too', async () => {
  const { model, server } = scripted();
  let saved: Saved<Tensor> | undefined;
  let inside: unknown;
  const promise = model.trace('a', (m) => {
    saved = m.lm_head.output.save();
    try {
      saved.value;
    } catch (error) {
      inside = error;
    }
  });
  const run = await server.nextRun();
  expect(inside).toBeInstanceOf(ValueNotSetError);
  expect(() => saved?.value).toThrow(
    /^Accessing value before it's been set\. lm_head\.output has no value yet/,
  );
  run.value(run.saves[0] ?? -1, f32([], 1));
  run.complete();
  await promise;
  expect(saved?.value.item()).toBe(1);
});

test('a value in chunks is put together; acks follow the bytes and the end', async () => {
  const { model, server } = scripted();
  const promise = model.trace('a', (m) => m.lm_head.output.save());
  const run = await server.nextRun();
  const [save = -1] = run.saves;
  const data = Float32Array.from({ length: 700 }, (_, index) => index);
  const bytes = new Uint8Array(data.buffer);
  const value = { tensor: { dtype: 'float32', dims: [7, 100], offset: 0, length: 2800 } };
  run.say({ type: 'value', save, value, bytes: 2800 }, [bytes.subarray(0, 1024)]);
  run.say({ type: 'chunk', save, offset: 1024 }, [bytes.subarray(1024, 2048)]);
  expect((await server.next('ack')).message.seq).toBe(3);
  run.say({ type: 'chunk', save, offset: 2048 }, [bytes.subarray(2048)]);
  run.complete();
  const saved = await promise;
  expect(saved.value).toEqual(new Tensor('float32', [7, 100], data));
  await eventually(() => expect(server.all('ack').at(-1)?.seq).toBe(6));
});

test('acknowledges after a while even when little came', async () => {
  vi.useFakeTimers();
  try {
    const { model, server } = scripted();
    model.trace('a', (m) => m.lm_head.output.save()).catch(() => undefined);
    const run = await server.nextRun();
    run.status('received');
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.all('ack').map(({ seq }) => seq)).toEqual([1]);
    await model.close();
  } finally {
    vi.useRealTimers();
  }
});

test('callbacks tell what happens; logs have their line', async () => {
  const { model, server } = scripted();
  const seen: unknown[] = [];
  const logs: LogEvent[] = [];
  const promise = model.trace(
    'a',
    {
      onStatus: ({ state, position }) => seen.push(position === undefined ? state : [state, position]),
      onProgress: (progress) => seen.push(progress),
      onValue: (saved) => seen.push([saved.label, saved.isSet]),
      onLog: (event) => logs.push(event),
    },
    (m) => {
      m.lm_head.output.log('logits');
      return [m.lm_head.output.save(), m.lm_head.weight.save()];
    },
  );
  const run = await server.nextRun();
  run.status('queued', { position: 1 });
  server.send({ type: 'progress', run: run.id, done: 1, total: 4 });
  const writer = new PayloadWriter();
  const value = writer.value(f32([1], 8));
  run.say({ type: 'log', node: 1, text: 'logits', value }, writer.parts);
  run.value(run.saves[0] ?? -1, f32([], 1));
  run.accessError(run.saves[1] ?? -1, { code: 'too_large', message: 'lm_head.weight is too large.' });
  run.complete();
  const [, weight] = await promise;
  expect(seen).toEqual([
    'received',
    ['queued', 1],
    { done: 1, total: 4 },
    'running',
    ['lm_head.output', true],
    ['lm_head.weight', false],
    'completed',
  ]);
  expect(logs).toMatchObject([
    { text: 'logits', location: { file: expect.stringMatching(/run\.test\.ts$/) } },
  ]);
  expect(String(logs[0]?.value)).toBe('tensor([8.], dims [1], float32)');
  expect(() => weight?.value).toThrow(/^lm_head\.weight is too large\./);
});

test('without onLog, logs go to the console', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  const { model, server } = scripted();
  const promise = model.trace('a', (m) => m.log('here'));
  const run = await server.nextRun();
  run.say({ type: 'log', node: 0, text: 'here' });
  run.complete();
  await promise;
  expect(log.mock.calls).toEqual([['here']]);
  log.mockRestore();
});

test('a callback that throws cancels the run, and the trace rejects with what it threw', async () => {
  const { model, server } = scripted();
  const own = new Error('mine');
  const onStatus = (): never => {
    throw own;
  };
  const promise = model.trace('a', { onStatus }, (m) => m.lm_head.output.save());
  const run = await server.nextRun();
  run.status('received');
  await expect(promise).rejects.toBe(own);
  await server.next('cancel');
});

test('warnings come in the report with their lines', async () => {
  const { model, server } = scripted();
  let report: Saved<RunReport> | undefined;
  const promise = model.trace('a', (m) => {
    report = m.report();
    m.transformer.h[0].output.stop();
    return m.transformer.h[1].output.save();
  });
  const run = await server.nextRun();
  run.status('received', { warnings: [{ code: 'behind_stop', message: 'will not be reached', node: 1 }] });
  run.accessError(run.saves[0] ?? -1, { code: 'not_reached', message: 'x' });
  run.complete();
  await promise;
  expect(report?.value.warnings).toMatchObject([
    { code: 'behind_stop', location: { file: expect.stringMatching(/run\.test\.ts$/) } },
  ]);
});

test('a run that fails rejects with the lines of the nodes that the errors name', async () => {
  const { model, server } = scripted();
  let saved: Saved<Tensor> | undefined;
  const promise = model.trace('a', (m) => {
    m.lm_head.output.slice(0, 99).set(0);
    saved = m.lm_head.output.save();
  });
  const run = await server.nextRun();
  const write = run.graph.nodes.findIndex(({ kind }) => kind === 'write');
  const errors = [{ code: 'bad_selection', message: 'Axis 1 has 3 entries.', node: write }];
  run.accessError(run.saves[0] ?? -1, { code: 'unset', message: 'The run failed.' });
  run.status('failed', { errors, report: REPORT });
  const error = await reason(promise);
  expect(error).toBeInstanceOf(TraceError);
  expect(error.code).toBe('bad_selection');
  expect(error.message).toMatch(
    /^bad_selection: Axis 1 has 3 entries\.\n {4}at .*run\.test\.ts:\d+:\d+\n {4}see docs\/errors\/[a-z_]+\.md, or: npx tracewire explain [a-z_]+$/,
  );
  expect(() => saved?.value).toThrow(ValueNotSetError);
});

test('a refused run rejects with all errors', async () => {
  const { model, server } = scripted();
  const promise = model.trace('a', (m) => m.lm_head.output.save());
  const run = await server.nextRun();
  const errors = [
    { code: 'empty_input', message: 'No tokens.' },
    {
      code: 'wrong_dims',
      message: 'Dims differ.',
      node: 0,
      cause: { code: 'operation_failed', message: 'Why.' },
    },
  ];
  server.send({ type: 'error', run: run.id, errors });
  const error = await reason(promise);
  expect(error.code).toBe('empty_input');
  expect(error.message).toMatch(/^2 errors in the trace:\n {2}1\. empty_input: No tokens\.\n/);
  expect(error.message).toContain('2. wrong_dims: Dims differ. Why.');
});

test('an abort rejects at once, sends a cancel, and the connection goes on', async () => {
  const { model, server } = scripted();
  const controller = new AbortController();
  let saved: Saved<Tensor> | undefined;
  const promise = model.trace('a', { signal: controller.signal }, (m) => {
    saved = m.lm_head.output.save();
  });
  const run = await server.nextRun();
  run.status('running');
  const enough = new Error('enough');
  controller.abort(enough);
  const error = await reason(promise);
  expect([error.code, error.cause]).toEqual(['cancelled', enough]);
  expect((await server.next('cancel')).message.run).toBe(run.id);
  expect(saved?.error?.code).toBe('cancelled');
  // What was on its way still comes, and harms nothing.
  run.value(run.saves[0] ?? -1, f32([], 1));
  run.status('cancelled');
  expect(saved?.isSet).toBe(false);

  const next = model.trace('b', (m) => m.lm_head.output.save());
  const second = await server.nextRun();
  second.value(second.saves[0] ?? -1, f32([], 2));
  second.complete();
  expect((await next).value.item()).toBe(2);
});

test('a signal that is aborted already sends nothing', async () => {
  const { model, server } = scripted();
  const error = await reason(
    model.trace('a', { signal: AbortSignal.abort() }, (m) => m.lm_head.output.save()),
  );
  expect(error.code).toBe('cancelled');
  expect(server.all('run')).toEqual([]);
});

test('a connection that ends rejects all that waits on it, at once; the next use connects again', async () => {
  const second = new ScriptedServer();
  const { model, server } = scripted(new ScriptedServer(), second);
  const traces = ['a', 'b'].map((text) => reason(model.trace(text, (m) => m.lm_head.output.save())));
  const tokens = reason(model.tokenizer.encode('c'));
  await server.nextRun();
  await server.nextRun();
  await server.next('tokenize');
  server.close(1001, 'going away');
  const errors = await Promise.all([...traces, tokens]);
  expect(errors.map(({ code }) => code)).toEqual(Array(3).fill('connection_lost'));
  expect(errors[0]?.message).toMatch(/was lost \(code 1001: going away\)/);

  const promise = model.trace('d', (m) => m.lm_head.output.save());
  const run = await second.nextRun();
  run.value(run.saves[0] ?? -1, f32([], 3));
  run.complete();
  expect((await promise).value.item()).toBe(3);
});

test('traces written at the same time know nothing of each other', async () => {
  const { model, server } = scripted();
  const one = model.trace('one', (m) => m.lm_head.output.add(1).save());
  const two = model.trace('two', (m) => m.transformer.h[0].output[1].save());
  const runs = [await server.nextRun(), await server.nextRun()];
  expect(runs.map((run) => run.graph.nodes.length)).toEqual([4, 2]);
  expect(server.all('describe')).toHaveLength(1);
  const [first, second] = runs;
  second?.value(second.saves[0] ?? -1, f32([], 2));
  first?.value(first.saves[0] ?? -1, f32([], 1));
  second?.complete();
  first?.complete();
  expect([(await one).value.item(), (await two).value.item()]).toEqual([1, 2]);
});

test('runs beyond what the server takes at a time wait for one to end; one that waits can be cancelled', async () => {
  const { model, server } = scripted();
  const controller = new AbortController();
  const traces = Array.from({ length: LIMITS.runs + 2 }, (_, index) => {
    const signal = index === LIMITS.runs ? controller.signal : undefined;
    return model.trace([index], { signal }, (m) => m.lm_head.output.save());
  });
  const first = await server.nextRun();
  for (let sent = 1; sent < LIMITS.runs; sent++) await server.nextRun();
  expect(server.all('run')).toHaveLength(LIMITS.runs);
  controller.abort();
  const waiting = traces[LIMITS.runs] ?? Promise.resolve();
  expect((await reason(waiting)).code).toBe('cancelled');
  first.value(first.saves[0] ?? -1, f32([], 1));
  first.complete();
  const next = await server.nextRun();
  expect(next.graph.invokes).toEqual([{ input: { ids: [LIMITS.runs + 1] } }]);
  expect(server.all('cancel')).toEqual([]);
  const rest = traces.slice(1, LIMITS.runs).concat(traces.slice(-1)).map(reason);
  await model.close();
  expect((await Promise.all(rest)).map(({ code }) => code)).toEqual(Array(LIMITS.runs).fill('closed'));
});

test('literals arrive as they were written', async () => {
  const { model, server } = scripted();
  const promise = model.trace('a', (m) =>
    m.lm_head.output
      .add([[1], [2]])
      .add(Float32Array.of(3))
      .save(),
  );
  const run = await server.nextRun();
  expect(run.constant(1)).toEqual(f32([2, 1], 1, 2));
  expect(run.constant(3)).toEqual(f32([1], 3));
  run.value(run.saves[0] ?? -1, f32([], 1));
  run.complete();
  await promise;
});

test('more literals than a message may hold are refused before they are sent', async () => {
  const { model, server } = scripted();
  const big = new Float32Array(LIMITS.messageBytes / 4);
  const error = await reason(model.trace('a', (m) => m.constant(big).save()));
  expect(error.code).toBe('message_too_large');
  expect(server.all('run')).toEqual([]);
});

test.each<[string, (run: Awaited<ReturnType<ScriptedServer['nextRun']>>, save: number) => void]>([
  [
    'a gap in the numbers',
    (run) => {
      run.seq += 1;
      run.status('running');
    },
  ],
  [
    'a chunk out of order',
    (run, save) => {
      const value = { tensor: { dtype: 'uint8', dims: [9], offset: 0, length: 9 } };
      run.say({ type: 'value', save, value, bytes: 9 }, [new Uint8Array(4)]);
      run.say({ type: 'chunk', save, offset: 5 }, [new Uint8Array(4)]);
    },
  ],
  [
    'something between chunks',
    (run, save) => {
      const value = { tensor: { dtype: 'uint8', dims: [9], offset: 0, length: 9 } };
      run.say({ type: 'value', save, value, bytes: 9 }, [new Uint8Array(4)]);
      run.status('running');
    },
  ],
  [
    'a value larger than its limit',
    (run, save) => {
      const value = { tensor: { dtype: 'uint8', dims: [2e9], offset: 0, length: 2e9 } };
      run.say({ type: 'value', save, value, bytes: 2e9 }, [new Uint8Array(4)]);
    },
  ],
  [
    'a payload that is not the value’s',
    (run, save) => {
      const value = { tensor: { dtype: 'float32', dims: [2], offset: 0, length: 8 } };
      run.say({ type: 'value', save, value, bytes: 4 }, [new Uint8Array(4)]);
    },
  ],
  [
    'bytes behind the value',
    (run, save) => {
      const value = { tensor: { dtype: 'float32', dims: [1], offset: 0, length: 4 } };
      run.say({ type: 'value', save, value, bytes: 12 }, [new Uint8Array(12)]);
    },
  ],
  ['a value for no save', (run) => run.value(77, f32([], 1))],
  [
    'two outcomes for a save',
    (run, save) => {
      run.value(save, f32([], 1));
      run.value(save, f32([], 1));
    },
  ],
  ['an end without all outcomes', (run) => run.complete()],
  ['an unknown message', (run) => run.say({ type: 'nonsense' })],
  ['a run that nobody started', (run) => Object.assign(run, { id: 'other' }).status('running')],
])(
  'a server that breaks the protocol (%s) loses the connection, and the trace says so',
  async (_, breach) => {
    const { model, server } = scripted();
    const promise = model.trace('a', (m) => m.lm_head.output.save());
    const run = await server.nextRun();
    breach(run, run.saves[0] ?? -1);
    const error = await reason(promise);
    expect(error.code).toBe('protocol_violation');
    expect(error.message).toMatch(/The server broke the protocol/);
    await eventually(() => expect(server.closed?.code).toBe(4400));
  },
);

test('bytes that are no message end the connection', async () => {
  const { model, server } = scripted();
  const promise = model.describe();
  await server.next('hello');
  const [head] = encodeFrame({ type: 'status' });
  server.sendBytes((head ?? new Uint8Array()).subarray(0, 9));
  expect((await reason(promise)).message).toMatch(/The server broke the protocol: Not a Tracewire message/);
});

test('an error that names nothing ends everything that waits', async () => {
  const { model, server } = scripted();
  const promise = model.trace('a', (m) => m.lm_head.output.save());
  await server.nextRun();
  server.send({ type: 'error', errors: [{ code: 'bad_frame', message: 'No frame.' }] });
  expect((await reason(promise)).code).toBe('bad_frame');
});
