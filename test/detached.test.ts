/**
 * Generations and sessions that outlive their client, with a real server and real sockets: whoever follows one gets
 * every token and every value once and in order, and a wrong id or another kind of run is one typed error.
 */
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type GeneratedToken,
  LanguageModel,
  type Saved,
  type Session,
  type StepTrace,
  type Trace,
} from '@tracewire/client';
import { beforeEach, describe, expect, it } from 'vitest';
import { eventually } from './support/eventually.ts';
import { failure } from './support/failure.ts';
import { fingerprint } from './support/fingerprint.ts';
import { served } from './support/served.ts';
import { makeKey, startServer } from './support/server.ts';

const PROMPT = 'The Eiffel Tower is in the city of';
const LONG = { maxNewTokens: 48, temperature: 0.8, seed: 7, stopTokens: [] };

const server = await served();
let model: LanguageModel;
let later: LanguageModel;
beforeEach(() => {
  model = new LanguageModel('tiny-gpt2', { url: server.url });
  later = new LanguageModel('tiny-gpt2', { url: server.url });
  return () => Promise.all([model.close(), later.close()]);
});

const eachStep = (m: StepTrace) => ({
  blocks: m.all().transformer.h[1].output.save(),
  last: m.iter([3, 5]).lm_head.output.argmax(-1).save(),
});

/** A value that goes on, a generation, and one that is tapped behind it. */
const several = (s: Session) => {
  const donor = s.trace('The Colosseum is in the city of', (m) => m.transformer.h[2].output[0]);
  const told = s.generate(PROMPT, LONG, (m) => m.all().transformer.h[3].output[0].save());
  const patched = s.trace('The Colosseum is in the city of', (m) => {
    m.transformer.h[2].output[0].set(donor.mul(2));
    return { logits: m.lm_head.output.save(), report: m.report() };
  });
  return { told, patched };
};

const steps = ({ steps: of }: Saved<never> | Saved<unknown>): [number, string][] =>
  [...of].map(([step, saved]) => [step, fingerprint((saved as Saved<never>).value)]);

/** Everything that a run of `eachStep` gave. */
const eachOf = ({ blocks, last }: ReturnType<typeof eachStep>) => [steps(blocks), steps(last)];

const severalOf = ({ told, patched }: ReturnType<typeof several>) => {
  const { tokens, text, end, seed } = told.result.value;
  return { tokens, text, end, seed, saved: steps(told.saved), logits: fingerprint(patched.logits.value) };
};

async function collect(tokens: AsyncIterable<GeneratedToken>): Promise<GeneratedToken[]> {
  const all: GeneratedToken[] = [];
  for await (const token of tokens) all.push(token);
  return all;
}

/** Counts how often each handle was filled. */
function counter() {
  const count = { values: 0 };
  return { count, onValue: () => void count.values++ };
}

