/** Inner values, several inputs, heads, masks, index lists and skips: what graphs they become, and what is refused. */
import { inspect } from 'node:util';
import type { ModelDescription } from '@tracewire/protocol';
import { describe, expect, test } from 'vitest';
import { gpt2 } from '../test/description.ts';
import { written } from '../test/written.ts';
import { Tensor, type Trace, TraceError } from './index.ts';

const nodesOf = (fn: (m: Trace) => unknown): readonly object[] =>
  written((m) => {
    fn(m);
    m.log('something is delivered');
  }).nodes.slice(0, -1);

function faults(
  fn: (m: Trace) => unknown,
  description?: ModelDescription,
): [string, string | undefined, string][] {
  try {
    written((m) => {
      fn(m);
      m.log('something is delivered');
    }, description);
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    return error.errors.map(({ body }) => [body.code, body.path, body.message]);
  }
  return [];
}

const source = (name: string) => ({
  module: 'transformer.h.0.attn',
  port: 'source',
  source: `transformer.h.0.attn/${name}`,
});
const hidden = (port: 'input' | 'output', member?: number) => ({
  module: 'transformer.h.0',
  port,
  ...(member === undefined ? {} : { member }),
});

describe('source', () => {
  test('finds values by operator and name, and attention’s probabilities', () => {
    const nodes = nodesOf((m) => {
      const { source } = m.transformer.h[0].attn;
      source.find('Softmax').save();
      source.get('transformer.h.0.attn/MatMul').save();
      source.attentionProbabilities.set(0);
      expect(source.list.map(({ operator }) => operator)).toEqual(['MatMul', 'Softmax']);
      expect([...source].length).toBe(2);
      expect(source.findAll('Softmax').length).toBe(1);
      expect(inspect(source)).toContain(
        'Softmax transformer.h.0.attn/Softmax: float32 [batch, 2, sequence, sequence]',
      );
    });
    expect(nodes.map((node) => ('place' in node ? node.place : undefined)).filter((place) => place)).toEqual([
      source('Softmax'),
      source('MatMul'),
      source('Softmax'),
    ]);
  });

  test('says what there is instead', () => {
    expect(faults((m) => m.transformer.h[0].attn.source.find('Softmx').save())).toEqual([
      ['unknown_source', 'transformer.h.0.attn', expect.stringContaining('Did you mean Softmax?')],
    ]);
    expect(faults((m) => m.transformer.h[0].attn.source.find('Softmax', 1).save())[0]?.[2]).toContain(
      '1 of Softmax, so no 1',
    );
    expect(faults((m) => m.lm_head.source.find('Softmax').save())[0]?.[2]).toContain('It makes none');
    expect(faults((m) => m.transformer.h[0].attn.source.get('transformer.h.0.attn/Softmx').save())).toEqual([
      [
        'unknown_source',
        'transformer.h.0.attn',
        expect.stringContaining('Did you mean transformer.h.0.attn/Softmax?'),
      ],
    ]);
    expect(faults((m) => m.transformer.hh?.source.find('Softmax').save())).toHaveLength(1);
  });

  test('attention that is fused, elsewhere or not there', () => {
    const model = gpt2();
    const modules = model.modules.map((module) => ({
      ...module,
      sources: module.sources?.map((value) => ({ ...value, operator: 'GroupQueryAttention' })),
    }));
    const fused = faults((m) => m.transformer.h[0].attn.source.attentionProbabilities.save(), {
      ...model,
      modules,
    });
    expect(fused).toEqual([
      ['no_hook', 'transformer.h.0.attn', expect.stringContaining('unavailable: fused.')],
    ]);
    const outer = faults((m) => m.transformer.h[0].source.attentionProbabilities.save());
    expect(outer[0]?.[2]).toContain('look in transformer.h.0.attn');
    expect(faults((m) => m.lm_head.source.attentionProbabilities.save())[0]?.[2]).toContain(
      'computes no attention',
    );
  });
});

