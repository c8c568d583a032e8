/** Several prompts in one generation, through a real server: each gets the tokens and values that it gets alone. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type BatchGenerationResult,
  type GenerationBatch,
  type GenerationOptions,
  LanguageModel,
  type StepTrace,
  type Tensor,
  TraceError,
  ValueNotSetError,
} from '@tracewire/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { failure } from './support/failure.ts';
import { relativeError } from './support/reference.ts';
import { served } from './support/served.ts';
import { ROOT, TINY_GPT2, TINY_LLAMA } from './support/server.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

const MATRIX = path.join(ROOT, 'test/fixtures/matrix');
/** Of different lengths, the longest in the middle; one of a single token. */
const PROMPTS = [[17, 4, 25], [9, 31, 44, 12, 5, 77, 13, 2, 61], [88], [3, 3, 20, 19, 40, 7]] as const;
const LONG = { maxNewTokens: 12, stopTokens: [] } as const;
const PARIS = 'The Eiffel Tower is in the city of';
const MARY = 'When Mary and John went to the store, John gave a drink to';

const folder = await mkdtemp(path.join(tmpdir(), 'tracewire-generate-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
// Exported without a tokenizer; any whose ids begin with the model's will do.
const builders = ['builder-fp32', 'builder-int4'].map(async (name) => {
  const own = path.join(folder, name);
  await cp(path.join(MATRIX, 'llama', name), own, { recursive: true });
  await cp(path.join(TINY_LLAMA, 'tokenizer.json'), path.join(own, 'tokenizer.json'));
  return own;
});
const server = await served('tiny-gpt2', TINY_LLAMA, ...(await Promise.all(builders)));
let gpt2: LanguageModel;
beforeEach(() => {
  gpt2 = new LanguageModel('tiny-gpt2', { url: server.url });
  return () => gpt2.close();
});

const tokensOf = ({ invokes }: BatchGenerationResult<unknown>) => invokes.map(({ tokens }) => tokens);

/** Adds something that changes what comes to what a block gives. */
function steer(m: StepTrace, block = 3): void {
  const place = m.transformer.h.at(block).output[0];
  place.set(place.add(m.constant(Array.from({ length: 128 }, (_, index) => 4 * Math.sin(index)))));
}

/** Positions that are learned, and that rotate; attention in many operators, and in one that keeps no gaps in its cache. */
describe.each([
  ['tiny-gpt2', 'transformer.h.1'],
  ['tiny-llama', 'model.layers.1'],
  ['builder-fp32', 'model.layers.1'],
  ['builder-int4', 'model.layers.1'],
])('%s', (name, block) => {
  let model: LanguageModel;
  beforeAll(() => {
    model = new LanguageModel(name, { url: server.url });
  });
  afterAll(() => model.close());

  const hook = (m: StepTrace) => ({
    hidden: m.all().get(block).output[0].save<Tensor>(),
    key: m.all().get(block).output[1].save<Tensor>(),
    logits: m.all().output[0].save<Tensor>(),
  });

  it('gives each of several prompts the tokens and values of every step that it gets alone', async () => {
    const together = await model.generate(LONG, (t) => PROMPTS.map((ids) => t.invoke(ids, hook)));
    for (const [invoke, ids] of PROMPTS.entries()) {
      const alone = await model.generate(ids, LONG, hook);
      const own = together.invokes[invoke];
      expect(own).toEqual({
        tokens: alone.tokens,
        text: alone.text,
        end: 'length',
        steps: 12,
        seed: undefined,
      });
      const values = together.saved[invoke];
      for (const kind of ['hidden', 'key', 'logits'] as const) {
        expect([...(values?.[kind].steps.keys() ?? [])]).toEqual([...alone.saved[kind].steps.keys()]);
        for (const [step, { value }] of alone.saved[kind].steps) {
          const got = values?.[kind].at(step).value;
          expect(got?.dims).toEqual(value.dims);
          const wanted = { dims: value.dims, data: value.data as Float32Array };
          expect(relativeError(wanted, got?.dims ?? [], got?.data as Float32Array)).toBeLessThan(1e-4);
        }
      }
    }
    expect(new Set(tokensOf(together).map(String)).size).toBe(PROMPTS.length);
  });

  it('draws for each what it draws alone with its seed', async () => {
    const drawn = { ...LONG, temperature: 1.5, topK: 40, repetitionPenalty: 1.2, seed: 11 };
    const together = await model.generate(drawn, (t) => PROMPTS.map((ids) => t.invoke(ids)));
    expect(together.invokes.map(({ seed }) => seed)).toEqual([11, 12, 13, 14]);
    for (const [invoke, ids] of PROMPTS.entries()) {
      const alone = await model.generate(ids, { ...drawn, seed: 11 + invoke });
      expect(together.invokes[invoke]?.tokens).toEqual(alone.tokens);
    }
  });

  it('patches what one prompt has in a step into another, as two generations would', async () => {
    const [from, to] = [PROMPTS[1], PROMPTS[3]];
    const last = (m: StepTrace, step: number) => m.iter(step).get(block).output[0].slice(null, -1);
    const together = await model.generate(LONG, (t) => {
      const donors = t.invoke(from, (m) => [0, 2].map((step) => last(m, step)));
      return t.invoke(to, (m) => {
        for (const [index, step] of [0, 2].entries()) last(m, step).set(donors[index] ?? 0);
      });
    });
    const { saved, tokens } = await model.generate(from, LONG, (m) =>
      [0, 2].map((step) => last(m, step).save()),
    );
    const patched = await model.generate(to, LONG, (m) => {
      for (const [index, step] of [0, 2].entries()) last(m, step).set(saved[index]?.value as Tensor);
    });
    expect(tokensOf(together)).toEqual([tokens, patched.tokens]);
    expect(patched.tokens).not.toEqual((await model.generate(to, LONG)).tokens);
  });
});

describe('an invoke', () => {
  const two = <T>(options: GenerationOptions, fn: (t: GenerationBatch) => T) => gpt2.generate(options, fn);

  it('changes nothing of the others with what it writes', async () => {
    const hidden = (m: StepTrace) => m.all().transformer.h.at(5).output[0].save<Tensor>();
    const run = (steered: boolean) =>
      two(LONG, (t) => [
        t.invoke(PARIS, (m) => hidden(m)),
        t.invoke(MARY, (m) => {
          if (steered) steer(m.all());
          return hidden(m);
        }),
      ]);
    const [plain, written] = [await run(false), await run(true)];
    const change = (invoke: number): number =>
      Math.max(
        ...[...(plain.saved[invoke]?.steps ?? [])].map(([step, { value }]) => {
          const got = written.saved[invoke]?.at(step).value;
          const wanted = { dims: value.dims, data: value.data as Float32Array };
          return relativeError(wanted, got?.dims ?? [], got?.data as Float32Array);
        }),
      );
    expect(change(0)).toBeLessThan(1e-4);
    expect(change(1)).toBeGreaterThan(0.1);
    expect(written.invokes[0]?.tokens).toEqual(plain.invokes[0]?.tokens);
    expect(written.invokes[1]?.tokens).not.toEqual(plain.invokes[1]?.tokens);
  });

  it('ends by itself, and its hooks in later steps say how many steps there were', async () => {
    const { saved, invokes } = await two({ maxNewTokens: 8 }, (t) => ({
      short: t.invoke(PARIS, (m) => ({
        all: m.all().lm_head.output.save(),
        late: m.iter(5).lm_head.output.save(),
        list: m.iter([1, 4, 6]).lm_head.output.save(),
      })),
      long: t.invoke([9, 31, 44], (m) => m.all().lm_head.output.save()),
    }));
    expect(invokes).toMatchObject([
      { text: ' Paris.<|endoftext|>', end: 'token', steps: 3 },
      { end: 'length', steps: 8 },
    ]);
    expect([...saved.short.all.steps.keys()]).toEqual([0, 1, 2]);
    expect([...saved.long.steps.keys()]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(() => saved.short.late.value).toThrow(ValueNotSetError);
    expect(() => saved.short.late.value).toThrow(
      /^Accessing value before it's been set\. lm_head\.output\.i5 never came: there were 3 steps, of invoke 0, for the last token ends the text/,
    );
    expect(saved.short.list.at(1).isSet).toBe(true);
    for (const step of [4, 6])
      expect(saved.short.list.at(step).error).toMatchObject({
        code: 'not_reached',
        wanted: String(step),
        got: '3',
      });
  });

  it('has a stop, stop strings and a stop token of its own', async () => {
    const options = { maxNewTokens: 6, stopStrings: ['aris'], stopTokens: [] };
    const { saved, invokes } = await two(options, (t) => [
      t.invoke(PARIS),
      t.invoke(MARY, (m) => {
        m.iter(3).transformer.h.at(2).output.stop();
        return m.all().transformer.h.at(4).output[0].save();
      }),
      t.invoke([9, 31, 44], (m) => m.all().transformer.h.at(4).output[0].save()),
    ]);
    expect(invokes.map(({ end, steps, tokens }) => [end, steps, tokens.length])).toEqual([
      ['string', 1, 1],
      ['stop', 4, 3],
      ['length', 6, 6],
    ]);
    expect(invokes[1]?.tokens).toEqual((await gpt2.generate(MARY, { ...options, maxNewTokens: 3 })).tokens);
    expect(invokes[2]?.tokens).toEqual((await gpt2.generate([9, 31, 44], options)).tokens);
    expect(saved[1]?.at(2).isSet).toBe(true);
    expect(saved[1]?.at(3).error).toMatchObject({ code: 'not_reached' });
    expect(saved[1]?.at(3).error?.message).toContain('invoke 1 stopped after transformer.h.2');
    expect(saved[2]?.at(5).isSet).toBe(true);
  });

  it('that has ended gives another nothing more: a join has as many steps, a write fails', async () => {
    const { saved, invokes } = await two({ maxNewTokens: 6 }, (t) => {
      const first = t.invoke(PARIS, (m) => ({
        all: m.all().lm_head.output.slice(0, -1),
        early: m.iter(1).lm_head.output.slice(0, -1),
        never: m.iter(4).lm_head.output.slice(0, -1),
      }));
      return t.invoke([9, 31, 44], (m) => {
        const own = m.all().lm_head.output.slice(0, -1);
        const later = m.iter([4, 5]).lm_head.output.slice(0, -1);
        return {
          joined: own.sub(first.all).save(),
          held: later.sub(first.early).save(),
          failed: later.sub(first.never).save(),
        };
      });
    });
    expect(invokes.map(({ steps }) => steps)).toEqual([3, 6]);
    expect([...saved.joined.steps.keys()]).toEqual([0, 1, 2]);
    expect([...saved.held.steps.keys()]).toEqual([4, 5]);
    expect(saved.held.at(5).isSet).toBe(true);
    for (const step of [4, 5])
      expect(saved.failed.at(step).error).toMatchObject({
        code: 'failed',
        cause: { code: 'not_reached', got: '3' },
      });

    const run = two({ maxNewTokens: 6 }, (t) => {
      const donor = t.invoke(PARIS, (m) => m.all().transformer.h.at(2).output[0].slice(null, -1));
      t.invoke([9, 31, 44], (m) => {
        const last = m.all().transformer.h.at(2).output[0].slice(null, -1);
        last.set(last.add(donor.mul(1e-3)));
      });
    });
    const error = await failure(run);
    expect(error).toMatchObject({ code: 'failed' });
    expect(String(error)).toMatch(
      /could not be written in step 3: transformer\.h\.2\.output\.i3\[0\] never came: there were 3 steps, of invoke 0.*stopTokens: \[\]/,
    );
    expect(String(error)).toContain('generate-batch.test.ts');
  });

  it('that skips a block and leaves no keys and values is told, whatever the other does', async () => {
    const skipping = (whole: boolean) =>
      two({ maxNewTokens: 3, stopTokens: [] }, (t) => [
        t.invoke(PARIS, (m) => {
          const [before, block] = [m.all().transformer.h[1], m.all().transformer.h[2]];
          block.skip(whole ? before.output : before.output[0]);
        }),
        t.invoke(MARY),
      ]);
    const error = await failure(skipping(false));
    expect(error).toMatchObject({ code: 'operation_failed' });
    expect(String(error)).toContain('Step 0 gave no logits, or not all keys and values');
    const { invokes } = await skipping(true);
    expect(invokes[1]?.tokens).toEqual(
      (await gpt2.generate(MARY, { maxNewTokens: 3, stopTokens: [] })).tokens,
    );
    const alone = await gpt2.generate(PARIS, { maxNewTokens: 3, stopTokens: [] }, (m) => {
      m.all().transformer.h[2].skip(m.all().transformer.h[1].output);
    });
    expect(invokes[0]?.tokens).toEqual(alone.tokens);
  });

  it('has the model’s edits, each for itself', async () => {
    const edited = gpt2.edit((m) => m.transformer.h[3].output[0].set(m.transformer.h[1].output[0]));
    const { invokes } = await edited.generate(LONG, (t) => [t.invoke(PARIS), t.invoke(MARY)]);
    for (const [invoke, prompt] of [PARIS, MARY].entries())
      expect(invokes[invoke]?.tokens).toEqual((await edited.generate(prompt, LONG)).tokens);
    expect(invokes[1]?.tokens).not.toEqual((await gpt2.generate(MARY, LONG)).tokens);
  });
});

describe('the tokens', () => {
  it('come step by step, each with its invoke, and are the same in this process', async () => {
    const local: LanguageModel = new LanguageModel(TINY_GPT2, { remote: false });
    const results: unknown[] = [];
    for (const model of [gpt2, local]) {
      const run = model.generate({ maxNewTokens: 5 }, (t) => [t.invoke(PARIS), t.invoke([9, 31, 44])]);
      const heard: [number | undefined, number][] = [];
      for await (const { invoke, step } of run) heard.push([invoke, step]);
      expect(heard).toEqual([
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 1],
        [0, 2],
        [1, 2],
        [1, 3],
        [1, 4],
      ]);
      results.push((await run).invokes);
    }
    expect(results[1]).toEqual(results[0]);
    await local.close();
  });

  it('go on after a lost connection, none twice and none missing', async () => {
    const proxy = await TcpProxy.start(server.url);
    const lost = new LanguageModel('tiny-gpt2', { url: proxy.url });
    let cut = 0;
    const run = lost.generate(
      { ...LONG, onToken: ({ invoke, step }) => invoke === 1 && step % 5 === 3 && ++cut && proxy.cut() },
      (t) => PROMPTS.map((ids) => t.invoke(ids, (m) => m.all().transformer.h.at(0).output[0].save())),
    );
    const { saved, ...result } = await run;
    expect(cut).toBe(2);
    expect(tokensOf({ saved, ...result })).toEqual(
      tokensOf(await gpt2.generate(LONG, (t) => PROMPTS.map((ids) => t.invoke(ids)))),
    );
    expect(saved.map(({ steps }) => steps.size)).toEqual([12, 12, 12, 12]);
    await lost.close();
    await proxy.stop();
  });
});

it('outlives its client, and is followed by the same function', async () => {
  const fn = (t: GenerationBatch) => [
    t.invoke(PARIS, (m) => m.all().transformer.h.at(0).output[0].save()),
    t.invoke(MARY),
  ];
  const { run } = await gpt2.start(LONG, fn);
  const another = new LanguageModel('tiny-gpt2', { url: server.url });
  const followed = await another.attach<ReturnType<typeof fn>, BatchGenerationResult<unknown>>(run, LONG, fn);
  const { invokes } = await followed.wait();
  expect(invokes).toEqual((await gpt2.generate(LONG, fn)).invokes);
  expect(followed.result[0]?.steps.size).toBe(12);
  await another.close();
});

it('is a trace of a session, whose later traces use what an invoke had in a step', async () => {
  const { later, result, alone } = await gpt2.session((s) => {
    const batch = s.generate(LONG, (t) => [
      t.invoke(MARY),
      t.invoke(PARIS, (m) => m.iter(2).transformer.h.at(3).output[0]),
    ]);
    const alone = s.generate(PARIS, LONG, (m) => m.iter(2).transformer.h.at(3).output[0].save<Tensor>());
    const later = s.trace(MARY, (m) => {
      m.transformer.h
        .at(3)
        .output[0].slice(null, -1)
        .set(batch.saved[1]?.slice(null, -1) ?? 0);
      return m.transformer.h.at(3).output[0].slice(null, -1).save();
    });
    return { later, result: batch.result, alone };
  });
  const { value } = alone.saved;
  const wanted = { dims: [1, 128], data: value.data as Float32Array };
  expect(relativeError(wanted, later.value.dims, later.value.data as Float32Array)).toBeLessThan(1e-4);
  expect(result.value.invokes[1]?.tokens).toEqual(alone.result.value.tokens);
});

describe('what is refused', () => {
  it.each<[string, (t: GenerationBatch) => unknown, RegExp]>([
    ['no prompt', () => undefined, /has no prompt.*model\.generate\(prompt, \{ maxNewTokens \}\)/],
    [
      'a hook of no prompt',
      (t) => (t as StepTrace & GenerationBatch).all(),
      /so all of which\? Write t\.invoke/,
    ],
    ['an invoke in another', (t) => t.invoke([1], () => t.invoke([2])), /inside another one/],
    ['what is no function', (t) => t.invoke([1], 3 as never), /a prompt and a function, not a number/],
    ['a step beyond the last', (t) => t.invoke([1], (m) => m.iter(12).output.save()), /the last step is 11/],
    ['an empty prompt', (t) => [t.invoke([1]), t.invoke([])], /invoke 1 has no token ids/],
    ['feeds', (t) => [t.invoke([1]), t.invoke({ input_ids: [[1n]] as never })], /feeds/i],
  ])('%s', async (_, fn, message) => {
    const error = await failure(gpt2.generate(LONG, fn));
    expect(error).toBeInstanceOf(TraceError);
    expect(String(error)).toMatch(message);
    expect(String(error)).toContain('generate-batch.test.ts');
  });

  it('a prompt of its own beside others, and options that aren’t there', async () => {
    const both = gpt2.generate(PARIS, LONG, (m) => (m as StepTrace & GenerationBatch).invoke(MARY));
    expect(String(await failure(both))).toMatch(/prompt of its own.*model\.generate\(\{ maxNewTokens \}/);
    const none = gpt2.generate(((t: GenerationBatch) => t.invoke(MARY)) as never, undefined as never);
    expect(String(await failure(none))).toMatch(/how many tokens at most/);
  });

  it('more tokens than the server or the context takes, before anything runs', async () => {
    const { limits } = await gpt2.server();
    const count = Math.ceil((limits.batchTokens ?? 0) / 201);
    const many = { maxNewTokens: 200, stopTokens: [] };
    const prompts = Array.from({ length: count }, () => [1, 2]);
    const run = gpt2.generate(many, (t) => prompts.map((ids) => t.invoke(ids)));
    const { errors } = await gpt2.validate(many, (t: GenerationBatch) => prompts.map((ids) => t.invoke(ids)));
    expect(count).toBeLessThan(limits.invokes ?? 0);
    for (const body of [errors[0]?.body, ((await failure(run)) as TraceError).body]) {
      expect(body).toMatchObject({ code: 'input_too_long', path: 'graph.invokes', got: String(count * 201) });
      expect(body?.message).toMatch(/199 new tokens behind each.*lower maxNewTokens/);
    }
    const past = gpt2.generate({ maxNewTokens: 250 }, (t) => [t.invoke([1]), t.invoke(PARIS)]);
    expect(await failure(past)).toMatchObject({ code: 'input_too_long' });
  });
});