describe('a detached generation', () => {
  it('goes on when its client has gone, and another gets all its tokens and values, as often as it wants', async () => {
    const plain = await model.generate(PROMPT, LONG, eachStep);
    const started = await model.start(PROMPT, LONG, eachStep);
    for await (const { step } of started) if (step === 1) break;
    await model.close();
    expect((await failure(started.wait())).code).toBe('closed');
    for (const again of [1, 2]) {
      const { count, onValue } = counter();
      const heard: GeneratedToken[] = [];
      const onToken = (token: GeneratedToken) => void heard.push(token);
      const attached = await later.attach(started.run, { ...LONG, onValue, onToken }, eachStep);
      const tokens = await collect(attached);
      const result = await attached.wait();
      expect([again, count.values]).toEqual([again, 48 + 2]);
      expect(tokens.map(({ step }) => step)).toEqual(Array.from({ length: 48 }, (_, step) => step));
      expect(heard).toEqual(tokens);
      expect(tokens.map(({ id }) => id)).toEqual(plain.tokens);
      expect(result).toMatchObject({ tokens: plain.tokens, text: plain.text, end: 'length', seed: 7 });
      expect(result.saved).toBe(attached.result);
      expect(eachOf(result.saved)).toEqual(eachOf(plain.saved));
    }
  });

  it('needs no function, and a loop that comes late has its tokens from the first on', async () => {
    const started = await model.start(PROMPT, LONG);
    const { tokens } = await started.wait();
    expect((await collect(started)).map(({ id }) => id)).toEqual(tokens);
    const attached = await later.attach(started.run, LONG);
    expect(await attached.wait()).toMatchObject({ tokens, saved: undefined });
  });

  it('is cancelled by who started it, or by whoever follows it', async () => {
    const options = { ...LONG, maxNewTokens: 110 };
    const mine = await model.start(PROMPT, options, eachStep);
    for await (const { step } of mine) if (step === 0) break;
    mine.cancel();
    expect((await failure(mine.wait())).code).toBe('cancelled');
    expect(() => mine.result.last.at(5).value).toThrow(/cancelled/);
    const { run } = await model.start(PROMPT, options, eachStep);
    const attached = await later.attach(run, options, eachStep);
    for await (const { step } of attached) if (step === 0) break;
    attached.cancel();
    expect((await failure(attached.wait())).code).toBe('cancelled');
    const other = new LanguageModel('tiny-gpt2', { url: server.url });
    for (const cancelled of [mine.run, run]) {
      const after = await other.attach(cancelled, options, eachStep);
      expect((await failure(after.wait())).code).toBe('cancelled');
    }
    await other.close();
  });

  it('moves to whoever attaches: who waited for it is told, and may take it back', async () => {
    const options = { ...LONG, maxNewTokens: 110 };
    const mine = await model.start(PROMPT, options);
    const theirs = await later.attach(mine.run, options);
    expect((await failure(mine.wait())).code).toBe('run_moved');
    const back = await model.attach(mine.run, options);
    expect((await failure(theirs.wait())).code).toBe('run_moved');
    const tokens = (await collect(back)).map(({ step }) => step);
    expect(tokens).toEqual(Array.from({ length: 110 }, (_, step) => step));
  });

  it('is refused as generate refuses it', async () => {
    await expect(model.start(PROMPT, { maxNewTokens: 0 })).rejects.toThrow(/maxNewTokens .* at least 1/);
    await expect(model.start(PROMPT, { temperature: 1 } as never)).rejects.toThrow(/how many tokens at most/);
    await expect(model.start(PROMPT, { maxNewTokens: 2, topk: 1 } as never)).rejects.toThrow(/topK/);
    await expect(model.start(PROMPT, { maxNewTokens: 2 }, 'save' as never)).rejects.toThrow(
      /wants a function/,
    );
    await expect(model.start(PROMPT, { maxNewTokens: 5000 })).rejects.toMatchObject({
      code: 'input_too_long',
      message: expect.stringContaining('detached.test.ts'),
    });
    const late = model.start(PROMPT, { maxNewTokens: 2 }, (m) => m.iter(5).lm_head.output.save());
    await expect(late).rejects.toThrow(/step/);
    await expect(later.attach('x', { ...LONG, deadlineMs: 5 } as never)).rejects.toThrow(/deadlineMs/);
  });

  it('works in this process too', async () => {
    const local = new LanguageModel('tiny-gpt2', { remote: false });
    const other = new LanguageModel('tiny-gpt2', { remote: false });
    await other.describe();
    const { run } = await local.start(PROMPT, LONG, eachStep);
    await local.close();
    const { saved, tokens } = await (await other.attach(run, LONG, eachStep)).wait();
    const plain = await other.generate(PROMPT, LONG, eachStep);
    expect(tokens).toEqual(plain.tokens);
    expect(eachOf(saved)).toEqual(eachOf(plain.saved));
    await other.close();
  });
});

