/** Section 6.7: what a run would do, compared with what it then does. */
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { brief, check, Mismatch, mustEqual, NotApplicable } from '../mismatch.ts';
import { inputOf, outputOf, wholeOutputOf } from '../model-facts.ts';
import { type Fields, type PlainPeer, talk } from '../plain-peer.ts';
import { Sketch } from '../sketch.ts';
import { mustBeClose, numbersOf, oneTensor } from '../tensors.ts';

interface Explaining {
  readonly context: CaseContext;
  readonly peer: PlainPeer;
  readonly graphOf: (nodes: readonly object[], input?: object) => object;
  /** The explanation of a graph, or the errors that refused it. */
  readonly ask: (
    graph: object,
    payload?: Uint8Array,
  ) => Promise<{ readonly explanation: Fields } | { readonly errors: Fields[] }>;
  readonly explain: (nodes: readonly object[]) => Promise<Fields>;
  /** The codes of the errors that refused it. */
  readonly refused: (graph: object) => Promise<unknown[]>;
}

const explainCase = (
  id: string,
  requirements: readonly string[],
  shows: string,
  run: (explaining: Explaining) => Promise<void>,
  capabilities: readonly string[] = ['explain'],
): ConformanceCase => ({
  id,
  requirements,
  shows,
  profile: 'explain',
  run: (context) =>
    talk(context, capabilities, async (peer) => {
      let request = 0;
      const { model } = context;
      const ask: Explaining['ask'] = async (graph, payload) => {
        request += 1;
        peer.send({ type: 'explain', request, model: model.name, graph }, payload);
        const { header } = await peer.next(
          'an explanation or an error',
          ({ type, request: of }) => (type === 'explanation' || type === 'error') && of === request,
        );
        if (header['type'] === 'error') return { errors: header['errors'] as Fields[] };
        return { explanation: header['explanation'] as Fields };
      };
      const graphOf = (nodes: readonly object[], input: object = { ids: model.ids }): object => ({
        invokes: [{ input }],
        nodes,
      });
      await run({
        context,
        peer,
        graphOf,
        ask,
        explain: async (nodes) => {
          const answer = await ask(graphOf(nodes));
          if ('explanation' in answer) return answer.explanation;
          throw new Mismatch('an explanation', brief(answer.errors));
        },
        refused: async (graph) => {
          const answer = await ask(graph);
          if ('errors' in answer) return answer.errors.map(({ code }) => code);
          throw new Mismatch('an error', brief(answer.explanation));
        },
      });
    }),
});

const save = (value: number): object => ({ kind: 'save', value });
const read = (place: object): object => ({ kind: 'read', place });
const list = (explanation: Fields, field: string): Fields[] => explanation[field] as Fields[];

/** Graphs that stop early, run through, write, and skip, where the model has what they take. */
function graphsOf({ model }: CaseContext): readonly (readonly object[])[] {
  const early = outputOf(model.early);
  const last = outputOf(model.last);
  const [, block] = model.blocks;
  return [
    [read(early), save(0)],
    [read(last), save(0), read(early), save(2), { kind: 'stop', place: early }],
    [read(early), { kind: 'write', place: outputOf(block), value: 0 }, read(last), save(2)],
    [read(inputOf(block)), { kind: 'skip', module: block.path, value: 0 }, read(outputOf(block)), save(2)],
  ];
}

const SUMS = ['tokens', 'modulesRun', 'modulesTotal', 'segmentsRun', 'segmentsTotal', 'stoppedAfter'];

