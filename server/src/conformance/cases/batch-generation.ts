/** Section 6.2, with several prompts: each as if it were generated from alone. */
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { mustEqual, NotApplicable } from '../mismatch.ts';
import { outputOf } from '../model-facts.ts';
import { type Fields, type PlainPeer, type PlainRun, talk } from '../plain-peer.ts';
import { oneTensor } from '../tensors.ts';

interface Batch {
  readonly context: CaseContext;
  readonly prompts: readonly (readonly number[])[];
  /** What the first block gives of an invoke, in these steps. */
  readonly place: (invoke: number, steps: unknown) => object;
  readonly generate: (
    options: Fields,
    nodes: readonly object[],
    ids?: readonly (readonly number[])[],
  ) => Promise<PlainRun>;
}

const batchCase = (
  id: string,
  requirements: readonly string[],
  shows: string,
  run: (batch: Batch) => Promise<void>,
): ConformanceCase => ({
  id,
  requirements,
  shows,
  profile: 'batch_generation',
  run: (context) =>
    talk(context, ['generation', 'invokes', 'batch_generation'], (peer) => run(batchOf(context, peer))),
});

function batchOf(context: CaseContext, peer: PlainPeer): Batch {
  const { model } = context;
  const ids = model.prompt(5);
  const { contextLength = Number.POSITIVE_INFINITY } = model.description;
  if (ids.length < 5 || contextLength < 12)
    throw new NotApplicable('the model’s context has no room for five tokens and some more');
  // The longest in the middle.
  const prompts = [ids.slice(1, 3), ids, ids.slice(2, 5)];
  return {
    context,
    prompts,
    place: (invoke, steps) => ({ ...outputOf(model.early), invoke, steps }),
    generate: (generate, nodes, own = prompts) =>
      peer.run({
        graph: { invokes: own.map((of) => ({ input: { ids: of } })), nodes },
        options: { generate },
      }),
  };
}

/** Goes on through the end of text, so that a model can't end early by chance. */
const greedy = (maxNewTokens: number, more: Fields = {}): Fields => ({
  maxNewTokens,
  stopTokens: [],
  ...more,
});
const save = (value: number): object => ({ kind: 'save', value });
const read = (place: object): object => ({ kind: 'read', place });
const tokensOf = (run: PlainRun, invoke?: number): unknown[] =>
  run
    .of('token')
    .filter(({ header }) => invoke === undefined || header['invoke'] === invoke)
    .map(({ header }) => header['id']);
const reportOf = (run: PlainRun): Fields => (run.ended('completed')['report'] ?? {}) as Fields;

