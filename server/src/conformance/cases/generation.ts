/** Section 6.2: several passes, and the tokens they choose. */
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { check, mustEqual, NotApplicable } from '../mismatch.ts';
import { type FlowingModule, outputOf } from '../model-facts.ts';
import { type Fields, type PlainPeer, type PlainRun, talk } from '../plain-peer.ts';
import { oneTensor } from '../tensors.ts';

type Generate = Fields & { readonly maxNewTokens: number };

interface Generation {
  readonly context: CaseContext;
  readonly peer: PlainPeer;
  /** Reads what the first block gives, in these steps. */
  readonly read: (steps?: unknown) => object;
  /** Runs these nodes on the short prompt. */
  readonly generate: (options: Generate, nodes: readonly object[]) => Promise<PlainRun>;
}

const generationCase = (
  id: string,
  requirements: readonly string[],
  shows: string,
  run: (generation: Generation) => Promise<void>,
): ConformanceCase => ({
  id,
  requirements,
  shows,
  profile: 'generation',
  run: (context) =>
    talk(context, ['generation'], async (peer) => {
      const { model } = context;
      const place = outputOf(model.early);
      await run({
        context,
        peer,
        read: (steps) => ({ kind: 'read', place: steps === undefined ? place : { ...place, steps } }),
        generate: (generate, nodes) =>
          peer.run({ graph: { invokes: [{ input: { ids: model.ids } }], nodes }, options: { generate } }),
      });
    }),
});

/** Goes on through the end of text, so that a model can't end early by chance. */
const greedy = (maxNewTokens: number): Generate => ({ maxNewTokens, stopTokens: [] });
const tokensOf = (run: PlainRun): unknown[] => run.of('token').map(({ header }) => header['id']);
const stepsOf = (run: PlainRun, type: string): unknown[] => run.of(type).map(({ header }) => header['step']);
const save = (value: number): object => ({ kind: 'save', value });
const generated = (status: Fields): unknown => (status['report'] as Fields | undefined)?.['generated'];

