/** A trace over a data set, through a real server: order, bounds, errors by item, and leaving the loop. */
import { LanguageModel, type Mapped, type Tensor, type Trace, TraceError } from '@tracewire/client';
import { describe, expect, it } from 'vitest';

import { modelOn, served } from './support/served.ts';

const server = await served();
const model = modelOn(server);

const last = (m: Trace) => m.lm_head.output.slice(0, -1).argmax().save();

async function collect<P, T>(loop: AsyncIterable<Mapped<P, T>>): Promise<Mapped<P, T>[]> {
  const all: Mapped<P, T>[] = [];
  for await (const mapped of loop) all.push(mapped);
  return all;
}

describe('map', () => {
  it('gives what a trace of each gives, in the order of the items', async () => {
    // The first takes longest.
    const prompts = Array.from({ length: 20 }, (_, index) => Array<number>(62 - 3 * index).fill(index + 1));
    const all = await collect(model.map(prompts, last));
    expect(all.map(({ index, item }) => [index, item.length])).toEqual(
      prompts.map((prompt, index) => [index, prompt.length]),
    );
    for (const [index, { result }] of all.entries()) {
      const alone = await model.trace(prompts[index] ?? [], last);
      expect(result.value.item()).toBe(alone.value.item());
    }
  });

  it('takes rows of any kind, with the item and its number for the function', async () => {
    const rows = [
      { text: 'The capital of France is', answer: 3 },
      { text: 'The capital of Italy is', answer: 5 },
    ];
    const loop = model.map(
      rows,
      (m, { answer }, index) => ({ index, logit: m.lm_head.output.slice(0, -1, answer).save() }),
      { input: ({ text }) => text, concurrency: 1 },
    );
    for (const { item, index, result } of await collect(loop)) {
      const alone = await model.trace(item.text, (m) => m.lm_head.output.slice(0, -1, item.answer).save());
      expect([result.index, result.logit.value.item()]).toEqual([index, alone.value.item()]);
    }
  });

  it('takes items only when there is room, runs no more than told, and closes what it takes from', async () => {
    let taken = 0;
    let most = 0;
    let running = 0;
    let closed = false;
    async function* endless(): AsyncGenerator<number[]> {
      try {
        for (;;) yield [++taken];
      } finally {
        closed = true;
      }
    }
    const onStatus = ({ state }: { readonly state: string }): void => {
      if (state === 'received') running += 1;
      if (state === 'completed') running -= 1;
      most = Math.max(most, running);
    };
    let seen = 0;
    for await (const { result } of model.map(endless(), last, { concurrency: 3, onStatus })) {
      expect(result.isSet).toBe(true);
      seen += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(taken - seen).toBeLessThanOrEqual(3);
      if (seen === 12) break;
    }
    expect([most > 1, most <= 3]).toEqual([true, true]);
    await expect.poll(() => closed).toBe(true);
    // The connection goes on, and nothing is left running.
    expect((await model.trace([1], last)).isSet).toBe(true);
  });

  it('keeps an error with its item, and goes on', async () => {
    const prompts = ['The', '', 'A', [99999], 'B'];
    const all = await collect(
      model.map(prompts, (m, item) => {
        if (item === 'A') throw new RangeError('mine');
        if (item === 'B') m.get('transformer.hh').output.save();
        return last(m);
      }),
    );
    expect(all.map(({ error }) => (error instanceof TraceError ? error.code : error?.name))).toEqual([
      undefined,
      'empty_input',
      'RangeError',
      'token_out_of_range',
      'unknown_module',
    ]);
    expect(() => all[1]?.result).toThrow(/empty_input/);
    const located = all.flatMap(({ error }) => (error instanceof TraceError ? error.errors : []));
    for (const { location } of located) expect(location?.file).toMatch(/map\.test\.ts$/);
  });

  it('ends with a signal, and cancels what runs', async () => {
    const controller = new AbortController();
    const states: string[] = [];
    const prompts = Array.from({ length: 8 }, () => Array<number>(250).fill(7));
    const loop = model.map(prompts, (m) => m.lm_head.output.save() as { value: Tensor }, {
      signal: controller.signal,
      onStatus: ({ state }) => states.push(state),
    });
    const run = (async () => {
      for await (const _ of loop) controller.abort(new Error('enough'));
    })();
    const error: unknown = await run.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'cancelled', cause: { message: 'enough' } });
    const before = model.map(prompts, last, { signal: controller.signal });
    await expect(before.next()).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('ends with what is wrong for all, or what the items’ own iterator throws', async () => {
    const nobody = new LanguageModel('tiny-gpt2', { url: 'ws://127.0.0.1:9' });
    await expect(collect(nobody.map(['a', 'b'], last))).rejects.toMatchObject({ code: 'unreachable' });
    await nobody.close();
    const wrong = new Error('mine');
    function* broken(): Generator<string> {
      yield 'The';
      throw wrong;
    }
    await expect(collect(model.map(broken(), last))).rejects.toBe(wrong);
    await expect(collect(model.map(3 as never, last))).rejects.toMatchObject({ code: 'bad_input' });
    expect(() => model.map([], last, { concurrency: 0 })).toThrow(/concurrency/);
    expect(() => model.map([], last, { concurency: 2 } as object)).toThrow(/Did you mean concurrency/);
    expect(() => model.map([], 'x' as never)).toThrow(/map wants a function/);
    expect(await collect(model.map([], last))).toEqual([]);
  });

  it('acts with the model’s edits', async () => {
    const zeroed = model.edit((m) => m.lm_head.output.set(0));
    const [first] = await collect(zeroed.map(['The'], (m) => m.lm_head.output.max().save()));
    expect(first?.result.value.item()).toBe(0);
  });
});