export const BATCH_GENERATION: readonly ConformanceCase[] = [
  batchCase(
    'batch-generate',
    ['R-461', 'R-462'],
    'prompts of different lengths have the tokens and dims that each has alone; tokens name their invoke, step by step',
    async ({ generate, place, prompts }) => {
      const nodes = prompts.flatMap((_, invoke) => [read(place(invoke, {})), save(2 * invoke)]);
      const run = await generate(greedy(3), nodes);
      const { generated, steps } = reportOf(run);
      mustEqual('report.steps', steps, 3);
      mustEqual(
        'report.generated',
        generated,
        prompts.map(() => ({ tokens: 3, end: 'length', steps: 3 })),
      );
      mustEqual(
        'the tokens’ steps and invokes',
        run.of('token').map(({ header }) => [header['step'], header['invoke']]),
        [0, 1, 2].flatMap((step) => prompts.map((_, invoke) => [step, invoke])),
      );
      for (const [invoke, ids] of prompts.entries()) {
        const alone = await generate(greedy(3), [], [ids]);
        mustEqual(`the tokens of invoke ${invoke}`, tokensOf(run, invoke), tokensOf(alone));
        const positions = [0, 1].map((step) => oneTensor(run.value(2 * invoke + 1, { step })).dims[1]);
        mustEqual(`the positions of invoke ${invoke}`, positions, [ids.length, 1]);
      }
    },
  ),
  batchCase(
    'batch-generate-end',
    ['R-463'],
    'an invoke that stops has ended: the others go on, and its later steps never come',
    async ({ generate, place, prompts }) => {
      const stop = { kind: 'stop', place: place(1, 1) };
      const nodes = [stop, read(place(1, [0, 1, 2])), save(1), read(place(0, {})), save(3)];
      const run = await generate(greedy(4), nodes);
      const whole = { tokens: 4, end: 'length', steps: 4 };
      mustEqual('report.generated', reportOf(run)['generated'], [
        whole,
        { tokens: 1, end: 'stop', steps: 2 },
        whole,
      ]);
      run.accessError(2, { step: 2 }, { code: 'not_reached', wanted: '2', got: '2' });
      mustEqual(
        'the values of the others',
        run.of('value').filter(({ header }) => header['save'] === 4).length,
        4,
      );
      const alone = await generate(greedy(4), [], prompts.slice(0, 1));
      mustEqual('the tokens of the others', tokensOf(run, 0), tokensOf(alone));
    },
  ),
  batchCase(
    'batch-generate-seed',
    ['R-464'],
    'an entry draws what it draws alone with its own seed',
    async ({ generate, prompts }) => {
      const drawn = (seed: number): Fields => greedy(4, { temperature: 1.5, seed });
      const run = await generate(drawn(5), []);
      mustEqual('report.seed', reportOf(run)['seed'], 5);
      for (const [invoke, ids] of prompts.entries()) {
        const alone = await generate(drawn(5 + invoke), [], [ids]);
        mustEqual(`the tokens of invoke ${invoke}`, tokensOf(run, invoke), tokensOf(alone));
      }
    },
  ),
  batchCase(
    'batch-generate-across',
    ['R-466', 'R-467'],
    'what an invoke that has ended would give fails a write, and a value that takes it from a step that never came',
    async ({ generate, place }) => {
      const stop = { kind: 'stop', place: place(0, 1) };
      const write = { kind: 'write', place: place(1, { start: 1 }), value: 1 };
      const failed = await generate(greedy(4), [stop, read(place(0, { start: 1 })), write]);
      const [error] = failed.ended('failed')['errors'] as Fields[];
      mustEqual('the node', error?.['node'], 2);
      mustEqual('the cause', (error?.['cause'] as Fields | undefined)?.['code'], 'not_reached');
      const add = { kind: 'operator', operator: 'Add', inputs: [1, 2] };
      const join = await generate(greedy(4), [
        stop,
        read(place(0, { start: 1 })),
        read(place(1, { start: 1 })),
        add,
        save(3),
      ]);
      join.ended('completed');
      mustEqual(
        'the steps of the join',
        join.of('value').map(({ header }) => header['step']),
        [1],
      );
      const held = await generate(greedy(4), [stop, read(place(0, 2)), read(place(1, 3)), add, save(3)]);
      held.ended('completed');
      held.accessError(4, { step: 3 }, { code: 'failed', cause: { code: 'not_reached', got: '2' } });
    },
  ),
  batchCase(
    'batch-generate-too-long',
    ['R-465'],
    'prompts and new tokens of more than limits.batchTokens, padding counted, are refused before anything runs',
    async ({ generate, prompts, context }) => {
      const { limits } = await talkLimits(context);
      const most = Number(limits['batchTokens']);
      const least = Math.floor(most / 3) - 4;
      const { contextLength = Number.POSITIVE_INFINITY } = context.model.description;
      const longest = Math.min(least + 1, contextLength - 4);
      const count = Math.ceil((most + 1) / (longest + 4));
      if (count > Number(limits['invokes']))
        throw new NotApplicable('the server takes all that the model’s context allows');
      const run = await generate(
        greedy(longest),
        [],
        Array.from({ length: count }, () => prompts[1] ?? []),
      );
      mustEqual('the path', run.refusedWith('input_too_long')['path'], 'graph.invokes');
    },
  ),
];

const talkLimits = async (context: CaseContext): Promise<{ readonly limits: Fields }> => {
  let limits: Fields = {};
  await talk(context, ['invokes'], async (_, welcome) => {
    limits = welcome['limits'] as Fields;
  });
  return { limits };
};

/** Also where nothing is generated in batches. */
export const NOT_BATCHED: ConformanceCase = {
  id: 'batch-generate-not-announced',
  requirements: ['R-460'],
  shows: 'more invokes of a generation without the capability get not_offered',
  profile: 'generation',
  run: (context) =>
    talk(context, ['generation', 'invokes'], async (peer) => {
      const invokes = [1, 2].map(() => ({ input: { ids: context.model.ids } }));
      const run = await peer.run({
        graph: { invokes, nodes: [] },
        options: { generate: { maxNewTokens: 1 } },
      });
      mustEqual('the path', run.refusedWith('not_offered')['path'], 'graph.invokes');
    }),
};
