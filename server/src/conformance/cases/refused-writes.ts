/** Section 3.2: writes, selections, masks and skips that can’t be meant. */
import type { Selection } from '@tracewire/protocol';
import type { ConformanceCase } from '../cases.ts';
import { faulty, one } from '../faulty.ts';
import { NotApplicable } from '../mismatch.ts';
import { type ModelFacts, outputOf, wholeOutputOf } from '../model-facts.ts';

/** The last axis of the first block's output whose size the description tells. */
function fixedAxisOf({ early }: ModelFacts): { readonly axis: number; readonly size: number } {
  const dims = early.outputs[0]?.dims ?? [];
  const axis = dims.findLastIndex((dim) => typeof dim === 'number');
  if (axis < 0) throw new NotApplicable('the first block’s output has no fixed axis');
  return { axis, size: Number(dims[axis]) };
}

export const REFUSED_WRITES: readonly ConformanceCase[] = [
  faulty(
    'error-tuple-write',
    ['R-144', 'R-294'],
    'a write to a whole tuple',
    'tuple_value',
    (sketch, model) => {
      const value = sketch.read(outputOf(model.tuple));
      return sketch.write(wholeOutputOf(model.tuple), value);
    },
  ),
  faulty(
    'error-write-order',
    ['R-140', 'R-163'],
    'a later value written to an earlier place',
    'write_order',
    (sketch, model) => {
      const late = sketch.read(outputOf(model.last));
      return sketch.write(outputOf(model.early), sketch.operator('Sub', [late, late]));
    },
  ),
  faulty('error-write-dtype', ['R-158'], 'a write of another dtype', 'wrong_dtype', (sketch, model) =>
    sketch.write(outputOf(model.early), sketch.constant('int8', [1], [1])),
  ),
  faulty('error-selection-step-0', ['R-155'], 'a selection with step 0', 'bad_selection', (sketch, model) => {
    const value = sketch.read(outputOf(model.early));
    return sketch.write(outputOf(model.early), value, [{ step: 0 }]);
  }),
  faulty(
    'error-selection-axes',
    ['R-152'],
    'a selection with more entries than axes',
    'bad_selection',
    (sketch, model) => {
      if ((model.early.outputs[0]?.dims.length ?? 0) === 0) throw new NotApplicable('the rank is not known');
      const value = sketch.read(outputOf(model.early));
      return sketch.write(outputOf(model.early), value, new Array(8).fill(0));
    },
  ),
  faulty(
    'error-selection-index',
    ['R-154'],
    'an index outside a fixed axis',
    'bad_selection',
    (sketch, model) => {
      const { axis, size } = fixedAxisOf(model);
      const value = sketch.read(outputOf(model.early));
      const selection = Array.from({ length: axis + 1 }, (_, at) => (at === axis ? size : {}));
      return sketch.write(outputOf(model.early), value, selection);
    },
  ),
  faulty(
    'error-indices-outside',
    ['R-206', 'R-208'],
    'an index of a list outside a fixed axis',
    'bad_selection',
    (sketch, model) => {
      const { axis, size } = fixedAxisOf(model);
      const value = sketch.read(outputOf(model.early));
      const selection: Selection = [...new Array(axis).fill({}), { indices: [0, size] }];
      return sketch.write(outputOf(model.early), value, selection);
    },
  ),
  faulty(
    'error-write-rank',
    ['R-208', 'R-157'],
    'a constant of another rank',
    'wrong_dims',
    (sketch, model) => {
      const { dims = [], dtype = 'float32' } = model.early.outputs[0] ?? {};
      if (dims.length === 0) throw new NotApplicable('the rank is not known');
      return sketch.write(outputOf(model.early), sketch.constant(dtype, [], [1]));
    },
  ),
  faulty('error-mask-dtype', ['R-207'], 'a mask that isn’t bool', 'wrong_dtype', (sketch, model) => {
    const value = sketch.read(outputOf(model.early));
    return sketch.write(outputOf(model.early), value, undefined, value);
  }),
  faulty(
    'error-mask-dims',
    ['R-207', 'R-208'],
    'a mask of the wrong length',
    'wrong_dims',
    (sketch, model) => {
      const last = model.early.outputs[0]?.dims.at(-1);
      if (typeof last !== 'number' || last < 2) throw new NotApplicable('the last axis is not fixed');
      const value = sketch.read(outputOf(model.early));
      const mask = sketch.constant('bool', [last + 1], new Array(last + 1).fill(1));
      return sketch.write(outputOf(model.early), value, undefined, mask);
    },
  ),
  faulty(
    'error-skip-order',
    ['R-210'],
    'a module skipped by what comes after it',
    'write_order',
    (sketch, model) => {
      const [first, second] = model.blocks;
      return sketch.skip(first.path, sketch.read(outputOf(second)));
    },
  ),
  faulty('error-skip-dtype', ['R-212'], 'a module skipped by another dtype', 'wrong_dtype', (sketch, model) =>
    sketch.skip(model.blocks[1].path, sketch.constant('int8', [1], [1])),
  ),
  faulty(
    'error-skip-no-input',
    ['R-210'],
    'a skip of a module that takes nothing',
    'no_hook',
    (sketch, model) => {
      const without = model.description.modules.find(
        ({ inputs, path }) => inputs.length === 0 && path !== '',
      );
      if (!without) throw new NotApplicable('all modules have an input');
      return sketch.skip(without.path, one(sketch));
    },
  ),
  faulty('error-skip-twice', ['R-214'], 'a second skip of one module', 'inside_skip', (sketch, model) => {
    const { path } = model.blocks[1];
    const value = sketch.read({ module: path, port: 'input' });
    sketch.skip(path, value);
    return sketch.skip(path, value);
  }),
  faulty('error-skip-stop', ['R-214'], 'a stop inside a skipped module', 'inside_skip', (sketch, model) => {
    const { outer, inner } = model.insideBlock;
    sketch.skip(outer.path, sketch.read({ module: outer.path, port: 'input' }));
    return sketch.stop({ module: inner.path, port: 'input' });
  }),
  faulty(
    'error-skip-needed',
    ['R-214'],
    'a write outside of a value from inside a skipped module',
    'inside_skip',
    (sketch, model) => {
      const { outer, inner } = model.insideBlock;
      sketch.skip(outer.path, sketch.read({ module: outer.path, port: 'input' }));
      const lost = sketch.read({ module: inner.path, port: 'input' });
      return sketch.write(outputOf(outer), lost, []);
    },
  ),
  faulty('error-selection-9', ['R-152'], 'a selection of 9 entries', 'bad_message', (sketch, model) => {
    const value = sketch.read(outputOf(model.early));
    return sketch.write(outputOf(model.early), value, new Array(9).fill(0));
  }),
];
