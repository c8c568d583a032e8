/** Sections 1.4 and 6 of the page: hello and welcome, who may say what when, and how a connection ends. */
import { ANY_ERROR, amid, anError, broken, type ClientCase, error, ONE, TUTORIAL, turn } from '../case.ts';
import { DESCRIPTION } from '../fixture.ts';
import type { Script } from '../scripted-connection.ts';

/** The server does something else in place of the plain welcome. */
const greeted = (
  id: string,
  requirements: readonly string[],
  shows: string,
  greet: NonNullable<Script['greet']>,
  over: Partial<ClientCase> = {},
): ClientCase => ({
  id: `client-${id}`,
  requirements,
  shows,
  trace: 'one',
  prints: ANY_ERROR,
  script: { greet },
  ...over,
});

const RIGHT: readonly ClientCase[] = [
  // First, for it takes longest.
  greeted('no-welcome', ['R-282'], 'without an answer to its hello it gives up after 10 s', () => undefined, {
    prints: anError('unreachable'),
    milliseconds: 12_000,
    judge: ([connection]) => {
      const waited = Math.round(connection?.openFor ?? 0);
      return waited >= 9_000 ? undefined : `it gave up after ${waited} ms`;
    },
  }),
  {
    id: 'client-tutorial',
    requirements: ['R-005', 'R-008', 'R-009', 'R-038', 'R-060', 'R-061', 'R-062', 'R-102', 'R-164'],
    shows:
      'it offers the subprotocol and no compression, says hello first, waits for the welcome, and shows a value and an access error',
    trace: 'tutorial',
    prints: TUTORIAL,
    judge: ([connection]) =>
      connection?.socket.offered.includes('tracewire.v1') ? undefined : 'the subprotocol was not offered',
  },
  {
    id: 'client-capabilities',
    requirements: ['R-188', 'R-117', 'R-186'],
    shows: 'a welcome with capabilities that it doesn’t know is no trouble',
    trace: 'one',
    prints: ONE,
    script: { capabilities: ['x-conformance-unknown', 'gradients'] },
  },
  {
    id: 'client-limits',
    requirements: ['R-390'],
    shows: 'a limit that it doesn’t know is no trouble',
    trace: 'one',
    prints: ONE,
    script: { limits: { 'x-conformance': 1 } as object },
  },
  greeted(
    'unsupported-version',
    ['R-043', 'R-284'],
    'an error in place of the welcome is what it reports, by its code',
    (connection) => {
      connection.send({ type: 'error', errors: [error('unsupported_version'), error('internal')] });
      connection.socket.close(4400, 'another version');
    },
    { prints: anError('unsupported_version'), judge: (connections) => once(connections.length) },
  ),
  greeted(
    'closed-before-welcome',
    ['R-039'],
    'a close in place of the welcome is an error, not a hang',
    ({ socket }) => socket.close(1000, ''),
  ),
  {
    ...greeted(
      'refused-upgrade',
      ['R-006', 'R-189'],
      'a refused upgrade is an error, not a hang',
      () => undefined,
    ),
    script: { refuses: 401 },
  },
  turn(
    'error-nameless',
    ['R-285'],
    'an error that names neither a run nor a request ends what waits, with its code; the close is a plain one',
    anError('bad_message'),
    (run, connection) => {
      run.begin();
      connection.send({ type: 'error', errors: [error('bad_message')] });
    },
    { closes: [1000] },
  ),
  turn(
    'error-unknown-code',
    ['R-054'],
    'an error code that it doesn’t know is no breach',
    anError('x_conformance' as never),
    (run, connection) => connection.send({ type: 'error', run: run.id, errors: [error('x_conformance')] }),
  ),
  {
    id: 'client-description-refused',
    requirements: ['R-087'],
    shows: 'a refused request ends with the error’s code',
    trace: 'one',
    prints: anError('unknown_model'),
    describes: true,
    script: {
      describe: (request, connection) =>
        connection.send({ type: 'error', request, errors: [error('unknown_model')] }),
    },
  },
];

const once = (connections: number): string | undefined =>
  connections === 1 ? undefined : `it connected ${connections} times`;

/** The client must not even say hello on such a socket. */
const subprotocol = (id: string, shows: string, chosen: string | false): ClientCase => ({
  id: `client-subprotocol-${id}`,
  requirements: ['R-005'],
  shows,
  trace: 'one',
  prints: ANY_ERROR,
  script: { subprotocol: chosen },
  judge: (connections) =>
    connections.some(({ greeted }) => greeted) ? 'it said hello without the subprotocol' : undefined,
});

