/** Lost connections, against scripted servers: what is sent again, what is asked for, and when it is given up. */
import { TracewireError, type Transport, transportPair } from '@tracewire/protocol';
import { describe, expect, test, vi } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { gpt2 } from '../test/description.ts';
import { reason } from '../test/reason.ts';
import { f32, REPORT, RESUMES, ScriptedServer, scripted } from '../test/scripted-server.ts';
import { type ConnectionEvent, LanguageModel, type Saved, type Tensor, type Trace } from './index.ts';
import { backOff } from './reconnect.ts';

const resuming = (more: object = {}) => new ScriptedServer(gpt2(), { ...RESUMES, ...more });
const save = (m: Trace) => m.lm_head.output.save();
const cut = (server: ScriptedServer) => server.close(1006, '');

test('hello announces what the client understands', async () => {
  const { model, server } = scripted();
  void model.describe();
  expect((await server.next('hello')).message.capabilities).toEqual([
    'resume',
    'moves',
    'detach',
    'invokes',
    'batching',
    'generation',
    'batch_generation',
    'sessions',
    'blobs',
    'functions',
    'explain',
  ]);
});

test('a run goes on after the last message that came, in the middle of a value too', async () => {
  const [one, two] = [resuming(), resuming()];
  const { model } = scripted(one, two);
  const events: ConnectionEvent[] = [];
  const values: Saved<unknown>[] = [];
  const promise = model.trace(
    'a',
    { onConnection: (event) => events.push(event), onValue: (saved) => values.push(saved) },
    save,
  );
  const run = await one.nextRun();
  const [node = -1] = run.saves;
  const data = Float32Array.from({ length: 700 }, (_, index) => index);
  const bytes = new Uint8Array(data.buffer);
  const value = { tensor: { dtype: 'float32', dims: [7, 100], offset: 0, length: 2800 } };
  run.status('received');
  run.say({ type: 'value', save: node, value, bytes: 2800 }, [bytes.subarray(0, 1024)]);
  run.say({ type: 'chunk', save: node, offset: 1024 }, [bytes.subarray(1024, 2048)]);
  cut(one);
  expect((await two.next('resume')).message).toEqual({ type: 'resume', run: run.id, after: 4 });
  run.moveTo(two, 4);
  run.say({ type: 'chunk', save: node, offset: 2048 }, [bytes.subarray(2048)]);
  run.complete();
  expect((await promise).value.data).toEqual(data);
  expect(values).toHaveLength(1);
  expect(events).toMatchObject([
    { state: 'lost' },
    { state: 'reconnecting', attempt: 1, delayMs: expect.any(Number) },
    { state: 'resumed', attempt: 1 },
  ]);
  await eventually(() => expect(two.all('ack').at(-1)).toEqual({ type: 'ack', run: run.id, seq: 6 }));
  expect([two.all('run'), two.all('describe')]).toEqual([[], []]);
});

test('a run of which nothing came is sent again, the same, under its id', async () => {
  const [one, two] = [resuming(), resuming()];
  const { model } = scripted(one, two);
  const promise = model.trace('a', { deadlineMs: 5000 }, (m) => m.lm_head.output.mul([[1], [2]]).save());
  const first = await one.next('run');
  cut(one);
  const again = await two.next('run');
  expect(again.message).toEqual(first.message);
  expect(again.message.options).toEqual({ deadlineMs: 5000 });
  expect(again.payload).toEqual(first.payload);
  await model.close();
  expect((await reason(promise)).code).toBe('closed');
});

test('requests without an answer are sent again; runs that are asked for meanwhile wait', async () => {
  const [one, two] = [resuming(), resuming()];
  const { model } = scripted(one, two);
  await model.describe();
  const tokens = model.tokenizer.encode('c');
  const { request } = (await one.next('tokenize')).message;
  cut(one);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const promise = model.trace('a', save);
  expect((await two.next('tokenize')).message).toMatchObject({ request, text: 'c' });
  two.send({ type: 'tokens', request, ids: [1], tokens: ['c'] });
  expect((await tokens).ids).toEqual([1]);
  const run = await two.nextRun();
  run.value(run.saves[0] ?? -1, f32([], 4));
  run.complete();
  expect((await promise).value.item()).toBe(4);
});

