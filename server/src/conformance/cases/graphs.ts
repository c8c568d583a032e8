/** Sections 3.1 and 3.2: places, nodes, and what reading, writing and stopping mean. */
import type { Place, TensorLike } from '@tracewire/protocol';
import { isTuple } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual, NotApplicable } from '../mismatch.ts';
import { inputOf, outputOf, wholeOutputOf } from '../model-facts.ts';
import type { RunView } from '../run-view.ts';
import { Sketch } from '../sketch.ts';
import { areClose, mustBeClose, numbersOf, oneTensor } from '../tensors.ts';

/** Runs a sketch to its end, which must be `completed`. */
export async function complete({ open }: CaseContext, sketch: Sketch): Promise<RunView> {
  const view = (await open()).run(sketch.request);
  await view.ended('completed');
  return view;
}

export const numbers = (view: RunView, save: number): number[] => numbersOf(oneTensor(view.value(save)));
const isZero = (list: readonly number[]): boolean => list.every((number) => number === 0);

export function mustBeZero(what: string, list: readonly number[]): void {
  check(list.length > 0 && isZero(list), `${what} all 0`, () => brief(list.slice(0, 6)));
}

function mustNotBeZero(what: string, list: readonly number[]): void {
  check(!isZero(list), `${what} not all 0`, () => 'all 0');
}

/** Replaces a place's value by zeros of its dtype and dims. */
export function writeZeros(sketch: Sketch, place: Place): number {
  const value = sketch.read(place);
  return sketch.write(place, sketch.operator('Sub', [value, value]));
}

/** The value of a place in a run of its own. */
export async function plainValue(context: CaseContext, place: Place): Promise<TensorLike> {
  const sketch = new Sketch({ ids: context.model.ids });
  const save = sketch.saveRead(place);
  return oneTensor((await complete(context, sketch)).value(save));
}

const PLACES: readonly ConformanceCase[] = [
  {
    id: 'place-member-0',
    requirements: ['R-139'],
    shows: 'member 0 of a single output is itself',
    run: async (context) => {
      const place = wholeOutputOf(context.model.single);
      const sketch = new Sketch({ ids: context.model.ids });
      const whole = sketch.saveRead(place);
      const member = sketch.saveRead({ ...place, member: 0 });
      const view = await complete(context, sketch);
      mustEqual('the dims', oneTensor(view.value(member)).dims, oneTensor(view.value(whole)).dims);
      mustBeClose('the numbers', numbers(view, member), numbers(view, whole));
    },
  },
  {
    id: 'place-tuple',
    requirements: ['R-138', 'R-147', 'R-028'],
    shows: 'a module with several outputs gives a tuple, of which `member` and a member node pick one',
    run: async (context) => {
      const module = context.model.tuple;
      const sketch = new Sketch({ ids: context.model.ids });
      const whole = sketch.read(wholeOutputOf(module));
      const saved = sketch.save(whole);
      const byNode = sketch.save(sketch.add({ kind: 'member', of: whole, index: 1 }));
      const byPlace = sketch.saveRead({ ...wholeOutputOf(module), member: 1 });
      const view = await complete(context, sketch);
      const tuple = view.value(saved);
      check(isTuple(tuple), 'a tuple', () => 'one tensor');
      mustEqual(
        'the dtypes',
        tuple.map((member) => oneTensor(member).dtype),
        module.outputs.map(({ dtype }) => dtype),
      );
      const second = tuple[1];
      const wanted = second ? numbersOf(oneTensor(second)) : [];
      mustBeClose('the member', numbers(view, byNode), wanted);
      mustBeClose('the member', numbers(view, byPlace), wanted);
    },
  },
  {
    id: 'place-input',
    requirements: ['R-137', 'R-143'],
    shows: 'an input is the activation that flows in: what the module before gave, where they are one value',
    run: async (context) => {
      const { from, to } = context.model.joint;
      const sketch = new Sketch({ ids: context.model.ids });
      const given = sketch.saveRead(outputOf(from));
      const taken = sketch.saveRead(inputOf(to));
      const view = await complete(context, sketch);
      mustBeClose('the input', numbers(view, taken), numbers(view, given));
    },
  },
  {
    id: 'place-whole-model',
    requirements: ['R-136'],
    shows: 'the empty path is the whole model, where the description has it',
    run: async (context) => {
      const module = context.model.module('');
      if (module.outputs.length === 0) throw new NotApplicable('the whole model has no hook point');
      const sketch = new Sketch({ ids: context.model.ids });
      const save = sketch.saveRead({ ...wholeOutputOf(module), member: 0 });
      const tensor = oneTensor((await complete(context, sketch)).value(save));
      mustEqual('the dtype', tensor.dtype, module.outputs[0]?.dtype);
    },
  },
  {
    id: 'place-dims',
    requirements: ['R-135', 'R-178'],
    shows: 'values have the fixed axes that the description says, and agree on the named ones',
    run: async (context) => {
      const modules = context.model.flowing.filter(({ path }) => path !== '').slice(0, 40);
      const sketch = new Sketch({ ids: context.model.ids });
      const saves = modules.map((module) => sketch.saveRead(outputOf(module)));
      const view = await complete(context, sketch);
      for (const [index, module] of modules.entries()) {
        const { dims = [] } = module.outputs[0] ?? {};
        const got = oneTensor(view.value(saves[index] ?? 0)).dims;
        const fits =
          got.length === dims.length &&
          dims.every((dim, axis) => typeof dim === 'string' || dim === got[axis]);
        check(fits, `${module.path}.output of ${brief(dims)}`, () => brief(got));
        const sequence = dims.indexOf('sequence');
        if (sequence >= 0)
          mustEqual(`${module.path}: the axis sequence`, got[sequence], context.model.ids.length);
        const batch = dims.indexOf('batch');
        if (batch >= 0) mustEqual(`${module.path}: the axis batch`, got[batch], 1);
      }
    },
  },
];

