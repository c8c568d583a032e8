/**
 * `GET /v2/runs` tells the runs of a key that have not ended, those that run first, then in the order of the queue; `DELETE
 * /v2/runs/HANDLE` cancels one (PROTOCOL.md, section 1.6). A handle is made of a run's id and does not tell it: without keys an id
 * is the secret by which a client comes back to its run.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sha256Hex } from '@tracewire/protocol';
import type { Door, Refused } from './door.ts';
import type { Gateway } from './gateway.ts';
import type { KeptRun } from './kept-run.ts';
import type { KeyRuns } from './key-runs.ts';
import type { RunStanding } from './run.ts';

const PATH = '/v2/runs';
const HANDLE_DIGITS = 32;

export const isRunsPath = (path: string): boolean => path === PATH || path.startsWith(`${PATH}/`);

interface Listed extends RunStanding {
  readonly handle: string;
  readonly detached?: true;
}

export function answerRuns(
  door: Door,
  gateway: Gateway | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const refused = door.originRefusal(request);
  const entry = refused ? { refused } : door.authorize(request);
  if ('refused' in entry) return refuse(response, entry.refused);
  if (!gateway) return refuse(response, { status: 503, why: 'The server is not ready.' });
  const runs = gateway.runsOf(entry.key);
  const [path = ''] = (request.url ?? '').split('?');
  const handle = path.slice(PATH.length + 1);
  const { method = '' } = request;
  if (handle === '') {
    if (method !== 'GET' && method !== 'HEAD') return refuse(response, wrongMethod('GET, HEAD'));
    return send(response, 200, { runs: listed(runs) });
  }
  if (method !== 'DELETE') return refuse(response, wrongMethod('DELETE'));
  const run = find(runs, handle);
  if (!run)
    return refuse(response, {
      status: 404,
      why: `No run that goes on has the handle ${JSON.stringify(handle)}.`,
    });
  run.cancel();
  response.writeHead(204, HEADERS).end();
}

const HEADERS = { 'Cache-Control': 'no-store' };

function send(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Refused['headers'] = {},
): void {
  response.writeHead(status, { ...HEADERS, ...headers, 'Content-Type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function refuse(response: ServerResponse, { status, why, headers }: Refused): void {
  send(response, status, { error: why }, headers);
}

const wrongMethod = (allow: string): Refused => ({
  status: 405,
  why: `Ask with ${allow}.`,
  headers: { Allow: allow },
});

function handleOf({ id }: KeptRun): string {
  return sha256Hex(new TextEncoder().encode(id)).slice(0, HANDLE_DIGITS);
}

function find(runs: KeyRuns, handle: string): KeptRun | undefined {
  return [...runs].find((run) => run.standing && handleOf(run) === handle);
}

function listed(runs: KeyRuns): Listed[] {
  const all = [...runs].flatMap((run): Listed[] => {
    const { standing } = run;
    return standing ? [{ handle: handleOf(run), ...standing, ...(run.detached && { detached: true }) }] : [];
  });
  const rank = ({ state, position }: Listed): number =>
    state === 'running' ? -1 : (position ?? Number.MAX_VALUE);
  return all.sort((a, b) => rank(a) - rank(b) || b.ageMs - a.ageMs);
}
