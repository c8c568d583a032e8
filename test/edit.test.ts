/** Interventions kept with a model, through a real server: what they do, stacked and taken away, as JSON, and when wrong. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type EditsData, type EditTrace, LanguageModel, type Tensor, TraceError } from '@tracewire/client';
import { describe, expect, it } from 'vitest';
import { failure } from './support/failure.ts';
import { relativeError } from './support/reference.ts';
import { modelOn, served } from './support/served.ts';
import { ROOT, TINY_GPT2 } from './support/server.ts';

const PROMPT = 'The Eiffel Tower is in the city of';
const OTHER = 'The Colosseum is in the city of';

/** What `test/reference/generate_reference.py` wrote. */
interface Reference {
  readonly block: number;
  readonly generations: readonly {
    readonly prompt: string;
    readonly tokens: readonly number[];
    readonly steered: readonly number[];
  }[];
}
const file = path.join(ROOT, 'test/reference/data/tiny-gpt2-generate.json');
const { block, generations } = JSON.parse(readFileSync(file, 'utf8')) as Reference;
const VECTOR = Float32Array.from({ length: 128 }, (_, index) => 4 * Math.sin(index));

const server = await served();
const model = modelOn(server);

/** Adds nnsight's vector to what the reference's block gives. */
function steer(m: EditTrace): void {
  m.transformer.h.at(block).output[0].add_(m.constant([...VECTOR]));
}

const silence = (m: EditTrace): void => m.transformer.h[1].attn.c_proj.input.heads[0]?.set(0);

const logitsOf = async (of: LanguageModel, prompt = PROMPT): Promise<Tensor> =>
  (await of.trace(prompt, (m) => m.lm_head.output.save())).value;

/** The different numbers in a tensor. */
const numbers = ({ data }: Tensor): Set<number> => new Set(Array.from(data as Float32Array));

const difference = (wanted: Tensor, { dims, data }: Tensor): number =>
  relativeError({ dims: wanted.dims, data: wanted.data as Float32Array }, dims, data);

const codes = (error: TraceError): string[] => error.errors.map(({ body }) => body.code);

