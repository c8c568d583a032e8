/** `m.cache`, through a real server: what nnsight read of every module, by path, and in every step of a generation. */
import { type Cache, type CacheOptions, type ModulePattern, Tensor, type Trace } from '@tracewire/client';
import { describe, expect, it } from 'vitest';
import { failure } from './support/failure.ts';
import { readReference, relativeError } from './support/reference.ts';
import { modelOn, served } from './support/served.ts';

const BLOCKS = [0, 1, 2, 3, 4, 5];
const PROMPT = 'The Eiffel Tower is in the city of';

const server = await served();
const model = modelOn(server);

const cached = (which?: ModulePattern, options?: CacheOptions): Promise<Cache> =>
  model.trace(PROMPT, (m) => m.cache(which, options));

const pathsOf = async (which?: ModulePattern): Promise<string[]> => [...(await cached(which)).keys()];

function tensorIn(cache: Cache, path: string): Tensor {
  const value = cache.get(path)?.output?.value;
  if (value instanceof Tensor) return value;
  throw new Error(`${path} is no tensor.`);
}

async function errorsOf(fn: (m: Trace) => unknown): Promise<readonly [string, string][]> {
  const { errors } = await failure(model.trace(PROMPT, fn));
  for (const { location } of errors) expect(location?.file).toMatch(/cache\.test\.ts$/);
  return errors.map(({ body }) => [body.code, body.message]);
}

describe('a cache', () => {
  it('of all modules holds what nnsight read of each', async () => {
    const reference = readReference('tiny-gpt2');
    const [prompt] = reference.prompts;
    const cache = await model.trace(prompt?.ids ?? [], (m) => m.cache());
    const { modules } = await model.describe();
    expect(new Set(cache.keys())).toEqual(
      new Set(modules.flatMap(({ path, outputs }) => (path === '' || outputs.length === 0 ? [] : [path]))),
    );
    const errors = [...cache].map(([path, { output }]) => {
      const value = output?.value;
      const first = value instanceof Tensor ? value : value?.[0];
      const wanted = reference.tensor(`p0/${path}/output`);
      if (!wanted || !(first instanceof Tensor)) throw new Error(`There is nothing to compare for ${path}.`);
      return relativeError(wanted, first.dims, first.data);
    });
    expect(errors.length).toBeGreaterThan(40);
    expect(Math.max(...errors)).toBeLessThan(1e-4);
  });

  it('of a pattern, a RegExp or a list holds what each names, once', async () => {
    expect(await pathsOf('transformer.h.*')).toEqual(BLOCKS.map((block) => `transformer.h.${block}`));
    expect(await pathsOf('transformer.h.*.mlp.c_*')).toEqual(
      BLOCKS.flatMap((block) => ['c_fc', 'c_proj'].map((name) => `transformer.h.${block}.mlp.${name}`)),
    );
    expect(await pathsOf('**.attn')).toEqual(BLOCKS.map((block) => `transformer.h.${block}.attn`));
    expect(await pathsOf(/\.ln_\d$/g)).toHaveLength(2 * BLOCKS.length);
    expect(await pathsOf(['lm_head', 'transformer.h.0', 'transformer.h.[0]'.replace('[0]', '0*')])).toEqual([
      'transformer.h.0',
      'lm_head',
    ]);
    expect(await pathsOf('')).toEqual(['']);
  });

  it('holds inputs, alone or too', async () => {
    const { cache, hidden, mask } = await model.trace(PROMPT, (m) => ({
      cache: m.cache('transformer.h.1', { inputs: true }),
      hidden: m.transformer.h[1].input.save(),
      mask: m.transformer.h[1].inputs[1]?.save(),
    }));
    const block = cache.get('transformer.h.1');
    expect(block?.output?.value).toHaveLength(3);
    expect(block?.input?.value.data).toEqual(hidden.value.data);
    expect([...(block?.inputs.values() ?? [])][1]?.value.data).toEqual(mask?.value.data);
    const alone = (await cached('lm_head', { inputs: true, outputs: false })).get('lm_head');
    expect([alone?.output, alone?.input?.value.dims.length, alone?.inputs.size]).toEqual([undefined, 3, 1]);
    expect((await cached('lm_head')).get('lm_head')?.inputs.size).toBe(0);
  });

  it('is of its point in the program, and of its invoke', async () => {
    const { before, after } = await model.trace((t) =>
      t.invoke(PROMPT, (m) => {
        const before = m.cache('lm_head');
        m.lm_head.output.set(0);
        return { before, after: m.cache('lm_head') };
      }),
    );
    const largest = (cache: Cache): number => {
      const { data } = tensorIn(cache, 'lm_head');
      return Math.max(...Array.from(data, Number).map(Math.abs));
    };
    expect(largest(before)).toBeGreaterThan(1);
    expect(largest(after)).toBe(0);
    const both = await model.trace((t) =>
      ['The', PROMPT].map((prompt) => t.invoke(prompt, (m) => m.cache('transformer.ln_f'))),
    );
    const lengths = both.map((cache) => tensorIn(cache, 'transformer.ln_f').dims[1]);
    expect(lengths[0]).toBeLessThan(lengths[1] ?? 0);
  });

  it('is of each step in a generation, and of the prompt’s where nothing else is said', async () => {
    const { saved, steps } = await model.generate(PROMPT, { maxNewTokens: 3, stopTokens: [] }, (m) => ({
      all: m.all().cache('transformer.h.*', { inputs: true }),
      first: m.cache('lm_head'),
      byHand: m.all().transformer.h[3].output[0].save(),
    }));
    expect(steps).toBe(3);
    const { output, input } = saved.all.get('transformer.h.3') ?? {};
    expect([...(output?.steps.keys() ?? [])]).toEqual([0, 1, 2]);
    for (const step of [0, 1, 2]) {
      const value = output?.at(step).value;
      const first = value instanceof Tensor ? value : (value?.[0] as Tensor);
      expect(first.data).toEqual(saved.byHand.at(step).value.data);
      expect(input?.at(step).value.dims[1]).toBe(first.dims[1]);
    }
    expect(tensorIn(saved.first, 'lm_head').dims[1]).toBeGreaterThan(1);
  });
});