describe('inputs', () => {
  test('by number, from the end, by name, in a loop', () => {
    const nodes = nodesOf((m) => {
      const { inputs } = m.transformer.h[0];
      inputs[0]?.save();
      inputs.at(-1).save();
      inputs['mask']?.save();
      expect(inputs.names).toEqual(['transformer.h.0/in', 'mask']);
      for (const input of inputs) input.save();
    });
    expect(nodes.filter((node) => 'place' in node).map((node) => ('place' in node ? node.place : 0))).toEqual(
      [0, 1, 1, 0, 1].map((member) => hidden('input', member)),
    );
  });

  test('says what there is instead', () => {
    expect(faults((m) => m.transformer.h[0].inputs['mesk']?.save())).toEqual([
      ['not_a_tuple', 'transformer.h.0', expect.stringContaining('Did you mean mask?')],
    ]);
    expect(faults((m) => m.transformer.h[0].inputs[7]?.save())[0]?.[0]).toBe('not_a_tuple');
    expect(faults((m) => m.transformer.wte.inputs[0]?.save())[0]?.[0]).toBe('no_hook');
  });
});

describe('writes', () => {
  test('add in place, to a whole place and to a part', () => {
    const nodes = nodesOf((m) => {
      m.transformer.h[0].output[0].add_(1);
      m.transformer.h[0].output[0].slice(0, -1).add_(1);
    });
    expect(nodes.filter((node) => 'kind' in node && node.kind === 'write')).toEqual([
      { kind: 'write', place: hidden('output', 0), value: 2 },
      { kind: 'write', place: hidden('output', 0), value: expect.any(Number), selection: [0, -1] },
    ]);
  });

  test('index lists read and write', () => {
    const nodes = nodesOf((m) => {
      const part = m.transformer.h[0].output[0].slice(0, { indices: [0, -1] });
      part.set(0);
      part.save();
    });
    expect(nodes[1]).toMatchObject({ kind: 'write', selection: [0, { indices: [0, -1] }] });
    expect(nodes.filter((node) => 'operator' in node)).toMatchObject([
      { operator: 'Gather', attributes: { axis: 1 } },
      { operator: 'Gather', attributes: { axis: 0 } },
    ]);
  });

  test('a mask: of the trace, as a Tensor, along an axis', () => {
    const { nodes, constants } = written((m) => {
      const place = m.transformer.h[0].output[0];
      place.masked(place.gt(0)).set(0);
      place
        .slice(0)
        .masked([[true], [false]])
        .add_(1);
      place.slice(0, [true, false, true]).set(2);
      m.log('');
    });
    const writes = nodes.filter((node) => 'mask' in node);
    expect(writes).toMatchObject([
      { place: hidden('output', 0) },
      { selection: [0] },
      { selection: [0, {}] },
    ]);
    expect('selection' in (writes[0] ?? {})).toBe(false);
    expect(
      constants.filter(({ dtype }) => dtype === 'bool').map(({ dims, data }) => [dims, [...data]]),
    ).toEqual([
      [
        [2, 1],
        [1, 0],
      ],
      [
        [3, 1],
        [1, 0, 1],
      ],
    ]);
  });

  test('wrong selections and masks', () => {
    const place = (m: Trace) => m.transformer.h[0].output[0];
    expect(
      faults((m) =>
        place(m)
          .slice(null, null, { indices: [0, 8] })
          .set(0),
      )[0]?.[0],
    ).toBe('bad_selection');
    expect(faults((m) => place(m).slice(null, null, [true, false]).set(0))[0]?.[0]).toBe('bad_selection');
    expect(faults((m) => place(m).slice(null, [true]).set(0))[0]?.[0]).toBe('bad_selection');
    expect(faults((m) => place(m).slice(0, 0, 0, [true, false]).set(0))[0]?.[0]).toBe('bad_selection');
    expect(faults((m) => place(m).slice([true, false], [true, false]).set(0))[0]?.[0]).toBe('bad_selection');
    expect(faults((m) => place(m).slice(null, [true, false]).save())[0]?.[2]).toContain(
      '{ indices: [0, 2] }',
    );
    expect(faults((m) => place(m).masked([1, 0, 1, 0, 1, 0, 1, 2]).set(0))[0]?.[0]).toBe('wrong_dtype');
    expect(faults((m) => place(m).masked(place(m)).set(0))[0]?.[0]).toBe('wrong_dtype');
    expect(
      faults((m) =>
        place(m)
          .slice(0, { indices: [0.5] })
          .set(0),
      )[0]?.[0],
    ).toBe('bad_selection');
    expect(faults((m) => m.transformer.h[0].output.masked(true).set(0))[0]?.[0]).toBe('tuple_value');
  });
});

