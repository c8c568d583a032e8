/** Section 3.2: what a write changes, and what it doesn’t. */
import type { TensorLike } from '@tracewire/protocol';
import type { ConformanceCase } from '../cases.ts';
import { brief, check, NotApplicable } from '../mismatch.ts';
import { inputOf, outputOf } from '../model-facts.ts';
import { Sketch } from '../sketch.ts';
import { complete, mustBeZero, mustNotBeZero, numbers, plainValue, writeZeros } from '../sketch-runs.ts';
import { areClose, mustBeClose, numbersOf } from '../tensors.ts';

export const WRITES: readonly ConformanceCase[] = [
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

/** A constant of a tensor's dtype and dims, of one number. */
function constantLike(sketch: Sketch, { dtype, dims, data }: TensorLike, number: number): number {
  return sketch.constant(dtype, dims, new Array(data.length).fill(number));
}
