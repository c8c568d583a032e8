import { describe, expect, it } from 'vitest';
import { RunQueue } from './queue.ts';
import type { Run } from './run.ts';

interface Told {
  readonly position: number;
  readonly waitMs: number | undefined;
}

function waiting(lane: string, name: string) {
  const told: Told[] = [];
  const run = {
    lane,
    id: name,
    queued: (position: number, waitMs?: number) => told.push({ position, waitMs }),
  };
  return { run: run as unknown as Run, told };
}

const drained = (queue: RunQueue): string[] => {
  const order: string[] = [];
  for (let run = queue.shift(); run; run = queue.shift()) order.push(run.id);
  return order;
};

describe('a queue', () => {
  it('gives every key its turn, each one’s runs in order', () => {
    const queue = new RunQueue();
    for (const id of ['a1', 'a2', 'a3']) queue.push(waiting('a', id).run);
    queue.push(waiting('b', 'b1').run);
    queue.push(waiting('c', 'c1').run);
    queue.push(waiting('b', 'b2').run);
    expect([...queue.waiting()].map(({ id }) => id)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
    expect(drained(queue)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
    expect(queue.length).toBe(0);
  });

  it('lets somebody who comes late wait for one run of a key that has sent hundreds', () => {
    const queue = new RunQueue(1000);
    for (let index = 0; index < 500; index++) queue.push(waiting('flood', `f${index}`).run);
    queue.shift();
    const late = waiting('late', 'l');
    queue.push(late.run);
    queue.announce(1);
    expect(late.told).toEqual([{ position: 2, waitMs: undefined }]);
    expect(drained(queue).indexOf('l')).toBe(1);
  });

  it('tells about how long the runs ahead will take, from how long runs took', () => {
    const queue = new RunQueue();
    queue.took(100);
    const [first, second] = [waiting('a', '1'), waiting('a', '2')];
    queue.push(first.run);
    queue.push(second.run);
    queue.announce(1);
    expect([first.told, second.told]).toEqual([
      [{ position: 1, waitMs: 100 }],
      [{ position: 2, waitMs: 200 }],
    ]);
  });

  it('removes a run wherever it stands, and is full at its capacity', () => {
    const queue = new RunQueue(2);
    const [first, second] = [waiting('a', '1'), waiting('a', '2')];
    queue.push(first.run);
    expect(() => queue.mustHaveRoom()).not.toThrow();
    queue.push(second.run);
    expect(() => queue.mustHaveRoom()).toThrow('2 runs are waiting');
    expect(queue.remove(first.run)).toBe(true);
    expect(queue.remove(first.run)).toBe(false);
    expect(drained(queue)).toEqual(['2']);
  });
});
