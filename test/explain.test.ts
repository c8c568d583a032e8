/** Scan, validate and explain, through a real server: each says beforehand what a run then does. */
import path from 'node:path';
import {
  type Batch,
  LanguageModel,
  type Saved,
  type SavedValue,
  Tensor,
  type Trace,
  type TraceError,
  type TraceInput,
} from '@tracewire/client';
import { describe, expect, it } from 'vitest';
import { failure } from './support/failure.ts';
import { modelOn, served } from './support/served.ts';
import { ROOT, TINY_GPT2, TINY_LLAMA, TRIPWIRE } from './support/server.ts';

const PROMPT = 'The Eiffel Tower is in the city of';
const VIT = path.join(ROOT, 'test/fixtures/matrix/vit/dynamo');
const BERT = path.join(ROOT, 'test/fixtures/matrix/bert/dynamo');

const FOLDERS = [TINY_LLAMA, TRIPWIRE, `vit=${VIT}`, `bert=${BERT}`];
const server = await served('tiny-gpt2', ...FOLDERS);
const model = modelOn(server);
const named = (name: string): LanguageModel => new LanguageModel(name, { url: server.url });

const codes = (errors: TraceError['errors']): string[] => errors.map(({ body }) => body.code);
const bytesOf = (value: SavedValue): number =>
  value instanceof Tensor ? value.data.byteLength : value.reduce((sum, member) => sum + bytesOf(member), 0);

type Write = (m: Trace) => readonly Saved<SavedValue>[];

/** Traces of all kinds, each with the names that a reader would look for. */
const TRACES: readonly (readonly [string, Write])[] = [
  ['all of it', (m) => [m.lm_head.output.save()]],
  ['an automatic stop', (m) => [m.transformer.h[1].output.save(), m.transformer.h[0].mlp.output.save()]],
  [
    'a stop before what is saved',
    (m) => {
      const late = m.transformer.h[1].output.save();
      const early = m.transformer.h[0].output.save();
      m.transformer.h[0].output.stop();
      return [late, early, late];
    },
  ],
  [
    'a write inside a block',
    (m) => {
      m.transformer.h[2].attn.c_proj.input.heads[0]?.set(0);
      return [m.lm_head.output.slice(0, -1).softmax().topK(5).values.save()];
    },
  ],
  [
    'a stop inside a block',
    (m) => {
      m.transformer.h[3].attn.output.stop();
      return [m.transformer.h[3].ln_1.output.mean().save()];
    },
  ],
  [
    'a skip',
    (m) => {
      m.transformer.h[3].skip(m.transformer.h[3].input);
      return [m.lm_head.output.argmax(-1).save(), m.transformer.h[3].mlp.output.save()];
    },
  ],
  [
    'a block whose output is replaced',
    (m) => {
      m.transformer.h[2].output[0].set(m.transformer.h[1].output[0]);
      return [m.lm_head.output.save(), m.transformer.wte.weight.save()];
    },
  ],
  ['what needs no pass', (m) => [m.lm_head.weight.slice(0).save(), m.constant([1, 2]).save()]],
];

