/** The model object: its options, what it asks of a server, how it opens and closes. */
import { expect, test, vi } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { gpt2 } from '../test/description.ts';
import { reason } from '../test/reason.ts';
import { LIMITS, ScriptedServer, scripted } from '../test/scripted-server.ts';
import { LanguageModel, Tensor, type Trace, TraceError, TracewireError } from './index.ts';
import { localEndpoint } from './local.ts';

const save = (m: Trace) => m.lm_head.output.save();

test('options that don’t exist are errors with the nearest name and the line', async () => {
  const { model } = scripted();
  const error = await reason(model.trace('a', { remot: true } as object, save));
  expect(error.code).toBe('unknown_option');
  expect(error.body.nearest).toBe('remote');
  expect(error.message).toMatch(
    /model\.test\.ts:\d+:\d+\n {4}see docs\/errors\/[a-z_]+\.md, or: npx tracewire explain [a-z_]+$/,
  );
  expect(() => new LanguageModel('m', { uri: 'ws://x' } as object)).toThrow(
    /no option "uri"\. Did you mean url\?/,
  );
});

test('options and inputs of the wrong type say what is wanted', async () => {
  const { model } = scripted();
  const codes = await Promise.all(
    [
      model.trace('a', { remote: 'yes' } as object, save),
      model.trace(7 as never, save),
      model.trace(['a'] as never, save),
      model.trace([1, -1], save),
      model.trace('half \ud800', save),
      model.trace('a', undefined as never),
      model.trace('a', null as never, save),
    ].map(reason),
  );
  expect(codes.map(({ code }) => code)).toEqual([...Array(5).fill('bad_input'), 'misuse', 'bad_input']);
  expect(codes[3]?.message).toContain('Token 1 of the input is -1');
});

test('inputs are checked against the model before anything is sent', async () => {
  const { model, server } = scripted();
  const errors = await Promise.all(
    [[], Array(17).fill(1), [100]].map((ids) => reason(model.trace(ids, save))),
  );
  expect(errors.map(({ code }) => code)).toEqual(['empty_input', 'input_too_long', 'token_out_of_range']);
  expect(server.all('run')).toEqual([]);
});

test('token ids may come from a tensor', async () => {
  const { model, server } = scripted();
  const promise = reason(model.trace(Tensor.from([3, 4], 'int64'), save));
  const run = await server.nextRun();
  expect(run.graph.invokes).toEqual([{ input: { ids: [3, 4] } }]);
  await model.close();
  expect((await promise).code).toBe('closed');
});

test('an address that is no WebSocket’s is refused when the model is made', () => {
  expect(() => new LanguageModel('m', { url: 'http://localhost:1' })).toThrow(/Write ws:\/\/localhost:1\./);
  expect(() => new LanguageModel('m', { url: 'localhost' })).toThrow(/no WebSocket address/);
  expect(() => new LanguageModel('')).toThrow(/name is text, not empty/);
});

test('a model that the server doesn’t have: the nearest name and the line', async () => {
  const server = new ScriptedServer();
  const model = new LanguageModel('tiny-gpt', { connect: async () => server.client });
  const error = await reason(model.trace('a', save));
  expect(error).toBeInstanceOf(TraceError);
  expect([error.code, error.body.nearest]).toEqual(['unknown_model', 'tiny-gpt2']);
  expect(error.message).toMatch(
    /model\.test\.ts:\d+:\d+\n {4}see docs\/errors\/[a-z_]+\.md, or: npx tracewire explain [a-z_]+$/,
  );
  await eventually(() => expect(server.closed).toBeDefined());
});

test('the tokenizer, the description and the server’s word', async () => {
  const { model, server } = scripted();
  const encoded = model.tokenizer.encode('Hi');
  const { message } = await server.next('tokenize');
  server.send({ type: 'tokens', request: message.request, ids: [5, 6], tokens: ['H', 'i'] });
  expect(await encoded).toEqual({ ids: [5, 6], tokens: ['H', 'i'] });
  const decoded = model.tokenizer.decode(BigInt64Array.of(5n));
  const asked = await server.next('detokenize');
  expect(asked.message.ids).toEqual([5]);
  server.send({ type: 'text', request: asked.message.request, text: 'H' });
  expect(await decoded).toBe('H');
  expect(await model.describe()).toEqual(gpt2());
  expect((await model.server()).server.name).toBe('scripted');
  expect((await reason(model.tokenizer.decode('Hi' as never))).code).toBe('bad_input');
});

