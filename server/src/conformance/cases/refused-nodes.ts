/** Sections 3.2 and 3.3: operators, attributes and references that there can’t be. */
import type { ConformanceCase } from '../cases.ts';
import { faulty, one } from '../faulty.ts';
import { NotApplicable } from '../mismatch.ts';
import { wholeOutputOf } from '../model-facts.ts';

export const REFUSED_NODES: readonly ConformanceCase[] = [
  faulty(
    'error-unknown-parameter',
    ['R-142'],
    'a parameter that there isn’t',
    'unknown_parameter',
    (sketch) => sketch.add({ kind: 'parameter', name: 'x.conformance.none' }),
  ),
  faulty(
    'error-unknown-operator',
    ['R-146', 'R-169'],
    'an operator that is not on the list',
    'unknown_operator',
    (sketch) => sketch.operator('Conv', [one(sketch)]),
  ),
  faulty(
    'error-operator-control-flow',
    ['R-169'],
    'an operator of control flow',
    'unknown_operator',
    (sketch) => sketch.operator('If', [one(sketch)]),
  ),
  faulty(
    'error-unknown-attribute',
    ['R-172'],
    'an attribute that the operator hasn’t',
    'unknown_attribute',
    (sketch) => sketch.operator('Softmax', [one(sketch)], { axes: 1 }),
  ),
  faulty('error-bad-attribute', ['R-172'], 'an attribute of the wrong type', 'bad_attribute', (sketch) =>
    sketch.operator('Softmax', [one(sketch)], { axis: 'last' }),
  ),
  faulty('error-missing-attribute', ['R-172'], 'a needed attribute left out', 'bad_attribute', (sketch) =>
    sketch.operator('Cast', [one(sketch)]),
  ),
  faulty('error-arity-few', ['R-169', 'R-170'], 'an operator with too few inputs', 'bad_arity', (sketch) =>
    sketch.operator('Add', [one(sketch)]),
  ),
  faulty('error-arity-many', ['R-169'], 'an operator with too many inputs', 'bad_arity', (sketch) => {
    const value = one(sketch);
    return sketch.operator('Abs', [value, value]);
  }),
  faulty('error-dtypes-mixed', ['R-171'], 'an operator on two dtypes', 'wrong_dtype', (sketch) =>
    sketch.operator('Add', [one(sketch), sketch.constant('int32', [1], [1])]),
  ),
  faulty(
    'error-dtype-of-operator',
    ['R-169'],
    'an operator on a dtype that it hasn’t',
    'wrong_dtype',
    (sketch) => sketch.operator('Exp', [sketch.constant('int32', [1], [1])]),
  ),
  faulty('error-reference-later', ['R-133'], 'a reference to a later node', 'bad_reference', (sketch) => {
    one(sketch);
    return sketch.operator('Abs', [2]);
  }),
  faulty('error-reference-itself', ['R-133'], 'a reference to the node itself', 'bad_reference', (sketch) => {
    one(sketch);
    return sketch.operator('Abs', [1]);
  }),
  faulty('error-reference-none', ['R-133'], 'a reference to no node', 'bad_reference', (sketch) => {
    one(sketch);
    return sketch.save(4096);
  }),
  faulty(
    'error-reference-valueless',
    ['R-133'],
    'a reference to a node without a value',
    'bad_reference',
    (sketch) => {
      const saved = sketch.save(one(sketch));
      return sketch.save(saved);
    },
  ),
  faulty(
    'error-nothing-saved',
    ['R-149'],
    'a trace that saves and logs nothing',
    'nothing_saved',
    () => undefined,
  ),
  faulty('error-member-node', ['R-147'], 'a member node on one tensor', 'not_a_tuple', (sketch) =>
    sketch.add({ kind: 'member', of: one(sketch), index: 1 }),
  ),
  faulty(
    'error-tuple-operand',
    ['R-138', 'R-146'],
    'a tuple where a tensor is wanted',
    'tuple_value',
    (sketch, model) => sketch.operator('Abs', [sketch.read(wholeOutputOf(model.tuple))]),
  ),
  faulty(
    'error-cannot-apply',
    ['R-148', 'R-300'],
    'applying a module that takes no activation',
    'cannot_apply',
    (sketch, model) => {
      const without = model.description.modules.find(
        ({ inputs, path }) => inputs.length === 0 && path !== '',
      );
      if (!without) throw new NotApplicable('all modules take an activation');
      return sketch.add({ kind: 'apply', module: without.path, input: one(sketch) });
    },
  ),
  faulty('error-inputs-65', ['R-151'], 'an operator with 65 inputs', 'bad_message', (sketch) =>
    sketch.operator('Max', new Array(65).fill(one(sketch))),
  ),
  faulty('error-log-long', ['R-151'], 'a log of 10 001 bytes', 'bad_message', (sketch) => {
    one(sketch);
    return sketch.add({ kind: 'log', text: 'a'.repeat(10_001) });
  }),
  faulty('error-attribute-65', ['R-172'], 'an attribute of 65 integers', 'bad_message', (sketch) =>
    sketch.operator('Transpose', [one(sketch)], { perm: new Array(65).fill(0) }),
  ),
];
