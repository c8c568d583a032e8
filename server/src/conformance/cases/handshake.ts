/** Sections 1, 1.5 and 2.1: the upgrade, hello and welcome, and how conversations end. */
import { PROTOCOL_VERSION, SUBPROTOCOL } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { check, mustEqual, NotApplicable, within } from '../mismatch.ts';
import { frame } from '../pack.ts';
import type { Peer } from '../peer.ts';
import { mustOpen, mustRefuse } from '../upgrade.ts';
import type { SocketWire } from '../wire.ts';

const HELLO = {
  type: 'hello',
  protocol: PROTOCOL_VERSION,
  client: { name: 'tracewire-conformance', version: '1' },
  capabilities: [] as readonly string[],
};

const loopbackOnly = ({ target, wantsKey }: CaseContext): void => {
  if (!target.loopback || wantsKey) throw new NotApplicable('no keyless server on loopback');
};

/** A wrong first message gets this error, and the end. */
const refusedGreeting = (
  id: string,
  requirements: readonly string[],
  shows: string,
  message: object,
  code: string,
): ConformanceCase => ({
  id,
  requirements,
  shows,
  run: async ({ openSilent }) => {
    const peer = await openSilent();
    peer.send(message);
    await peer.error(code);
    await peer.mustClose(4400);
  },
});

async function socketPeer(context: CaseContext): Promise<{ peer: Peer; wire: SocketWire }> {
  const peer = await context.open();
  check('sendText' in peer.wire, 'a socket', () => 'none');
  return { peer, wire: peer.wire as SocketWire };
}

