/** Section 6.1: several prompts in one pass, each as if it ran alone. */
import type { ErrorCode, Place, TensorLike } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual, NotApplicable } from '../mismatch.ts';
import { type FlowingModule, inputOf, outputOf } from '../model-facts.ts';
import type { RunView } from '../run-view.ts';
import { Sketch } from '../sketch.ts';
import { areClose, mustBeClose, numbersOf, oneTensor } from '../tensors.ts';

const INVOKES = ['invokes'] as const;

/** Prompts of different lengths, the longest in the middle. */
function prompts({ model }: CaseContext): { readonly ids: readonly number[] }[] {
  const ids = model.prompt(5);
  if (ids.length < 5) throw new NotApplicable('the model’s context has no room for five tokens');
  return [{ ids: ids.slice(1, 3) }, { ids }, { ids: ids.slice(2, 5) }];
}

const sketchOf = (context: CaseContext): Sketch => new Sketch(...prompts(context));
const within = (place: Place, invoke: number): Place => ({ ...place, invoke });

/** What gives `[batch, sequence, …]`, not mixed: a block, and what comes last. */
function places({ model }: CaseContext): { readonly early: Place; readonly last: Place } {
  const of = (module: FlowingModule): Place => {
    const [port] = module.outputs;
    if (!port || port.mixed || port.dims[0] !== 'batch' || port.dims[1] !== 'sequence')
      throw new NotApplicable(`${module.path} gives no rows of tokens`);
    return outputOf(module);
  };
  return { early: of(model.early), last: of(model.last) };
}

async function complete(context: CaseContext, sketch: Sketch): Promise<RunView> {
  const view = (await context.open(INVOKES)).run(sketch.request);
  await view.ended('completed');
  return view;
}

async function refuse(context: CaseContext, sketch: Sketch, code: ErrorCode, node?: number): Promise<void> {
  const peer = await context.open(INVOKES);
  const error = await peer.run(sketch.request).refusedWith(code);
  if (node !== undefined) mustEqual('the node', error.node, node);
  await peer.mustGoOn();
}

const tensor = (view: RunView, save: number): TensorLike => oneTensor(view.value(save));
const numbers = (view: RunView, save: number): number[] => numbersOf(tensor(view, save));

/** Each prompt's value of a place, in a run of its own. */
async function alone(context: CaseContext, place: Place): Promise<TensorLike[]> {
  const values: TensorLike[] = [];
  for (const prompt of prompts(context)) {
    const sketch = new Sketch(prompt);
    const save = sketch.saveRead(place);
    values.push(tensor(await complete(context, sketch), save));
  }
  return values;
}

/** Float zeros of the place's dtype and dims, as the invoke sees it. */
function zeros(sketch: Sketch, place: Place): number {
  const value = sketch.read(place);
  return sketch.operator('Sub', [value, value]);
}

const invokesCase = (
  id: string,
  requirements: readonly string[],
  shows: string,
  run: (context: CaseContext) => Promise<void>,
): ConformanceCase => ({ id, requirements, shows, profile: 'invokes', run });

const together = invokesCase(
  'invokes-alone',
  ['R-230', 'R-242', 'R-245'],
  'each of several prompts gets the dims and numbers that it gets alone; `tokens` counts no padding',
  async (context) => {
    const { early, last } = places(context);
    for (const place of [early, last]) {
      const sketch = sketchOf(context);
      const saves = [0, 1, 2].map((invoke) => sketch.saveRead(within(place, invoke)));
      const view = await complete(context, sketch);
      const wanted = await alone(context, place);
      for (const [invoke, save] of saves.entries()) {
        const { dims } = wanted[invoke] as TensorLike;
        mustEqual(`the dims of invoke ${invoke}`, tensor(view, save).dims, dims);
        mustBeClose(`invoke ${invoke}`, numbers(view, save), numbersOf(wanted[invoke] as TensorLike), 1e-3);
      }
      mustEqual('tokens', view.statuses.at(-1)?.report?.tokens, 10);
    }
  },
);

const number = invokesCase(
  'invokes-one',
  ['R-231'],
  'with one invoke, 0 written out changes nothing',
  async (context) => {
    const { last } = places(context);
    const [prompt = { ids: [] }] = prompts(context);
    const [plain, named] = [new Sketch(prompt), new Sketch(prompt)];
    const saves = [plain.saveRead(last), named.saveRead(within(last, 0))] as const;
    const values = [
      tensor(await complete(context, plain), saves[0]),
      tensor(await complete(context, named), saves[1]),
    ];
    mustEqual('the bytes', String(values[1]?.data), String(values[0]?.data));
  },
);

