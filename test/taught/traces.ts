/** Errors in what a trace's function does, found before anything runs. */
import { stack } from '@tracewire/client';
import type { Row } from './row.ts';

const PROMPT = 'The Eiffel Tower is in the city of';

export const TRACES: readonly Row[] = [
  {
    what: 'a misspelt module',
    code: 'unknown_module',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].atn?.output.save(); // ✗
      }),
    facts: { path: 'transformer.h.0.atn', nearest: 'transformer.h.0.attn' },
    says: /Did you mean/,
  },
  {
    what: 'a block past the last',
    code: 'unknown_module',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[6].output.save(); // ✗
      }),
    facts: { path: 'transformer.h.6', wanted: '0 to 5', got: '6' },
    says: /has 6/,
  },
  {
    what: 'a value that the module doesn’t make',
    code: 'unknown_source',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].attn.source.find('Sofmax').save(); // ✗
      }),
    facts: { path: 'transformer.h.0.attn', got: 'Sofmax', nearest: 'Softmax' },
    says: /Did you mean/,
  },
  {
    what: 'a misspelt parameter',
    code: 'unknown_parameter',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.ln_f.parameter('wieght').save(); // ✗
      }),
    facts: { path: 'transformer.ln_f.wieght', nearest: 'transformer.ln_f.weight' },
    says: /Did you mean/,
  },
  {
    what: 'a misspelt operator',
    code: 'unknown_operator',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.op('Softmx', [m.lm_head.output]).save(); // ✗
      }),
    facts: { path: 'Softmx', nearest: 'Softmax' },
    says: /Did you mean/,
  },
  {
    what: 'an operator that is not on the list',
    code: 'unknown_operator',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.op('If', [m.lm_head.output]).save(); // ✗
      }),
    facts: { path: 'If' },
    says: /OPERATORS\.md/,
  },
  {
    what: 'a misspelt attribute',
    code: 'unknown_attribute',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.op('Softmax', [m.lm_head.output], { axes: -1 }).save(); // ✗
      }),
    facts: { path: 'Softmax.axes', nearest: 'axis' },
    says: /Did you mean/,
  },
  {
    what: 'an attribute that is an input',
    code: 'unknown_attribute',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.op('Reshape', [m.lm_head.output, [1]], { shape: [1] }).save(); // ✗
      }),
    facts: { path: 'Reshape.shape' },
    says: /input/,
  },
  {
    what: 'an attribute of the wrong type',
    code: 'bad_attribute',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.op('Softmax', [m.lm_head.output], { axis: '1' }).save(); // ✗
      }),
    facts: { path: 'Softmax.axis', wanted: 'int', got: '"1"' },
    says: /wants/,
  },
  {
    what: 'a misspelt dtype',
    code: 'bad_attribute',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.lm_head.output.cast('flot16' as 'float16').save(); // ✗
      }),
    facts: { path: 'cast', got: '"flot16"', nearest: 'float16' },
    says: /Did you mean float16/,
  },
  {
    what: 'too few inputs',
    code: 'bad_arity',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.op('Where', [m.lm_head.output.gt(0), m.lm_head.output]).save(); // ✗
      }),
    facts: { path: 'Where', wanted: '3', got: '2' },
    says: /takes 3/,
  },
  {
    what: 'an index past the end',
    code: 'bad_selection',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].output[0].slice(null, null, 128).set(0); // ✗
      }),
    facts: { path: 'transformer.h.0', wanted: '-128 to 127', got: '128' },
    says: /axis 2/,
  },
  {
    what: 'an index past the end, read',
    code: 'bad_selection',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].output[0].slice(null, null, 128).save(); // ✗
      }),
    facts: { path: 'transformer.h.0', wanted: '-128 to 127', got: '128' },
    says: /axis 2/,
  },
  {
    what: 'more selectors than axes',
    code: 'bad_selection',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].output[0].slice(0, 0, 0, 0).save(); // ✗
      }),
    facts: { path: 'transformer.h.0', wanted: 'at most 3', got: '4' },
    says: /axes/,
  },
  {
    what: 'a head past the last',
    code: 'bad_selection',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].attn.c_proj.input.heads[4]?.set(0); // ✗
      }),
    facts: { path: 'transformer.h.0.attn.c_proj', wanted: '0 to 3', got: '4' },
    says: /heads/,
  },
  {
    what: 'a mask of another length',
    code: 'bad_selection',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].output[0].slice(null, null, [true, false]).set(0); // ✗
      }),
    facts: { path: 'transformer.h.0', wanted: '128', got: '2' },
    says: /mask|booleans/,
  },
  {
    what: 'ids added to floats',
    code: 'wrong_dtype',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.lm_head.output.add(m.lm_head.output.argmax(-1)).save(); // ✗
      }),
    facts: { path: 'Add', wanted: 'float32', got: 'int64' },
    says: /cast/i,
  },
  {
    what: 'a written value of another dtype',
    code: 'wrong_dtype',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].output[0].set(m.constant([1n], 'int64')); // ✗
      }),
    facts: { path: 'transformer.h.0', wanted: 'float32', got: 'int64' },
    says: /cast/i,
  },
  {
    what: 'shapes that don’t broadcast',
    code: 'wrong_dims',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].output[0].add(new Float32Array(127)).save(); // ✗
      }),
    facts: {
      path: 'Add',
      wanted: 'equal dims, or 1, counted from the last axis',
      got: '[batch, sequence, 128] and [127]',
    },
    says: /Wanted/,
  },
  {
    what: 'a written value of other dims',
    code: 'wrong_dims',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].output[0].set(m.transformer.h[0].mlp.c_fc.input.slice(0)); // ✗
      }),
    facts: { path: 'transformer.h.0', wanted: '[batch, sequence, 128]', got: '[sequence, 128]' },
    says: /dims/,
  },
  {
    what: 'a ragged array',
    code: 'wrong_dims',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.lm_head.output.add([[1, 2], [3]]).save(); // ✗
      }),
    facts: {},
    says: /rows|length/,
  },
  {
    what: 'arithmetic on a tuple',
    code: 'tuple_value',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].output.add(1).save(); // ✗
      }),
    facts: { path: 'transformer.h.0', wanted: 'a tensor', got: 'a tuple' },
    says: /\[0\]/,
  },
  {
    what: 'a tuple’s member past the last',
    code: 'not_a_tuple',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[0].output[3]?.save(); // ✗
      }),
    facts: { path: 'transformer.h.0', wanted: '0 to 2', got: '3' },
    says: /tuple of 3/,
  },
  {
    what: 'a member of a computed tensor',
    code: 'not_a_tuple',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.op('TopK', [m.lm_head.output, m.constant([2n], 'int64')])[2]?.save(); // ✗
      }),
    facts: { wanted: '0 to 1', got: '2' },
    says: /member/,
  },
  {
    what: 'a module that the export dropped',
    code: 'unknown_module',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.drop?.output.save(); // ✗
      }),
    facts: { path: 'transformer.drop' },
    says: /dropout/,
  },
  {
    what: 'a list of modules as a module',
    code: 'no_hook',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.get('transformer.h').output.save(); // ✗
      }),
    facts: { path: 'transformer.h', nearest: 'transformer.h.0' },
    says: /holds modules/,
  },
  {
    what: 'a later value written earlier',
    code: 'write_order',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[1].output[0].set(m.transformer.h[4].output[0]); // ✗
      }),
    facts: { path: 'transformer.h.1', got: 'transformer.h.4.output[0]' },
    says: /later module/,
  },
  {
    what: 'a trace that saves nothing',
    code: 'nothing_saved',
    provoke: ({ model }) => model.trace(PROMPT, (m) => m.lm_head.output.stop()), // ✗
    facts: {},
    says: /\.save\(\)/,
  },
  {
    what: 'a write inside a skipped module that needs it',
    code: 'inside_skip',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.transformer.h[1].skip(m.transformer.h[0].output);
        m.transformer.h[2].output[0].set(m.transformer.h[1].mlp.output); // ✗
        m.lm_head.output.save();
      }),
    facts: { path: 'transformer.h.2' },
    says: /skipped/,
  },
  {
    what: 'a value of a step that comes later',
    code: 'write_order',
    provoke: ({ model }) =>
      model.generate(PROMPT, { maxNewTokens: 3 }, (m) => {
        const later = m.iter(2).transformer.h[0].output[0];
        return later.add(m.all().transformer.h[0].output[0]).save(); // ✗
      }),
    facts: { path: 'Add', wanted: 'step 2 on', got: 'step 0' },
    says: /step/,
  },
  {
    what: 'a huge tensor of small data',
    code: 'too_much_memory',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.constant([1]).expand(1_000_000, 1_000_000).save(); // ✗
      }),
    facts: { path: 'Expand', wanted: 'at most 1073741824', got: '4000000000000' },
    says: /bytes/,
  },
  {
    what: 'a placeholder in a template',
    code: 'misuse',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        console.info(`${m.lm_head.output}`); // ✗
      }),
    facts: {},
    says: /\.log\("text"\)/,
  },
  {
    what: 'a stack of nothing of the trace',
    code: 'misuse',
    provoke: ({ model }) =>
      model.trace(PROMPT, () => {
        stack([1, 2]).save(); // ✗
      }),
    facts: {},
    says: /m\.constant/,
  },
];
