/** A small GPT-2's description, as a server would give it: three blocks, each a tuple of hidden states, key and value. */
import type { Dtype, ModelDescription, ModuleDescription, PortDescription } from '@tracewire/protocol';

const BLOCKS = 3;
const HIDDEN = ['batch', 'sequence', 8] as const;
const CACHE = ['batch', 2, 'sequence', 4] as const;

const port = (name: string, dims: readonly (number | string)[], dtype: Dtype): PortDescription => ({
  name,
  dtype,
  dims,
});

/** Modules in the order in which they end; each hook point has the next number. */
export function gpt2(dtype: Dtype = 'float32'): ModelDescription {
  let order = 0;
  const module = (path: string, outputs: number, input = true): ModuleDescription => {
    // Only attention makes values on its way.
    const sources = path.endsWith('attn')
      ? ['MatMul', 'Softmax'].map((operator) => ({
          ...port(`${path}/${operator}`, ['batch', 2, 'sequence', 'sequence'], dtype),
          operator,
        }))
      : [];
    const hidden = port(`${path}/out`, HIDDEN, dtype);
    const cache = ['key', 'value'].map((name) => port(`${path}/${name}`, CACHE, dtype));
    const begins = input ? { input: order++ } : {};
    const inner = sources.map((source) => ({ ...source, order: order++ }));
    const places = { ...begins, output: order++ };
    return {
      path,
      order: places,
      inputs: input
        ? [port(`${path}/in`, HIDDEN, dtype), port('mask', ['batch', 1, 'sequence', 'sequence'], 'bool')]
        : [],
      outputs: [hidden, ...cache].slice(0, outputs),
      ...(inner.length > 0 ? { sources: inner } : {}),
    };
  };
  const blocks = Array.from({ length: BLOCKS }, (_, index) => `transformer.h.${index}`);
  const modules = [
    module('transformer.wte', 1, false),
    ...blocks.flatMap((path) => [module(`${path}.ln_1`, 1), module(`${path}.attn`, 3), module(path, 3)]),
    module('transformer.ln_f', 1),
    module('lm_head', 1),
    {
      path: 'transformer.drop',
      order: { output: order },
      inputs: [],
      outputs: [],
      missing: 'dropout does nothing here',
    },
  ];
  return {
    name: 'tiny-gpt2',
    id: 'sha256:0',
    architecture: 'GPT2LMHeadModel',
    exporter: 'torchscript',
    opset: 17,
    contextLength: 16,
    vocabularySize: 100,
    attention: { heads: 2, keyValueHeads: 2, headSize: 4 },
    blocks,
    modules,
    parameters: [
      { name: 'lm_head.weight', dtype, dims: [100, 8] },
      { name: 'transformer.ln_f.bias', dtype, dims: [8] },
    ],
  };
}