const noInvoke = invokesCase(
  'invokes-number',
  ['R-244'],
  'a place of an invoke that there isn’t is refused with bad_reference',
  async (context) => {
    const sketch = sketchOf(context);
    const node = sketch.read(within(places(context).early, 3));
    sketch.save(node);
    await refuse(context, sketch, 'bad_reference', node);
  },
);

const rows = invokesCase(
  'invokes-rows',
  ['R-232'],
  'limits.invokes prompts run in one pass, one more is refused with bad_message',
  async (context) => {
    const { early } = places(context);
    const { limits } = await (await context.openSilent()).hello(INVOKES);
    const most = limits.invokes ?? 0;
    if (most > 4096) throw new NotApplicable(`limits.invokes is ${most}`);
    const fits = new Sketch(...new Array(most).fill({ ids: [0] }));
    fits.saveRead(within(early, most - 1));
    await complete(context, fits);
    const past = new Sketch(...new Array(most + 1).fill({ ids: [0] }));
    past.saveRead(early);
    await refuse(context, past, 'bad_message');
  },
);

const tokens = invokesCase(
  'invokes-tokens',
  ['R-233'],
  'limits.batchTokens tokens run in one pass, padding counted; with more the input is too long',
  async (context) => {
    const { early } = places(context);
    const { limits } = await (await context.openSilent()).hello(INVOKES);
    const [most, length] = [limits.batchTokens ?? 0, context.model.prompt(128).length];
    const count = Math.floor(most / length);
    if (count + 1 > (limits.invokes ?? 0)) throw new NotApplicable('limits.invokes comes first');
    const of = (many: number): Sketch => {
      const short = new Array(many - 1).fill({ ids: [0] });
      const sketch = new Sketch({ ids: context.model.prompt(length) }, ...short);
      sketch.saveRead(within(early, many - 1));
      return sketch;
    };
    await complete(context, of(count));
    const { refused, status } = await (await context.open(INVOKES)).run(of(count + 1).request).end();
    const codes = (refused ?? status?.errors ?? []).map(({ code }) => code);
    check(codes.includes('input_too_long'), 'the error input_too_long', () => brief(refused ?? status));
  },
);

const writes = invokesCase(
  'invokes-writes',
  ['R-234', 'R-241'],
  'a write changes its own invoke’s part, counted by its own tokens, and nothing of the others',
  async (context) => {
    const { early } = places(context);
    const sketch = sketchOf(context);
    const zero = sketch.operator('ReduceMax', [zeros(sketch, within(early, 0))], { keepdims: 0 });
    sketch.write(within(early, 0), zero, [{}, -1]);
    const saves = [0, 1, 2].map((invoke) => sketch.saveRead(within(early, invoke)));
    const view = await complete(context, sketch);
    const wanted = await alone(context, early);
    const [first = wanted[0] as TensorLike] = wanted;
    const row = numbersOf(first).length / (first.dims[1] ?? 1);
    const kept = numbersOf(first).map((value, index) => (index < row ? value : 0));
    mustBeClose('invoke 0', numbers(view, saves[0] ?? 0), kept, 1e-3);
    for (const invoke of [1, 2])
      mustBeClose(
        `invoke ${invoke}`,
        numbers(view, saves[invoke] ?? 0),
        numbersOf(wanted[invoke] as TensorLike),
        1e-3,
      );
  },
);

const across = invokesCase(
  'invokes-across',
  ['R-235'],
  'what one invoke has at a place a later one takes at the same place',
  async (context) => {
    const { early } = places(context);
    const sketch = sketchOf(context);
    const last = sketch.operator(
      'Gather',
      [sketch.read(within(early, 0)), sketch.constant('int64', [1], [-1])],
      { axis: 1 },
    );
    sketch.write(within(early, 1), last, []);
    const given = sketch.save(last);
    const taken = sketch.saveRead(within(early, 1));
    const view = await complete(context, sketch);
    const row = numbers(view, given);
    const wanted = Array.from({ length: 5 }, () => row).flat();
    mustBeClose('each token of invoke 1', numbers(view, taken), wanted);
    const plain = await alone(context, early);
    check(
      !areClose(wanted, numbersOf(plain[1] as TensorLike)),
      'other numbers than without the write',
      () => 'the same',
    );
  },
);

const order = invokesCase(
  'invokes-order',
  ['R-236'],
  'a value of a later invoke at the same place, or of a later place, is refused with write_order',
  async (context) => {
    const { early, last } = places(context);
    const ways: readonly [Place, Place][] = [
      [within(early, 1), within(early, 0)],
      [within(last, 0), within(early, 1)],
    ];
    for (const [from, to] of ways) {
      const sketch = sketchOf(context);
      const write = sketch.write(to, sketch.read(from));
      sketch.save(0);
      await refuse(context, sketch, 'write_order', write);
    }
  },
);

