/** Section 3: what a graph and the description tell to be wrong is refused before anything runs, all of it at once. */
import type { ErrorCode, Input, Selection } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual, NotApplicable } from '../mismatch.ts';
import { type ModelFacts, outputOf, wholeOutputOf } from '../model-facts.ts';
import { Sketch } from '../sketch.ts';

interface Fault {
  readonly code: ErrorCode;
  /** The node that the error must name; none where it is about the whole graph or its input. */
  readonly node?: number | undefined;
}

/** A graph with one fault is refused with its code and node. */
export const faulty = (
  id: string,
  requirements: readonly string[],
  shows: string,
  code: ErrorCode,
  draw: (sketch: Sketch, model: ModelFacts) => number | undefined,
): ConformanceCase => ({
  id,
  requirements: [...requirements, 'R-088'],
  shows: `${shows} is refused with ${code}`,
  run: async (context) => {
    const sketch = new Sketch({ ids: context.model.ids });
    const node = draw(sketch, context.model);
    if (node !== undefined && !sketch.nodes.some(({ kind }) => kind === 'save')) sketch.save(0);
    await mustRefuse(context, sketch, { code, node });
  },
});

async function mustRefuse({ open }: CaseContext, sketch: Sketch, { code, node }: Fault) {
  const peer = await open();
  const view = peer.run(sketch.request);
  const error = await view.refusedWith(code);
  if (node !== undefined && code !== 'bad_message') mustEqual('the node', error.node, node);
  await peer.mustGoOn();
  return error;
}

const badInput = (
  id: string,
  shows: string,
  code: ErrorCode,
  input: (model: ModelFacts) => Input,
): ConformanceCase => ({
  id,
  requirements: ['text' in input({ ids: [], description: {} } as unknown as ModelFacts) ? 'R-131' : 'R-132'],
  shows: `${shows} is refused with ${code}`,
  run: async (context) => {
    const sketch = new Sketch(input(context.model));
    sketch.saveRead(outputOf(context.model.early));
    const { refused, status } = await (await context.open()).run(sketch.request).end();
    const codes = (refused ?? status?.errors ?? []).map((error) => error.code);
    check(status?.state !== 'completed' && codes.includes(code), `the error ${code}`, () =>
      brief(refused ?? status),
    );
  },
});

const needed = (number: number | undefined, what: string): number => {
  if (number === undefined) throw new NotApplicable(`the description has no ${what}`);
  return number;
};

const one = (sketch: Sketch): number => sketch.constant('float32', [1], [1]);

