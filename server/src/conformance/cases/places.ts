/** Section 3.1: what is at a place. */
import { isTuple } from '@tracewire/protocol';
import type { ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual, NotApplicable } from '../mismatch.ts';
import { inputOf, outputOf, wholeOutputOf } from '../model-facts.ts';
import { Sketch } from '../sketch.ts';
import { complete, numbers } from '../sketch-runs.ts';
import { mustBeClose, numbersOf, oneTensor } from '../tensors.ts';

export const PLACES: readonly ConformanceCase[] = [
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