test('what was cancelled while the connection was lost is cancelled then', async () => {
  const [one, two] = [resuming(), resuming()];
  const { model } = scripted(one, two);
  const controller = new AbortController();
  const promise = model.trace('a', { signal: controller.signal }, save);
  const run = await one.nextRun();
  run.status('received');
  await eventually(() => expect(one.received.length).toBeGreaterThan(2));
  cut(one);
  controller.abort();
  expect((await reason(promise)).code).toBe('cancelled');
  expect((await two.next('resume')).message.run).toBe(run.id);
  expect((await two.next('cancel')).message.run).toBe(run.id);
});

describe('is given up at once', () => {
  test('when the server was started anew: run_lost, and nothing is run again', async () => {
    const [one, two] = [resuming(), resuming({ epoch: 'e2' })];
    const { model } = scripted(one, two);
    let handle: Saved<Tensor> | undefined;
    const promise = model.trace('a', (m) => {
      handle = save(m);
    });
    (await one.nextRun()).status('received');
    cut(one);
    const error = await reason(promise);
    expect(error.code).toBe('run_lost');
    expect(error.message).toMatch(/started anew.*\n {4}at .*reconnect\.test\.ts/);
    expect(handle?.error?.cause?.code).toBe('run_lost');
    expect([two.all('run'), two.all('resume')]).toEqual([[], []]);
    await eventually(() => expect(two.closed).toBeDefined());
  });

  test('when the server has forgotten the run', async () => {
    const [one, two] = [resuming(), resuming()];
    const { model } = scripted(one, two);
    const lost = reason(model.trace('a', save));
    const run = await one.nextRun();
    run.status('received');
    cut(one);
    await two.next('resume');
    two.send({
      type: 'error',
      run: run.id,
      errors: [{ code: 'run_lost', message: 'There is no such run.' }],
    });
    expect((await lost).code).toBe('run_lost');
    const next = model.trace('b', save);
    const second = await two.nextRun();
    second.value(second.saves[0] ?? -1, f32([], 2));
    second.complete();
    expect((await next).value.item()).toBe(2);
  });

  test.each([
    ['cut', 1006],
    ['closed by a server that is going away', 1001],
  ])('when it is %s, and does not offer resume', async (_, code) => {
    const [one, two] = [resuming({ capabilities: [] }), resuming()];
    const { model } = scripted(one, two);
    const promise = reason(model.trace('a', save));
    await one.nextRun();
    one.close(code, 'bye');
    expect((await promise).code).toBe('connection_lost');
    expect(two.received).toEqual([]);
  });

  test('when what comes back is a refusal that will stay one', async () => {
    let calls = 0;
    const one = resuming();
    const connect = async (): Promise<Transport> => {
      calls += 1;
      if (calls === 1) return one.client;
      throw new TracewireError({ code: 'refused_upgrade', message: 'No.' });
    };
    const model = new LanguageModel('tiny-gpt2', { connect });
    const promise = reason(model.trace('a', save));
    await one.nextRun();
    cut(one);
    const error = await promise;
    expect(error.code).toBe('connection_lost');
    expect(error.message).toMatch(/was lost \(code 1006\).* could not be made again: No\./);
    expect(calls).toBe(2);
  });

  test('when the model is closed while it waits', async () => {
    const one = resuming();
    const { model } = scripted(one);
    const promise = reason(model.trace('a', save));
    await one.nextRun();
    cut(one);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await model.close();
    expect((await promise).code).toBe('closed');
  });
});

