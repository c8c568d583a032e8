/** `@tracewire/client/analyses` on tiny-gpt2, through a real server: each number is PyTorch's; and what they refuse. */
import { LanguageModel } from '@tracewire/client';
import {
  activationPatching,
  attentionPatterns,
  attentionScores,
  directLogitAttribution,
  inductionWeights,
  logitLens,
  offsetWeights,
  pathPatching,
} from '@tracewire/client/analyses';
import { describe, expect, it } from 'vitest';
import { compareInduction, compareOthers, comparePatching, readAnalyses } from './support/analyses.ts';
import { failure } from './support/failure.ts';
import { modelOn, served } from './support/served.ts';
import { TINY_LLAMA, TRIPWIRE } from './support/server.ts';

const reference = readAnalyses('tiny-gpt2');
const [set] = reference.patching;
if (!set) throw new Error('The reference has no prompts.');
const { cleanIds, corruptedIds, target, versus } = set;

const server = await served('--model', 'tiny-gpt2', '--model', TINY_LLAMA, '--model', TRIPWIRE);
const model = modelOn(server);

describe('the analyses give PyTorch’s numbers', () => {
  it('induction scores', async () => {
    const { numbers, largest, difference } = await compareInduction(model, reference);
    expect([numbers, largest > 0.9]).toEqual([24, true]);
    expect(difference).toBeLessThan(1e-5);
  });

  it('activation patching of a name mover’s prompts', async () => {
    const compared = await comparePatching(model, reference);
    expect(compared).toHaveLength(3);
    for (const { numbers, largest, difference } of compared) {
      expect(numbers).toBeGreaterThan(60);
      expect(difference / largest).toBeLessThan(1e-5);
    }
  });

  it('direct logit attribution, the logit lens, path patching', async () => {
    for (const { what, largest, difference } of await compareOthers(model, reference))
      expect([what, difference / largest < 1e-4]).toEqual([what, true]);
  });
});

describe('an analysis', () => {
  it('adds up: heads to their attention, components to the logit', async () => {
    const found = await directLogitAttribution(model, cleanIds, { target, versus });
    expect(found.components.slice(0, 3)).toEqual([
      'embedding',
      'transformer.h.0.attn',
      'transformer.h.0.mlp',
    ]);
    expect(found.heads).toBeUndefined();
    expect(Math.abs(found.unexplained)).toBeLessThan(Math.abs(found.logit) / 5);
    const llama = new LanguageModel('tiny-llama', { url: server.url });
    // Its norm and its unembedding have no bias.
    const whole = await directLogitAttribution(llama, [1, 2, 3], { target: 5 });
    expect(Math.abs(whole.unexplained)).toBeLessThan(1e-4 * Math.max(1, Math.abs(whole.logit)));
    await llama.close();
  });

  it('takes some heads, blocks and positions alone', async () => {
    const [pattern] = await attentionPatterns(model, cleanIds, [{ block: 2, head: 1 }]);
    expect(pattern?.dims).toEqual([cleanIds.length, cleanIds.length]);
    const whole = await activationPatching(model, {
      clean: cleanIds,
      corrupted: corruptedIds,
      target,
      versus,
    });
    const position = cleanIds.length - 1;
    const some = await activationPatching(model, {
      clean: cleanIds,
      corrupted: corruptedIds,
      target,
      versus,
      blocks: [5],
      positions: [position],
    });
    expect(some.effect.dims).toEqual([1, 1]);
    // Behind the last block the last position decides alone.
    expect(some.effect.item()).toBeCloseTo(1, 4);
    expect(some.patched.item()).toBeCloseTo(Number(whole.patched.at(5, position)), 3);
    const attention = await activationPatching(model, {
      clean: cleanIds,
      corrupted: corruptedIds,
      target,
      versus,
      what: 'attention',
      blocks: [3, 4],
      positions: [position],
    });
    expect(attention.effect.dims).toEqual([2, 1]);
    const scores = await attentionScores(model, cleanIds, offsetWeights(cleanIds.length, 0));
    expect(scores.dims).toEqual([6, 4]);
    const path = await pathPatching(model, {
      clean: cleanIds,
      corrupted: corruptedIds,
      target,
      versus,
      sender: { block: 4, what: 'mlp' },
      receivers: ['transformer.ln_f'],
    });
    expect(Math.abs(path.effect.item() as number)).toBeGreaterThan(0);
  });

  it('takes text, and tokens as text', async () => {
    const rows = await logitLens(model, 'The Eiffel Tower is in the city of', { topK: 1 });
    const { ids } = await model.tokenizer.encode(' Paris');
    expect([...(rows.at(-1)?.tokens.data ?? [])].map(Number)).toEqual(ids);
    expect((await failure(directLogitAttribution(model, 'The', { target: ' Paris Rome' }))).message).toMatch(
      /is 2 tokens .*, not one/,
    );
  });

  it('says what it can’t find, and takes it by name', async () => {
    const tripwire = new LanguageModel('tripwire', { url: server.url });
    const lost = await failure(logitLens(tripwire, [1]));
    expect(lost.code).toBe('bad_input');
    expect(lost.message).toMatch(/It can’t be told what \w+ is in tripwire .* Name it: .*parts/);
    await tripwire.close();
    const named = await failure(logitLens(model, [1], { parts: { finalNorm: 'transformer.ln_x' } }));
    expect(named.message).toContain('no module "transformer.ln_x", which parts names as finalNorm');
    const parts = { finalNorm: 'transformer.ln_f', unembedding: 'lm_head', blocks: ['transformer.h.5'] };
    expect(await logitLens(model, [1], { parts })).toHaveLength(1);
  });

  it('refuses prompts that differ in length, weights of another one, and what isn’t there', async () => {
    const unequal = activationPatching(model, { clean: [1, 2], corrupted: [1], target, versus });
    expect((await failure(unequal)).message).toContain('2 tokens and the corrupted one 1');
    expect((await failure(attentionScores(model, [1, 2, 3], offsetWeights(2, 1)))).code).toBe('wrong_dims');
    expect((await failure(attentionPatterns(model, [1], [{ block: 9, head: 0 }]))).message).toContain(
      'so no 9',
    );
    expect((await failure(directLogitAttribution(model, [1], { target: -1 }))).code).toBe('bad_input');
    expect(() => inductionWeights(7)).toThrow(/even number/);
    expect(() => offsetWeights(3, 3)).toThrow(/none looks 3 back/);
  });
});