const stops = invokesCase(
  'invokes-stop',
  ['R-237'],
  'a stop ends its own invoke, and the others go on',
  async (context) => {
    const { early, last } = places(context);
    const sketch = sketchOf(context);
    const late = sketch.saveRead(within(last, 0));
    const other = sketch.saveRead(within(last, 1));
    const reached = sketch.saveRead(within(early, 0));
    sketch.stop(within({ module: early.module, port: 'output' }, 0));
    const view = await complete(context, sketch);
    view.accessError(late, 'not_reached');
    const wanted = (await alone(context, last))[1] as TensorLike;
    mustBeClose('invoke 1', numbers(view, other), numbersOf(wanted), 1e-3);
    mustEqual('the tokens of invoke 0', tensor(view, reached).dims[1], 2);
  },
);

const ends = invokesCase(
  'invokes-end',
  ['R-246'],
  'the pass ends when no invoke needs more: fewer modules run than there are',
  async (context) => {
    const { early } = places(context);
    const sketch = sketchOf(context);
    for (const invoke of [0, 1, 2]) {
      sketch.saveRead(within(early, invoke));
      if (invoke > 0) sketch.stop(within({ module: early.module, port: 'output' }, invoke));
    }
    const report = (await complete(context, sketch)).statuses.at(-1)?.report;
    check(
      report !== undefined && report.modulesRun < report.modulesTotal,
      'fewer modules run than there are',
      () => brief(report),
    );
  },
);

const behind = invokesCase(
  'invokes-behind-stop',
  ['R-238'],
  'a value from behind another invoke’s stop, written where the pass goes, is refused with bad_reference',
  async (context) => {
    const { early, last } = places(context);
    const sketch = sketchOf(context);
    const write = sketch.write(within(last, 1), sketch.read(within(last, 0)));
    sketch.stop(within({ module: early.module, port: 'output' }, 0));
    sketch.saveRead(within(last, 1));
    await refuse(context, sketch, 'bad_reference', write);
  },
);

const mixed = invokesCase(
  'invokes-mixed',
  ['R-239'],
  'a place whose rows are mixed is refused with mixed_rows in a batch, and is a place like any other without one',
  async (context) => {
    const module = context.model.description.modules.find(
      ({ outputs, order }) => order.output !== undefined && outputs.some((port) => port.mixed),
    );
    if (!module) throw new NotApplicable('no output of the model is mixed');
    const place = {
      module: module.path,
      port: 'output',
      member: module.outputs.findIndex((port) => port.mixed),
    } as const;
    const sketch = sketchOf(context);
    sketch.saveRead(place);
    await refuse(context, sketch, 'mixed_rows', 0);
    const single = new Sketch({ ids: context.model.ids });
    single.saveRead(place);
    await complete(context, single);
  },
);

const shared = invokesCase(
  'invokes-shared',
  ['R-240'],
  'a write to a place without a batch axis is refused with mixed_rows in a batch',
  async (context) => {
    const module = context.model.description.modules.find(({ outputs: [port], order }) => {
      return (
        order.output !== undefined &&
        port &&
        !port.mixed &&
        port.dims.length > 0 &&
        !port.dims.includes('batch')
      );
    });
    if (!module) throw new NotApplicable('every output of the model has a batch axis');
    const sketch = sketchOf(context);
    const write = sketch.write(outputOf(module), sketch.read(outputOf(module)));
    sketch.save(0);
    await refuse(context, sketch, 'mixed_rows', write);
  },
);

const skips = invokesCase(
  'invokes-skip',
  ['R-220'],
  'a skip of one invoke stands for the block in that one alone',
  async (context) => {
    const { last } = places(context);
    const [, block] = context.model.blocks;
    const sketch = sketchOf(context);
    const taken = sketch.read(within(inputOf(block), 1));
    sketch.add({ kind: 'skip', module: block.path, value: taken, invoke: 1 });
    const wanted = sketch.save(taken);
    const given = sketch.saveRead(within(outputOf(block), 1));
    const others = [0, 2].map((invoke) => sketch.saveRead(within(last, invoke)));
    const changed = sketch.saveRead(within(last, 1));
    const view = await complete(context, sketch);
    mustBeClose('the output', numbers(view, given), numbers(view, wanted));
    const plain = await alone(context, last);
    for (const [index, save] of others.entries())
      mustBeClose('another invoke', numbers(view, save), numbersOf(plain[index * 2] as TensorLike), 1e-3);
    const untouched = numbersOf(plain[1] as TensorLike);
    check(!areClose(numbers(view, changed), untouched), 'another value at the last module', () => 'the same');
  },
);

export const INVOKES_CASES: readonly ConformanceCase[] = [
  together,
  number,
  noInvoke,
  rows,
  tokens,
  writes,
  across,
  order,
  stops,
  ends,
  behind,
  mixed,
  shared,
  skips,
];
