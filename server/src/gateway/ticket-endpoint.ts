/** `POST /v2/ticket`: gives a browser that has a key the ticket for one upgrade, and answers its preflight. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Door, Refused } from './door.ts';
import { TICKETS_OPEN } from './keys/tickets.ts';

export const TICKET_PATH = '/v2/ticket';

export function answerTicket(door: Door, request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('Cache-Control', 'no-store');
  allowOrigin(door, request, response);
  const refused = door.originRefusal(request);
  if (refused) return refuse(response, refused);
  if (request.method === 'OPTIONS') return preflight(response);
  if (!door.hasKeys) return refuse(response, { status: 404, why: 'This server wants no key.' });
  if (request.method !== 'POST') {
    return refuse(response, { status: 405, why: 'Ask with POST.', headers: { Allow: 'POST, OPTIONS' } });
  }
  const entry = door.authorize(request);
  if ('refused' in entry) return refuse(response, entry.refused);
  const ticket = door.tickets.issue(entry.key ?? '');
  if (ticket === undefined) return refuse(response, tooMany(door));
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ ticket, expiresMs: door.tickets.lifeMs }));
}

/** What a page may read of the answer, whatever it is. */
function allowOrigin(door: Door, { headers: { origin } }: IncomingMessage, response: ServerResponse): void {
  response.setHeader('Vary', 'Origin');
  if (origin === undefined || !door.mayRead(origin)) return;
  response.setHeader('Access-Control-Allow-Origin', origin);
  response.setHeader('Access-Control-Expose-Headers', 'Retry-After');
}

function preflight(response: ServerResponse): void {
  response.writeHead(204, {
    'Access-Control-Allow-Methods': 'POST',
    'Access-Control-Allow-Headers': 'Authorization',
    'Access-Control-Max-Age': '600',
  });
  response.end();
}

/** The request's body, which nobody wants, is not waited for. */
function refuse(response: ServerResponse, { status, why, headers = {} }: Refused): void {
  response.writeHead(status, {
    ...headers,
    'Content-Type': 'text/plain; charset=utf-8',
    Connection: 'close',
  });
  response.end(`${why}\n`);
}

function tooMany(door: Door): Refused {
  const why = `${TICKETS_OPEN} tickets of this key have not been used.`;
  return { status: 429, why, headers: { 'Retry-After': String(Math.ceil(door.tickets.lifeMs / 1000)) } };
}