const NODES: readonly ConformanceCase[] = [
  {
    id: 'parameter',
    requirements: ['R-142', 'R-177'],
    shows: 'a parameter has the dtype and dims that the description says',
    run: async (context) => {
      const { name, dtype, dims } = context.model.parameter;
      const sketch = new Sketch({ ids: context.model.ids });
      const save = sketch.save(sketch.add({ kind: 'parameter', name }));
      const tensor = oneTensor((await complete(context, sketch)).value(save));
      mustEqual('the parameter', [tensor.dtype, tensor.dims], [dtype, dims]);
    },
  },
  {
    id: 'apply',
    requirements: ['R-148', 'R-300'],
    shows: 'a module applied to its own input gives its own output, and its hooks stay silent',
    run: async (context) => {
      const module = context.model.applicable;
      const sketch = new Sketch({ ids: context.model.ids });
      const own = sketch.saveRead(wholeOutputOf(module));
      const value = sketch.read(inputOf(module));
      const applied = sketch.save(sketch.add({ kind: 'apply', module: module.path, input: value }));
      const view = await complete(context, sketch);
      mustBeClose('the output', numbers(view, applied), numbers(view, own), 1e-3);
      mustEqual('the number of values', view.values.size, 2);
    },
  },
  {
    id: 'log-text',
    requirements: ['R-150', 'R-103'],
    shows: 'a log node sends its text, while the run is running',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const node = sketch.add({ kind: 'log', text: 'conformance' });
      const view = await complete(context, sketch);
      const logs = view.messages.filter(({ type }) => type === 'log');
      mustEqual(
        'the logs',
        logs.map((log) => log.type === 'log' && [log.node, log.text]),
        [[node, 'conformance']],
      );
    },
  },
  {
    id: 'log-value',
    requirements: ['R-150', 'R-103'],
    shows: 'a log node sends its value',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const value = sketch.constant('int32', [2], [7, 8]);
      sketch.add({ kind: 'log', value });
      const view = await complete(context, sketch);
      const log = view.messages.find(({ type }) => type === 'log');
      check(log?.type === 'log' && log.value !== undefined, 'a log with a value', () => brief(log));
    },
  },
  {
    id: 'log-large',
    requirements: ['R-104'],
    shows: 'a log’s value above 64 KiB is left out, and the text says so',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const length = 16 * 1024 + 1;
      const value = sketch.constant('float32', [length], new Array(length).fill(1));
      sketch.add({ kind: 'log', text: 'conformance', value });
      const view = await complete(context, sketch);
      const log = view.messages.find(({ type }) => type === 'log');
      check(
        log?.type === 'log' && log.value === undefined && (log.text ?? '').length > 'conformance'.length,
        'a log without a value, whose text says so',
        () => brief(log),
      );
    },
  },
];

