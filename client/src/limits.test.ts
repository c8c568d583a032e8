/** What the server's limits refuse for certain, or could never send, is found while the trace is written. */
import { expect, test } from 'vitest';
import { gpt2 } from '../test/description.ts';
import { reason } from '../test/reason.ts';
import { LIMITS, type ScriptedRun, ScriptedServer } from '../test/scripted-server.ts';
import { LanguageModel, type Session, type StepTrace, type Trace } from './index.ts';

function limited(limits: object, capabilities: readonly string[] = []) {
  const server = new ScriptedServer(
    { ...gpt2(), endOfText: [99] },
    { limits: { ...LIMITS, ...limits }, capabilities },
  );
  return { server, model: new LanguageModel('tiny-gpt2', { connect: async () => server.client }) };
}

/** That it is sent; closes the model. Throws what it was refused with. */
async function mustSend(
  { model, server }: ReturnType<typeof limited>,
  run: PromiseLike<unknown>,
): Promise<ScriptedRun> {
  const refused = Promise.resolve(run);
  const sent = await Promise.race([server.nextRun(), refused.then(() => undefined)]);
  await model.close();
  await refused.catch(() => undefined);
  if (!sent) throw new Error('it ended unsent');
  return sent;
}

/** Saves constants of so many bytes. */
const saves =
  (...bytes: number[]) =>
  (m: Trace) =>
    bytes.map((count) => m.constant(new Uint8Array(count)).save());

test.each<[string, (m: Trace) => unknown]>([
  ['all saves together', saves(60, 40)],
  [
    'what a stop cuts off is never sent',
    (m) => {
      m.transformer.h[0].output.stop();
      m.lm_head.output.save();
      return saves(100)(m);
    },
  ],
  [
    'what a skip leaves out',
    (m) => {
      m.transformer.h[1].skip(m.transformer.h[1].input);
      m.transformer.h[1].attn.output[0].save();
      return saves(100)(m);
    },
  ],
])('%s: up to `savedBytes` it is sent', async (_, fn) => {
  const of = limited({ savedBytes: 100 });
  const { model } = of;
  const run = await mustSend(of, model.trace([1, 2, 3], fn));
  expect(run.saves.length).toBeGreaterThan(0);
});

test('a byte more is told at the line of the save that doesn’t fit, and nothing is sent', async () => {
  const of = limited({ savedBytes: 100 });
  const { model, server } = of;
  const error = await reason(model.trace('a', saves(60, 41, 40)));
  expect([error.code, error.body.wanted, error.body.got]).toEqual(['too_large', '40', '41']);
  expect(error.message).toMatch(/Reduce it on the server.*\n.*limits\.test\.ts:\d+/);
  expect(server.all('run')).toEqual([]);
});

test('of a generation the prompt’s step counts, for no other need come', async () => {
  const of = limited({ savedBytes: 20 }, ['generation']);
  const { model } = of;
  const later = (m: StepTrace) => m.iter(2).lm_head.output.save();
  const first = model.generate('a', { maxNewTokens: 3 }, (m) => saves(21)(m as unknown as Trace));
  expect((await reason(first.then((result) => result))).code).toBe('too_large');
  await mustSend(of, model.generate([1, 2], { maxNewTokens: 3 }, later));
});

test('the traces of a session count together', async () => {
  const of = limited({ savedBytes: 100, traces: 4 }, ['sessions']);
  const { model } = of;
  const both = (second: number) => (s: Session) => [s.trace('a', saves(60)), s.trace('a', saves(second))];
  const error = await reason(model.session(both(41)));
  expect([error.code, error.body.got]).toEqual(['too_large', '41']);
  await mustSend(of, model.session(both(40)));
});

test('what operators would make past `intermediateBytes` is told at its line', async () => {
  const of = limited({ intermediateBytes: 100 });
  const { model } = of;
  const sum = (count: number) => (m: Trace) => m.constant(new Uint8Array(count)).add(1).max().save();
  const error = await reason(model.trace('a', sum(101)));
  expect([error.code, error.body.wanted]).toEqual(['too_much_memory', 'at most 100']);
  expect(error.message).toContain('limits.test.ts');
  await mustSend(of, model.trace('a', sum(90)));
});

test('nodes count up to `nodes`, those of a session’s traces together; one more has its line', async () => {
  const of = limited({ nodes: 4, traces: 4 }, ['sessions']);
  const { model } = of;
  const error = await reason(model.trace('a', saves(1, 1, 1)));
  expect([error.code, error.body.wanted, error.body.got]).toEqual(['bad_message', 'at most 4', '6']);
  expect(error.message).toContain('limits.test.ts');
  const two = (s: Session) => [s.trace('a', saves(1)), s.trace('a', saves(1, 1))];
  expect((await reason(model.session(two))).message).toMatch(/The session has 6 nodes/);
  await mustSend(of, model.trace('a', saves(1, 1)));
});

test('a message of `messageBytes` is sent; one of a byte more is told at its largest constant', async () => {
  const messageBytes = 20_000;
  const of = limited({ messageBytes });
  const { model, server } = of;
  const last = (count: number) => (m: Trace) => {
    m.constant(new Uint8Array(count)).save();
    return m.constant([1, 2]).save();
  };
  const error = await reason(model.trace('a', last(messageBytes)));
  expect(error.code).toBe('message_too_large');
  const overhead = Number(error.body.got) - messageBytes;
  expect(error.message).toMatch(
    /send less at a time.*The largest has 20000 bytes\..*\n.*limits\.test\.ts:\d+/,
  );
  // The payload is padded to 8.
  const fits = Math.floor((messageBytes - overhead) / 8) * 8;
  expect((await reason(model.trace('a', last(fits + 8)))).code).toBe('message_too_large');
  expect(server.all('run')).toEqual([]);
  await mustSend(of, model.trace('a', last(fits)));
});