test('a request that the server refuses rejects with its error', async () => {
  const { model, server } = scripted();
  const promise = model.tokenizer.encode('Hi');
  const { message } = await server.next('tokenize');
  server.send({
    type: 'error',
    request: message.request,
    errors: [{ code: 'internal', message: 'Broken.' }],
  });
  expect((await reason(promise)).message).toMatch(/^internal: Broken\./);
});

test('close ends what runs, can be called twice, and is final', async () => {
  const { model, server } = scripted();
  const promise = reason(model.trace('a', save));
  await server.nextRun();
  await model.close();
  await model.close();
  expect((await promise).code).toBe('closed');
  await eventually(() => expect(server.closed?.code).toBe(1000));
  expect((await reason(model.trace('a', save))).code).toBe('closed');
});

test('a connection that opens after close is closed', async () => {
  const server = new ScriptedServer();
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const connect = vi.fn(() => opened.then(() => server.client));
  const model = new LanguageModel('tiny-gpt2', { connect });
  const promise = reason(model.describe());
  await vi.waitFor(() => expect(connect).toHaveBeenCalled());
  await model.close();
  open();
  expect((await promise).code).toBe('closed');
  await eventually(() => expect(server.closed).toBeDefined());
});

test('a model that is closed while what connects is loaded opens nothing', async () => {
  const connect = vi.fn(async () => new ScriptedServer().client);
  const model = new LanguageModel('tiny-gpt2', { connect });
  const promise = reason(model.describe());
  await model.close();
  expect((await promise).code).toBe('closed');
  expect(connect).not.toHaveBeenCalled();
});

test('a failed opening is not remembered', async () => {
  const server = new ScriptedServer();
  const failure = new TracewireError({ code: 'unreachable', message: 'Nobody.' });
  const connect = vi.fn().mockRejectedValueOnce(failure).mockResolvedValue(server.client);
  const model = new LanguageModel('tiny-gpt2', { connect });
  expect((await reason(model.describe())).code).toBe('unreachable');
  expect((await model.describe()).name).toBe('tiny-gpt2');
});

test('a server that sends no welcome, or speaks another version', async () => {
  const other = new LanguageModel('m', {
    connect: async () => new ScriptedServer(gpt2(), { protocol: 2 }).client,
  });
  expect((await reason(other.describe())).message).toMatch(/^unsupported_version: .*speaks protocol 2/);
  vi.useFakeTimers();
  try {
    const silent = new LanguageModel('m', { connect: async () => new ScriptedServer(gpt2(), null).client });
    const promise = reason(silent.describe());
    await vi.advanceTimersByTimeAsync(10_001);
    expect((await promise).message).toMatch(/sent no welcome within 10 s/);
  } finally {
    vi.useRealTimers();
  }
});

test('the local engine: its transport, its name for the model, and what is said when it is missing', async () => {
  const server = new ScriptedServer();
  const openLocal = vi.fn(async () => server.client);
  const endpoint = localEndpoint('./folder', async () => ({ openLocal }));
  expect(await endpoint.open()).toBe(server.client);
  expect(openLocal).toHaveBeenCalledWith({ model: './folder' });
  expect(endpoint.modelName(['folder'])).toBe('folder');
  const wrong = await reason(localEndpoint('m', async () => ({})).open());
  expect(wrong.message).toContain('npm install tracewire');
});

test('validate goes by the limits in the welcome, explain by its capabilities', async () => {
  const limits = { ...LIMITS, nodes: 4 };
  const server = new ScriptedServer(gpt2(), { limits, capabilities: ['generation'] });
  const model = new LanguageModel('tiny-gpt2', { connect: async () => server.client });
  const found = await model.validate([1, 2], (m) => {
    for (const block of m.transformer.h) block.output[0].mul(2).save();
  });
  expect(found.errors.map(({ body }) => [body.code, body.wanted])).toEqual([['bad_message', 'at most 4']]);
  expect((await model.validate([1, 2], (m) => m.lm_head.output.save())).valid).toBe(true);
  const two = model.validate({ maxNewTokens: 2 }, (t) => [t.invoke([1]), t.invoke([2])]);
  expect((await reason(two)).body.wanted).toBe('invokes');
  const refused = await reason(model.explain([1, 2], (m) => m.lm_head.output.save()));
  expect([refused.code, refused.body.wanted]).toEqual(['not_offered', 'explain']);
});