export const HANDSHAKE: readonly ConformanceCase[] = [
  {
    id: 'subprotocol-selected',
    requirements: ['R-005', 'R-008'],
    shows: 'at any path the server takes the subprotocol, and no compression though it is offered',
    socket: true,
    run: async (context) => {
      const wire = await mustOpen(context, { path: 'some/path?query=1', offerCompression: true });
      mustEqual('the subprotocol', wire.subprotocol, SUBPROTOCOL);
      mustEqual('the extensions', wire.extensions, '');
      wire.close();
    },
  },
  {
    id: 'subprotocol-among-others',
    requirements: ['R-006'],
    shows: 'the subprotocol is taken when others are offered beside it',
    socket: true,
    run: async (context) => {
      const wire = await mustOpen(context, { subprotocols: ['something.else', SUBPROTOCOL] });
      mustEqual('the subprotocol', wire.subprotocol, SUBPROTOCOL);
      wire.close();
    },
  },
  {
    id: 'subprotocol-missing',
    requirements: ['R-006'],
    shows: 'an upgrade that offers no subprotocol is refused with 400',
    socket: true,
    run: async (context) => {
      await mustRefuse(context, { subprotocols: [] }, 400);
      await mustRefuse(context, { subprotocols: ['tracewire.v0'] }, 400);
    },
  },
  {
    id: 'origin-refused',
    requirements: ['R-013'],
    shows: 'a keyless server on loopback refuses pages of other hosts with 403',
    socket: true,
    run: async (context) => {
      loopbackOnly(context);
      await mustRefuse(context, { headers: { origin: 'https://example.com' } }, 403);
      await mustRefuse(context, { headers: { origin: 'null' } }, 403);
    },
  },
  {
    id: 'origin-loopback',
    requirements: ['R-013'],
    shows: 'a keyless server on loopback takes pages of loopback',
    socket: true,
    run: async (context) => {
      loopbackOnly(context);
      const wire = await mustOpen(context, { headers: { origin: 'http://localhost:3000' } });
      wire.close();
    },
  },
  {
    id: 'host-refused',
    requirements: ['R-013'],
    shows: 'a keyless server on loopback refuses a Host that is no loopback name with 403',
    socket: true,
    run: async (context) => {
      loopbackOnly(context);
      await mustRefuse(context, { headers: { host: 'example.com' } }, 403);
    },
  },
  {
    id: 'ping',
    requirements: ['R-014'],
    shows: 'a WebSocket ping is answered',
    socket: true,
    run: async (context) => {
      const { peer, wire } = await socketPeer(context);
      await within(wire.ping(), peer.timeoutMs, () => 'a pong');
    },
  },
  {
    id: 'text-frame',
    requirements: ['R-009', 'R-056'],
    shows: 'a text frame ends the conversation with 1003',
    socket: true,
    run: async (context) => {
      const { peer, wire } = await socketPeer(context);
      wire.sendText('hello');
      await peer.mustClose(1003);
    },
  },
  {
    id: 'welcome',
    requirements: ['R-039', 'R-076', 'R-079', 'R-080', 'R-081', 'R-286', 'R-287'],
    shows: 'hello is answered with a welcome whose opset, models and limits can be',
    run: async ({ openSilent }) => {
      const welcome = await (await openSilent()).hello();
      mustEqual('protocol', welcome.protocol, PROTOCOL_VERSION);
      mustEqual('opset', welcome.opset, 21);
      check(welcome.models.length > 0, 'at least one model', () => 'none');
      const { limits } = welcome;
      const bounds = ['messageBytes', 'nodes', 'savedBytes', 'windowBytes', 'chunkBytes', 'runs'] as const;
      for (const bound of bounds) check(limits[bound] > 0, `${bound} above 0`, () => String(limits[bound]));
    },
  },
  {
    id: 'capabilities-unknown',
    requirements: ['R-062', 'R-188'],
    shows: 'a hello with capabilities that the server doesn’t know is welcome',
    run: async ({ openSilent }) => {
      const peer = await openSilent();
      const welcome = await peer.hello(['x-conformance-unknown']);
      check(
        !welcome.capabilities.includes('x-conformance-unknown'),
        'a welcome without the unknown capability',
        () => welcome.capabilities.join(', '),
      );
      await peer.mustGoOn();
    },
  },
  {
    id: 'limits-of-capabilities',
    requirements: ['R-078', 'R-081', 'R-243'],
    shows:
      'resumeMs comes with the capability resume, retainMs with detach, invokes and batchTokens with invokes',
    run: async ({ openSilent }) => {
      const { capabilities, limits } = await (await openSilent()).hello(['resume', 'detach', 'invokes']);
      mustEqual('invokes there', limits.invokes !== undefined, capabilities.includes('invokes'));
      mustEqual('batchTokens there', limits.batchTokens !== undefined, capabilities.includes('invokes'));
      mustEqual('resumeMs there', limits.resumeMs !== undefined, capabilities.includes('resume'));
      mustEqual('retainMs there', limits.retainMs !== undefined, capabilities.includes('detach'));
    },
  },
  refusedGreeting(
    'hello-other-version',
    ['R-043', 'R-060'],
    'a hello of another protocol gets unsupported_version and 4400',
    { ...HELLO, protocol: 99 },
    'unsupported_version',
  ),
  refusedGreeting(
    'hello-wrong',
    ['R-042', 'R-061'],
    'a hello that breaks its table gets bad_message and 4400',
    { ...HELLO, client: { name: '', version: '1' } },
    'bad_message',
  ),
  refusedGreeting(
    'hello-too-many-capabilities',
    ['R-042', 'R-062'],
    'a hello with 65 capabilities gets bad_message and 4400',
    { ...HELLO, capabilities: Array.from({ length: 65 }, (_, index) => `x-${index}`) },
    'bad_message',
  ),
  refusedGreeting(
    'hello-not-first',
    ['R-042'],
    'a right message before hello gets unexpected_message and 4400',
    { type: 'cancel', run: 'a' },
    'unexpected_message',
  ),
  {
    id: 'hello-no-frame',
    requirements: ['R-041', 'R-042'],
    shows: 'bytes that are no frame, before hello, get bad_frame and 4400',
    run: async ({ openSilent }) => {
      const peer = await openSilent();
      peer.wire.send(Uint8Array.of(1, 2, 3));
      await peer.error('bad_frame');
      await peer.mustClose(4400);
    },
  },
  {
    id: 'hello-twice',
    requirements: ['R-046'],
    shows: 'a second hello gets unexpected_message, and the conversation goes on',
    run: async ({ open }) => {
      const peer = await open();
      peer.send(HELLO);
      await peer.error('unexpected_message');
      await peer.mustGoOn();
    },
  },
  {
    id: 'hello-late',
    requirements: ['R-059'],
    shows: 'a connection that says nothing is closed with 4408 after 10 s, not before',
    socket: true,
    background: true,
    run: async ({ openSilent }) => {
      const peer = await openSilent();
      const begun = performance.now();
      const { code } = await within(peer.wire.closed, 15_000, () => 'a close with 4408 after 10 s');
      const after = Math.round(performance.now() - begun);
      check(code === 4408 && after > 9000, 'a close with 4408 after 10 s', () => `${code} after ${after} ms`);
    },
  },
  {
    id: 'message-too-large',
    requirements: ['R-058', 'R-081'],
    shows: 'a message above limits.messageBytes ends the conversation with 1009',
    socket: true,
    run: async ({ open }) => {
      const peer = await open();
      const { messageBytes } = peer.limits;
      if (messageBytes > 80 * 1024 * 1024) throw new NotApplicable(`limits.messageBytes is ${messageBytes}`);
      peer.wire.send(new Uint8Array(messageBytes + 8));
      await peer.mustClose(1009);
    },
  },
  {
    id: 'fragments',
    requirements: ['R-010'],
    shows: 'a message in fragments of one byte, some of none, is read',
    socket: true,
    run: async (context) => {
      const { peer, wire } = await socketPeer(context);
      const message = frame({ type: 'describe', request: 7, model: context.model.name });
      const bytes = Array.from(message, (byte) => Uint8Array.of(byte));
      wire.sendFragments([new Uint8Array(), ...bytes, new Uint8Array()]);
      mustEqual('the request', (await peer.next('description')).request, 7);
    },
  },
];
