import { describe, expect, it } from 'vitest';
import { concat, Inbox, type Transport, transportPair } from './transport.ts';

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** Listens, and keeps what comes as short texts. */
function recorder(transport: Pick<Transport, 'listen'>): string[] {
  const events: string[] = [];
  transport.listen({
    message: (bytes) => events.push(bytes.join(' ')),
    close: (code, reason) => events.push(`close ${code} ${reason}`.trim()),
  });
  return events;
}

describe('a transport pair', () => {
  it('delivers in order, later, whole', async () => {
    const [a, b] = transportPair();
    const events = recorder(b);
    a.send([Uint8Array.of(1), Uint8Array.of(2, 3)]);
    a.send([Uint8Array.of(4)]);
    expect(events).toEqual([]);
    await turn();
    expect(events).toEqual(['1 2 3', '4']);
  });

  it('keeps what comes before somebody listens, the close too', async () => {
    const [a, b] = transportPair();
    a.send([Uint8Array.of(1)]);
    a.send([Uint8Array.of(2)]);
    a.close(1001, 'away');
    await turn();
    expect(recorder(b)).toEqual(['1', '2', 'close 1001 away']);
  });

  it('tells both sides of a close, once', async () => {
    const [a, b] = transportPair();
    const [atA, atB] = [recorder(a), recorder(b)];
    a.close();
    b.close(4400, 'also');
    a.close();
    await turn();
    expect(atA).toEqual(['close 1000']);
    expect(atB).toEqual(['close 4400 also']);
  });

  it('sends nothing after a close, and delivers what was sent before', async () => {
    const [a, b] = transportPair();
    const events = recorder(b);
    a.send([Uint8Array.of(1)]);
    a.close();
    a.send([Uint8Array.of(2)]);
    await turn();
    expect(events).toEqual(['1', 'close 1000']);
  });
});

describe('an inbox', () => {
  it('keeps the order when a handler receives in the middle', () => {
    const inbox = new Inbox();
    const seen: number[] = [];
    inbox.deliver(Uint8Array.of(1));
    inbox.deliver(Uint8Array.of(2));
    inbox.listen({
      message([first = 0]) {
        seen.push(first);
        if (first === 1) inbox.deliver(Uint8Array.of(3));
      },
      close: () => {},
    });
    expect(seen).toEqual([1, 2, 3]);
  });

  it('delivers nothing after this side closed in a handler, and says so once', () => {
    const inbox = new Inbox();
    const events: string[] = [];
    inbox.deliver(Uint8Array.of(1));
    inbox.deliver(Uint8Array.of(2));
    inbox.listen({
      message(bytes) {
        events.push(bytes.join());
        inbox.abandon(4400, '');
      },
      close: (code) => events.push(`close ${code}`),
    });
    inbox.end(1000, '');
    expect(events).toEqual(['1', 'close 4400']);
    expect(inbox.closed).toBe(true);
  });

  it('can be handed from one listener to the next in the middle', () => {
    const inbox = new Inbox();
    const events: string[] = [];
    for (const byte of [1, 2, 3]) inbox.deliver(Uint8Array.of(byte));
    inbox.listen({
      message(bytes) {
        events.push(`first ${bytes}`);
        inbox.listen({ message: (later) => events.push(`then ${later}`), close: () => events.push('close') });
      },
      close: () => events.push('wrong'),
    });
    inbox.end(1000, '');
    expect(events).toEqual(['first 1', 'then 2', 'then 3', 'close']);
  });

  it('goes on after a handler threw', () => {
    const inbox = new Inbox();
    const seen: number[] = [];
    inbox.listen({
      message([first = 0]) {
        if (first === 1) throw new Error('handler');
        seen.push(first);
      },
      close: () => {},
    });
    expect(() => inbox.deliver(Uint8Array.of(1))).toThrow('handler');
    inbox.deliver(Uint8Array.of(2));
    expect(seen).toEqual([2]);
  });
});

it('concat copies only where there is something to join', () => {
  const only = Uint8Array.of(1);
  expect(concat([only])).toBe(only);
  expect([...concat([only, Uint8Array.of(2)])]).toEqual([1, 2]);
  expect(concat([]).length).toBe(0);
});