describe('what a cache refuses, at its line', () => {
  it('a pattern that matches nothing, with the nearest names', async () => {
    const errors = await errorsOf((m) => {
      m.cache('transformer.hh.*');
      m.cache('transformer.h.*.attention');
      m.cache('transformer.h.9');
      m.cache(['lm_head', 'lm_heat']);
      m.cache(/nothing/);
      return m.lm_head.output.save();
    });
    expect(errors.map(([code]) => code)).toEqual(Array(5).fill('unknown_module'));
    const [misspelt, deep, beyond, list, none] = errors.map(([, message]) => message);
    expect(misspelt).toContain('Did you mean transformer.h.*?');
    expect(misspelt).toContain('transformer has');
    expect(deep).toMatch(/Did you mean transformer\.h\.\*\.\w+\?/);
    expect(beyond).toContain('transformer.h has 0, 1, 2, 3, 4, 5.');
    expect(list).toContain('Did you mean lm_head?');
    expect(none).toContain('The model has transformer, lm_head');
  });

  it('modules without hook points', async () => {
    const errors = await errorsOf((m) => {
      m.cache('transformer.h');
      m.cache('transformer.drop');
      m.cache('**.attn_dropout');
      return m.lm_head.output.save();
    });
    expect(errors.map(([code]) => code)).toEqual(['no_hook', 'unknown_module', 'unknown_module']);
    expect(errors[0]?.[1]).toContain('Write "transformer.h.*" for those in it');
  });

  it('what is no pattern, or would hold nothing', async () => {
    const wrong = async (...given: unknown[]): Promise<string | undefined> =>
      (await errorsOf((m) => m.cache(...(given as [string]))))[0]?.join(': ');
    expect(await wrong(3)).toContain('bad_input: cache wants paths of modules, not a number');
    expect(await wrong(null)).toContain('not null');
    expect(await wrong([])).toContain('empty list');
    expect(await wrong('lm_head', { input: true })).toContain('Did you mean inputs?');
    expect(await wrong('lm_head', { outputs: false })).toContain('neither');
    const batch = model.trace((t) => (t as never as Trace).cache('lm_head') as never);
    await expect(batch).rejects.toThrow(/This trace has no prompt of its own, so cache of which/);
  });
});