export const GENERATION: readonly ConformanceCase[] = [
  generationCase(
    'generate',
    ['R-342', 'R-351', 'R-353', 'R-354', 'R-355'],
    'three new tokens take three passes, are numbered by step, and stand in the report',
    async ({ generate, read }) => {
      const run = await generate(greedy(3), [read(), save(0)]);
      const status = run.ended('completed');
      mustEqual('the steps of the tokens', stepsOf(run, 'token'), [0, 1, 2]);
      mustEqual('report.steps', (status['report'] as Fields)['steps'], 3);
      mustEqual('report.generated', generated(status), [{ tokens: 3, end: 'length' }]);
      mustEqual('the steps of the values', stepsOf(run, 'value'), [0]);
    },
  ),
  generationCase(
    'generate-values',
    ['R-343', 'R-344', 'R-345', 'R-356'],
    'a save in every step has a value in each, before its token: of the prompt’s positions first, then of one',
    async ({ generate, read, context: { model } }) => {
      for (const steps of [{}, [0, 1], { start: 0, end: 4, step: 1 }]) {
        const run = await generate(greedy(2), [read(steps), save(0)]);
        run.ended('completed');
        mustEqual('the steps of the values', stepsOf(run, 'value'), [0, 1]);
        mustEqual(
          'what came',
          run.outcomes.slice(0, 4).map(({ type }) => type),
          ['value', 'token', 'value', 'token'],
        );
        const positions = [0, 1].map((step) => oneTensor(run.value(1, { step })).dims[1]);
        mustEqual('the positions', positions, [model.ids.length, 1]);
      }
    },
  ),
  generationCase(
    'generate-never',
    ['R-357'],
    'steps that never came are one access error, which names the lowest and how many there were',
    async ({ generate, read }) => {
      const run = await generate(greedy(2), [read([1, 5, 6]), save(0), read({ start: 3 }), save(2)]);
      run.ended('completed');
      mustEqual('the steps of the values', stepsOf(run, 'value'), [1]);
      mustEqual('the access errors', run.of('access_error').length, 2);
      run.accessError(1, { step: 5 }, { code: 'not_reached', wanted: '5', got: '2' });
      run.accessError(3, { step: 3 }, { code: 'not_reached', wanted: '3', got: '2' });
    },
  ),
  generationCase(
    'generate-held',
    ['R-346'],
    'a value of an earlier step serves a later one',
    async ({ generate, read }) => {
      const run = await generate(greedy(2), [
        read(0),
        { kind: 'operator', operator: 'ReduceMax', inputs: [0], attributes: { keepdims: 0 } },
        read(1),
        { kind: 'operator', operator: 'Add', inputs: [2, 1] },
        save(3),
      ]);
      run.ended('completed');
      mustEqual('the steps of the values', stepsOf(run, 'value'), [1]);
    },
  ),
  generationCase(
    'generate-write-back',
    ['R-347'],
    'a value of a later step can’t be written to an earlier one',
    async ({ generate, read, context: { model } }) => {
      const place = outputOf(model.last);
      const run = await generate(greedy(2), [read(1), { kind: 'write', place, value: 0 }, read(), save(2)]);
      mustEqual('the node', run.refusedWith('write_order')['node'], 1);
    },
  ),
  generationCase(
    'generate-joined',
    ['R-348'],
    'values of several steps that aren’t the same can’t be joined',
    async ({ generate, read }) => {
      const add = { kind: 'operator', operator: 'Add', inputs: [0, 1] };
      const run = await generate(greedy(4), [read([0, 1]), read([1, 2]), add, save(2)]);
      mustEqual('the node', run.refusedWith('bad_reference')['node'], 2);
    },
  ),
  generationCase(
    'generate-greedy',
    ['R-349'],
    'the same prompt has the same tokens: without temperature, with 0, and with the best one only',
    async ({ generate, read }) => {
      const nodes = [read(), save(0)];
      const plain = tokensOf(await generate(greedy(4), nodes));
      for (const more of [
        { temperature: 0, seed: 3 },
        { temperature: 0.7, topK: 1, seed: 3 },
      ])
        mustEqual('the tokens', tokensOf(await generate({ ...greedy(4), ...more }, nodes)), plain);
    },
  ),
  generationCase(
    'generate-seed',
    ['R-350'],
    'the same seed has the same tokens; the report of a run without one has the seed that it drew',
    async ({ generate, read }) => {
      const nodes = [read(), save(0)];
      const options = { ...greedy(8), temperature: 1.5 };
      const drawn = await generate(options, nodes);
      const seed = (drawn.ended('completed')['report'] as Fields | undefined)?.['seed'];
      check(typeof seed === 'number', 'report.seed', () => String(seed));
      const again = await generate({ ...options, seed }, nodes);
      mustEqual('the tokens', tokensOf(again), tokensOf(drawn));
    },
  ),
  generationCase(
    'generate-stop-token',
    ['R-351'],
    'a stop token ends the generation, and is sent',
    async ({ generate, read }) => {
      const nodes = [read(), save(0)];
      const [first] = tokensOf(await generate(greedy(1), nodes));
      const run = await generate({ maxNewTokens: 4, stopTokens: [first] }, nodes);
      mustEqual('the tokens', tokensOf(run), [first]);
      mustEqual('report.generated', generated(run.ended('completed')), [{ tokens: 1, end: 'token' }]);
    },
  ),
  generationCase(
    'generate-stop-string',
    ['R-351'],
    'a stop string ends the generation',
    async ({ generate, read }) => {
      const nodes = [read(), save(0)];
      const texts = (await generate(greedy(3), nodes))
        .of('token')
        .map(({ header }) => String(header['text']));
      const stop = texts.join('');
      if (stop === '') throw new NotApplicable('the first tokens have no text');
      const run = await generate({ ...greedy(6), stopStrings: [stop] }, nodes);
      check(run.of('token').length <= 3, 'at most 3 tokens', () => `${run.of('token').length}`);
      mustEqual('report.generated', generated(run.ended('completed')), [
        { tokens: run.of('token').length, end: 'string' },
      ]);
    },
  ),
  generationCase(
    'generate-stop',
    ['R-352'],
    'a stop in a step ends the generation there, without a token',
    async ({ generate, read, context: { model } }) => {
      const stop = { kind: 'stop', place: { ...outputOf(model.early), steps: 1 } };
      const run = await generate(greedy(4), [read({}), save(0), stop]);
      mustEqual('the steps of the values', stepsOf(run, 'value'), [0, 1]);
      mustEqual('the steps of the tokens', stepsOf(run, 'token'), [0]);
      mustEqual('report.generated', generated(run.ended('completed')), [{ tokens: 1, end: 'stop' }]);
    },
  ),
  generationCase(
    'generate-skip',
    ['R-469'],
    'a module is skipped in the steps of the value that stands for it, and in no others',
    async ({ generate, context: { model } }) => {
      const [first, second] = model.blocks;
      if (!first || !second) throw new NotApplicable('the model has no two blocks');
      const all = (module: FlowingModule): object => ({
        kind: 'read',
        place: { ...outputOf(module), member: 0, steps: {} },
      });
      const run = await generate(greedy(3), [
        { kind: 'read', place: { module: first.path, port: 'output', steps: [1] } },
        { kind: 'skip', module: second.path, value: 0 },
        all(first),
        save(2),
        all(second),
        save(4),
      ]);
      run.ended('completed');
      const numbers = (node: number, step: number): string =>
        String(oneTensor(run.value(node, { step })).data);
      mustEqual(
        'where the second block gives what the first does',
        [0, 1, 2].map((step) => numbers(3, step) === numbers(5, step)),
        [false, true, false],
      );
    },
  ),
  generationCase(
    'generate-options',
    ['R-340'],
    'options out of their ranges get bad_message',
    async ({ generate, read }) => {
      const wrong = [
        { maxNewTokens: 0 },
        { temperature: -1 },
        { topK: 0 },
        { topP: 0 },
        { topP: 2 },
        { repetitionPenalty: 0 },
      ];
      for (const options of wrong) {
        const run = await generate({ ...greedy(1), ...options }, [read(), save(0)]);
        run.refusedWith('bad_message');
      }
    },
  ),
  generationCase(
    'generate-too-long',
    ['R-341'],
    'more tokens than fit the context are refused before anything runs',
    async ({ generate, read, context: { model } }) => {
      const { contextLength } = model.description;
      if (contextLength === undefined) throw new NotApplicable('the model has no contextLength');
      const most = contextLength - model.ids.length + 1;
      const run = await generate(greedy(most + 1), [read(), save(0)]);
      run.refusedWith('input_too_long');
    },
  ),
];
