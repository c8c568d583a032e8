/**
 * Who may come in (PROTOCOL.md, sections 1 and 1.5): looks at Host and Origin, then at the key or the ticket. The same
 * for upgrades and for tickets. Neither keys nor tickets are logged, nor repeated in an answer.
 */
import type { IncomingMessage } from 'node:http';
import { SUBPROTOCOL } from '@tracewire/protocol';
import { Attempts } from './keys/attempts.ts';
import type { KeyRing, Verdict } from './keys/key-ring.ts';
import { holdsKey } from './keys/secret.ts';
import { Tickets } from './keys/tickets.ts';
import type { Log } from './log.ts';
import { mayUse, type OriginRules, originFault } from './origin.ts';

const TICKET_PROTOCOL = 'tracewire.ticket.';
/** A key file that can't be read is mended by hand. */
const UNREADABLE_RETRY_S = 5;

/** An HTTP answer that says no. */
export interface Refused {
  readonly status: number;
  readonly why: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Let in, with the id of its key where the server has keys. */
export type Entry = { readonly key: string | undefined } | { readonly refused: Refused };

export interface DoorOptions {
  readonly rules: OriginRules;
  readonly log: Log;
  /** Absent: everybody may come in. */
  readonly keys?: KeyRing | undefined;
  /** Believe the last address in X-Forwarded-For, which our own proxy wrote. */
  readonly trustProxy?: boolean | undefined;
  readonly ticketMs?: number | undefined;
}

export class Door {
  readonly tickets: Tickets;
  readonly #options: DoorOptions;
  readonly #attempts = new Attempts();

  constructor(options: DoorOptions) {
    this.#options = options;
    this.tickets = new Tickets(options.ticketMs);
  }

  get hasKeys(): boolean {
    return this.#options.keys !== undefined;
  }

  /** Whether a page of that origin may read our answers. */
  mayRead(origin: string): boolean {
    return mayUse(origin, this.#options.rules);
  }

  /** Host and Origin; undefined where they are right. */
  originRefusal({ headers }: IncomingMessage): Refused | undefined {
    const why = originFault(headers, this.#options.rules);
    return why === undefined ? undefined : { status: 403, why };
  }

  /** An upgrade: all there is to look at. A ticket is used up only where the rest is right. */
  admit(request: IncomingMessage): Entry {
    const refused = this.originRefusal(request);
    if (refused) return { refused };
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.includes(SUBPROTOCOL)) {
      return { refused: { status: 400, why: `Offer the subprotocol ${SUBPROTOCOL}.` } };
    }
    const ticket = offered.find((name) => name.startsWith(TICKET_PROTOCOL));
    if (ticket === undefined || request.headers.authorization !== undefined || !this.hasKeys) {
      return this.authorize(request);
    }
    return this.#redeem(request, ticket.slice(TICKET_PROTOCOL.length));
  }

  /** The bearer key in the request's header. */
  authorize(request: IncomingMessage): Entry {
    const { keys } = this.#options;
    if (!keys) return { key: undefined };
    const { authorization } = request.headers;
    if (authorization === undefined) return this.#unauthorized(request, withoutKey(request));
    const presented = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (presented === undefined) return this.#unauthorized(request, `Send it as ${FORM}.`);
    const verdict = keys.check(presented);
    return 'id' in verdict ? { key: verdict.id } : this.#faulty(request, verdict.fault);
  }

  #redeem(request: IncomingMessage, ticket: string): Entry {
    const key = this.tickets.redeem(ticket);
    if (key !== undefined && this.#options.keys?.has(key)) return { key };
    const why = 'This ticket is not good: it was used, has expired, or its key was revoked. Ask for another.';
    return this.#unauthorized(request, why);
  }

  #faulty(request: IncomingMessage, fault: Extract<Verdict, { fault: string }>['fault']): Entry {
    if (fault === 'unreadable') {
      const headers = { 'Retry-After': String(UNREADABLE_RETRY_S) };
      return { refused: { status: 503, why: 'The server can’t read its keys just now.', headers } };
    }
    const why =
      fault === 'expired'
        ? 'This key has expired. Ask whoever runs the server for another.'
        : 'This server has no such key: it was mistyped, revoked, or is another server’s.';
    return this.#unauthorized(request, why);
  }

  #unauthorized(request: IncomingMessage, why: string): Entry {
    const address = this.addressOf(request);
    const waitMs = this.#attempts.fail(address);
    if (waitMs === 0) {
      this.#options.log.info({ address, why }, 'not let in');
      return { refused: { status: 401, why, headers: { 'WWW-Authenticate': 'Bearer' } } };
    }
    if (this.#attempts.isFirstRefused(address)) {
      this.#options.log.warn({ address, waitMs }, 'too many failed attempts to come in');
    }
    const seconds = Math.ceil(waitMs / 1000);
    const text = `${why} There were too many failed attempts from your address; wait ${seconds} s.`;
    return { refused: { status: 429, why: text, headers: { 'Retry-After': String(seconds) } } };
  }

  /** A client's, as far as it can be known. */
  addressOf({ headers, socket }: IncomingMessage): string {
    const forwarded = this.#options.trustProxy ? String(headers['x-forwarded-for'] ?? '') : '';
    return forwarded.split(',').at(-1)?.trim() || (socket.remoteAddress ?? '');
  }
}

const FORM = '`Authorization: Bearer KEY`';

function withoutKey({ url = '' }: IncomingMessage): string {
  if (holdsKey(url)) {
    return `A key in an address is not taken, and is in logs now: revoke it. Send another as ${FORM}.`;
  }
  return `This server wants a key. Send it as ${FORM}.`;
}