describe('heads', () => {
  test('are reshaped to read, and columns to write', () => {
    const nodes = nodesOf((m) => {
      const { heads } = m.transformer.ln_f.input;
      expect([heads.count, heads.size]).toEqual([2, 4]);
      heads.save();
      heads[1]?.set(0);
      heads.at(-1).save();
      heads.set(heads.mul(2));
    });
    const place = { module: 'transformer.ln_f', port: 'input' };
    expect(nodes.slice(0, 4)).toEqual([
      { kind: 'read', place },
      { kind: 'constant', dtype: 'int64', dims: [4] },
      { kind: 'operator', operator: 'Reshape', inputs: [0, 1] },
      { kind: 'save', value: 2 },
    ]);
    expect(nodes.filter((node) => 'kind' in node && node.kind === 'write')).toMatchObject([
      { place, selection: [{}, {}, { start: 4, end: 8 }] },
      { place },
    ]);
  });

  test('on an axis of their own', () => {
    const nodes = nodesOf((m) => {
      const key = m.transformer.h[0].attn.output[1].heads;
      key.save();
      key[0]?.set(0);
    });
    expect(nodes).toMatchObject([
      { kind: 'read' },
      { operator: 'Transpose', attributes: { perm: [0, 2, 1, 3] } },
      { kind: 'save' },
      { kind: 'constant' },
      { kind: 'write', selection: [{}, 0] },
    ]);
  });

  test('are refused where the value has none, saying what it is', () => {
    const wide = (last: number): ModelDescription => {
      const model = gpt2();
      const modules = model.modules.map((module) =>
        module.path === 'lm_head'
          ? {
              ...module,
              outputs: [{ name: 'x', dtype: 'float32' as const, dims: ['batch', 'sequence', last] }],
            }
          : module,
      );
      return { ...model, modules };
    };
    expect(faults((m) => m.lm_head.output.heads.save(), wide(24))[0]?.[2]).toContain(
      'query, key and value together',
    );
    expect(faults((m) => m.lm_head.output.heads[0]?.set(0), wide(7))[0]?.[0]).toBe('wrong_dims');
    expect(
      faults((m) => m.transformer.h[0].attn.source.attentionProbabilities.heads.save())[0]?.[2],
    ).toContain('.slice(null, head)');
    expect(faults((m) => m.transformer.h[0].output.heads.save())[0]?.[0]).toBe('tuple_value');
    expect(faults((m) => m.lm_head.output.heads[2]?.save())[0]?.[2]).toContain('2 heads, 0 to 1');
    const { attention: _, ...untold } = gpt2();
    expect(faults((m) => m.lm_head.output.heads.save(), untold)[0]?.[0]).toBe('no_hook');
    expect(faults((m) => m.transformer.wte.input.heads.save())).toEqual([
      ['no_hook', 'transformer.wte', expect.anything()],
    ]);
  });
});

describe('skip', () => {
  test('takes a place, a tuple, a literal', () => {
    const nodes = nodesOf((m) => {
      m.transformer.h[1].skip(m.transformer.h[0].output);
      m.transformer.ln_f.skip(m.transformer.ln_f.input);
      m.lm_head.skip(new Tensor('float32', [1, 2, 8], new Float32Array(16)));
    });
    expect(nodes).toEqual([
      { kind: 'read', place: hidden('output') },
      { kind: 'skip', module: 'transformer.h.1', value: 0 },
      { kind: 'read', place: { module: 'transformer.ln_f', port: 'input' } },
      { kind: 'skip', module: 'transformer.ln_f', value: 2 },
      { kind: 'constant', dtype: 'float32', dims: [1, 2, 8] },
      { kind: 'skip', module: 'lm_head', value: 4 },
    ]);
  });

  test('wrong ones, at their lines', () => {
    expect(faults((m) => m.transformer.h[0].skip(m.transformer.h[1].output)).map(([code]) => code)).toEqual([
      'write_order',
    ]);
    expect(faults((m) => m.lm_head.skip(0))[0]?.[0]).toBe('wrong_dims');
    expect(faults((m) => m.transformer.h[0].skip(undefined as never))[0]?.[0]).toBe('misuse');
    expect(faults((m) => m.skip(m.lm_head.output))[0]?.[0]).toBe('misuse');
    try {
      written((m) => {
        m.transformer.h[0].skip(m.transformer.h[0].input);
        m.transformer.h[0].attn.output.stop();
        m.log('');
      });
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      const [fault] = error.errors;
      expect(fault?.body).toMatchObject({ code: 'inside_skip', path: 'transformer.h.0.attn' });
      const line = Number(/hooks\.test\.ts:(\d+)/.exec(error.message)?.[1]);
      expect(fault?.location?.line).toBe(line);
      expect(error.message).toContain('Stop at transformer.h.0.output');
    }
  });
});
