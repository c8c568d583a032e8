/** Errors of a model's files, of what its graph mixes, and of a package that isn't there. */
import { cpSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { LanguageModel, type Trace } from '@tracewire/client';
import { encodeModel } from '../../server/src/engine/onnx/schema.ts';
import { functionModel, op } from '../support/function-file.ts';
import { TINY_GPT2 } from '../support/server.ts';
import type { Row } from './row.ts';

const save = (m: Trace) => m.lm_head.output.save();

/** A copy of the embedded model's folder that something was done to. It goes with the process. */
function spoilt(spoil: (file: (name: string) => string) => void): string {
  const parent = mkdtempSync(path.join(tmpdir(), 'tracewire-taught-'));
  process.once('exit', () => rmSync(parent, { recursive: true, force: true }));
  const folder = path.join(parent, 'gpt2');
  cpSync(TINY_GPT2, folder, { recursive: true });
  spoil((name) => path.join(folder, name));
  return folder;
}

const CUT = spoilt((file) => truncateSync(file('model.onnx'), 1_000_000));
const BRANCHES = spoilt((file) => {
  const graph = functionModel({ inputs: {}, outputs: {}, nodes: [] }).graph;
  const then = { name: 'then_branch', type: 5, g: graph };
  const nodes = [{ ...op('If', ['x'], ['y'], [then]), name: '/decoder/If' }];
  writeFileSync(
    file('model.onnx'),
    encodeModel(functionModel({ inputs: { x: [1] }, outputs: { y: [1] }, nodes })),
  );
});

export const MODELS: readonly Row[] = [
  {
    what: 'a model’s file that was cut off',
    code: 'model_invalid',
    provoke: () => {
      const model = new LanguageModel(CUT, { remote: false });
      return model.trace('a', save); // ✗
    },
    facts: { path: path.join(CUT, 'model.onnx') },
    says: /cut off while copying\? 1000000 bytes/,
  },
  {
    what: 'a model with control flow',
    code: 'model_unsupported',
    provoke: () => {
      const model = new LanguageModel(BRANCHES, { remote: false });
      return model.trace('a', save); // ✗
    },
    facts: { path: path.join(BRANCHES, 'model.onnx') },
    says: /node \/decoder\/If \(If\) has a subgraph.*Export without merging decoders/,
  },
  {
    what: 'a value that has the rows of all prompts in one',
    code: 'mixed_rows',
    provoke: ({ model }) =>
      model.trace((t) => [
        t.invoke('a', (m) => {
          return m.transformer.h[0].attn.c_attn.source.find('Gemm').save(); // ✗
        }),
        t.invoke('b', save),
      ]),
    facts: { path: 'transformer.h.0.attn.c_attn' },
    says: /Run this prompt alone/,
  },
];