const WRITES: readonly ConformanceCase[] = [
  {
    id: 'write-then-read',
    requirements: ['R-144', 'R-160', 'R-161'],
    shows: 'a read after a write at its place sees the written value; one before it sees the old one',
    run: async (context) => {
      const place = outputOf(context.model.early);
      const old = await plainValue(context, place);
      const sketch = new Sketch({ ids: context.model.ids });
      const before = sketch.saveRead(place);
      const written = old.data.length < 100_000 ? constantLike(sketch, old, 0.5) : undefined;
      if (written === undefined) throw new NotApplicable('the place is too large to write a constant');
      sketch.write(place, written);
      const after = sketch.saveRead(place);
      const view = await complete(context, sketch);
      mustBeClose('the read before', numbers(view, before), numbersOf(old), 1e-3);
      mustBeClose(
        'the read after',
        numbers(view, after),
        numbersOf(old).map(() => 0.5),
      );
    },
  },
  {
    id: 'write-twice',
    requirements: ['R-160', 'R-161'],
    shows: 'of two writes to one place the later stands, and a read between them sees the first',
    run: async (context) => {
      const place = outputOf(context.model.early);
      const old = await plainValue(context, place);
      const sketch = new Sketch({ ids: context.model.ids });
      const read = sketch.read(place);
      const zero = sketch.operator('Sub', [read, read]);
      sketch.write(place, zero);
      const between = sketch.saveRead(place);
      sketch.write(place, read);
      const after = sketch.saveRead(place);
      const view = await complete(context, sketch);
      mustBeZero('the read between', numbers(view, between));
      mustBeClose('the read after', numbers(view, after), numbersOf(old), 1e-3);
    },
  },
  {
    id: 'write-flows-on',
    requirements: ['R-160', 'R-162'],
    shows: 'a write is seen by what comes later',
    run: async (context) => {
      const [early, last] = [outputOf(context.model.early), outputOf(context.model.last)];
      const plain = numbersOf(await plainValue(context, last));
      const sketch = new Sketch({ ids: context.model.ids });
      writeZeros(sketch, early);
      const save = sketch.saveRead(last);
      const changed = numbers(await complete(context, sketch), save);
      check(!areClose(changed, plain), 'another value at the last module', () => 'the same');
    },
  },
  {
    id: 'write-order-free',
    requirements: ['R-159'],
    shows:
      'program order does not matter among modules: a write further down is seen by a later module’s read above it',
    run: async (context) => {
      const [early, last] = [outputOf(context.model.early), outputOf(context.model.last)];
      const plain = numbersOf(await plainValue(context, last));
      const sketch = new Sketch({ ids: context.model.ids });
      const save = sketch.saveRead(last);
      writeZeros(sketch, early);
      const changed = numbers(await complete(context, sketch), save);
      check(!areClose(changed, plain), 'another value at the last module', () => 'the same');
    },
  },
  {
    id: 'write-output-outside',
    requirements: ['R-162'],
    shows: 'a written output is what the next module takes in',
    run: async (context) => {
      const { from, to } = context.model.joint;
      const sketch = new Sketch({ ids: context.model.ids });
      writeZeros(sketch, outputOf(from));
      const save = sketch.saveRead(inputOf(to));
      mustBeZero('the next input', numbers(await complete(context, sketch), save));
    },
  },
  {
    id: 'write-input-inside',
    requirements: ['R-162'],
    shows: 'a written input is what the modules within take in',
    run: async (context) => {
      const { outer, inner } = context.model.nested;
      const sketch = new Sketch({ ids: context.model.ids });
      writeZeros(sketch, inputOf(outer));
      const save = sketch.saveRead(inputOf(inner));
      mustBeZero('the inner input', numbers(await complete(context, sketch), save));
    },
  },
  {
    id: 'write-input-not-outside',
    requirements: ['R-162'],
    shows: 'a written input is not what a module beside takes in, though both took one value',
    run: async (context) => {
      const [left, right] = context.model.siblings;
      const sketch = new Sketch({ ids: context.model.ids });
      writeZeros(sketch, inputOf(left));
      const save = sketch.saveRead(inputOf(right));
      mustNotBeZero('the other input', numbers(await complete(context, sketch), save));
    },
  },
  {
    id: 'write-selection',
    requirements: ['R-144', 'R-152', 'R-153', 'R-154', 'R-155', 'R-156'],
    shows:
      'a selection writes its part alone: an index drops its axis, a range keeps it, missing axes are whole, values are broadcast',
    run: async (context) => {
      const place = outputOf(context.model.early);
      const { dims, dtype } = await plainValue(context, place);
      const [rows = 0, columns = 0] = dims.slice(1);
      if (dims.length !== 3 || rows < 2 || columns < 2)
        throw new NotApplicable('the first block’s output has no three axes');
      const sketch = new Sketch({ ids: context.model.ids });
      writeZeros(sketch, place);
      sketch.write(place, sketch.constant(dtype, [], [1]), [0, -1]);
      sketch.write(place, sketch.constant(dtype, [1, 1], [2]), [0, { end: 1 }, { step: 2 }]);
      const save = sketch.saveRead(place);
      const got = numbers(await complete(context, sketch), save);
      const wanted = got.map((_, index) => {
        const [row, column] = [Math.floor(index / columns), index % columns];
        if (row === 0 && column % 2 === 0) return 2;
        return row === rows - 1 ? 1 : 0;
      });
      mustBeClose('the place', got, wanted);
    },
  },
  {
    id: 'write-selection-negative-step',
    requirements: ['R-155'],
    shows: 'a negative step goes backwards, as in Python',
    run: async (context) => {
      const place = outputOf(context.model.early);
      const { dims, dtype } = await plainValue(context, place);
      const [rows = 0, columns = 0] = dims.slice(1);
      if (dims.length !== 3 || rows < 2)
        throw new NotApplicable('the first block’s output has no three axes');
      const sketch = new Sketch({ ids: context.model.ids });
      writeZeros(sketch, place);
      const backwards = sketch.constant(
        dtype,
        [rows, 1],
        Array.from({ length: rows }, (_, index) => index),
      );
      sketch.write(place, backwards, [0, { step: -1 }]);
      const save = sketch.saveRead(place);
      const got = numbers(await complete(context, sketch), save);
      mustBeClose(
        'the place',
        got,
        got.map((_, index) => rows - 1 - Math.floor(index / columns)),
      );
    },
  },
  {
    id: 'write-failing',
    requirements: ['R-157', 'R-168', 'R-094', 'R-095'],
    shows: 'a write of the wrong dims is refused, or fails the run, its saves with outcomes',
    run: async (context) => {
      const { dtype } = await plainValue(context, outputOf(context.model.early));
      const sketch = new Sketch({ ids: context.model.ids });
      sketch.write(outputOf(context.model.early), sketch.constant(dtype, [7], new Array(7).fill(1)));
      sketch.saveRead(outputOf(context.model.last));
      const { refused, status } = await (await context.open()).run(sketch.request).end();
      const code = (refused ?? status?.errors)?.[0]?.code;
      check(status?.state !== 'completed' && code === 'wrong_dims', 'the error wrong_dims', () =>
        brief(refused ?? status),
      );
    },
  },
];

