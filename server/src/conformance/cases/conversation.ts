/** Section 1.4 and the requests of 2.1: what is answered how, and that the conversation goes on. */
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { check, mustEqual, NotApplicable } from '../mismatch.ts';
import { outputOf } from '../model-facts.ts';
import type { Peer } from '../peer.ts';
import { Sketch } from '../sketch.ts';

/** This message gets this error, and the conversation goes on. */
const answeredWith = (
  id: string,
  requirements: readonly string[],
  shows: string,
  code: string,
  message: (context: CaseContext, peer: Peer) => object,
): ConformanceCase => ({
  id,
  requirements,
  shows,
  run: async (context) => {
    const peer = await context.open();
    peer.send(message(context, peer));
    await peer.error(code);
    await peer.mustGoOn();
  },
});

const ofTable = (id: string, requirement: string, shows: string, message: (model: string) => object) =>
  answeredWith(id, [requirement, 'R-045'], `${shows} gets bad_message`, 'bad_message', ({ model }) =>
    message(model.name),
  );

/** A text that any tokenizer takes. */
const TEXT = 'hello world';

export const CONVERSATION: readonly ConformanceCase[] = [
  answeredWith(
    'unknown-message',
    ['R-044'],
    'a message of no known type gets unknown_message',
    'unknown_message',
    () => ({
      type: 'x-conformance',
    }),
  ),
  answeredWith(
    'unknown-message-server',
    ['R-044'],
    'a message of the other direction gets unknown_message',
    'unknown_message',
    () => ({ type: 'progress', run: 'a', done: 1, total: 2 }),
  ),
  ofTable('name-empty', 'R-001', 'an empty name', () => ({ type: 'describe', request: 7, model: '' })),
  ofTable('name-long', 'R-001', 'a name of 513 bytes', () => ({
    type: 'describe',
    request: 7,
    model: `${'é'.repeat(256)}x`,
  })),
  answeredWith(
    'unknown-model',
    ['R-064', 'R-087'],
    'a request for no model gets unknown_model',
    'unknown_model',
    () => ({
      type: 'describe',
      request: 7,
      model: 'x-conformance-no-such-model',
    }),
  ),
  {
    id: 'error-names-request',
    requirements: ['R-087'],
    shows: 'an error repeats the number of the request that it refuses',
    run: async ({ open }) => {
      const peer = await open();
      peer.send({ type: 'describe', request: 41, model: 'x-conformance-no-such-model' });
      mustEqual('request', (await peer.next('error')).request, 41);
    },
  },
  {
    id: 'describe',
    requirements: ['R-063', 'R-083'],
    shows: 'describe is answered with a description and its own number',
    run: async ({ open, model }) => {
      const peer = await open();
      peer.send({ type: 'describe', request: 0, model: model.name });
      const { request, description } = await peer.next('description');
      mustEqual('request', request, 0);
      mustEqual('the name', description.name, model.name);
    },
  },
  {
    id: 'requests-in-flight',
    requirements: ['R-040', 'R-063'],
    shows: 'several requests at a time are all answered, each by its number',
    run: async ({ open, model }) => {
      const peer = await open();
      for (const request of [1, 2, 3]) peer.send({ type: 'describe', request, model: model.name });
      const answers = [
        await peer.next('description'),
        await peer.next('description'),
        await peer.next('description'),
      ];
      mustEqual('the requests', answers.map(({ request }) => request).toSorted(), [1, 2, 3]);
    },
  },
  {
    id: 'request-free-again',
    requirements: ['R-063'],
    shows: 'a number may be used again once it has been answered',
    run: async ({ open, model }) => {
      const peer = await open();
      for (let turn = 0; turn < 2; turn++) {
        peer.send({ type: 'describe', request: 5, model: model.name });
        mustEqual('request', (await peer.next('description')).request, 5);
      }
    },
  },
  {
    id: 'request-in-use',
    requirements: ['R-047'],
    shows: 'a number that awaits an answer, used again, gets bad_message, and it goes on',
    run: async ({ open, model }) => {
      const peer = await open();
      const ask = { type: 'tokenize', request: 9, model: model.name, text: `${TEXT} `.repeat(2000) };
      peer.send(ask);
      peer.send(ask);
      const answers = [await anyAnswer(peer), await anyAnswer(peer)];
      if (answers.every((answer) => answer === 'tokens'))
        throw new NotApplicable('the server answered before the number came again');
      mustEqual('the answers', answers.toSorted(), ['error bad_message', 'tokens']);
      await peer.mustGoOn();
    },
  },
  {
    id: 'tokenize',
    requirements: ['R-066', 'R-067', 'R-084', 'R-085'],
    shows: 'tokenize gives ids and as many strings; detokenize gives a text; both repeat the number',
    run: async ({ open, model }) => {
      const peer = await open();
      peer.send({ type: 'tokenize', request: 3, model: model.name, text: TEXT });
      const { request, ids, tokens } = await peer.next('tokens');
      mustEqual('request', request, 3);
      check(
        ids.length > 0 && ids.length === tokens.length,
        'as many strings as ids, at least one',
        () => `${ids.length} ids and ${tokens.length} strings`,
      );
      const { vocabularySize = Number.POSITIVE_INFINITY } = model.description;
      check(
        ids.every((id) => id < vocabularySize),
        `ids below ${vocabularySize}`,
        () => ids.join(', '),
      );
      peer.send({ type: 'detokenize', request: 4, model: model.name, ids });
      const back = await peer.next('text');
      mustEqual('request', back.request, 4);
      check(back.text.toLowerCase().includes('hello'), `a text like ${TEXT}`, () => back.text);
    },
  },
  ofTable('detokenize-wrong', 'R-067', 'a detokenize with a negative id', (model) => ({
    type: 'detokenize',
    request: 7,
    model,
    ids: [-1],
  })),
  ofTable('detokenize-long', 'R-067', 'a detokenize of 65 537 ids', (model) => ({
    type: 'detokenize',
    request: 7,
    model,
    ids: new Array(65_537).fill(0),
  })),
  ofTable('tokenize-long', 'R-066', 'a tokenize of more than 1 MiB', (model) => ({
    type: 'tokenize',
    request: 7,
    model,
    text: 'a'.repeat(1024 * 1024 + 1),
  })),
  {
    id: 'interleave',
    requirements: ['R-040'],
    shows: 'runs and requests interleave: three runs and a request at once all come to their end',
    run: async ({ open, model }) => {
      const peer = await open();
      const runs = [0, 1, 2].map(() => {
        const sketch = new Sketch({ ids: model.ids });
        const save = sketch.saveRead(outputOf(model.early));
        return { save, view: peer.run(sketch.request) };
      });
      await peer.mustGoOn();
      for (const { save, view } of runs) {
        await view.ended('completed');
        view.value(save);
      }
    },
  },
  {
    id: 'not-offered',
    requirements: ['R-117', 'R-186', 'R-187'],
    shows: 'a message of a capability that hello did not announce gets not_offered, which names it',
    run: async ({ open }) => {
      const peer = await open();
      peer.send({ type: 'resume', run: 'conformance-none', after: 0 });
      const error = await peer.error('not_offered');
      mustEqual('wanted', error.wanted, 'resume');
      await peer.mustGoOn();
    },
  },
];

async function anyAnswer(peer: Peer): Promise<string> {
  const tokens = await peer.answer();
  return tokens.type === 'error' ? `error ${tokens.errors[0]?.code}` : tokens.type;
}