export const EXPLAIN: readonly ConformanceCase[] = [
  explainCase(
    'explain',
    ['R-422', 'R-423'],
    'the sums are those of the run’s report, and the segments add up to them',
    async ({ context, peer, explain, graphOf }) => {
      for (const nodes of graphsOf(context)) {
        const explanation = await explain(nodes);
        const status = (await peer.run({ graph: graphOf(nodes) })).ended('completed');
        const report = status['report'] as Fields;
        for (const field of SUMS) mustEqual(field, explanation[field], report[field]);
        const segments = list(explanation, 'segments');
        mustEqual('how many segments there are', segments.length, report['segmentsRun']);
        const modules = segments.reduce((sum, each) => sum + Number(each['modules']), 0);
        mustEqual('the modules of all segments', modules, report['modulesRun']);
        const changed = nodes.flatMap((node) => {
          const { kind, place, module } = node as {
            kind: string;
            place?: { module: string };
            module?: string;
          };
          return kind === 'write' || kind === 'skip' ? [place?.module ?? module] : [];
        });
        for (const { end, at } of segments) {
          check(
            end === 'write' ? changed.includes(at as string) : at === undefined,
            'a written module there',
            () => brief(at),
          );
        }
      }
    },
  ),
  explainCase(
    'explain-idle',
    ['R-424'],
    'a module that is skipped is idle, and those in it aren’t named',
    async ({ context, explain }) => {
      const [, block] = context.model.blocks;
      const { last } = context.model;
      const idle = (
        await explain([
          read(inputOf(block)),
          { kind: 'skip', module: block.path, value: 0 },
          read(outputOf(last)),
          save(2),
        ])
      )['idle'] as string[];
      check(idle.includes(block.path), `${block.path} among the idle`, () => brief(idle));
      const inside = idle.filter((path) => path.startsWith(`${block.path}.`));
      mustEqual('idle modules inside it', inside, []);
      mustEqual('idle modules of a plain read', (await explain([read(outputOf(last)), save(0)]))['idle'], []);
    },
  ),
  explainCase(
    'explain-saves',
    ['R-425', 'R-426'],
    'each save has the bytes of its value or its access error, and a hook behind a stop is a warning',
    async ({ context, peer, explain, graphOf }) => {
      const { early, last, tuple } = context.model;
      const nodes = [
        read(outputOf(last)),
        save(0),
        read(outputOf(early)),
        save(2),
        { kind: 'stop', place: outputOf(early) },
      ];
      const explanation = await explain(nodes);
      const run = await peer.run({ graph: graphOf(nodes) });
      const [behind, before] = list(explanation, 'saves');
      mustEqual(
        'the saves',
        list(explanation, 'saves').map((each) => each['save']),
        [1, 3],
      );
      mustEqual(
        'the error behind the stop',
        (behind?.['error'] as Fields | undefined)?.['code'],
        'not_reached',
      );
      mustEqual('its bytes', behind?.['bytes'], undefined);
      mustEqual('the bytes', before?.['bytes'], bytesOf(run.of('value')[0]?.header['value']));
      mustEqual(
        'the warnings',
        list(explanation, 'warnings').map(({ code, node }) => [code, node]),
        [['behind_stop', 0]],
      );
      const whole = [read(wholeOutputOf(tuple)), save(0)];
      const [all] = list(await explain(whole), 'saves');
      if (all?.['bytes'] === undefined) return;
      const given = (await peer.run({ graph: graphOf(whole) })).of('value')[0]?.header['value'];
      mustEqual('the bytes of a tuple', all['bytes'], bytesOf(given));
    },
  ),
  explainCase(
    'explain-positions',
    ['R-493', 'R-494'],
    'positions are fewer than the tokens, absent where all are read, and what is read of one is as of all',
    async ({ context: { model }, peer, ask }) => {
      const place = outputOf(model.last);
      const axis = model.last.outputs[0]?.dims.indexOf('sequence') ?? -1;
      const ids = model.prompt(5);
      if (axis < 0 || ids.length < 2)
        throw new NotApplicable('what comes last has no positions to choose from');
      const positionsOf = async ({ request: { graph, payload } }: Sketch): Promise<unknown[]> => {
        const answer = await ask(graph, payload);
        if (!('explanation' in answer)) throw new Mismatch('an explanation', brief(answer.errors));
        return list(answer.explanation, 'segments').flatMap(({ positions }) => positions ?? []);
      };
      const sketch = (all: boolean): { sketch: Sketch; saves: number[] } => {
        const sketch = new Sketch({ ids });
        const value = sketch.read(place);
        const one = sketch.save(
          sketch.operator('Gather', [value, sketch.constant('int64', [1], [-1])], { axis }),
        );
        return { sketch, saves: all ? [one, sketch.save(value)] : [one] };
      };
      const [some, all] = [sketch(false), sketch(true)];
      for (const positions of await positionsOf(some.sketch))
        check(
          Number(positions) >= 1 && Number(positions) < ids.length,
          `from 1 to ${ids.length - 1} positions`,
          () => brief(positions),
        );
      mustEqual('positions where all are saved', await positionsOf(all.sketch), []);
      const lastOf = async ({ sketch: { request }, saves: [save = 0] }: typeof some): Promise<number[]> => {
        const run = await peer.run({ graph: request.graph }, request.payload);
        run.ended('completed');
        return numbersOf(oneTensor(run.value(save)));
      };
      mustBeClose('the last position', await lastOf(some), await lastOf(all));
    },
  ),
  explainCase(
    'explain-refused',
    ['R-421'],
    'what refuses the run refuses it, with all errors; so do tokens that would fail the run',
    async ({ context, graphOf, refused }) => {
      const { early, last, description } = context.model;
      const place = outputOf(early);
      const two = [
        read(outputOf(last)),
        { kind: 'write', place, value: 0 },
        read({ ...place, module: '?' }),
        save(2),
      ];
      const codes = await refused(graphOf(two));
      const both = codes.includes('unknown_module') && codes.includes('write_order');
      check(both, 'unknown_module and write_order', () => brief(codes));
      mustEqual('of nothing saved', await refused(graphOf([read(place)])), ['nothing_saved']);
      const nodes = [read(place), save(0)];
      mustEqual('of no tokens', await refused(graphOf(nodes, { ids: [] })), ['empty_input']);
      mustEqual('of no text', await refused(graphOf(nodes, { text: '' })), ['empty_input']);
      const { contextLength } = description;
      if (contextLength === undefined || contextLength > 4096) return;
      const long = { text: 'a b '.repeat(2 * contextLength) };
      mustEqual('of a long text', await refused(graphOf(nodes, long)), ['input_too_long']);
    },
  ),
  explainCase(
    'explain-steps',
    ['R-420'],
    'steps are refused',
    async ({ context, graphOf, refused }) => {
      const place = { ...outputOf(context.model.early), steps: 0 };
      mustEqual('the codes', await refused(graphOf([read(place), save(0)])), ['bad_message']);
    },
    ['explain', 'generation'],
  ),
  explainCase(
    'explain-not-announced',
    ['R-186', 'R-187'],
    'a client that hasn’t announced it gets not_offered',
    async ({ context, graphOf, refused }) => {
      const nodes = [read(outputOf(context.model.early)), save(0)];
      mustEqual('the codes', await refused(graphOf(nodes)), ['not_offered']);
    },
    [],
  ),
];

/** The lengths of a value's tensors together. */
function bytesOf(value: unknown): number {
  const { tensor, tuple = [] } = (value ?? {}) as { tensor?: { length: number }; tuple?: unknown[] };
  return tensor ? tensor.length : tuple.reduce<number>((sum, member) => sum + bytesOf(member), 0);
}