const STOPS: readonly ConformanceCase[] = [
  {
    id: 'stop',
    requirements: ['R-145', 'R-164', 'R-096', 'R-102'],
    shows:
      'a stop ends the pass: what is behind it is not_reached, though written earlier; the run completes and says where it stopped',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const late = sketch.saveRead(outputOf(context.model.last));
      const early = sketch.saveRead(outputOf(context.model.early));
      sketch.stop(wholeOutputOf(context.model.early));
      const view = (await context.open()).run(sketch.request);
      const { report } = await view.ended('completed');
      view.value(early);
      view.accessError(late, 'not_reached');
      check(
        report !== undefined && report.modulesRun < report.modulesTotal,
        'fewer modules run than there are',
        () => brief(report),
      );
      check(report.stoppedAfter !== undefined, 'stoppedAfter', () => brief(report));
    },
  },
  {
    id: 'stop-warning',
    requirements: ['R-093'],
    shows: 'a hook behind a stop is a warning of the status received, with its node',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const behind = sketch.read(outputOf(context.model.last));
      sketch.save(behind);
      sketch.saveRead(outputOf(context.model.early));
      sketch.stop(wholeOutputOf(context.model.early));
      const view = await complete(context, sketch);
      const warnings = view.statuses[0]?.warnings ?? [];
      mustEqual(
        'the warnings',
        warnings.map(({ code, node }) => [code, node]),
        [['behind_stop', behind]],
      );
    },
  },
  {
    id: 'stop-at-input',
    requirements: ['R-145'],
    shows:
      'a stop at an input ends the pass before the module: its output is not_reached, its input is there',
    run: async (context) => {
      const module = context.model.flowing.find(
        ({ path, inputs, order }) => path !== '' && inputs.length > 0 && order.input !== undefined,
      );
      if (!module) throw new NotApplicable('no module has an input');
      const sketch = new Sketch({ ids: context.model.ids });
      const input = sketch.saveRead(inputOf(module));
      const output = sketch.saveRead(outputOf(module));
      sketch.stop(inputOf(module));
      const view = await complete(context, sketch);
      view.value(input);
      view.accessError(output, 'not_reached');
    },
  },
  {
    id: 'stop-operations',
    requirements: ['R-166'],
    shows: 'operations on values that exist are computed though they stand behind the stop',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const value = sketch.read(outputOf(context.model.early));
      sketch.stop(wholeOutputOf(context.model.early));
      const save = sketch.save(sketch.operator('Sub', [value, value]));
      const constant = sketch.save(sketch.constant('float32', [1], [3]));
      const view = await complete(context, sketch);
      mustBeZero('the difference', numbers(view, save));
      mustEqual('the constant', numbers(view, constant), [3]);
    },
  },
  {
    id: 'stop-operation-behind',
    requirements: ['R-164'],
    shows: 'what is computed from a value behind the stop is not_reached',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const value = sketch.read(outputOf(context.model.last));
      const save = sketch.save(sketch.operator('Abs', [value]));
      sketch.saveRead(outputOf(context.model.early));
      sketch.stop(wholeOutputOf(context.model.early));
      (await complete(context, sketch)).accessError(save, 'not_reached');
    },
  },
  {
    id: 'stop-automatic',
    requirements: ['R-165', 'R-095'],
    shows: 'without a stop the pass ends after the last module that is needed',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      sketch.saveRead(outputOf(context.model.early));
      const { report } = await (await context.open()).run(sketch.request).ended('completed');
      check(
        report !== undefined && report.modulesRun < report.modulesTotal,
        'fewer modules run than there are',
        () => brief(report),
      );
    },
  },
  {
    id: 'stop-earliest',
    requirements: ['R-164'],
    shows: 'of two stops the one at the earlier module counts, whatever their order',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const late = sketch.saveRead(outputOf(context.model.last));
      const early = sketch.saveRead(outputOf(context.model.early));
      sketch.stop(wholeOutputOf(context.model.last));
      sketch.stop(wholeOutputOf(context.model.early));
      const view = await complete(context, sketch);
      view.value(early);
      view.accessError(late, 'not_reached');
    },
  },
];

