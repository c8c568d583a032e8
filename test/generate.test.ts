/** Generation, with a real server: the tokens are PyTorch's and nnsight's, and each step is a place of its own. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LanguageModel, type StepTrace, type Tensor, TraceError, ValueNotSetError } from '@tracewire/client';
import { beforeEach, describe, expect, it } from 'vitest';
import { failure } from './support/failure.ts';
import { relativeError } from './support/reference.ts';
import { served } from './support/served.ts';
import { ROOT, TINY_GPT2 } from './support/server.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

/** It was exported without a cache. */
const BERT = path.join(ROOT, 'test/fixtures/matrix/bert/dynamo');
const PROMPT = 'The Eiffel Tower is in the city of';
/** Goes on through the end of text, as the reference does. */
const LONG = { maxNewTokens: 64, stopTokens: [] };

/** What `test/reference/generate_reference.py` wrote. */
interface Reference {
  readonly block: number;
  readonly generations: readonly {
    readonly prompt: string;
    readonly ids: readonly number[];
    readonly tokens: readonly number[];
    readonly text: string;
    readonly steered: readonly number[];
  }[];
}
const file = path.join(ROOT, 'test/reference/data/tiny-gpt2-generate.json');
const { block, generations } = JSON.parse(readFileSync(file, 'utf8')) as Reference;

const server = await served('--model', 'tiny-gpt2', '--model', BERT);
let model: LanguageModel;
beforeEach(() => {
  model = new LanguageModel('tiny-gpt2', { url: server.url });
  return () => model.close();
});

/** Adds the reference's vector to what the block gives. */
function steer(m: StepTrace): void {
  const vector = Float32Array.from({ length: 128 }, (_, index) => 4 * Math.sin(index));
  const place = m.transformer.h.at(block).output[0];
  place.set(place.add(m.constant([...vector])));
}

describe('the tokens', () => {
  it.each(generations)('are PyTorch’s, all 64 of them: $prompt', async ({ prompt, tokens, text }) => {
    const result = await model.generate(prompt, LONG);
    expect(result.tokens).toEqual(tokens);
    expect(result).toMatchObject({ text, end: 'length', steps: 64, seed: undefined });
  });

  it.each(generations)('are nnsight’s with a vector added at every step: $prompt', async (wanted) => {
    const { tokens } = await model.generate(wanted.prompt, LONG, (m) => steer(m.all()));
    expect(tokens).toEqual(wanted.steered);
    expect(tokens).not.toEqual(wanted.tokens);
  });

  it('are the same in this process', async () => {
    const local = new LanguageModel(TINY_GPT2, { remote: false });
    const [first] = generations;
    const { tokens } = await local.generate(PROMPT, LONG, (m) => steer(m.all()));
    expect(tokens).toEqual(first?.steered);
    await local.close();
  });

  it('are the same with the same seed, and others with another', async () => {
    const drawn = { ...LONG, temperature: 1.2, topK: 50, topP: 0.95, repetitionPenalty: 1.1 };
    const first = await model.generate(PROMPT, drawn);
    const { seed } = first;
    if (seed === undefined) throw new Error('There is no seed.');
    expect((await model.generate(PROMPT, { ...drawn, seed })).tokens).toEqual(first.tokens);
    expect((await model.generate(PROMPT, { ...drawn, seed: seed + 1 })).tokens).not.toEqual(first.tokens);
  });

  it('come one by one, and end with the end of text', async () => {
    const heard: number[] = [];
    const run = model.generate(PROMPT, { maxNewTokens: 64, onToken: ({ id }) => heard.push(id) });
    const texts: string[] = [];
    for await (const { text } of run) texts.push(text);
    expect(texts).toEqual([' Paris', '.', '<|endoftext|>']);
    const { tokens, text, end } = await run;
    expect(heard).toEqual(tokens);
    expect({ text, end }).toEqual({ text: ' Paris.<|endoftext|>', end: 'token' });
    expect((await model.generate(PROMPT, { ...LONG, stopStrings: ['ris'] })).end).toBe('string');
  });
});

