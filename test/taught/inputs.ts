/** Errors in what the model's methods are given: names, options, prompts, feeds, steps, functions, edits, sessions. */
import { LanguageModel, Tensor, type Trace, type TracedValue } from '@tracewire/client';
import type { Row } from './row.ts';

const PROMPT = 'The Eiffel Tower is in the city of';
const save = (m: Trace) => m.lm_head.output.save();
const ids = (count: number): number[] => new Array<number>(count).fill(1);

export const INPUTS: readonly Row[] = [
  {
    what: 'a misspelt model',
    code: 'unknown_model',
    provoke: ({ url }) => new LanguageModel('tiny-gtp2', { url }).trace(PROMPT, save), // ✗
    facts: { got: 'tiny-gtp2', nearest: 'tiny-gpt2' },
  },
  {
    what: 'a misspelt option',
    code: 'unknown_option',
    provoke: ({ model }) => model.trace(PROMPT, { deadline: 1000 } as object, save), // ✗
    facts: { path: 'deadline', nearest: 'deadlineMs' },
  },
  {
    what: 'an option of another library',
    code: 'unknown_option',
    provoke: ({ model }) => model.generate(PROMPT, { max_new_tokens: 3 } as never), // ✗
    facts: { path: 'max_new_tokens', nearest: 'maxNewTokens' },
  },
  {
    what: 'a misspelt option of the model',
    code: 'unknown_option',
    provoke: ({ url }) => new LanguageModel('tiny-gpt2', { uri: url } as object), // ✗
    facts: { path: 'uri', nearest: 'url' },
  },
  {
    what: 'a misspelt key of a range of steps',
    code: 'unknown_option',
    provoke: ({ model }) =>
      model.generate(PROMPT, { maxNewTokens: 3 }, (m) => {
        m.iter({ strat: 1 } as object).lm_head.output.save(); // ✗
      }),
    facts: { path: 'strat', nearest: 'start' },
  },
  {
    what: 'a negative number of tokens',
    code: 'bad_input',
    provoke: ({ model }) => model.generate(PROMPT, { maxNewTokens: -1 }), // ✗
    facts: { path: 'maxNewTokens', wanted: 'a whole number, at least 1', got: '-1' },
  },
  {
    what: 'more tokens than the context has',
    code: 'input_too_long',
    provoke: ({ model }) => model.generate(PROMPT, { maxNewTokens: 1e9 }), // ✗
    facts: { path: 'options.generate.maxNewTokens', wanted: 'at most 256', got: '1000000000' },
  },
  {
    what: 'a context that would overflow in mid-generation',
    code: 'input_too_long',
    provoke: ({ model }) => model.generate(ids(250), { maxNewTokens: 20 }), // ✗
    facts: { path: 'options.generate.maxNewTokens', wanted: 'at most 7', got: '20' },
  },
  {
    what: 'a step that can’t come',
    code: 'bad_input',
    provoke: ({ model }) =>
      model.generate(PROMPT, { maxNewTokens: 3 }, (m) => {
        m.iter(3).lm_head.output.save(); // ✗
      }),
    facts: { path: 'iter', wanted: '0 to 2', got: '3' },
  },
  {
    what: 'a negative step',
    code: 'bad_input',
    provoke: ({ model }) =>
      model.generate(PROMPT, { maxNewTokens: 3 }, (m) => {
        m.iter(-1).lm_head.output.save(); // ✗
      }),
    facts: { path: 'iter', wanted: 'a whole number from 0 on', got: '-1' },
  },
  {
    what: 'a stop token past the vocabulary',
    code: 'token_out_of_range',
    provoke: ({ model }) => model.generate(PROMPT, { maxNewTokens: 3, stopTokens: [50256] }), // ✗
    facts: { path: 'options.generate.stopTokens.0', wanted: 'below 1536', got: '50256' },
  },
  {
    what: 'a generation from feeds',
    code: 'not_offered',
    provoke: ({ model }) => model.generate({ input_ids: [[1n]] }, { maxNewTokens: 3 }), // ✗
    facts: { path: 'graph.invokes.0.input', wanted: 'text or ids', got: 'feeds' },
  },
  {
    what: 'a promise for a prompt',
    code: 'bad_input',
    provoke: ({ model }) => model.trace(Promise.resolve(PROMPT) as never, save), // ✗
    facts: {
      wanted: 'text, a list of token ids, or feeds by name',
      got: 'a promise, which must be awaited first',
    },
  },
  {
    what: 'several prompts as a list',
    code: 'bad_input',
    provoke: ({ model }) => model.trace(['a', 'b'] as never, save), // ✗
    facts: { wanted: 'an integer from 0 up', got: 'a string' },
    says: /t\.invoke/,
  },
  {
    what: 'an empty text',
    code: 'empty_input',
    provoke: ({ model }) => model.trace('', save), // ✗
    facts: {},
    says: /at least one/,
  },
  {
    what: 'a text longer than the context',
    code: 'input_too_long',
    provoke: ({ model }) => model.trace('a b '.repeat(200), save), // ✗
    facts: { wanted: 'at most 256', got: '401' },
  },
  {
    what: 'a scan of too many ids',
    code: 'input_too_long',
    provoke: ({ model }) => model.scan(ids(300)), // ✗
    facts: { wanted: 'at most 256', got: '300' },
  },
  {
    what: 'an id of another model’s vocabulary',
    code: 'token_out_of_range',
    provoke: ({ model }) => model.trace([1, 50256], save), // ✗
    facts: { wanted: 'below 1536', got: '50256' },
  },
  {
    what: 'an id of another model’s vocabulary, decoded',
    code: 'token_out_of_range',
    provoke: ({ model }) => model.tokenizer.decode([50256]), // ✗
    facts: { wanted: 'ids of the vocabulary', got: '50256' },
  },
  {
    what: 'a misspelt feed',
    code: 'unknown_feed',
    provoke: ({ model }) => model.trace({ input_ids: [[1n]], atention_mask: [[1n]] }, save), // ✗
    facts: { path: 'atention_mask', nearest: 'attention_mask' },
  },
  {
    what: 'a feed that is missing',
    code: 'missing_feed',
    provoke: ({ model }) => model.trace({ attention_mask: [[1n]] }, save), // ✗
    facts: { path: 'input_ids' },
  },
  {
    what: 'a feed of another dtype',
    code: 'wrong_dtype',
    provoke: ({ model }) => model.trace({ input_ids: new Tensor('int32', [1, 3], new Int32Array(3)) }, save), // ✗
    facts: { path: 'input_ids', wanted: 'int64 [batch, sequence]', got: 'int32 [1, 3]' },
  },
  {
    what: 'an address for browsers',
    code: 'bad_input',
    provoke: () => new LanguageModel('tiny-gpt2', { url: 'http://127.0.0.1:7331' }), // ✗
    facts: { wanted: 'a ws:// or wss:// address', got: 'http://127.0.0.1:7331' },
    says: /Write ws:\/\/127\.0\.0\.1:7331/,
  },
  {
    what: 'bytes that are no ONNX model',
    code: 'bad_function',
    provoke: ({ model }) => model.fn(new TextEncoder().encode('<html>Not found</html>')), // ✗
    facts: { path: 'file', wanted: 'the bytes of a .onnx file' },
  },
  {
    what: 'a function’s file by its path',
    code: 'bad_input',
    provoke: ({ model }) => model.fn('encoder.onnx' as never), // ✗
    facts: {},
    says: /readFile/,
  },
  {
    what: 'a save in an edit',
    code: 'misuse',
    provoke: ({ model }) => {
      const edited = model.edit((m) => {
        m.lm_head.output.save(); // ✗
      });
      return edited.trace(PROMPT, save);
    },
    facts: {},
    says: /Save in the trace/,
  },
  {
    what: 'edits whose graph has a cycle',
    code: 'bad_reference',
    provoke: async ({ model }) => {
      const edits = await model.edit((m) => m.transformer.h[0].output[0].add_(1)).exportEdits();
      const cyclic = JSON.parse(JSON.stringify(edits).replace('"inputs":[0,1]', '"inputs":[3,1]'));
      const edited = model.edit(cyclic); // ✗
      return edited.trace(PROMPT, save);
    },
    facts: { wanted: 'an earlier node that has a value', got: 'node 3' },
  },
  {
    what: 'a value of another session',
    code: 'misuse',
    provoke: async ({ model }) => {
      let foreign: TracedValue | undefined;
      await model.session((s) =>
        s.trace(PROMPT, (m) => {
          foreign = m.lm_head.output.add(1);
          return foreign.save();
        }),
      );
      return model.session((s) =>
        s.trace(PROMPT, (m) => {
          m.lm_head.output.add(foreign ?? 0).save(); // ✗
        }),
      );
    },
    facts: {},
    says: /\.value/,
  },
  {
    what: 'a saved value read inside its trace',
    code: 'unset',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        const saved = m.lm_head.output.save(); // ✗
        return saved.value;
      }),
    facts: {},
    says: /its promise tells when/,
  },
  {
    what: 'a misspelt module, printed',
    code: 'unknown_module',
    provoke: ({ model }) => model.print({ module: 'transformer.hh' }), // ✗
    facts: { path: 'transformer.hh', nearest: 'transformer.h' },
  },
  {
    what: 'a misspelt pattern',
    code: 'unknown_module',
    provoke: ({ model }) =>
      model.trace(PROMPT, (m) => {
        m.cache('transformer.hh.*'); // ✗
      }),
    facts: { path: 'transformer.hh.*', nearest: 'transformer.h.*' },
  },
  {
    what: 'a folder that isn’t there',
    code: 'model_not_found',
    provoke: () => new LanguageModel('/nowhere/gpt2').trace(PROMPT, { remote: false }, save), // ✗
    facts: { path: '/nowhere/gpt2' },
  },
];
