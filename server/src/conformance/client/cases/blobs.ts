/** Sections 6.4 and 6.5 of the page: a client that sends a function, and calls it. */
import { anError, type ClientCase, error, type Prints } from '../case.ts';
import { doubled, printed } from '../fixture.ts';
import type { Script, ScriptedConnection } from '../scripted-connection.ts';

const DOUBLED: Prints = { lines: [{ save: 'double', ...printed(doubled()) }] };
/** Parts so small that the function is several, and two of them may be under way. */
const LIMITS = { chunkBytes: 16, windowBytes: 32, blobBytes: 1024 * 1024, blobMs: 60_000 };

const calling = (
  id: string,
  requirement: string,
  shows: string,
  script: Script,
  over: Partial<ClientCase> = {},
): ClientCase => ({
  id: `client-${id}`,
  requirements: [requirement],
  shows,
  trace: 'function',
  prints: DOUBLED,
  profile: 'functions',
  ...over,
  script: {
    capabilities: ['blobs', 'functions'],
    ...script,
    limits: { ...LIMITS, ...script.limits },
  },
});

const offersOf = ([connection]: readonly ScriptedConnection[]): number => connection?.blobs.offers ?? 0;

export const BLOBS: readonly ClientCase[] = [
  calling(
    'function',
    'R-416',
    'it offers a function, sends its parts as they are acknowledged, never too far ahead, and calls it',
    {},
  ),
  calling(
    'function-known',
    'R-366',
    'what the server has already is not sent',
    {
      offer: ({ sha256, size }, connection) =>
        connection.send({ type: 'blob_state', sha256, state: 'known', received: size }),
    },
    {
      judge: ([connection]) => (connection?.blobs.parts === 0 ? undefined : 'it sent parts'),
    },
  ),
  calling(
    'function-again',
    'R-419',
    'a function that the server has let go of is sent again, and then the run',
    {
      run: (run, connection) => {
        const { known } = connection.blobs;
        const [sha256 = ''] = known.keys();
        if (connection.blobs.offers > 1) return run.answer();
        known.clear();
        const errors = [{ ...error('unknown_blob'), wanted: sha256 }];
        connection.send({ type: 'error', run: run.id, errors });
      },
      retry: (run, connection) => {
        run.moveTo((header, payload) => connection.send(header, payload), 0);
        return run.answer();
      },
    },
    { judge: (connections) => (offersOf(connections) > 1 ? undefined : 'it offered the function once') },
  ),
  calling(
    'function-refused',
    'R-366',
    'a blob that is refused ends the trace with the server’s error',
    {
      offer: ({ sha256 }, connection) =>
        connection.send({
          type: 'blob_state',
          sha256,
          state: 'refused',
          received: 0,
          error: error('too_large'),
        }),
    },
    { prints: anError('too_large') },
  ),
  calling('function-lost', 'R-418', 'a function that was cut off goes on where the server says', {
    capabilities: ['blobs', 'functions', 'resume'],
    limits: { resumeMs: 20_000 },
    part: ({ offset }, connection) => {
      if (connection.index === 0 && offset >= 16) connection.socket.wire.destroy();
    },
  }),
  calling(
    'broken-blob-state',
    'R-417',
    'a state of a blob that was not offered is a breach: it closes with 4400 and reports protocol_violation',
    {
      offer: (_, connection) =>
        connection.send({ type: 'blob_state', sha256: '0'.repeat(64), state: 'known', received: 1 }),
    },
    { prints: anError('protocol_violation'), closes: [4400] },
  ),
];