describe('a step', () => {
  it('has what a trace of all tokens so far has at its last position', async () => {
    const { saved, tokens } = await model.generate(PROMPT, { ...LONG, maxNewTokens: 5 }, (m) => ({
      hidden: m.all().transformer.h.at(3).output[0].save(),
      keys: m.iter({ start: 1, step: 2 }).transformer.h.at(0).output[1].save(),
      logits: m.iter([0, 4]).lm_head.output.save(),
      second: m.next().transformer.ln_f.output.save(),
    }));
    const ids = [...(generations[0]?.ids ?? []), ...tokens.slice(0, -1)];
    const whole = await model.trace(ids, (m) => ({
      hidden: m.transformer.h.at(3).output[0].save(),
      keys: m.transformer.h.at(0).output[1].save<Tensor>(),
    }));
    const prompt = ids.length - 4;
    const row = (position: number) => ({
      dims: [1, 1, 128],
      data: whole.hidden.value.data.subarray(position * 128, (position + 1) * 128) as Float32Array,
    });
    expect([...saved.hidden.steps.keys()]).toEqual([0, 1, 2, 3, 4]);
    expect(saved.hidden.at(0).value.dims).toEqual([1, prompt, 128]);
    for (const step of [1, 2, 3, 4]) {
      const { dims, data } = saved.hidden.at(step).value;
      expect(relativeError(row(prompt + step - 1), dims, data)).toBeLessThan(1e-4);
    }
    // The cache has all so far: the prompt's tokens and those of the steps up to this one.
    expect([...saved.keys.steps].map(([step, keys]) => [step, keys.value.dims])).toEqual([
      [1, [1, 4, prompt + 1, 32]],
      [3, [1, 4, prompt + 3, 32]],
    ]);
    expect([...saved.logits.steps.keys()]).toEqual([0, 4]);
    expect(saved.second.value.dims).toEqual([1, 1, 128]);
  });

  it('that was written changes all later tokens, and no earlier one', async () => {
    const { tokens } = await model.generate(PROMPT, LONG, (m) => steer(m.iter(10)));
    const plain = generations[0]?.tokens ?? [];
    expect(tokens.slice(0, 10)).toEqual(plain.slice(0, 10));
    expect(tokens).not.toEqual(plain);
  });

  it('takes values of earlier steps, parameters and failures of them', async () => {
    const { saved } = await model.generate(PROMPT, { ...LONG, maxNewTokens: 4 }, (m) => {
      const first = m.transformer.h.at(1).output[0].slice(0, -1);
      const bias = m.parameter('transformer.ln_f.bias');
      // The prompt has another number of tokens, which only the pass tells.
      const wrong = m.transformer.h
        .at(1)
        .output[0].add(m.constant(new Array(5).fill(new Array(128).fill(1))));
      const later = m.iter([2, 3]).transformer.h.at(1).output[0];
      return {
        moved: later.sub(first).add(bias).save(),
        failed: later.add(wrong).save(),
        itself: later.save(),
      };
    });
    expect([...saved.moved.steps].map(([step, { value }]) => [step, value.dims])).toEqual([
      [2, [1, 1, 128]],
      [3, [1, 1, 128]],
    ]);
    expect(saved.itself.at(3).isSet).toBe(true);
    expect([2, 3].map((step) => saved.failed.at(step).error?.code)).toEqual(['failed', 'failed']);
  });

  it('with a stop ends the generation there', async () => {
    const { saved, tokens, end, steps } = await model.generate(PROMPT, LONG, (m) => {
      const early = m.all().transformer.h.at(0).output[0].save();
      const late = m.all().transformer.h.at(4).output[0].save();
      m.iter(3).transformer.h.at(2).output.stop();
      return { early, late };
    });
    expect({ count: tokens.length, end, steps }).toEqual({ count: 3, end: 'stop', steps: 4 });
    expect([...saved.early.steps.keys()]).toEqual([0, 1, 2, 3]);
    expect(saved.late.at(2).isSet).toBe(true);
    expect(saved.late.at(3).error).toMatchObject({ code: 'not_reached', path: 'transformer.h.4' });
  });

  it('that never came is an access error, which names it and says how many there were', async () => {
    const { saved } = await model.generate(PROMPT, { maxNewTokens: 64 }, (m) => ({
      one: m.iter(9).lm_head.output.save(),
      list: m.iter([1, 7, 8]).lm_head.output.save(),
    }));
    expect(() => saved.one.value).toThrow(ValueNotSetError);
    expect(() => saved.one.value).toThrow(
      /^Accessing value before it's been set\. lm_head\.output\.i9 never came: there were 3 steps/,
    );
    expect(saved.list.at(1).isSet).toBe(true);
    for (const step of [7, 8]) {
      const { error } = saved.list.at(step);
      expect(error).toMatchObject({ code: 'not_reached', wanted: String(step), got: '3' });
    }
    expect(() => saved.list.value).toThrow(/several steps \(1, 7, 8\)/);
    expect(() => saved.list.at(2)).toThrow(/not saved in step 2/);
  });
});