const welcomes = (
  id: string,
  requirement: string,
  shows: string,
  fields: object,
  over: Partial<ClientCase> = {},
): ClientCase =>
  broken(`welcome-${id}`, requirement, shows, () => undefined, {
    script: { greet: (connection) => connection.welcome(fields) },
    ...over,
  });

const LIMITS = { messageBytes: 1e6, nodes: 10, savedBytes: 1e6, windowBytes: 1e6, chunkBytes: 1e5 };

/** A breach too, but one whose remedy a user can be told. */
const UNSUPPORTED = {
  shows: 'a welcome of another protocol or operator set: it closes with 4400 and reports unsupported_version',
  prints: anError('unsupported_version'),
};

const BROKEN: readonly ClientCase[] = [
  subprotocol('none', 'a server that selects no subprotocol is no server of this page', false),
  subprotocol('other', 'nor is one that selects another', 'tracewire.v9'),
  welcomes('protocol', 'R-076', 'a welcome of another protocol', { protocol: 2 }, UNSUPPORTED),
  welcomes('opset', 'R-079', 'a welcome of another operator set', { opset: 20 }, UNSUPPORTED),
  welcomes('no-epoch', 'R-076', 'a welcome without an epoch', { epoch: undefined }),
  welcomes('epoch', 'R-002', 'an epoch that is no id', { epoch: 'e 1' }),
  welcomes('no-limits', 'R-081', 'a welcome without limits', { limits: undefined }),
  welcomes('limit-missing', 'R-081', 'a welcome that leaves out a limit', { limits: LIMITS }),
  welcomes('limit-0', 'R-286', 'a limit of 0', { limits: { ...LIMITS, runs: 0 } }),
  welcomes('limit-nan', 'R-081', 'a limit that is NaN', { limits: { ...LIMITS, runs: Number.NaN } }),
  welcomes('models-none', 'R-287', 'a welcome without models', { models: [] }),
  welcomes('models-map', 'R-287', 'models that are a map', { models: {} }),
  welcomes('models-many', 'R-287', 'a welcome of 1001 models', { models: new Array(1001).fill('demo') }),
  welcomes('capabilities-65', 'R-287', 'a welcome of 65 capabilities', {
    capabilities: Array.from({ length: 65 }, (_, index) => `x-${index}`),
  }),
  broken('before-welcome', 'R-039', 'another message in place of the welcome', () => undefined, {
    script: { greet: (connection) => connection.send({ type: 'text', request: 1, text: 'x' }) },
  }),
  amid('welcome-again', 'R-039', 'a second welcome', (_, connection) => connection.welcome()),
  amid('unknown-message', 'R-044', 'a message of no known type', (_, connection) =>
    connection.send({ type: 'x-conformance' }),
  ),
  amid('request-unknown', 'R-063', 'an answer to nothing it asked', (_, connection) =>
    connection.send({ type: 'text', request: 123_456, text: 'x' }),
  ),
  amid('error-request-unknown', 'R-087', 'an error for nothing it asked', (_, connection) =>
    connection.send({ type: 'error', request: 123_456, errors: [error('internal')] }),
  ),
  amid('text-frame', 'R-009', 'a text frame', (_, { socket }) => socket.wire.sendText('hello')),
  ...(
    [
      ['answer-other', 'R-063', 'an answer of another kind', { type: 'text', text: 'x' }],
      [
        'description',
        'R-083',
        'a description without modules',
        { description: { ...DESCRIPTION, modules: undefined } },
      ],
      ['description-axis', 'R-178', 'an axis with an empty name', { description: withAxis('') }],
    ] as const
  ).map(
    ([id, requirement, shows, fields]): ClientCase => ({
      ...broken(id, requirement, shows, () => undefined),
      describes: true,
      script: {
        describe: (request, connection) => connection.send({ type: 'description', request, ...fields }),
      },
    }),
  ),
];

export const CONVERSATION = [...RIGHT, ...BROKEN];

function withAxis(axis: string): object {
  const [first, ...others] = DESCRIPTION.modules;
  const outputs = [{ name: 'y', dtype: 'float32', dims: [axis] }];
  return { ...DESCRIPTION, modules: [{ ...first, outputs }, ...others] };
}
