/** Generation from several prompts at once, on models whose feeds are put wrong: it is refused, not wrong. */
import type { Generate, Input, TensorLike } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import type { Engine } from './engine.ts';
import { loadEngine, TINY_GPT2, TINY_LLAMA } from './testing/models.ts';
import { wrappedRuntime } from './testing/wrapped-runtime.ts';

const PROMPTS: readonly Input[] = [{ ids: [17, 4, 250] }, { ids: [9, 301, 44, 12, 5] }];
const EQUAL: readonly Input[] = [{ ids: [17, 4, 250] }, { ids: [9, 301, 44] }];
const GENERATE: Generate = { maxNewTokens: 4, stopTokens: [] };

/** ONNX Runtime, with the positions of later steps counted by the cache's length. */
const byLength = wrappedRuntime((run, feeds, fetches) => run(withPositions(feeds), fetches));

function withPositions(feeds: ReadonlyMap<string, TensorLike>): ReadonlyMap<string, TensorLike> {
  const [positions, mask] = [feeds.get('position_ids'), feeds.get('attention_mask')];
  if (!positions || !mask) return feeds;
  const [, sequence = 1] = positions.dims;
  const past = (mask.dims[1] ?? 0) - sequence;
  const data = BigInt64Array.from(positions.data as BigInt64Array, (_, index) =>
    BigInt(past + (index % sequence)),
  );
  return new Map([...feeds, ['position_ids', { ...positions, data }]]);
}

async function generate(engine: Engine, inputs: readonly Input[]) {
  const tokens: number[][] = inputs.map(() => []);
  const outcome = await engine.run(
    { invokes: inputs.map((input) => ({ input })), nodes: [] },
    new Map(),
    {
      value: () => undefined,
      accessError: () => undefined,
      log: () => undefined,
      progress: () => undefined,
      token: ({ invoke = 0, id }) => tokens[invoke]?.push(id),
    },
    () => false,
    [],
    GENERATE,
  );
  return { outcome, tokens };
}

describe.each([
  ['tiny-gpt2', TINY_GPT2],
  ['tiny-llama', TINY_LLAMA],
])('%s', (name, folder) => {
  it('takes prompts of different lengths only where each gets what it gets alone', async () => {
    const right = await loadEngine(folder);
    const wrong = await loadEngine(folder, {}, byLength);
    try {
      const alone = [];
      for (const input of PROMPTS) alone.push(...(await generate(right, [input])).tokens);
      const together = await generate(right, PROMPTS);
      expect(together.tokens).toEqual(alone);
      expect(together.outcome.report).toMatchObject({ tokens: 3 + 5 + 2 * 3, steps: 4 });

      const { outcome, tokens } = await generate(wrong, PROMPTS);
      expect(outcome).toMatchObject({
        state: 'failed',
        errors: [{ code: 'not_offered', path: 'graph.invokes', wanted: '1', got: '2' }],
      });
      expect(outcome.errors[0]?.message).toMatch(`${name} can’t generate from 2 prompts in one batch`);
      expect(tokens).toEqual([[], []]);
      // Of one length nothing is padded, so nothing can be wrong.
      expect((await generate(wrong, EQUAL)).tokens).toEqual((await generate(right, EQUAL)).tokens);
    } finally {
      await wrong.release();
      await right.release();
    }
  });
});