describe('what is refused', () => {
  it.each<[string, object, RegExp]>([
    ['no maxNewTokens', {}, /maxNewTokens: 20/],
    ['none of them', { maxNewTokens: 0 }, /at least 1, not 0/],
    ['fewer than none', { maxNewTokens: -3 }, /at least 1, not -3/],
    ['more than the context', { maxNewTokens: 1e9 }, /256 that tiny-gpt2 takes; at most 25\d fit/],
    ['a topP above 1', { maxNewTokens: 1, topP: 1.5 }, /at most 1, not 1.5/],
    ['an option that there isn’t', { maxNewTokens: 1, temprature: 1 }, /Did you mean temperature/],
    ['a stop token that there isn’t', { maxNewTokens: 1, stopTokens: [5000] }, /vocabulary/],
  ])('%s', async (_, options, message) => {
    const error = await failure(model.generate([1, 2, 3], options as { maxNewTokens: number }));
    expect(error).toBeInstanceOf(TraceError);
    expect(String(error)).toMatch(message);
    expect(String(error)).toContain('generate.test.ts');
  });

  it('a text that leaves no room', async () => {
    const error = await failure(model.generate(PROMPT.repeat(19), LONG));
    expect(error).toMatchObject({ code: 'input_too_long' });
  });

  it.each<[string, (m: StepTrace) => unknown, RegExp]>([
    [
      'a step beyond the last',
      (m) => m.iter(4).lm_head.output.save(),
      /step 4 can’t come.*the last step is 3/,
    ],
    ['a negative step', (m) => m.iter(-1).lm_head.output.save(), /whole number from 0 on, not -1/],
    ['what is no step', (m) => m.iter('1' as never).lm_head.output.save(), /a list of steps, or/],
    [
      'a value of a later step',
      (m) => m.lm_head.output.set(m.iter(1).lm_head.output),
      /which is of a later step/,
    ],
    [
      'values of steps that aren’t the same',
      (m) =>
        m
          .iter([0, 1])
          .lm_head.output.add(m.iter([1, 2]).lm_head.output)
          .save(),
      /steps 0, 1 and of steps 1, 2 can’t be joined/,
    ],
  ])('%s', async (_, fn, message) => {
    const error = await failure(model.generate(PROMPT, { maxNewTokens: 4 }, fn));
    expect(error).toBeInstanceOf(TraceError);
    expect(String(error)).toMatch(message);
  });

  it('steps in a trace, and a model without a cache', async () => {
    const steps = model.trace(PROMPT, (m) => (m as StepTrace).all().lm_head.output.save());
    expect(String(await failure(steps))).toMatch(/model\.generate/);
    const uncached = new LanguageModel('dynamo', { url: server.url });
    const error = await failure(uncached.generate([1, 2, 3], { maxNewTokens: 4 }));
    expect(error).toMatchObject({ code: 'not_offered' });
    expect(String(error)).toMatch(/without a key\/value cache/);
    await uncached.close();
  });

  it('a skipped block that leaves no keys and values for the next step', async () => {
    const skipping = (of: number | null) =>
      model.generate(PROMPT, { maxNewTokens: 3, stopTokens: [] }, (m) => {
        const [before, block] = [m.all().transformer.h[1], m.all().transformer.h[2]];
        block.skip(of === null ? before.output : before.output.at(of));
        return block.output[0].save();
      });
    const error = await failure(skipping(0));
    expect(error).toMatchObject({ code: 'operation_failed' });
    expect(String(error)).toContain('Step 0 gave no logits, or not all keys and values');
    expect(await skipping(null)).toMatchObject({ end: 'length', steps: 3 });
  });

  it('logits that nothing can be chosen from', async () => {
    const run = model.generate(PROMPT, LONG, (m) => {
      const { output } = m.iter(2).lm_head;
      output.set(output.mul(Number.NaN));
      return m.all().transformer.h.at(0).output[0].save();
    });
    const error = await failure(run);
    expect(error).toMatchObject({ code: 'operation_failed' });
    expect(String(error)).toMatch(/step 2.*NaN/);
  });
});

it('goes on after a lost connection with the next token, none twice and none missing', async () => {
  const proxy = await TcpProxy.start(server.url);
  const lost = new LanguageModel('tiny-gpt2', { url: proxy.url });
  const heard: number[] = [];
  const states: string[] = [];
  const run = lost.generate(
    PROMPT,
    {
      ...LONG,
      onConnection: ({ state }) => states.push(state),
      onToken: ({ step, id }) => {
        heard.push(id);
        if (step === 10 || step === 30) proxy.cut();
      },
    },
    (m) => m.all().transformer.h.at(0).output[0].save(),
  );
  const { tokens, saved } = await run;
  expect(tokens).toEqual(generations[0]?.tokens);
  expect(heard).toEqual(tokens);
  expect(saved.steps.size).toBe(64);
  expect(states.length).toBeGreaterThan(0);
  await lost.close();
  await proxy.stop();
});

it('is cancelled in the middle, with an outcome for each step', async () => {
  const aborter = new AbortController();
  const run = model.generate(
    PROMPT,
    { ...LONG, signal: aborter.signal, onToken: ({ step }) => step === 5 && aborter.abort() },
    (m) => m.all().transformer.h.at(0).output[0].save(),
  );
  expect(await failure(run)).toMatchObject({ code: 'cancelled' });
  expect((await model.generate(PROMPT, { maxNewTokens: 2 })).tokens).toHaveLength(2);
});
