import { expect, test } from 'vitest';
import type { ModelDescription, ModuleDescription, PortDescription } from './description.ts';
import { printTree } from './print-tree.ts';

const float = (...dims: (number | string)[]): PortDescription => ({ name: 'x', dtype: 'float32', dims });
const HIDDEN = float('batch', 'sequence', 8);
const CACHE = float('batch', 2, 'past + sequence', 4);

const block = (index: number): ModuleDescription[] => [
  {
    path: `h.${index}.attn`,
    class: 'Attention',
    order: { input: index * 4, output: index * 4 + 1 },
    inputs: [HIDDEN, float('batch', 1, 'sequence', 'sequence')],
    outputs: [HIDDEN, CACHE, CACHE],
    sources: [
      {
        ...float('batch', 2, 'sequence', 'sequence'),
        name: `p${index}`,
        operator: 'Softmax',
        order: index * 4,
      },
    ],
  },
  { path: `h.${index}.drop`, order: {}, inputs: [HIDDEN], outputs: [], missing: 'dropout does nothing here' },
];
const MODEL: ModelDescription = {
  name: 'tiny',
  id: 'sha256:0',
  architecture: 'GPT2LMHeadModel',
  exporter: 'torchscript',
  opset: 18,
  attention: { heads: 2, keyValueHeads: 2, headSize: 4 },
  blocks: ['h.0', 'h.1'],
  modules: [
    { path: 'wte', order: { output: 0 }, inputs: [], outputs: [HIDDEN] },
    ...block(0),
    ...block(1),
    {
      path: 'fused',
      order: { input: 9, output: 10 },
      inputs: [HIDDEN],
      outputs: [HIDDEN],
      sources: [{ ...HIDDEN, name: 'g', operator: 'GroupQueryAttention', order: 9 }],
    },
  ],
  parameters: [],
};

test('modules with what they take and give, blocks that are alike once, and why a hook can’t fire', () => {
  expect(printTree(MODEL)).toBe(`\
tiny: GPT2LMHeadModel; torchscript, opset 18; 2 blocks; 2 heads of 4
(the whole model)
  wte
    no input: nothing flows in → float32 [batch, sequence, 8]
  h
    no hook: it holds modules but is none itself
    0 … 1 (2 alike)
      no hook: it holds modules but is none itself
      attn
        Attention float32 [batch, sequence, 8] (and 1 more) → (float32 [batch, sequence, 8], 2 × float32 [batch, 2, past + sequence, 4])
        source.attentionProbabilities float32 [batch, 2, sequence, sequence]
        source: 1 value
      drop
        no hook: dropout does nothing here
  fused
    float32 [batch, sequence, 8] → float32 [batch, sequence, 8]
    source.attentionProbabilities unavailable: fused. The export computes attention in one operator, GroupQueryAttention, which has no value for them; export the model with eager attention
    source: 1 value`);
});

test('dims with escapes what can’t be hooked, and nothing else', () => {
  const lines = printTree(MODEL, { color: true }).split('\n');
  const dimmed = lines.filter((line) => line.includes('\u001b[2m'));
  expect(dimmed.map((line) => line.trim().slice(4, 12))).toEqual([
    'no input',
    'no hook:',
    'no hook:',
    'no hook:',
    'source.a',
  ]);
  expect(lines.join('\n').replaceAll('\u001b[2m', '').replaceAll('\u001b[22m', '')).toBe(printTree(MODEL));
});

test('one module alone, with its values', () => {
  expect(printTree(MODEL, { module: 'h.1.attn', sources: true }).split('\n').slice(1)).toEqual([
    'h.1.attn',
    '  Attention float32 [batch, sequence, 8] (and 1 more) → (float32 [batch, sequence, 8], 2 × float32 [batch, 2, past + sequence, 4])',
    '  source.attentionProbabilities float32 [batch, 2, sequence, sequence]',
    '  source Softmax p1: float32 [batch, 2, sequence, sequence]',
  ]);
  expect(printTree(MODEL, { module: 'nowhere' })).toBe(printTree(MODEL).split('\n')[0]);
});
