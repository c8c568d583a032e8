/** Sections 3.1, 3.2 and 4: inner values, several inputs, index lists, masks, and skipped modules. */
import type { ModuleDescription, Place, SourceDescription } from '@tracewire/protocol';
import { isTuple } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual, NotApplicable } from '../mismatch.ts';
import { inputOf, outputOf, wholeOutputOf } from '../model-facts.ts';
import { Sketch } from '../sketch.ts';
import { complete, mustBeZero, numbers, plainValue, writeZeros } from '../sketch-runs.ts';
import { areClose, mustBeClose, numbersOf, oneTensor } from '../tensors.ts';

const sourceAt = (module: ModuleDescription, source: SourceDescription): Place => ({
  module: module.path,
  port: 'source',
  source: source.name,
});

/** Its first output's place, and the dims and dtype there; three axes of a few rows and columns are wanted. */
async function grid(context: CaseContext) {
  const place = outputOf(context.model.early);
  const { dims, dtype } = await plainValue(context, place);
  const [rows = 0, columns = 0] = dims.slice(1);
  if (dims.length !== 3 || dims[0] !== 1 || rows < 2 || columns < 3)
    throw new NotApplicable('the first block’s output has no three axes');
  return { place, dtype, rows, columns };
}

const SOURCES: readonly ConformanceCase[] = [
  {
    id: 'source-read',
    requirements: ['R-201', 'R-202'],
    shows: 'an inner value that is a module’s output is what the output is',
    run: async (context) => {
      const { module, source } = context.model.sourceOfOutput;
      const sketch = new Sketch({ ids: context.model.ids });
      const inner = sketch.saveRead(sourceAt(module, source));
      const output = sketch.saveRead(outputOf(module));
      const view = await complete(context, sketch);
      mustBeClose('the inner value', numbers(view, inner), numbers(view, output));
    },
  },
  {
    id: 'source-types',
    requirements: ['R-202', 'R-218'],
    shows: 'inner values have the dtypes that the description says, and the fixed axes',
    run: async (context) => {
      const all = context.model.sources.slice(0, 60);
      const sketch = new Sketch({ ids: context.model.ids });
      const saves = all.map(({ module, source }) => sketch.saveRead(sourceAt(module, source)));
      const view = await complete(context, sketch);
      for (const [index, { source }] of all.entries()) {
        const got = oneTensor(view.value(saves[index] ?? 0));
        const fits = source.dims.every((dim, axis) => typeof dim === 'string' || dim === got.dims[axis]);
        check(
          got.dtype === source.dtype && fits,
          `${source.name}: ${source.dtype} ${brief(source.dims)}`,
          () => brief([got.dtype, got.dims]),
        );
      }
    },
  },
  {
    id: 'source-write',
    requirements: ['R-204', 'R-202'],
    shows: 'a written inner value is what a later read of it, the module’s output, and what comes after see',
    run: async (context) => {
      const { module, source } = context.model.sourceOfOutput;
      const last = outputOf(context.model.last);
      const plain = numbersOf(await plainValue(context, last));
      const sketch = new Sketch({ ids: context.model.ids });
      writeZeros(sketch, sourceAt(module, source));
      const inner = sketch.saveRead(sourceAt(module, source));
      const output = sketch.saveRead(outputOf(module));
      const end = sketch.saveRead(last);
      const view = await complete(context, sketch);
      mustBeZero('the inner value', numbers(view, inner));
      mustBeZero('the output', numbers(view, output));
      check(!areClose(numbers(view, end), plain), 'another value at the last module', () => 'the same');
    },
  },
  {
    id: 'source-stop',
    requirements: ['R-202'],
    shows: 'a stop at an inner value ends the pass there',
    run: async (context) => {
      const { module, source } = context.model.sourceOfOutput;
      const sketch = new Sketch({ ids: context.model.ids });
      const inner = sketch.saveRead(sourceAt(module, source));
      const late = sketch.saveRead(outputOf(context.model.last));
      sketch.stop(sourceAt(module, source));
      const view = await complete(context, sketch);
      view.value(inner);
      view.accessError(late, 'not_reached');
    },
  },
  {
    id: 'description-sources',
    requirements: ['R-218', 'R-219'],
    shows: 'an inner value is listed once, in order, each with its own number, before the output that it is',
    run: async ({ model }) => {
      const all = model.sources;
      mustEqual('names', new Set(all.map(({ source }) => source.name)).size, all.length);
      mustEqual('numbers', new Set(all.map(({ source }) => source.order)).size, all.length);
      for (const { path, sources = [], outputs, order } of model.description.modules) {
        for (const [index, source] of sources.entries()) {
          const before = sources[index - 1]?.order ?? -1;
          check(source.order > before, `${source.name} after ${before}`, () => String(source.order));
          const own = order.output !== undefined && outputs.some(({ name }) => name === source.name);
          if (own)
            check(source.order <= Number(order.output), `${path}: the output after it`, () => brief(source));
        }
      }
    },
  },
  {
    id: 'description-inputs',
    requirements: ['R-217', 'R-200'],
    shows: 'inputs are read by number, with the dtypes that the description says; 0 is the one that flows in',
    run: async (context) => {
      const module = context.model.description.modules.find(
        ({ inputs, order, path }) => path !== '' && inputs.length > 1 && order.input !== undefined,
      );
      if (!module) throw new NotApplicable('no module of the model takes several activations');
      const sketch = new Sketch({ ids: context.model.ids });
      const flowing = sketch.saveRead(inputOf(module));
      const saves = module.inputs.map((_, member) => sketch.saveRead({ ...inputOf(module), member }));
      const view = await complete(context, sketch);
      mustEqual(
        'the dtypes',
        saves.map((save) => oneTensor(view.value(save)).dtype),
        module.inputs.map(({ dtype }) => dtype),
      );
      mustBeClose('input 0', numbers(view, saves[0] ?? 0), numbers(view, flowing));
    },
  },
  {
    id: 'description-attention',
    requirements: ['R-216'],
    shows: 'heads are a whole number of times those of keys and values',
    run: async ({ model }) => {
      const { attention } = model.description;
      if (!attention) throw new NotApplicable('the description has no attention');
      const { heads, keyValueHeads, headSize } = attention;
      check(heads > 0 && headSize > 0 && heads % keyValueHeads === 0, 'heads that share keys evenly', () =>
        brief(attention),
      );
    },
  },
];

