/** Runs of several clients that share passes: real clients, a gateway, a host process, the embedded model. */
import path from 'node:path';
import { LanguageModel, type SavedValue, Tensor, type TraceOptions } from '@tracewire/client';
import { transportPair } from '@tracewire/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { relativeError } from '../server/src/engine/testing/graphs.ts';
import { Gateway } from '../server/src/gateway/gateway.ts';
import { startHostProcess } from '../server/src/gateway/host-process.ts';
import { SILENT } from '../server/src/gateway/log.ts';
import { NO_METER } from '../server/src/gateway/meter.ts';
import { ServedModel } from '../server/src/gateway/served-model.ts';
import type { Batching } from '../server/src/gateway/sharing.ts';
import { mixedWork, shapeOf } from './reliability/work.ts';
import { fingerprint } from './support/fingerprint.ts';
import { Random } from './support/random.ts';
import { tinyGpt2Config } from './support/served-model.ts';
import { ROOT } from './support/server.ts';

/** Built, for it is a process of its own. */
const HOST = path.join(ROOT, 'server/dist/host/main.js');
const FLOAT_ERROR = 1e-4;
const closing: { close(): void }[] = [];

afterEach(() => {
  for (const one of closing.splice(0)) one.close();
});

/** A server, how many runs each of its passes has had, and clients of it. */
async function serve(batching?: Batching) {
  const passes: number[] = [];
  const lost: string[] = [];
  const meter = {
    ...NO_METER,
    passBegan: (_: string, runs: number) => passes.push(runs),
    hostLost: (model: string) => lost.push(model),
  };
  const model = new ServedModel({
    config: tinyGpt2Config(),
    start: () => startHostProcess({ model: 'tiny-gpt2', log: SILENT, main: HOST }),
    log: SILENT,
    meter,
  });
  await model.load();
  const gateway = new Gateway({ models: [model], log: SILENT, meter, version: '0', batching });
  closing.push(gateway);
  const client = (): LanguageModel => {
    const connect = async () => {
      const [ours, theirs] = transportPair();
      gateway.serve(theirs);
      return ours;
    };
    const opened = new LanguageModel('tiny-gpt2', { connect });
    closing.push(opened);
    return opened;
  };
  return { passes, lost, client };
}

function mustBeClose(wanted: readonly SavedValue[], got: readonly SavedValue[]): void {
  for (const [index, value] of wanted.entries()) {
    const other = got[index];
    if (!(value instanceof Tensor && other instanceof Tensor)) throw new Error('wanted tensors');
    expect(other.dims).toEqual(value.dims);
    expect(relativeError(value, other)).toBeLessThan(FLOAT_ERROR);
  }
}

describe('runs of many clients at once', () => {
  it('share passes where they say so, and each has its own', { timeout: 120_000 }, async () => {
    const { passes, lost, client } = await serve();
    const first = client();
    const work = mixedWork(new Random(7), await shapeOf(first), 24, 20);
    const alone: (readonly SavedValue[])[] = [];
    for (const piece of work) alone.push(await piece.values(first));
    expect(new Set(passes)).toEqual(new Set([1]));
    const clients = [client(), client(), client()];
    const some = await Promise.all(
      work.map((piece, index) => piece.values(clients[index % 3] as LanguageModel, { batching: 'shared' })),
    );
    for (const [index, values] of some.entries()) mustBeClose(alone[index] ?? [], values);
    expect(Math.max(...passes)).toBeGreaterThan(3);
    const before = passes.length;
    const exact = await Promise.all(
      work.map((piece, index) => piece.run(clients[index % 3] as LanguageModel)),
    );
    expect(exact).toEqual(alone.map((values) => values.map(fingerprint).join('\n')));
    expect(passes.slice(before)).toEqual(work.map(() => 1));
    expect(lost).toEqual([]);
  });

  it('share passes where the server has it so, unless they don’t want to', { timeout: 120_000 }, async () => {
    const { passes, lost, client } = await serve('shared');
    const one = client();
    expect(await one.server()).toMatchObject({ batching: 'shared' });
    const work = mixedWork(new Random(9), await shapeOf(one), 8, 8);
    await Promise.all(work.map((piece) => piece.values(one)));
    expect(Math.max(...passes)).toBeGreaterThan(1);
    const before = passes.length;
    await Promise.all(work.map((piece) => piece.values(one, { batching: 'exact' })));
    expect(passes.slice(before)).toEqual(work.map(() => 1));
    expect(lost).toEqual([]);
  });

  it('are run apart where one of them brings the pass down', { timeout: 120_000 }, async () => {
    const { passes, lost, client } = await serve();
    const [one, other] = [client(), client()];
    const ids = [5, 6, 7];
    const shared = { batching: 'shared' } as const;
    const logits = (model: LanguageModel, options = {}) =>
      model.trace(ids, options, (m) => m.lm_head.output.save());
    const wanted = (await logits(one)).value;
    // That there is no such token is not known before it runs; and what can’t be written ends a run.
    const wrong = (options: TraceOptions) =>
      other.trace(ids, options, (m) => {
        const hidden = m.transformer.h[1].output[0];
        const none = hidden.argmax(-1).slice(0, 0).mul(0).add(99);
        m.transformer.h[2].output[0].set(hidden.add(hidden.take(none, 1)));
        return m.lm_head.output.save();
      });
    const before = passes.length;
    const runs = [
      logits(one),
      logits(other, shared),
      wrong(shared),
      logits(one, shared),
      logits(one, shared),
    ];
    const [, , failed, ...others] = await Promise.allSettled(runs);
    expect(failed).toMatchObject({ status: 'rejected', reason: { code: 'failed' } });
    expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(passes.slice(before)).toEqual([1, 4, 1, 1, 1, 1]);
    expect(lost).toEqual([]);
    for (const { value } of await Promise.all(runs.filter((_, index) => index !== 2)))
      mustBeClose([wanted as SavedValue], [value as SavedValue]);
    expect(passes.length).toBeGreaterThan(before);
  });
});