describe('explain', () => {
  it.each(TRACES)('says what the run then does: %s', async (_, write) => {
    const explained = await model.explain(PROMPT, write);
    const { saves, report } = await model.trace(PROMPT, (m) => ({ saves: write(m), report: m.report() }));
    const { modulesRun, modulesTotal, segmentsRun, segmentsTotal, tokens, stoppedAfter } = report.value;
    expect(explained).toMatchObject({ modulesRun, modulesTotal, segmentsRun, segmentsTotal, tokens });
    expect(explained.stoppedAfter).toBe(stoppedAfter);
    expect(explained.segments).toHaveLength(segmentsRun);
    expect(explained.segments.reduce((sum, { modules }) => sum + modules, 0)).toBe(modulesRun);
    for (const [index, { saved, bytes, error }] of explained.saves.entries()) {
      const ran = saves[index];
      expect(saved.label).toBe(ran?.label);
      expect(error?.body).toEqual(ran?.error);
      if (ran?.isSet) expect(bytes).toBe(bytesOf(ran.value));
    }
    expect(codes(explained.warnings)).toEqual(report.value.warnings.map(({ code }) => code));
  });

  it('names cuts, what does not run, and lines', async () => {
    const explained = await model.explain(PROMPT, (m) => {
      m.transformer.h[1].attn.output[0].set(0);
      m.transformer.h[2].mlp.output.slice(null, -1).set(0);
      m.transformer.h[3].skip(m.transformer.h[3].input);
      const inside = m.transformer.h[3].mlp.output.save();
      return { logits: m.lm_head.output.save(), inside, some: m.lm_head.output.gt(0).nonzero().save() };
    });
    expect(explained.idle).toEqual(['transformer.h.1.ln_1', 'transformer.h.1.attn', 'transformer.h.3']);
    expect(explained.segments.map(({ end, at }) => at ?? end)).toContain('transformer.h.2.mlp');
    expect(explained.segments.at(-1)?.end).toBe('end');
    const [inside, , some] = explained.saves;
    expect(inside?.error?.body.code).toBe('not_reached');
    expect(inside?.error?.location?.file).toMatch(/explain\.test\.ts$/);
    expect(some?.bytes).toBeUndefined();
    expect(explained.savedBytes.exact).toBe(false);
    expect(explained.result.logits.isSet).toBe(false);
    expect(String(explained)).toMatch(
      /modules run, in \d+ of \d+ segments, over \d+ tokens\.\nThe pass goes to its end\.\n {2}1\. /,
    );
    expect(String(explained)).toContain(
      'Not run, for nothing needs it: transformer.h.1.ln_1, transformer.h.1.attn, transformer.h.3.',
    );
    expect(String(explained)).toContain('cut where transformer.h.2.mlp is changed');
    expect(String(explained)).toContain('Warning: transformer.h.3.mlp.output will not be reached');
  });

  it('says that what lies behind the blocks is computed where the trace looks', async () => {
    const last = await model.explain(PROMPT, (m) => m.lm_head.output.slice(0, -1).argmax(-1).save());
    expect(last.segments.at(-1)?.positions).toBe(1);
    expect(String(last)).toContain('to the end of the model; behind the blocks for 1 position only');
    const few = await model.explain(PROMPT, (m) => m.lm_head.output.slice(null, [1, 4]).save());
    expect(few.segments.at(-1)?.positions).toBe(3);
    const all = await model.explain(PROMPT, (m) => m.lm_head.output.save());
    expect(all.segments.at(-1)?.positions).toBeUndefined();
    expect(String(all)).not.toContain('position');
  });

  it('knows several prompts, edits, and the engine in this process', async () => {
    const write = (t: Batch) =>
      ['The', PROMPT].map((prompt) => t.invoke(prompt, (m) => m.transformer.h[2].output.save()));
    const explained = await model.explain(write);
    const handles = await model.trace(write);
    expect(explained.saves.map(({ bytes }) => bytes)).toEqual(handles.map(({ value }) => bytesOf(value)));
    const edited = model.edit((m) => m.transformer.h[0].mlp.output.set(0));
    const { segments } = await edited.explain(PROMPT, (m) => m.lm_head.output.save());
    expect(segments.some(({ at }) => at === 'transformer.h.0.mlp')).toBe(true);
    const local = new LanguageModel(TINY_GPT2, { remote: false });
    const [here, there] = await Promise.all(
      [local, model].map((each) => each.explain(PROMPT, TRACES[3]?.[1] as Write)),
    );
    expect(String(here)).toBe(String(there));
    await local.close();
  });

  it('runs nothing', async () => {
    await using tripwire = named('tripwire');
    const armed = [8, 9];
    const explained = await tripwire.explain(armed, (m) => m.output.save());
    expect(explained.modulesRun).toBe(explained.modulesTotal);
    expect((await failure(tripwire.trace(armed, (m) => m.output.save()))).code).toBe('operation_failed');
  });

  it('rejects as the run would, before anything runs, with all errors and their lines', async () => {
    const errors = await failure(
      model.explain(PROMPT, (m) => {
        m.transformer.h[1].output[0].set(m.transformer.h[3].output[0]);
        m.get('transformer.h.9').output.save();
      }),
    );
    expect(codes(errors.errors)).toEqual(['write_order', 'unknown_module']);
    // Only the tokens tell that these dims are wrong, so the host finds them, both at once.
    const wrong = await failure(
      model.explain(PROMPT, (m) => {
        m.transformer.h[0].output[0].set(m.constant([[Array(128).fill(0)]]));
        m.transformer.h[1].output[0].slice(null, 100).set(0);
        return m.lm_head.output.save();
      }),
    );
    expect(codes(wrong.errors)).toEqual(['wrong_dims', 'bad_selection']);
    expect(wrong.errors.map(({ location }) => location?.file)).toEqual(
      Array(2).fill(expect.stringMatching(/explain\.test\.ts$/)),
    );
    const long = await failure(model.explain(PROMPT.repeat(100), (m) => m.lm_head.output.save()));
    expect(long.code).toBe('input_too_long');
    expect((await failure(model.explain('', (m) => m.lm_head.output.save()))).code).toBe('empty_input');
    expect((await failure(model.explain(PROMPT, () => 1))).code).toBe('nothing_saved');
    const deadline = { deadlineMs: 1 } as object;
    expect((await failure(model.explain(PROMPT, deadline, (m) => m.output.save()))).code).toBe(
      'unknown_option',
    );
  });
});