test('is tried again and again, ever later, until the server no longer keeps the runs', async () => {
  vi.useFakeTimers();
  try {
    const one = resuming({ limits: { ...RESUMES.limits, resumeMs: 20_000 } });
    let calls = 0;
    const connect = async (): Promise<Transport> => {
      calls += 1;
      if (calls === 1) return one.client;
      // One that opens, and is cut before its welcome.
      if (calls % 2 === 0) {
        const [client, server] = transportPair();
        server.close(1006, '');
        return client;
      }
      throw new TracewireError({ code: 'unreachable', message: 'Nobody there.' });
    };
    const model = new LanguageModel('tiny-gpt2', { connect });
    const delays: number[] = [];
    const onConnection = ({ delayMs }: ConnectionEvent) => delayMs !== undefined && delays.push(delayMs);
    const promise = reason(model.trace('a', { onConnection }, save));
    await one.nextRun();
    cut(one);
    await vi.advanceTimersByTimeAsync(19_000);
    let settled = false;
    void promise.then(() => {
      settled = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(settled).toBe(false);
    await vi.advanceTimersByTimeAsync(2_000);
    expect((await promise).code).toBe('connection_lost');
    expect(delays.length).toBeGreaterThan(7);
    expect(Math.max(...delays)).toBeLessThanOrEqual(5000);
  } finally {
    vi.useRealTimers();
  }
});

test('delays double up to five seconds, jittered', () => {
  expect([1, 2, 3, 20].map((attempt) => [backOff(attempt, 0), backOff(attempt, 1)])).toEqual([
    [50, 100],
    [100, 200],
    [200, 400],
    [2500, 5000],
  ]);
});

describe('a detached run', () => {
  test('is started, waited for, and cancelled', async () => {
    const one = resuming();
    const { model } = scripted(one);
    const starting = model.start('a', { deadlineMs: 9 }, save);
    const run = await one.nextRun();
    expect(one.all('run')[0]?.options).toEqual({ deadlineMs: 9, detach: true });
    run.status('received');
    const ticket = await starting;
    expect(ticket.run).toBe(run.id);
    expect(ticket.result.isSet).toBe(false);
    run.value(run.saves[0] ?? -1, f32([], 5));
    run.complete();
    expect((await ticket.wait()).value.item()).toBe(5);

    const second = model.start('b', save);
    const other = await one.nextRun();
    other.status('received');
    const cancelled = await second;
    cancelled.cancel();
    expect((await one.next('cancel')).message.run).toBe(other.id);
    expect((await reason(cancelled.wait())).code).toBe('cancelled');
  });

  test('that is refused rejects as a trace does', async () => {
    const one = resuming();
    const { model } = scripted(one);
    const starting = reason(model.start('a', save));
    const run = await one.nextRun();
    one.send({
      type: 'error',
      run: run.id,
      errors: [{ code: 'queue_full', message: 'Later.', retryAfterMs: 5 }],
    });
    expect(await starting).toMatchObject({ code: 'queue_full', body: { retryAfterMs: 5 } });
  });

  test('is followed from its first message, and after a loss from the next one', async () => {
    const [one, two] = [resuming(), resuming()];
    const { model } = scripted(one, two);
    const attaching = model.attach('r-7', save);
    expect((await one.next('resume')).message).toEqual({ type: 'resume', run: 'r-7', after: 0 });
    one.send({ type: 'status', run: 'r-7', seq: 1, state: 'received' });
    one.send({ type: 'status', run: 'r-7', seq: 2, state: 'running' });
    const { result, wait } = await attaching;
    cut(one);
    expect((await two.next('resume')).message).toEqual({ type: 'resume', run: 'r-7', after: 2 });
    const node = 1;
    two.send({
      type: 'access_error',
      run: 'r-7',
      seq: 3,
      save: node,
      error: { code: 'unset', message: 'x' },
    });
    two.send({ type: 'status', run: 'r-7', seq: 4, state: 'completed', report: REPORT });
    await wait();
    expect(result.error?.code).toBe('unset');
    expect(two.all('run')).toEqual([]);
  });

  test('that saves other values than the trace it is followed with is misuse, and the connection goes on', async () => {
    const one = resuming();
    const { model } = scripted(one);
    const attaching = model.attach('r-7', save);
    await one.next('resume');
    one.send({ type: 'status', run: 'r-7', seq: 1, state: 'received' });
    one.send({ type: 'access_error', run: 'r-7', seq: 2, save: 77, error: { code: 'unset', message: 'x' } });
    one.send({ type: 'status', run: 'r-7', seq: 3, state: 'cancelled' });
    const { wait } = await attaching;
    expect((await reason(wait())).code).toBe('misuse');
    await eventually(() => expect(one.all('ack').at(-1)?.seq).toBe(3));
    expect(one.closed).toBeUndefined();
  });

  test('needs a server that keeps it, a run id, and no second follower in one client', async () => {
    const plain = scripted().model;
    expect((await reason(plain.start('a', save))).code).toBe('not_offered');
    expect((await reason(plain.attach('r', save))).code).toBe('not_offered');
    const { model } = scripted(resuming());
    expect((await reason(model.attach('no id', save))).code).toBe('bad_input');
    expect((await reason(model.attach('r', { deadlineMs: 5 } as object, save))).code).toBe('unknown_option');
    void reason(model.attach('r', save));
    expect((await reason(model.attach('r', save))).code).toBe('run_conflict');
    await model.close();
  });
});

test('a deadline that is no number of milliseconds is refused', async () => {
  const { model } = scripted();
  for (const deadlineMs of [0, -1, 1.5, '5']) {
    const error = await reason(model.trace('a', { deadlineMs } as object, save));
    expect([error.code, error.body.path]).toEqual(['bad_input', 'deadlineMs']);
  }
});