const PARTS: readonly ConformanceCase[] = [
  {
    id: 'write-indices',
    requirements: ['R-206'],
    shows: 'a list of indices keeps its axis, in the order given, each list on its own axis',
    run: async (context) => {
      const { place, dtype, rows, columns } = await grid(context);
      const sketch = new Sketch({ ids: context.model.ids });
      writeZeros(sketch, place);
      const value = sketch.constant(dtype, [2, 2], [1, 2, 3, 4]);
      sketch.write(place, value, [0, { indices: [-1, 0] }, { indices: [2, 0] }]);
      const save = sketch.saveRead(place);
      const got = numbers(await complete(context, sketch), save);
      const wanted = got.map(() => 0);
      const last = (rows - 1) * columns;
      for (const [at, number] of [
        [last + 2, 1],
        [last, 2],
        [2, 3],
        [0, 4],
      ] as const)
        wanted[at] = number;
      mustBeClose('the place', got, wanted);
    },
  },
  {
    id: 'write-mask',
    requirements: ['R-207'],
    shows: 'a mask, broadcast to the place, says where to write; the value is broadcast too',
    run: async (context) => {
      const { place, dtype, columns } = await grid(context);
      const sketch = new Sketch({ ids: context.model.ids });
      writeZeros(sketch, place);
      const chosen = Array.from({ length: columns }, (_, column) => column % 2);
      sketch.write(
        place,
        sketch.constant(dtype, [], [1]),
        undefined,
        sketch.constant('bool', [columns], chosen),
      );
      const save = sketch.saveRead(place);
      const got = numbers(await complete(context, sketch), save);
      mustBeClose(
        'the place',
        got,
        got.map((_, index) => (index % columns) % 2),
      );
    },
  },
  {
    id: 'write-mask-selection',
    requirements: ['R-207'],
    shows: 'with a selection, the mask is broadcast to its dims',
    run: async (context) => {
      const { place, dtype, rows, columns } = await grid(context);
      const sketch = new Sketch({ ids: context.model.ids });
      writeZeros(sketch, place);
      const mask = sketch.constant(
        'bool',
        [rows, 1],
        Array.from({ length: rows }, (_, row) => Number(row === 0)),
      );
      sketch.write(place, sketch.constant(dtype, [], [1]), [0, {}, { end: 2 }], mask);
      const save = sketch.saveRead(place);
      const got = numbers(await complete(context, sketch), save);
      mustBeClose(
        'the place',
        got,
        got.map((_, index) => Number(index < columns && index < 2)),
      );
    },
  },
  {
    id: 'write-replaces-work',
    requirements: ['R-209'],
    shows: 'a block whose output is wholly replaced is not run',
    run: async (context) => {
      const [first, second] = context.model.blocks;
      const run = async (draw: (sketch: Sketch) => void): Promise<number> => {
        const sketch = new Sketch({ ids: context.model.ids });
        draw(sketch);
        const view = (await context.open()).run(sketch.request);
        return (await view.ended('completed')).report?.modulesRun ?? -1;
      };
      const alone = await run((sketch) => void sketch.saveRead(outputOf(first)));
      const replaced = await run((sketch) => {
        sketch.write(outputOf(second), sketch.read(outputOf(first)));
        sketch.saveRead(outputOf(second));
      });
      mustEqual('modulesRun', replaced, alone);
    },
  },
];