describe('an edit', () => {
  it('does in a trace what the same lines in it do, and leaves the model itself alone', async () => {
    const plain = await logitsOf(model);
    const edited = model.edit(steer);
    const byHand = await model.trace(PROMPT, (m) => {
      steer(m);
      return m.lm_head.output.save();
    });
    expect((await logitsOf(edited)).data).toEqual(byHand.value.data);
    expect(difference(plain, byHand.value)).toBeGreaterThan(0.1);
    expect((await logitsOf(model)).data).toEqual(plain.data);
  });

  it.each(generations)('acts in every step: the tokens are nnsight’s. $prompt', async (wanted) => {
    const steered = model.edit(steer);
    const { tokens } = await steered.generate(wanted.prompt, { maxNewTokens: 64, stopTokens: [] });
    expect(tokens).toEqual(wanted.steered);
    expect(tokens).not.toEqual(wanted.tokens);
  });

  it('acts on each prompt of a batch', async () => {
    const edited = model.edit(steer).edit(silence);
    const both = await edited.trace((t) =>
      [PROMPT, OTHER].map((prompt) => t.invoke(prompt, (m) => m.lm_head.output.save())),
    );
    for (const [index, prompt] of [PROMPT, OTHER].entries()) {
      const [alone, got] = [await logitsOf(edited, prompt), both[index]?.value];
      expect(got && difference(alone, got)).toBeLessThan(1e-5);
    }
  });

  it('comes before the trace’s own hooks, whatever stands first in the program', async () => {
    const zeroed = model.edit((m) => m.transformer.h[1].output[0].set(0));
    const { seen, doubled } = await zeroed.trace(PROMPT, (m) => {
      const place = m.transformer.h[1].output[0];
      const seen = place.save();
      place.add_(2);
      return { seen, doubled: place.mul(2).save() };
    });
    expect(numbers(seen.value)).toEqual(new Set([0]));
    expect(numbers(doubled.value)).toEqual(new Set([4]));
  });

  it('may skip, mask, log and take what is inside a module, in one pass and in many', async () => {
    const edited = model.edit((m) => {
      m.transformer.h[2].mlp.skip(m.transformer.h[2].mlp.input.mul(0));
      const { attentionProbabilities } = m.transformer.h[0].attn.source;
      attentionProbabilities.slice(null, 1, null, 0).set(0);
      m.transformer.h[0].mlp.output.masked(m.transformer.h[0].mlp.output.gt(1)).set(1);
      m.transformer.h[0].mlp.output.max().log('largest');
    });
    const logged: number[] = [];
    const onLog = ({ text, value, step }: { text?: unknown; value?: unknown; step?: unknown }): void => {
      expect([text, (value as Tensor).item()]).toEqual(['largest', 1]);
      logged.push(Number(step ?? 0));
    };
    const { probabilities, around } = await edited.trace(PROMPT, { onLog }, (m) => ({
      probabilities: m.transformer.h[0].attn.source.attentionProbabilities.slice(0, 1, null, 0).save(),
      around: m.transformer.h[2].mlp.output.abs().max().save(),
    }));
    expect(numbers(probabilities.value)).toEqual(new Set([0]));
    expect(around.value.item()).toBe(0);
    const { saved } = await edited.generate(PROMPT, { maxNewTokens: 3, stopTokens: [], onLog }, (m) =>
      m.all().transformer.h[0].attn.source.attentionProbabilities.slice(0, 1, null, 0).save(),
    );
    expect(logged).toEqual([0, 0, 1, 2]);
    for (const { value } of saved.steps.values()) expect(numbers(value)).toEqual(new Set([0]));
    expect([...saved.steps.keys()]).toEqual([0, 1, 2]);
  });

  it('is in a detached run too, and followed by the edited model', async () => {
    const edited = model.edit(steer);
    const fn = (m: EditTrace) => m.lm_head.output.argmax(-1).save();
    const started = await edited.start(PROMPT, fn);
    const { value } = await started.wait();
    const followed = await (await edited.attach(started.run, fn)).wait();
    expect(followed.value.data).toEqual(value.data);
    const other = await failure((await model.attach(started.run, fn)).wait());
    expect(other.message).toContain('The run saves other values than this trace');
  });
});

describe('edits of a model', () => {
  it('stack, and are taken away', async () => {
    const one = model.edit(steer);
    const two = one.edit(silence);
    const [first, second] = two.edits;
    expect(two.edits.length).toBe(2);
    expect(first?.location?.file).toMatch(/edit\.test\.ts$/);
    expect((await logitsOf(two)).data).not.toEqual((await logitsOf(one)).data);
    if (!first || !second) throw new Error('no edits');
    expect((await logitsOf(two.withoutEdits(second))).data).toEqual((await logitsOf(one)).data);
    expect((await logitsOf(two.withoutEdits(first))).data).toEqual(
      (await logitsOf(model.edit(silence))).data,
    );
    expect((await logitsOf(two.withoutEdits())).data).toEqual((await logitsOf(model)).data);
    expect(() => one.withoutEdits(second)).toThrow(/no edit of this model/);
  });

  it('act in the order in which they were made', async () => {
    const scaled = (factor: number) => (m: EditTrace) => {
      const { output } = m.transformer.h[0];
      output[0].set(output[0].mul(0).add(factor));
    };
    const last = model.edit(scaled(1)).edit(scaled(3));
    const { value } = await last.trace(PROMPT, (m) => m.transformer.h[0].output[0].max().save());
    expect(value.item()).toBe(3);
  });

  it('go to JSON and back, and to the engine in this process', async () => {
    const two = model.edit(steer).edit((m) => {
      silence(m);
      m.transformer.h[0].mlp.output.masked([[[true, false, true, false, ...Array(124).fill(true)]]]).set(0);
      m.transformer.ln_f.output.set(m.transformer.ln_f.output.add(m.transformer.ln_f.bias));
    });
    const text = JSON.stringify(await two.exportEdits());
    const back = new LanguageModel('tiny-gpt2', { url: server.url }).edit(JSON.parse(text));
    const local = new LanguageModel(TINY_GPT2, { remote: false }).edit(JSON.parse(text));
    try {
      const { data } = await logitsOf(two);
      expect((await logitsOf(back)).data).toEqual(data);
      expect((await logitsOf(local)).data).toEqual(data);
      expect(JSON.stringify(await back.exportEdits())).toBe(text);
      expect(back.edits.length).toBe(2);
    } finally {
      await Promise.all([back.close(), local.close()]);
    }
  });

  it('keep the numbers that they were written down with', async () => {
    const vector = [...VECTOR];
    const edited = model.edit((m) => m.transformer.h.at(block).output[0].add_(m.constant(vector)));
    const before = await logitsOf(edited);
    vector.fill(0);
    expect((await logitsOf(edited)).data).toEqual(before.data);
  });
});

