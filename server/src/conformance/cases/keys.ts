/** Section 1.5: keys and tickets, what a page may do, and that a key sees nothing of another. */
import { SUBPROTOCOL } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { check, mustEqual, NotApplicable } from '../mismatch.ts';
import { outputOf } from '../model-facts.ts';
import { Peer } from '../peer.ts';
import type { RunView } from '../run-view.ts';
import { Sketch } from '../sketch.ts';
import { mustNotWait, mustOpen, mustRefuse } from '../upgrade.ts';
import { toil } from '../work.ts';

const RESUME = ['resume'] as const;
const DETACH = ['resume', 'detach'] as const;
/** No page is there, whatever a server was told (RFC 2606). */
const FOREIGN = 'https://conformance.invalid';

interface TicketRequest {
  readonly method?: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What `POST /v2/ticket` says; without a `key` it has none. */
async function askTicket(
  { target }: CaseContext,
  { method = 'POST', key = '', headers = {} }: TicketRequest,
): Promise<Response> {
  const url = new URL('/v2/ticket', target.name.replace(/^ws/, 'http'));
  const authorization = key === '' ? {} : { authorization: `Bearer ${key}` };
  const answer = await fetch(url, { method, headers: { ...authorization, ...headers } });
  mustNotWait(answer.status);
  return answer;
}

async function newTicket(context: CaseContext): Promise<readonly string[]> {
  const answer = await askTicket(context, { key: String(context.target.key) });
  mustEqual('the status with the key', answer.status, 200);
  const { ticket, expiresMs } = (await answer.json()) as { ticket: unknown; expiresMs: unknown };
  const isTicket = typeof ticket === 'string' && /^[A-Za-z0-9._~-]{1,200}$/.test(ticket);
  check(isTicket, 'a ticket that a subprotocol’s name can hold', () => String(typeof ticket));
  check(Number.isSafeInteger(expiresMs) && Number(expiresMs) > 0, 'expiresMs above 0', () =>
    String(expiresMs),
  );
  return [SUBPROTOCOL, `tracewire.ticket.${ticket}`];
}

const keyCase = (
  id: string,
  requirements: readonly string[],
  shows: string,
  run: (context: CaseContext) => Promise<void>,
): ConformanceCase => ({ id, requirements, shows, profile: 'keys', socket: true, run });

/** A run of the first key that has ended, none of it acknowledged, its connection there. */
async function ended(context: CaseContext, detach: boolean): Promise<{ sketch: Sketch; view: RunView }> {
  const peer = await context.open(DETACH);
  if (detach && !peer.limits.retainMs) throw new NotApplicable('the server doesn’t announce detach');
  if (!peer.limits.resumeMs) throw new NotApplicable('the server doesn’t announce resume');
  const sketch = new Sketch({ ids: context.model.ids });
  sketch.saveRead(outputOf(context.model.early));
  const view = peer.run({ ...sketch.request, withholdAcks: true, ...(detach && { options: { detach } }) });
  await view.ended('completed');
  return { sketch, view };
}

const isUnseenBy = (id: string, shows: string, detach: boolean): ConformanceCase =>
  keyCase(id, ['R-193'], shows, async (context) => {
    const other = await context.openOther(DETACH);
    const { sketch, view } = await ended(context, detach);
    const stolen = other.follow(view.id, sketch.graph);
    other.send({ type: 'resume', run: view.id, after: 0 });
    await stolen.refusedWith('run_lost');
    const own = await context.open(DETACH);
    const again = own.follow(view.id, sketch.graph);
    own.send({ type: 'resume', run: view.id, after: 0 });
    await again.ended('completed');
    again.ack(again.seq);
  });

export const KEYS: readonly ConformanceCase[] = [
  keyCase(
    'key-missing',
    ['R-189'],
    'an upgrade without a key, or with a wrong one, is refused with 401 and WWW-Authenticate',
    async (context) => {
      const key = String(context.target.key);
      const changed = `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`;
      for (const wrong of ['', 'wrong', changed, key.slice(0, -1)]) {
        const headers = await mustRefuse(context, { key: wrong }, 401);
        check(/^bearer/i.test(headers['www-authenticate'] ?? ''), 'WWW-Authenticate: Bearer', () =>
          String(headers['www-authenticate']),
        );
      }
    },
  ),
  keyCase(
    'key-scheme',
    ['R-315'],
    'the scheme’s case means nothing; another scheme is no key',
    async (context) => {
      const key = String(context.target.key);
      const open = await mustOpen(context, { key: '', headers: { authorization: `bEARER ${key}` } });
      open.close();
      const basic = Buffer.from(`${key}:${key}`).toString('base64');
      await mustRefuse(context, { key: '', headers: { authorization: `Basic ${basic}` } }, 401);
    },
  ),
  keyCase('key-in-query', ['R-190'], 'a key in the query string is none', async (context) => {
    const { key } = context.target;
    const path = `?key=${key}&token=${key}&access_token=${key}&ticket=${key}`;
    await mustRefuse(context, { path, key: '' }, 401);
  }),
  keyCase('key-as-ticket', ['R-190', 'R-192'], 'a key in the place of a ticket is none', async (context) => {
    const subprotocols = [SUBPROTOCOL, `tracewire.ticket.${context.target.key}`];
    await mustRefuse(context, { subprotocols, key: '' }, 401);
  }),
  keyCase(
    'key-other-subprotocol',
    ['R-006'],
    'a right key doesn’t make up for a wrong subprotocol',
    async (context) => {
      await mustRefuse(context, { subprotocols: ['tracewire.v0'] }, 400);
    },
  ),
  keyCase('ticket', ['R-191', 'R-192'], 'a ticket opens one WebSocket, and not a second', async (context) => {
    mustEqual('the status without a key', (await askTicket(context, {})).status, 401);
    const subprotocols = await newTicket(context);
    const wire = await mustOpen(context, { subprotocols, key: '' });
    mustEqual('the subprotocol', wire.subprotocol, SUBPROTOCOL);
    wire.close();
    await mustRefuse(context, { subprotocols, key: '' }, 401);
  }),
  keyCase(
    'ticket-needs-subprotocol',
    ['R-192', 'R-006'],
    'a ticket alone, without the protocol beside it, is refused with 400, and is good still',
    async (context) => {
      const subprotocols = await newTicket(context);
      await mustRefuse(context, { subprotocols: subprotocols.slice(1), key: '' }, 400);
      (await mustOpen(context, { subprotocols, key: '' })).close();
    },
  ),
  keyCase(
    'ticket-made-up',
    ['R-192'],
    'a ticket that was never given is refused with 401',
    async (context) => {
      const subprotocols = [SUBPROTOCOL, `tracewire.ticket.${'A'.repeat(43)}`];
      await mustRefuse(context, { subprotocols, key: '' }, 401);
    },
  ),
  keyCase(
    'ticket-is-of-its-key',
    ['R-192', 'R-193'],
    'who comes by a ticket has the runs of the key that asked for it',
    async (context) => {
      const { sketch, view } = await ended(context, false);
      const wire = await mustOpen(context, { subprotocols: await newTicket(context), key: '' });
      const { notes, timeoutMs, model } = context;
      const page = new Peer(wire, { notes, timeoutMs, model: model.name });
      await page.hello(RESUME);
      const again = page.follow(view.id, sketch.graph);
      page.send({ type: 'resume', run: view.id, after: 0 });
      await again.ended('completed');
      wire.close();
    },
  ),
  keyCase(
    'foreign-origin',
    ['R-310'],
    'pages of other origins get 403, with the right key too, for upgrades and tickets',
    async (context) => {
      const headers = { origin: FOREIGN };
      await mustRefuse(context, { headers }, 403);
      await mustRefuse(context, { headers: { origin: 'null' } }, 403);
      const subprotocols = await newTicket(context);
      await mustRefuse(context, { headers, subprotocols, key: '' }, 403);
      (await mustOpen(context, { subprotocols, key: '' })).close();
      const answer = await askTicket(context, { key: String(context.target.key), headers });
      mustEqual('the status of a ticket', answer.status, 403);
      mustEqual('what may read it', answer.headers.get('access-control-allow-origin'), null);
    },
  ),
  keyCase(
    'foreign-host',
    ['R-311'],
    'an upgrade to a name that the server doesn’t answer to gets 403, with the right key too',
    async (context) => {
      await mustRefuse(context, { headers: { host: 'conformance.invalid' } }, 403);
    },
  ),
  keyCase(
    'preflight',
    ['R-191', 'R-312'],
    'a page that may use the server may ask for a ticket and read a 401; another page may not ask',
    async (context) => {
      const foreign = await askTicket(context, { method: 'OPTIONS', headers: { origin: FOREIGN } });
      mustEqual('what may ask', foreign.headers.get('access-control-allow-origin'), null);
      if (!context.target.loopback)
        throw new NotApplicable('which origins the server allows is its own affair');
      const origin = 'http://localhost:3000';
      const asked = { origin, 'access-control-request-method': 'POST' };
      const allowed = await askTicket(context, {
        method: 'OPTIONS',
        headers: { ...asked, 'access-control-request-headers': 'authorization' },
      });
      check(allowed.ok, 'a preflight that is answered well', () => String(allowed.status));
      mustEqual('what may ask', allowed.headers.get('access-control-allow-origin'), origin);
      check(
        /authorization/i.test(allowed.headers.get('access-control-allow-headers') ?? ''),
        'the header',
        () => String(allowed.headers.get('access-control-allow-headers')),
      );
      const refused = await askTicket(context, { headers: { origin } });
      mustEqual('the status without a key', refused.status, 401);
      mustEqual('what may read it', refused.headers.get('access-control-allow-origin'), origin);
    },
  ),
  isUnseenBy(
    'other-key-resume',
    'a resume of a run of another key is run_lost, and its own key has it still',
    false,
  ),
  isUnseenBy(
    'other-key-detached',
    'a detached run of another key is run_lost, and its own key has it still',
    true,
  ),
  keyCase(
    'other-key-retry',
    ['R-193'],
    'the run message of another key under the same id is a new run, and leaves the other alone',
    async (context) => {
      const other = await context.openOther(RESUME);
      const { sketch, view } = await ended(context, false);
      const before = view.messages.length;
      const twin = other.run({ ...sketch.request, run: view.id, withholdAcks: true });
      await twin.ended('completed');
      const [first, second] = [view, twin].map(({ messages }) =>
        messages.find(({ type }) => type === 'value'),
      );
      check(first !== undefined && second !== undefined, 'a value for each', () => 'none');
      twin.ack(twin.seq);
      const foreign = new Sketch({ ids: context.model.ids });
      foreign.saveRead(outputOf(context.model.last));
      await other.mustGoOn();
      const third = other.run({ ...foreign.request, run: view.id });
      await third.ended('completed');
      mustEqual('messages of the first run', view.messages.length, before);
      view.ack(view.seq);
    },
  ),
  keyCase(
    'other-key-cancel',
    ['R-193'],
    'a cancel and an ack of another key mean nothing',
    async (context) => {
      const other = await context.openOther(RESUME);
      const peer = await context.open(RESUME);
      const sketch = new Sketch({ ids: context.model.ids });
      sketch.save(toil(sketch, 4));
      const view = peer.run({ ...sketch.request, withholdAcks: true });
      await view.until(() => (view.messages.length > 0 ? true : undefined), 'the first message');
      other.send({ type: 'cancel', run: view.id });
      other.send({ type: 'ack', run: view.id, seq: 999_999 });
      await other.mustGoOn();
      await view.ended('completed');
      view.ack(view.seq);
    },
  ),
];

/** A client that has a key may send it to a server that wants none. */
export const KEYLESS: ConformanceCase = {
  id: 'keyless',
  requirements: ['R-316'],
  shows: 'a server without keys takes no notice of one, and has no tickets: 404',
  socket: true,
  run: async (context) => {
    if (context.wantsKey) throw new NotApplicable('the server wants a key');
    (await mustOpen(context, { key: 'any' })).close();
    mustEqual('the status of a ticket', (await askTicket(context, { key: 'any' })).status, 404);
  },
};