describe('scan', () => {
  /** What a pass really gave, at every input, output and inner value that can be hooked. */
  async function ran(of: LanguageModel, input: TraceInput): Promise<ReadonlyMap<string, Tensor>> {
    const { modules } = await of.describe();
    const found = await of.trace(input, (m) =>
      modules.flatMap(({ path: at, inputs, outputs, sources = [] }) => {
        const module = at === '' ? m : m.get(at);
        return [
          ...inputs.map((_, index) => [`${at} input ${index}`, module.inputs.at(index).save()] as const),
          ...outputs.map((_, index) => [`${at} output ${index}`, module.output.at(index).save()] as const),
          ...sources.map(
            ({ name }, index) => [`${at} source ${index}`, module.source.get(name).save()] as const,
          ),
        ];
      }),
    );
    return new Map(found.map(([name, { value }]) => [name, value]));
  }

  async function compare(of: LanguageModel, input: TraceInput): Promise<number> {
    const [scan, values] = [await of.scan(input), await ran(of, input)];
    let compared = 0;
    for (const [at, module] of scan.modules) {
      for (const [port, ports] of [
        ['input', module.inputs],
        ['output', module.outputs],
        ['source', module.sources],
      ] as const) {
        for (const [index, { dtype, dims, bytes }] of ports.entries()) {
          const name = `${at} ${port} ${index}`;
          const value = values.get(name);
          const known = dims.map((dim, axis) => (typeof dim === 'string' ? value?.dims[axis] : dim));
          // A scalar and an unknown number of axes are told apart by nobody.
          if (dims.length > 0) expect([name, dtype, known]).toEqual([name, value?.dtype, value?.dims]);
          if (bytes !== undefined && dims.length > 0)
            expect([name, bytes]).toEqual([name, value?.data.byteLength]);
          if (dims.every((dim) => typeof dim === 'number')) compared += 1;
        }
      }
    }
    return compared;
  }

  it.each([
    ['tiny-gpt2', PROMPT, 200],
    ['tiny-llama', [1, 2, 3, 4, 5, 6, 7], 100],
  ] as const)('gives the dims and dtypes that a pass of %s then has', async (name, input, least) => {
    await using other = named(name);
    expect(await compare(other, input)).toBeGreaterThan(least);
  });

  it('does so for models that are fed by name', async () => {
    await using vit = named('vit');
    const [feed] = (await vit.describe()).feeds ?? [];
    const dims = (feed?.dims ?? []).map((dim) => (typeof dim === 'number' ? dim : 1));
    const size = dims.reduce((product, dim) => product * dim, 1);
    const pixels = new Tensor('float32', dims, new Float32Array(size).fill(0.5));
    expect(await compare(vit, { pixel_values: pixels })).toBeGreaterThan(20);
    const two = new Tensor('float32', [2, ...dims.slice(1)], new Float32Array(2 * size));
    expect(await compare(vit, { pixel_values: two })).toBeGreaterThan(20);
    const flat = new Tensor('float32', [size], new Float32Array(size));
    expect((await failure(vit.scan({ pixel_values: flat }))).code).toBe('wrong_dims');
    await using bert = named('bert');
    expect(await compare(bert, [1, 2, 3, 4, 5])).toBeGreaterThan(20);
  });

  it('is a tree to read, by path to look up, and refuses what could not run', async () => {
    const scan = await model.scan([1, 2, 3]);
    expect(scan.tokens).toBe(3);
    expect(scan.modules.get('lm_head')?.outputs[0]).toMatchObject({ dtype: 'float32', dims: [1, 3, 1536] });
    expect(scan.modules.get('transformer.h.0')?.outputs[1]?.dims).toEqual([1, 4, 3, 32]);
    expect(String(scan)).toContain('[1, 3, 128]');
    expect(String(scan)).not.toContain('sequence');
    expect((await failure(model.scan(''))).code).toBe('empty_input');
    expect((await failure(model.scan(Array(2000).fill(1)))).code).toBe('input_too_long');
    expect((await failure(model.scan({ pixels: [[1]] }))).code).toBe('unknown_feed');
    expect((await failure(model.scan(3 as never))).code).toBe('bad_input');
  });
});

