/** What a tired user and a hostile one meet, with real processes and sockets: a typed error at once, never a hang. */
import { once } from 'node:events';
import { LanguageModel } from '@tracewire/client';
import { encodeFrame, SUBPROTOCOL } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { failure } from './support/failure.ts';
import { modelOn, served } from './support/served.ts';
import { runCli, startServer } from './support/server.ts';

const server = await served();
const model = modelOn(server);

const logits = () => model.trace('The', (m) => m.lm_head.output.save());

describe('a server that isn’t there', () => {
  it('is unreachable, with the address and advice', async () => {
    const nowhere = new LanguageModel('tiny-gpt2', { url: 'ws://127.0.0.1:9' });
    const error = await failure(nowhere.trace('x', (m) => m.lm_head.output.save()));
    expect(error).toMatchObject({ code: 'unreachable' });
    expect(error.message).toContain('127.0.0.1:9');
    await nowhere.close();
  });

  it('that goes away during a run ends it at once, and a new one serves the next', async () => {
    const other = await startServer();
    const client = new LanguageModel('tiny-gpt2', { url: other.url });
    await client.describe();
    const ids = Array.from({ length: 200 }, (_, index) => index);
    const runs = Array.from({ length: 20 }, () => failure(client.trace(ids, (m) => m.lm_head.output.save())));
    other.process.kill('SIGKILL');
    const begun = performance.now();
    const errors = await Promise.all(runs);
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['connection_lost']));
    expect(performance.now() - begun).toBeLessThan(10_000);
    await client.close();
  });

  it('on a port that is taken says so and exits', async () => {
    const port = new URL(server.url).port;
    const { code, stderr, stdout } = await runCli('serve', '--port', port);
    expect(code).toBe(1);
    expect(stderr).toContain('address_in_use');
    expect(stdout).toBe('');
  });
});

describe('one client’s bad messages', () => {
  const hello = encodeFrame({
    type: 'hello',
    protocol: 1,
    client: { name: 'test', version: '0' },
    capabilities: [],
  });

  async function say(...messages: readonly (Uint8Array | string)[]): Promise<number> {
    const socket = new WebSocket(server.url, SUBPROTOCOL, { perMessageDeflate: false });
    await once(socket, 'open');
    for (const message of messages) socket.send(message);
    const [code] = (await once(socket, 'close')) as [number];
    return code;
  }

  it.each<[string, readonly (Uint8Array | string)[], number]>([
    ['a text frame', ['hello'], 1003],
    ['an empty message', [new Uint8Array()], 4400],
    [
      'random bytes',
      [Buffer.concat(hello), Uint8Array.from({ length: 200 }, (_, i) => (i * 73) % 256)],
      4400,
    ],
    ['a lying header length', [Buffer.concat(hello), Uint8Array.of(255, 255, 255, 255, 1, 2, 3, 4)], 4400],
    ['a message larger than the limit', [Buffer.concat(hello), new Uint8Array(17 * 1024 * 1024)], 1009],
  ])('%s closes its connection, and another client does not notice', async (_, messages, code) => {
    const running = logits();
    expect(await say(...messages)).toBe(code);
    expect((await running).value.dims.at(-1)).toBe(1536);
    expect((await logits()).value.dims.at(-1)).toBe(1536);
  });
});

describe('what users get wrong', () => {
  it.each<[string, unknown, string]>([
    ['an empty prompt', '', 'empty_input'],
    ['no ids', [], 'empty_input'],
    ['an id out of range', [5, 99_999], 'token_out_of_range'],
    ['a negative id', [-1], 'bad_input'],
    ['a prompt longer than the context', 'word '.repeat(2000), 'input_too_long'],
    ['a number', 7, 'bad_input'],
    ['a list of text', ['The'], 'bad_input'],
    ['nothing', undefined, 'bad_input'],
  ])('%s is refused by name', async (_, input, code) => {
    const error = await failure(model.trace(input as string, (m) => m.lm_head.output.save()));
    expect(error).toMatchObject({ code });
  });

  it('a model that the server hasn’t', async () => {
    const wrong = new LanguageModel('tiny-gtp2', { url: server.url });
    const error = await failure(wrong.trace('x', (m) => m.lm_head.output.save()));
    expect(error).toMatchObject({ code: 'unknown_model' });
    expect(error.message).toContain('tiny-gpt2');
    await wrong.close();
  });

  it('an option that there isn’t', async () => {
    const error = await failure(model.trace('x', { remot: true } as object, (m) => m.lm_head.output.save()));
    expect(error).toMatchObject({ code: 'unknown_option' });
    expect(error.message).toContain('remote');
  });

  it('a trace that saves nothing', async () => {
    const error = await failure(model.trace('x', (m) => void m.lm_head.output.softmax()));
    expect(error).toMatchObject({ code: 'nothing_saved' });
  });

  it('a write whose dims don’t fit: the place, both dims, and the line', async () => {
    const error = await failure(
      model.trace('The', (m) => {
        // Of an operation only the run tells what dims it gives.
        m.transformer.h[1].output[0].set(m.transformer.h[0].mlp.act.output.neg());
        return m.lm_head.output.save();
      }),
    );
    expect(error).toMatchObject({ code: 'wrong_dims' });
    expect(error.message).toMatch(
      /transformer\.h\.1\.output.*\[batch, sequence, 128\].*\[batch, sequence, 512\]/,
    );
    expect(error.message).toMatch(/faults\.test\.ts:\d+:\d+/);
  });

  it('a write whose dims can’t fit is found before it runs', async () => {
    const error = await failure(
      model.trace('The', (m) => {
        m.transformer.h[1].output[0].set(m.transformer.h[0].mlp.act.output);
        return m.lm_head.output.save();
      }),
    );
    expect(error).toMatchObject({ code: 'wrong_dims' });
    expect(error.message).toMatch(
      /transformer\.h\.1\.output.*\[batch, sequence, 128\].*\[batch, sequence, 512\]/,
    );
  });

  it('a cancelled trace rejects at once, and the next one runs', async () => {
    const controller = new AbortController();
    const error = failure(
      model.trace('The', { signal: controller.signal, onStatus: () => controller.abort() }, (m) =>
        m.lm_head.output.save(),
      ),
    );
    expect(await error).toMatchObject({ code: 'cancelled' });
    expect((await logits()).value.dims.at(-1)).toBe(1536);
  });
});

describe('the command line', () => {
  it('suggests the right flag, with exit code 2', async () => {
    const { code, stderr } = await runCli('serve', '--prot', '1');
    expect(code).toBe(2);
    expect(stderr).toContain('--port');
  });

  it('does not start half: a broken model stops it, named', async () => {
    const { code, stderr, stdout } = await runCli(
      'serve',
      '--port',
      '0',
      '--model',
      'tiny-gpt2',
      '--model',
      './nowhere',
    );
    expect(code).toBe(1);
    expect(stderr).toContain('nowhere');
    expect(stdout).toBe('');
  });
});