describe('a wrong edit', () => {
  /** The line of this file that an error names, from the one that `here` was called on. */
  const lines = (error: TraceError, from: number): number[] =>
    error.errors.map(({ location }) => {
      expect(location?.file).toMatch(/edit\.test\.ts$/);
      return (location?.line ?? 0) - from;
    });
  const here = (): number =>
    Number(/edit\.test\.ts:(\d+)/.exec(new Error().stack?.split('\n')[2] ?? '')?.[1]);

  it('is told by the first trace, all of it at once, each with its line', async () => {
    const line = here();
    const wrong = model.edit((m) => {
      m.get('transformer.hh.0').output.set(0);
      m.transformer.h[1].output[0].set(m.transformer.h[3].output[0]);
      m.transformer.h[1].output.save();
      m.lm_head.output.set(m.lm_head.output.argmax(-1));
    });
    const error = await failure(logitsOf(wrong));
    expect(codes(error)).toEqual(['unknown_module', 'write_order', 'wrong_dtype', 'misuse']);
    expect(lines(error, line)).toEqual([2, 3, 5, 4]);
    expect(error.message).toContain('An edit saves nothing');
    expect(codes(await failure(wrong.exportEdits()))).toEqual(codes(error));
    expect(codes(await failure(wrong.generate(PROMPT, { maxNewTokens: 2 })))).toEqual(codes(error));
  });

  it('may be wrong for one trace alone, and the error is at the line of the edit or of the trace', async () => {
    const line = here();
    const rows = model.edit((m) => m.transformer.h[0].output[0].slice(null, 9).set(0));
    const long = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    await rows.trace(long, (m) => m.lm_head.output.save());
    const short = await failure(rows.trace([1, 2], (m) => m.lm_head.output.save()));
    expect([codes(short), lines(short, line)]).toEqual([['bad_selection'], [1]]);

    const skipped = model.edit((m) => m.transformer.h[2].skip(m.transformer.h[2].input));
    const from = here();
    const twice = await failure(
      skipped.trace(PROMPT, (m) => {
        m.transformer.h[2].skip(m.transformer.h[2].input);
        return m.lm_head.output.save();
      }),
    );
    expect([codes(twice), lines(twice, from)]).toEqual([['inside_skip'], [3]]);
    const stacked = await failure(
      logitsOf(skipped.edit((m) => m.transformer.h[2].skip(m.transformer.h[2].input))),
    );
    expect(codes(stacked)).toEqual(['inside_skip']);
  });

  it('can’t be what only a trace can', async () => {
    const refused = async (fn: (m: EditTrace) => unknown): Promise<string> =>
      (await failure(logitsOf(model.edit(fn as (m: EditTrace) => void)))).message;
    expect(await refused((m) => m.transformer.h[0].output[0].mul(2))).toContain('changes nothing');
    expect(await refused(async (m) => m.transformer.h[0].output[0].set(0))).toContain('async');
    expect(await refused((m) => (m as never as { all(): EditTrace }).all())).toContain('no steps');
    expect(await refused((m) => (m as never as { report(): unknown }).report())).toContain('no report');
    expect(await refused((m) => (m as never as { invoke(): unknown }).invoke())).toContain('every prompt');
    const constant = model.edit((m) => m.transformer.h[2].skip(m.constant([Array(128).fill([...VECTOR])])));
    const error = await failure(constant.generate(PROMPT, { maxNewTokens: 2 }));
    expect(error.message).toContain('in the first step alone');
  });

  it('that is no JSON of edits is refused at once, and a broken one by the first trace at the line that took it', async () => {
    const good = await model.edit(steer).exportEdits();
    const [edit] = good.edits;
    const nodes = edit?.nodes as readonly Record<string, unknown>[];
    const refused = (data: unknown): string => {
      try {
        model.edit(data as EditsData);
      } catch (error) {
        expect(error).toBeInstanceOf(TraceError);
        expect((error as TraceError).code).toBe('bad_input');
        return (error as TraceError).message;
      }
      throw new Error('It was taken.');
    };
    const broken = async (change: object): Promise<string> => {
      const data = { ...good, edits: [{ ...edit, ...change }] } as EditsData;
      const line = here();
      const error = await failure(logitsOf(model.edit(data)));
      expect(codes(error)).toEqual(['bad_input']);
      expect(lines(error, line)).toEqual([1]);
      return error.message;
    };
    for (const nothing of [null, undefined, 3, 'edits', [], {}]) refused(nothing);
    expect(refused({ ...good, version: 2 })).toContain('no data of edits');
    expect(refused({ ...good, edits: [null] })).toContain('Edit 0 should be an object');
    expect(refused({ ...good, edits: [{ ...edit, payload: '*' }] })).toContain('no base64');
    expect(await broken({ payload: '' })).toContain('at most 0 bytes of payload');
    expect(refused({ ...good, edits: [{ ...edit, payload: `${edit?.payload}AAAA` }] })).toContain(
      'Edit 0 is broken',
    );
    expect(await broken({ payload: `AAAA${edit?.payload}` })).toContain('Edit 0 is broken');
    expect(await broken({ nodes: 'none' })).toContain('graph.nodes');
    expect(await broken({ nodes: [{ kind: 'import', name: 'fs' }] })).toContain('graph.nodes.0.kind');
    const moved = (own: object) =>
      nodes.map((node) =>
        'place' in node ? { ...node, place: { ...(node['place'] as object), ...own } } : node,
      );
    expect(await broken({ nodes: moved({ steps: 1 }) })).toContain('every prompt and step');
    expect(await broken({ nodes: moved({ invoke: 1 }) })).toContain('every prompt and step');
  });

  it('that goes round in a circle, or fits another model, is told by the trace at the line that took it', async () => {
    const place = { module: 'transformer.h.0', port: 'output', member: 0 };
    const stored = (...edit: object[]): EditsData => ({
      format: 'tracewire.edits',
      version: 1,
      edits: [{ nodes: edit, payload: '' }],
    });
    const line = here();
    const circle = stored(
      { kind: 'operator', operator: 'Neg', inputs: [1] },
      { kind: 'operator', operator: 'Neg', inputs: [0] },
      { kind: 'write', place, value: 1 },
    );
    const error = await failure(logitsOf(model.edit(circle)));
    expect(new Set(codes(error))).toEqual(new Set(['bad_reference']));
    expect(lines(error, line)).toEqual(error.errors.map(() => 6));
    const other = { ...place, module: 'model.layers.0' };
    const llama = stored({ kind: 'read', place: other }, { kind: 'write', place: other, value: 0 });
    expect(codes(await failure(logitsOf(model.edit(llama))))).toEqual(['unknown_module', 'unknown_module']);
    const saving = stored(
      { kind: 'read', place },
      { kind: 'write', place, value: 0 },
      { kind: 'save', value: 0 },
    );
    expect(codes(await failure(logitsOf(model.edit(saving))))).toEqual(['misuse']);
  });
});
