/** Section 3.1: places that there aren’t. */
import type { ConformanceCase } from '../cases.ts';
import { faulty } from '../faulty.ts';
import { NotApplicable } from '../mismatch.ts';
import { wholeOutputOf } from '../model-facts.ts';

export const REFUSED_PLACES: readonly ConformanceCase[] = [
  faulty('error-unknown-module', ['R-135', 'R-181'], 'a place in no module', 'unknown_module', (sketch) =>
    sketch.read({ module: 'x.conformance.none', port: 'output' }),
  ),
  faulty('error-member-of-single', ['R-138'], 'member 1 of a single output', 'not_a_tuple', (sketch, model) =>
    sketch.read({ ...wholeOutputOf(model.single), member: 1 }),
  ),
  faulty('error-member-beyond', ['R-138'], 'a member beyond the last', 'not_a_tuple', (sketch, model) =>
    sketch.read({ ...wholeOutputOf(model.tuple), member: 1000 }),
  ),
  faulty('error-no-hook', ['R-180'], 'a place without a hook point', 'no_hook', (sketch, model) => {
    const missing = model.description.modules.find(
      ({ outputs, missing }) => outputs.length === 0 && missing !== undefined,
    );
    if (!missing) throw new NotApplicable('all modules have hook points');
    return sketch.read({ module: missing.path, port: 'output' });
  }),
  faulty('error-no-input', ['R-137'], 'the input of a module that takes none', 'no_hook', (sketch, model) => {
    const without = model.description.modules.find(
      ({ inputs, outputs }) => inputs.length === 0 && outputs.length > 0,
    );
    if (!without) throw new NotApplicable('all modules have an input');
    return sketch.read({ module: without.path, port: 'input' });
  }),
  faulty(
    'error-unknown-source',
    ['R-203'],
    'an inner value that the module doesn’t make',
    'unknown_source',
    (sketch, model) =>
      sketch.read({ module: model.early.path, port: 'source', source: 'x.conformance.none' }),
  ),
  faulty(
    'error-source-missing',
    ['R-201'],
    'the port source without a name',
    'bad_message',
    (sketch, model) => sketch.read({ module: model.early.path, port: 'source' }),
  ),
  faulty('error-source-unasked', ['R-201'], 'a source with another port', 'bad_message', (sketch, model) =>
    sketch.read({ module: model.early.path, port: 'output', source: 'x' }),
  ),
  faulty('error-input-beyond', ['R-200'], 'an input beyond the last', 'not_a_tuple', (sketch, model) =>
    sketch.read({ module: model.joint.to.path, port: 'input', member: 1000 }),
  ),
];
