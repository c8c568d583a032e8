/** Section 3: how what is wrong is told: all of it at once, with its field, its node and the nearest name. */
import type { ConformanceCase } from '../cases.ts';
import { mustRefuse, one } from '../faulty.ts';
import { brief, check, mustEqual } from '../mismatch.ts';
import { Sketch } from '../sketch.ts';

export const REFUSALS: readonly ConformanceCase[] = [
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