describe('a detached session', () => {
  it('goes on when its client has gone, and another gets all of each trace', async () => {
    const plain = severalOf(await model.session(several));
    const started = await model.startSession(several);
    await model.close();
    const { count, onValue } = counter();
    const heard: GeneratedToken[] = [];
    const onToken = (token: GeneratedToken) => void heard.push(token);
    const attached = await later.attachSession(started.run, { onValue, onToken }, several);
    expect(await attached.wait()).toBe(attached.result);
    expect(severalOf(attached.result)).toEqual(plain);
    expect(count.values).toBe(48 + 1);
    expect(heard.map(({ trace, step }) => [trace, step])).toEqual(
      Array.from({ length: 48 }, (_, step) => [1, step]),
    );
    expect(attached.result.patched.report.value.modulesRun).toBeGreaterThan(0);
  });

  it('with a trace that fails gives the rest to whoever follows', async () => {
    const half = (s: Session) => ({
      wrong: s.generate(PROMPT, { maxNewTokens: 2 }, (m) => {
        const place = m.transformer.h[0].output[0];
        place.set(m.op('Gather', [place, m.constant([7919], 'int64').add(m.constant([0], 'int64'))]));
        return m.lm_head.output.save();
      }),
      right: s.trace(PROMPT, (m) => m.lm_head.output.save()),
    });
    const started = await model.startSession(half);
    const mine = await started.wait();
    const theirs = await (await later.attachSession(started.run, half)).wait();
    expect(() => mine.wrong.result.value).toThrow();
    expect(() => theirs.wrong.result.value).toThrow();
    expect(fingerprint(theirs.right.value)).toBe(fingerprint(mine.right.value));
  });

  it('is cancelled by who started it, or by whoever follows it', async () => {
    const long = (s: Session) =>
      [1, 2, 3, 4].map((seed) =>
        s.generate(PROMPT, { maxNewTokens: 100, seed, temperature: 1, stopTokens: [] }),
      );
    const mine = await model.startSession(long);
    mine.cancel();
    expect((await failure(mine.wait())).code).toBe('cancelled');
    const { run } = await model.startSession(long);
    const attached = await later.attachSession(run, long);
    attached.cancel();
    expect((await failure(attached.wait())).code).toBe('cancelled');
    expect(() => attached.result[3]?.result.value).toThrow(/cancelled/);
    for (const cancelled of [mine.run, run]) {
      const other = new LanguageModel('tiny-gpt2', { url: server.url });
      const after = await other.attachSession(cancelled, long);
      expect((await failure(after.wait())).code).toBe('cancelled');
      await other.close();
    }
  });

  it('is refused before it is sent where its saves are certainly past the server’s limit', async () => {
    const { limits } = await model.server();
    const many = (limits.savedBytes + 4) / 4;
    const large = (s: Session) =>
      s.trace(PROMPT, (m) => m.op('Expand', [m.constant([0]), m.constant([many], 'int64')]).save());
    const error = await failure(model.startSession(large));
    expect(['too_large', 'too_much_memory']).toContain(error.code);
    expect(error.message).toContain('detached.test.ts');
  });

  it('is refused as session refuses it', async () => {
    await expect(model.startSession(() => undefined)).rejects.toThrow(/has no trace/);
    await expect(model.startSession({} as never)).rejects.toThrow(
      'model.startSession((s) => s.trace(text, (m) => m.lm_head.output.save()))',
    );
    await expect(later.attachSession('x', { deadlineMs: 5 } as never, several)).rejects.toThrow(/deadlineMs/);
    await expect(later.attachSession('x', 3 as never)).rejects.toThrow('model.attachSession(run, (s) =>');
  });
});

it('both are fetched from the next server, after a kill -9', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-kept-'));
  const first = await startServer('--model', 'tiny-gpt2', '--results', folder);
  const starter = new LanguageModel('tiny-gpt2', { url: first.url });
  const generation = await starter.start(PROMPT, LONG, eachStep);
  const session = await starter.startSession(several);
  const wanted = [eachOf((await generation.wait()).saved), severalOf(await session.wait())];
  await eventually(() => expect(readdirSync(folder).filter((name) => name.endsWith('.json')).length).toBe(2));
  const ended = once(first.process, 'exit');
  first.process.kill('SIGKILL');
  await ended;
  await starter.close();
  const second = await startServer('--model', 'tiny-gpt2', '--results', folder);
  const reader = new LanguageModel('tiny-gpt2', { url: second.url });
  const one = await reader.attach(generation.run, LONG, eachStep);
  expect((await collect(one)).map(({ step }) => step)).toEqual(Array.from({ length: 48 }, (_, step) => step));
  const other = await reader.attachSession(session.run, several);
  expect([eachOf((await one.wait()).saved), severalOf(await other.wait())]).toEqual(wanted);
  await reader.close();
  await second.stop();
  rmSync(folder, { recursive: true });
});