const FAILURES: readonly ConformanceCase[] = [
  {
    id: 'operation-fails',
    requirements: ['R-167', 'R-101', 'R-102'],
    shows: 'an operation that fails makes its saves `failed`, with a cause; the run completes for the rest',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      const table = sketch.constant('float32', [2], [1, 2]);
      const index = sketch.constant('int64', [1], [5]);
      // Not the constant itself, whose elements a server may look at before it runs.
      const computed = sketch.operator('Add', [index, sketch.constant('int64', [1], [0])]);
      const wrong = sketch.operator('Gather', [table, computed]);
      const first = sketch.save(wrong);
      const second = sketch.save(sketch.operator('Abs', [wrong]));
      const good = sketch.save(sketch.operator('Abs', [table]));
      const view = (await context.open()).run(sketch.request);
      const { refused } = await view.end();
      if (refused) throw new NotApplicable('the server sees it before it runs');
      await view.ended('completed');
      view.accessError(first, 'failed');
      view.accessError(second, 'failed');
      view.value(good);
    },
  },
];

/** A constant of a tensor's dtype and dims, of one number. */
function constantLike(sketch: Sketch, { dtype, dims, data }: TensorLike, number: number): number {
  return sketch.constant(dtype, dims, new Array(data.length).fill(number));
}

export const GRAPHS: readonly ConformanceCase[] = [...PLACES, ...NODES, ...WRITES, ...STOPS, ...FAILURES];