export const STATIC_ERRORS: readonly ConformanceCase[] = [
  faulty('error-unknown-module', ['R-135', 'R-181'], 'a place in no module', 'unknown_module', (sketch) =>
    sketch.read({ module: 'x.conformance.none', port: 'output' }),
  ),
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
  faulty('error-member-of-single', ['R-138'], 'member 1 of a single output', 'not_a_tuple', (sketch, model) =>
    sketch.read({ ...wholeOutputOf(model.single), member: 1 }),
  ),
  faulty('error-member-beyond', ['R-138'], 'a member beyond the last', 'not_a_tuple', (sketch, model) =>
    sketch.read({ ...wholeOutputOf(model.tuple), member: 1000 }),
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
    'error-tuple-write',
    ['R-144', 'R-294'],
    'a write to a whole tuple',
    'tuple_value',
    (sketch, model) => {
      const value = sketch.read(outputOf(model.tuple));
      return sketch.write(wholeOutputOf(model.tuple), value);
    },
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
      const dims = model.early.outputs[0]?.dims ?? [];
      const axis = dims.findLastIndex((dim) => typeof dim === 'number');
      if (axis < 0) throw new NotApplicable('the first block’s output has no fixed axis');
      const value = sketch.read(outputOf(model.early));
      const selection = Array.from({ length: axis + 1 }, (_, at) => (at === axis ? Number(dims[axis]) : {}));
      return sketch.write(outputOf(model.early), value, selection);
    },
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
  faulty(
    'error-indices-outside',
    ['R-206', 'R-208'],
    'an index of a list outside a fixed axis',
    'bad_selection',
    (sketch, model) => {
      const dims = model.early.outputs[0]?.dims ?? [];
      const axis = dims.findLastIndex((dim) => typeof dim === 'number');
      if (axis < 0) throw new NotApplicable('the first block’s output has no fixed axis');
      const value = sketch.read(outputOf(model.early));
      const selection: Selection = [...new Array(axis).fill({}), { indices: [0, Number(dims[axis])] }];
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
  badInput('input-no-ids', 'an empty list of ids', 'empty_input', () => ({ ids: [] })),
  badInput('input-no-text', 'an empty text', 'empty_input', () => ({ text: '' })),
  badInput(
    'input-id-outside',
    'an id that is not in the vocabulary',
    'token_out_of_range',
    ({ description }) => ({
      ids: [description.modules ? needed(description.vocabularySize, 'vocabularySize') : 0],
    }),
  ),
  badInput('input-too-long', 'more ids than the context', 'input_too_long', ({ description }) => {
    const length = description.modules ? needed(description.contextLength, 'contextLength') + 1 : 0;
    if (length > 65_536) throw new NotApplicable('the context is longer than a list of ids may be');
    return { ids: new Array(length).fill(0) };
  }),
  {
    id: 'errors-all-at-once',
    requirements: ['R-134', 'R-086'],
    shows: 'all that is wrong with a graph comes in one error message, each with its node',
    run: async ({ open, model }) => {
      const peer = await open();
      const sketch = new Sketch({ ids: model.ids });
      const value = one(sketch);
      const wrong = [
        sketch.read({ module: 'x.conformance.none', port: 'output' }),
        sketch.operator('Conv', [value]),
        sketch.add({ kind: 'parameter', name: 'x.conformance.none' }),
        sketch.operator('Add', [value]),
      ];
      sketch.save(value);
      const errors = await peer.run(sketch.request).refused();
      mustEqual('the nodes', errors.map(({ node }) => node).toSorted(), wrong);
    },
  },
  {
    id: 'errors-at-most-100',
    requirements: ['R-086'],
    shows: 'of 150 errors at most 100 come',
    run: async ({ open, model }) => {
      const peer = await open();
      const sketch = new Sketch({ ids: model.ids });
      for (let count = 0; count < 150; count++) sketch.operator('Conv', []);
      const errors = await peer.run(sketch.request).refused();
      check(errors.length >= 1 && errors.length <= 100, '1 to 100 errors', () => String(errors.length));
    },
  },
  {
    id: 'error-path-of-field',
    requirements: ['R-181'],
    shows: 'a bad_message says at which field',
    run: async ({ open, model }) => {
      const peer = await open();
      peer.send({
        type: 'run',
        run: 'conformance-path',
        model: model.name,
        graph: {
          invokes: [{ input: { ids: model.ids } }],
          nodes: [{ kind: 'read', place: { module: 'x', port: 'sideways' } }],
        },
      });
      mustEqual('path', (await peer.error('bad_message')).path, 'graph.nodes.0.place.port');
    },
  },
  {
    id: 'error-nearest',
    requirements: ['R-182'],
    shows: 'an error about a name, if it suggests one, suggests one that there is, and the likely one',
    run: async (context) => {
      const sketch = new Sketch({ ids: context.model.ids });
      sketch.operator('Sofmax', [one(sketch)]);
      sketch.save(0);
      const { nearest } = await mustRefuse(context, sketch, { code: 'unknown_operator' });
      check(nearest === undefined || nearest === 'Softmax', 'Softmax', () => brief(nearest));
    },
  },
  ...[
    ['invokes-none', []],
    ['invokes-two', [{ input: { ids: [0] } }, { input: { ids: [0] } }]],
  ].map(
    ([id, invokes]): ConformanceCase => ({
      id: String(id),
      requirements: ['R-130'],
      shows: `a graph with ${Array.isArray(invokes) ? invokes.length : 0} inputs, and no capability, is refused`,
      run: async ({ open, model }) => {
        const peer = await open();
        const nodes = [{ kind: 'log', text: 'conformance' }];
        peer.send({
          type: 'run',
          run: `conformance-${String(id)}`,
          model: model.name,
          graph: { invokes, nodes },
        });
        const message = await peer.answer('an error');
        const code = message.type === 'error' ? message.errors[0]?.code : message.type;
        check(code === 'bad_message' || code === 'not_offered', 'bad_message or not_offered', () =>
          brief(message),
        );
      },
    }),
  ),
];