const SKIPS: readonly ConformanceCase[] = [
  {
    id: 'skip',
    requirements: ['R-205', 'R-210', 'R-211', 'R-209'],
    shows: 'a block skipped by its own input gives that input, goes on, and doesn’t run',
    run: async (context) => {
      const [, second, third] = context.model.blocks;
      const sketch = new Sketch({ ids: context.model.ids });
      const input = sketch.read(inputOf(second));
      const taken = sketch.save(input);
      sketch.skip(second.path, input);
      const given = sketch.saveRead(outputOf(second));
      const next = sketch.saveRead(inputOf(third));
      const view = (await context.open()).run(sketch.request);
      const { report } = await view.ended('completed');
      mustBeClose('the output', numbers(view, given), numbers(view, taken));
      mustBeClose('the next input', numbers(view, next), numbers(view, taken));
      const plain = new Sketch({ ids: context.model.ids });
      plain.saveRead(inputOf(third));
      const ran = (await (await context.open()).run(plain.request).ended('completed')).report?.modulesRun;
      check(Number(report?.modulesRun) < Number(ran), `fewer modules run than ${ran}`, () => brief(report));
    },
  },
  {
    id: 'skip-inside',
    requirements: ['R-213'],
    shows: 'a hook inside a skipped module is a warning, and its save not_reached',
    run: async (context) => {
      const { outer, inner } = context.model.nested;
      const sketch = new Sketch({ ids: context.model.ids });
      sketch.skip(outer.path, zerosOfOutput(sketch, outer));
      const hook = sketch.read(inputOf(inner));
      const save = sketch.save(hook);
      const view = await complete(context, sketch);
      view.accessError(save, 'not_reached');
      mustEqual(
        'the warnings',
        (view.statuses[0]?.warnings ?? []).map(({ code, node }) => [code, node]),
        [['inside_skip', hook]],
      );
    },
  },
  {
    id: 'skip-tuple',
    requirements: ['R-211'],
    shows: 'one tensor leaves the other outputs, and the whole tuple, unset; a tuple gives all',
    run: async (context) => {
      const [first, second] = context.model.blocks;
      if (first.outputs.length < 2) throw new NotApplicable('the blocks give one tensor');
      const single = new Sketch({ ids: context.model.ids });
      single.skip(second.path, single.read(inputOf(second)));
      const member = single.saveRead({ ...wholeOutputOf(second), member: 1 });
      const whole = single.saveRead(wholeOutputOf(second));
      const view = await complete(context, single);
      view.accessError(member, 'unset');
      view.accessError(whole, 'unset');
      const all = new Sketch({ ids: context.model.ids });
      const tuple = all.read(wholeOutputOf(first));
      all.skip(second.path, tuple);
      const saves = [tuple, all.read(wholeOutputOf(second))].map((value) => all.save(value));
      const given = await complete(context, all);
      const [wanted, got] = saves.map((save) => given.value(save));
      check(
        wanted !== undefined && got !== undefined && isTuple(wanted) && isTuple(got),
        'two tuples',
        () => 'others',
      );
      for (const [index, value] of wanted.entries())
        mustBeClose('a member', numbersOf(oneTensor(got[index] ?? value)), numbersOf(oneTensor(value)));
    },
  },
  {
    id: 'skip-unset-needed',
    requirements: ['R-215', 'R-168'],
    shows: 'a write of a part of an output that a skip left without a value ends the run as failed',
    run: async (context) => {
      const [, second] = context.model.blocks;
      const cache = second.outputs[1];
      if (!cache) throw new NotApplicable('the blocks give one tensor');
      const sketch = new Sketch({ ids: context.model.ids });
      sketch.skip(second.path, sketch.read(inputOf(second)));
      const place = { ...wholeOutputOf(second), member: 1 };
      sketch.write(place, sketch.constant(cache.dtype, [], [1]), [0]);
      sketch.saveRead(place);
      const view = (await context.open()).run(sketch.request);
      const { errors } = await view.ended('failed');
      mustEqual('the code', errors?.[0]?.code, 'unset');
    },
  },
  {
    id: 'skip-dims',
    requirements: ['R-212', 'R-168'],
    shows: 'a value of other dims is refused, or ends the run as failed',
    run: async (context) => {
      const [, second] = context.model.blocks;
      const sketch = new Sketch({ ids: context.model.ids });
      const axis = sketch.constant('int64', [1], [0]);
      sketch.skip(second.path, sketch.operator('Unsqueeze', [sketch.read(inputOf(second)), axis]));
      sketch.saveRead(outputOf(second));
      const { refused, status } = await (await context.open()).run(sketch.request).end();
      const code = (refused ?? status?.errors)?.[0]?.code;
      check(status?.state !== 'completed' && code === 'wrong_dims', 'the error wrong_dims', () =>
        brief(refused ?? status),
      );
    },
  },
];

/** Zeros of what a module gives, from what it takes. */
function zerosOfOutput(sketch: Sketch, module: ModuleDescription): number {
  const [input] = module.inputs;
  const [output] = module.outputs;
  if (!input || input.dims.join() !== output?.dims.join())
    throw new NotApplicable('the module gives other dims than it takes');
  const value = sketch.read(inputOf(module));
  return sketch.operator('Sub', [value, value]);
}

export const HOOKS: readonly ConformanceCase[] = [...SOURCES, ...PARTS, ...SKIPS];