describe('an id that is', () => {
  it('nobody’s is lost, and what can’t be one is said', async () => {
    expect((await failure(later.attach('nobody', LONG))).code).toBe('run_lost');
    expect((await failure(later.attachSession('nobody', several))).code).toBe('run_lost');
    await expect(later.attach('a b', LONG)).rejects.toMatchObject({ code: 'bad_input' });
    await expect(later.attachSession(undefined as never, several)).rejects.toMatchObject({
      code: 'bad_input',
    });
  });

  it('another key’s is lost like nobody’s', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-keys-'));
    const file = path.join(folder, 'keys.json');
    const [one, two] = [await makeKey(file, 'one'), await makeKey(file, 'two')];
    const guarded = await startServer('--model', 'tiny-gpt2', '--keys', file);
    const [mine, mineToo, theirs] = [one, one, two].map(
      (key) => new LanguageModel('tiny-gpt2', { url: guarded.url, key }),
    ) as [LanguageModel, LanguageModel, LanguageModel];
    const generation = await mine.start(PROMPT, LONG, eachStep);
    const session = await mine.startSession(several);
    await Promise.all([generation.wait(), session.wait()]);
    const refused = [
      await failure(theirs.attach(generation.run, LONG, eachStep)),
      await failure(theirs.attachSession(session.run, several)),
    ];
    expect(refused.map(({ code }) => code)).toEqual(['run_lost', 'run_lost']);
    await (await mineToo.attach(generation.run, LONG, eachStep)).wait();
    await (await mineToo.attachSession(session.run, several)).wait();
    await Promise.all([mine, mineToo, theirs].map((of) => of.close()));
    await guarded.stop();
    rmSync(folder, { recursive: true });
  });

  it('another kind of run’s says which', async () => {
    const save = (m: Trace) => m.lm_head.output.save();
    const logs = (m: Trace) => m.log('nothing is saved');
    const trace = (await model.start(PROMPT, save)).run;
    const silent = (await model.start(PROMPT, logs)).run;
    const generation = (await model.start(PROMPT, LONG, eachStep)).run;
    const unhooked = (await model.start(PROMPT, LONG)).run;
    const session = (await model.startSession(several)).run;
    const isNoGeneration = /is no generation\. Leave the options of one out/;
    const isGeneration = /is a generation\. Give its options/;
    const isSession = /is a session\. Follow it with attachSession/;
    const isNoSession = /is no session\. Follow it with attach,/;
    type Waits = Promise<{ wait(): Promise<unknown> }>;
    /** Each by a client of its own: the one before may still be following the run. */
    const waited = async (follow: (of: LanguageModel) => Waits) => {
      const of = new LanguageModel('tiny-gpt2', { url: server.url });
      const error = await failure(follow(of).then(({ wait }) => wait()));
      await of.close();
      return error;
    };
    const tries: readonly [(of: LanguageModel) => Waits, RegExp][] = [
      [(of) => of.attach(trace, LONG, save), isNoGeneration],
      [(of) => of.attach(silent, LONG), isNoGeneration],
      [(of) => of.attach(generation, save), isGeneration],
      [(of) => of.attach(unhooked, logs), isGeneration],
      [(of) => of.attach(session, save), isSession],
      [(of) => of.attach(session, LONG), isSession],
      [(of) => of.attachSession(trace, several), isNoSession],
      [(of) => of.attachSession(silent, several), isNoSession],
      [(of) => of.attachSession(generation, several), isNoSession],
    ];
    for (const [tried, wanted] of tries) {
      const error = await waited(tried);
      expect([error.code, error.message]).toEqual(['misuse', expect.stringMatching(wanted)]);
      expect(error.message).toContain('detached.test.ts');
    }
    const fewer = (s: Session) => s.trace(PROMPT, save);
    expect((await waited((of) => of.attachSession(session, fewer))).message).toContain('saves other values');
  });
});
