/** A model's own types, as `tracewire types` writes them: what completes, what is marked, what a hover shows. */
import type { ModelDescription } from '@tracewire/protocol';
import { beforeAll, expect, test } from 'vitest';
import { declarationOf } from '../../server/src/cli/declaration.ts';
import { CACHE, runCli, TINY_LLAMA } from '../support/server.ts';
import { Editor } from './editor.ts';

let written: Record<string, string>;

beforeAll(async () => {
  const types = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCli('types', ...args, '--cache', CACHE, '--out', '-');
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    return stdout;
  };
  written = { 'tiny-gpt2.d.ts': await types('tiny-gpt2'), 'tiny-llama.d.ts': await types(TINY_LLAMA) };
});

test('the files are valid, and a program with them has the errors that it should have and no others', () => {
  const editor = new Editor({ ...written, 'typed.ts': undefined });
  for (const file of ['tiny-gpt2.d.ts', 'tiny-llama.d.ts', 'typed.ts']) {
    expect(editor.errors(file), file).toEqual([]);
  }
});

test('without the files, everything is typed loosely', () => {
  expect(new Editor({ 'loose.ts': undefined }).errors('loose.ts')).toEqual([]);
});

test('paths complete, names of paths too, and hovers show dims', () => {
  const program = `
    import { LanguageModel } from '@tracewire/client';
    new LanguageModel('tiny-gpt2').trace('a', (m) => {
      m.transformer.h[0].attn.c_proj.output.save();
      m.get('transformer.h.0.mlp');
      return m.transformer.h[0].attn.source;
    });`;
  const editor = new Editor({ ...written, 'program.ts': program });
  expect(editor.errors('program.ts')).toEqual([]);
  expect(editor.completions('program.ts', 'm.transformer.')).toEqual(
    expect.arrayContaining(['h', 'wte', 'wpe', 'ln_f', 'output', 'skip']),
  );
  expect(editor.completions('program.ts', 'm.transformer.')).not.toContain('lm_head');
  expect(editor.completions('program.ts', 'h[0].attn.').sort()).toEqual(
    expect.arrayContaining(['c_attn', 'c_proj', 'output', 'source']),
  );
  expect(editor.completions('program.ts', "m.get('")).toContain('transformer.h.0.mlp.c_fc');
  expect(editor.hover('program.ts', 'attn.c_proj')).toBe(
    'float32 [batch, sequence, 128] → float32 [batch, sequence, 128].',
  );
  expect(editor.hover('program.ts', 'attn.c_proj.output')).toBe('Gives float32 [batch, sequence, 128].');
  expect(editor.hover('program.ts', '.attn.source')).toContain(
    'attentionProbabilities float32 [batch, 4, sequence, past + sequence]',
  );
});

test('blocks that are alike share one type', () => {
  const text = written['tiny-gpt2.d.ts'] ?? '';
  expect(text.match(/^interface TransformerHAttn /gm)).toHaveLength(1);
  expect(text).toContain('readonly "transformer.h.5.attn": TransformerHAttn;');
});

test('names that are no identifiers, or that are ours, or that would break out of the file', () => {
  const port = (name: string) => ({
    name,
    dtype: 'float32' as const,
    dims: ['*/ declare const x: 1; /*', 3],
  });
  const module = (path: string, missing?: string) => ({
    path,
    order: {},
    inputs: [port('in')],
    outputs: missing === undefined ? [port('out')] : [],
    missing,
  });
  const description: ModelDescription = {
    name: 'evil\'\n"name\u2028',
    id: 'sha256:0\nexport const broken = 1;',
    architecture: '*/ syntax error',
    exporter: 'other',
    opset: 17,
    blocks: [],
    modules: [
      module(''),
      module('a-b.c d'),
      module('x.output'),
      module('x.__proto__'),
      module('l.0'),
      module('l.1', 'why */ not\n'),
      module('"]; }'),
    ],
    parameters: [{ name: 'x.y.we*/ight', dtype: 'float32', dims: [2] }],
  };
  const program = `
    import { LanguageModel } from '@tracewire/client';
    new LanguageModel<import('./evil.js').EvilName>('b').trace('a', (m) => {
      m.l[0].output.save();
      // @ts-expect-error: it has no hook
      m.l[1].output.save();
      m.x.get('output').output.save();
      return [m['a-b']['c d'].output.save(), m.get('x.output').output.save(), m.x.y['we*/ight'].save()];
    });`;
  const editor = new Editor({ 'evil.d.ts': declarationOf(description), 'program.ts': program });
  expect(editor.errors('evil.d.ts')).toEqual([]);
  expect(editor.errors('program.ts')).toEqual([]);
});