describe('validate', () => {
  it('finds nothing in what runs', async () => {
    for (const [, write] of TRACES) {
      const { valid, errors } = await model.validate(PROMPT, write);
      expect([valid, errors]).toEqual([true, []]);
    }
  });

  it('finds all errors and warnings, each with its line, and runs nothing', async () => {
    const { valid, errors, warnings } = await model.validate(PROMPT, (m) => {
      m.transformer.h[0].output[0].set(m.constant([[Array(128).fill(0)]]));
      m.transformer.h[1].output[0].slice(null, 100).set(0);
      m.transformer.h[2].output.save();
      m.transformer.h[1].output.stop();
    });
    expect([valid, codes(errors), codes(warnings)]).toEqual([
      false,
      ['wrong_dims', 'bad_selection'],
      ['behind_stop'],
    ]);
    for (const { location } of [...errors, ...warnings]) expect(location?.file).toMatch(/explain\.test\.ts$/);
    const misuse = await model.validate(PROMPT, (m) => m.get('transformer.hh').output.save());
    expect(codes(misuse.errors)).toEqual(['unknown_module']);
    await using tripwire = named('tripwire');
    expect((await tripwire.validate([8], (m) => m.output.save())).valid).toBe(true);
  });

  it('goes by the server’s limits, prompts, and a generation’s options', async () => {
    const wide = await model.validate((t) => {
      for (let index = 0; index < 60; index++)
        t.invoke(PROMPT.repeat(10), (m) => m.transformer.wte.output.save());
    });
    expect(codes(wide.errors)).toEqual(['input_too_long']);
    const long = await model.validate(PROMPT, { maxNewTokens: 5000 }, (m) => m.all().lm_head.output.save());
    expect(codes(long.errors)).toEqual(['input_too_long']);
    const late = await model.validate(PROMPT, { maxNewTokens: 2 }, (m) => m.iter(7).lm_head.output.save());
    expect(codes(late.errors)).toEqual(['bad_input']);
    expect(
      (await model.validate(PROMPT, { maxNewTokens: 2 }, (m) => m.next().lm_head.output.save())).valid,
    ).toBe(true);
    expect((await failure(model.validate(PROMPT, { temperature: 1 }, () => 1))).code).toBe('bad_input');
    const wrong = new Error('mine');
    const throwing = model.validate(PROMPT, () => {
      throw wrong;
    });
    await expect(throwing).rejects.toBe(wrong);
  });
});
