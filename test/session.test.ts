/** Sessions end to end, over a socket and in this process: values go on, each trace is for itself, and all is as if alone. */
import { LanguageModel, type Session, type Tensor, TraceError, ValueNotSetError } from '@tracewire/client';
import { beforeEach, describe, expect, it } from 'vitest';
import { functionBytes, op } from './support/function-file.ts';
import { served } from './support/served.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

const EIFFEL = 'The Eiffel Tower is in the city of';
const COLOSSEUM = 'The Colosseum is in the city of';

const server = await served('--model', 'tiny-gpt2');

const thrown = (read: () => unknown): unknown => {
  try {
    read();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};
const bytesOf = ({ data }: Tensor): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');

describe.each([
  ['over a socket', true],
  ['in this process', false],
] as const)('a session %s', (_, remote) => {
  let model: LanguageModel;
  beforeEach(() => {
    model = new LanguageModel('tiny-gpt2', { url: server.url, remote });
    return () => model.close();
  });

  it('carries values from trace to trace, unsaved, and gives what traces alone give', async () => {
    const found = await model.session((s) => {
      const donor = s.trace(COLOSSEUM, (m) => m.transformer.h[2].output[0].slice(null, -1));
      const patched = s.trace(EIFFEL, (m) => {
        m.transformer.h[2].output[0].slice(null, -1).set(donor);
        return m.lm_head.output.save();
      });
      const plain = s.trace(EIFFEL, (m) => m.lm_head.output.save());
      // Arithmetic on values of two traces belongs to the later one.
      const doubled = s.trace([1, 2], (m) => m.transformer.wte.output.add(0).save());
      return { patched, plain, moved: donor.add(1).save(), doubled };
    });
    const { donor } = await model.trace(COLOSSEUM, (m) => ({
      donor: m.transformer.h[2].output[0].slice(null, -1).save(),
    }));
    const patched = await model.trace(EIFFEL, (m) => {
      m.transformer.h[2].output[0].slice(null, -1).set(donor.value);
      return m.lm_head.output.save();
    });
    const plain = await model.trace(EIFFEL, (m) => m.lm_head.output.save());
    expect(bytesOf(found.patched.value)).toBe(bytesOf(patched.value));
    expect(bytesOf(found.plain.value)).toBe(bytesOf(plain.value));
    expect(bytesOf(found.patched.value)).not.toBe(bytesOf(found.plain.value));
    const [a = 0, b = 0] = [donor.value.data[0], found.moved.value.data[0]].map(Number);
    expect(b).toBeCloseTo(a + 1, 5);
  });

  it('ends a stopped trace alone, and says of what needs more why it failed, with both lines', async () => {
    const { late, other, still } = await model.session((s) => {
      const late = s.trace(EIFFEL, (m) => {
        m.transformer.h[0].output.stop();
        return m.transformer.h[3].output[0].mul(2);
      });
      const other = s.trace(COLOSSEUM, (m) => {
        const needs = late.add(1).save();
        return { needs, still: m.lm_head.output.argmax(-1).save() };
      });
      return { late: late.save(), other: other.needs, still: other.still };
    });
    expect(thrown(() => late.value)).toMatchObject({ code: 'not_reached' });
    expect(thrown(() => other.value)).toBeInstanceOf(ValueNotSetError);
    expect(still.value.dims).toEqual([1, 10]);
  });

  it('completes when a trace fails: what needs it is failed with the cause, its report too, the rest is there', async () => {
    const found = await model.session((s) => {
      const bad = s.trace(EIFFEL, (m) => {
        const index = m.constant([7919], 'int64').add(m.constant([0], 'int64'));
        const beyond = m.op('Gather', [m.transformer.h[0].output[0], index]);
        m.transformer.h[0].output[0].set(beyond);
        return { h: m.transformer.h[1].output[0], report: m.report() };
      });
      const needs = s.trace(EIFFEL, () => bad.h.mean().save());
      const fine = s.trace(EIFFEL, (m) => ({ top: m.lm_head.output.argmax(-1).save(), report: m.report() }));
      return { bad: bad.report, needs, fine };
    });
    expect(thrown(() => found.needs.value)).toMatchObject({
      code: 'failed',
      body: { cause: { code: 'failed', trace: 0 } },
    });
    expect(String(thrown(() => found.needs.value))).toMatch(/session\.test\.ts:\d+/);
    expect(found.bad.error).toMatchObject({ trace: 0 });
    expect(found.fine.top.isSet).toBe(true);
    expect(found.fine.report.value.modulesRun).toBeGreaterThan(0);
  });

  it('rejects with the errors of all traces where none completed', async () => {
    const session = model.session((s) => {
      for (const index of [1, 2]) {
        s.trace(EIFFEL, (m) => {
          const beyond = m.constant([7919], 'int64').add(m.constant([index], 'int64'));
          m.transformer.h[0].output[0].set(m.op('Gather', [m.transformer.h[0].output[0], beyond]));
          m.lm_head.output.save();
        });
      }
    });
    const error = await session.then(undefined, (reason: unknown) => reason);
    expect(error).toBeInstanceOf(TraceError);
    expect((error as TraceError).errors.map(({ body }) => body.trace)).toEqual([0, 1]);
  });

  it('generates in a trace, steered by what an earlier one gave, and hands a step’s value on', async () => {
    const tokens: [number | undefined, number][] = [];
    const options = {
      onToken: ({ trace, step }: { trace?: number | undefined; step: number }) => tokens.push([trace, step]),
    };
    const { told, last, direction } = await model.session(options, (s) => {
      const direction = s.trace(COLOSSEUM, (m) => m.transformer.h[2].output[0].slice(null, -1));
      const told = s.generate(EIFFEL, { maxNewTokens: 3, stopTokens: [] }, (m) => {
        const all = m.all().transformer.h[3].output[0];
        all.set(all.add(direction));
        return m.iter(2).transformer.h[3].output[0];
      });
      const last = s.trace(EIFFEL, () => told.saved.save());
      return { told: told.result, last, direction: direction.save() };
    });
    expect(tokens).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
    expect(last.value.dims).toEqual([1, 1, 128]);
    const alone = await model.generate(EIFFEL, { maxNewTokens: 3, stopTokens: [] }, (m) => {
      const all = m.all().transformer.h[3].output[0];
      all.set(all.add(direction.value));
      return m.iter(2).transformer.h[3].output[0].save();
    });
    expect(told.value.tokens).toEqual(alone.tokens);
    expect(told.value).toMatchObject({ text: alone.text, end: 'length', steps: 3 });
    expect(bytesOf(last.value)).toBe(bytesOf(alone.saved.value as Tensor));
  });

  it('takes prompts in one pass, and their values in a later trace', async () => {
    const found = await model.session((s) => {
      const both = s.trace((t) => ({
        a: t.invoke(EIFFEL, (m) => m.transformer.h[1].output[0].slice(null, -1).save()),
        b: t.invoke(COLOSSEUM, (m) => m.transformer.h[1].output[0].slice(null, -1).save()),
      }));
      return { ...both, difference: s.trace(EIFFEL, (m) => m.op('Sub', [both.a, both.b]).save()) };
    });
    const [a = 0, b = 0, difference = 0] = [found.a, found.b, found.difference].map(({ value }) =>
      Number(value.data[5]),
    );
    expect(difference).toBeCloseTo(a - b, 5);
  });

  it('has the model’s edits in each of its traces', async () => {
    const edited = model.edit((m) => m.transformer.h[1].output[0].set(0));
    const { kept, later } = await edited.session((s) => {
      const kept = s.trace(EIFFEL, (m) => m.transformer.h[1].output[0]);
      return {
        later: s.trace(COLOSSEUM, (m) =>
          m.transformer.h[1].output[0]
            .add(kept.slice(null, [0, 1]))
            .max()
            .save(),
        ),
        kept: kept.max().save(),
      };
    });
    expect([kept.value.item(), later.value.item()]).toEqual([0, 0]);
    await edited.close();
  });

  it('calls functions in its traces, and hands on what one gave', async () => {
    const twice = model.fn(
      functionBytes({
        inputs: { h: ['batch', 'position', 128] },
        outputs: { y: ['batch', 'position', 128], z: ['batch', 'position', 128] },
        weights: {},
        nodes: [op('Add', ['h', 'h'], ['y']), op('Sub', ['h', 'h'], ['z'])],
      }),
    );
    const { one, four, none } = await model.session((s) => {
      const first = s.trace(EIFFEL, (m) => {
        const one = m.transformer.h[1].output[0].add(0);
        return { one, two: twice(one).at(0) };
      });
      const later = s.trace(EIFFEL, () => {
        const [four, none] = twice(first.two);
        return { four: four?.save(), none: none?.save() };
      });
      return { one: first.one.save(), ...later };
    });
    const [a, b] = [Number(one.value.data[7]), Number(four?.value.data[7])];
    expect(b).toBeCloseTo(4 * a, 4);
    expect(none?.value.data.every((number) => Number(number) === 0)).toBe(true);
  });

  it('logs with the trace, in order', async () => {
    const logs: unknown[] = [];
    await model.session({ onLog: ({ text, trace }) => logs.push([text, trace]) }, (s) => {
      s.trace(EIFFEL, (m) => m.log('one'));
      s.trace(EIFFEL, (m) => m.log('two'));
    });
    expect(logs).toEqual([
      ['one', 0],
      ['two', 1],
    ]);
  });

  it('is cancelled as a whole: what came stays, the rest is cancelled', async () => {
    const abort = new AbortController();
    const handles: { readonly value: unknown }[] = [];
    const session = model.session({ signal: abort.signal, onValue: () => abort.abort() }, (s) => {
      for (let index = 0; index < 40; index++) handles.push(s.trace(EIFFEL, (m) => m.lm_head.output.save()));
    });
    await expect(session).rejects.toMatchObject({ code: 'cancelled' });
    expect(handles[0]?.value).toBeDefined();
    expect(thrown(() => handles[39]?.value)).toMatchObject({ code: 'cancelled' });
  });

  it('says what is wrong with all traces at once, each with its line, before anything runs', async () => {
    const session = model.session((s) => {
      s.trace(EIFFEL, (m) => m.transformer.h[0].output.add(1).save());
      s.trace(EIFFEL, (m) => m.lm_head.output);
      s.trace(EIFFEL, (m) => m.get('transformer.hh').output.save());
    });
    const error = (await session.then(undefined, (reason: unknown) => reason)) as TraceError;
    expect(error.errors.map(({ body }) => body.code)).toEqual([
      'tuple_value',
      'nothing_saved',
      'unknown_module',
    ]);
    const lines = error.errors.map(({ location }) => location?.line ?? 0);
    expect(lines.map((line) => line - (lines[0] ?? 0))).toEqual([0, 1, 2]);
  });
});

/** A sweep: a clean run, then for each block the corrupt one with the clean block's last position. */
function sweep(s: Session, blocks: number) {
  const clean = s.trace(COLOSSEUM, (m) =>
    Array.from({ length: blocks }, (_, k) => m.transformer.h.at(k).output[0]),
  );
  return clean.map((hidden, k) =>
    s.trace(EIFFEL, (m) => {
      m.transformer.h.at(k).output[0].slice(null, -1).set(hidden.slice(null, -1));
      return { top: m.lm_head.output.slice(0, -1).save(), report: m.report() };
    }),
  );
}

it('computes once what traces have in common, with the bytes of each alone', async () => {
  const model = new LanguageModel('tiny-gpt2', { url: server.url });
  const blocks = 6;
  const swept = await model.session((s) => sweep(s, blocks));
  // The first runs all 8 parts; each later one takes the embedding and the blocks before its own.
  expect(swept.map(({ report }) => report.value.segmentsRun)).toEqual([8, 6, 5, 4, 3, 2]);
  for (const [k, { top }] of swept.entries()) {
    const { value: clean } = await model.trace(COLOSSEUM, (m) => m.transformer.h.at(k).output[0].save());
    const alone = await model.trace(EIFFEL, (m) => {
      m.transformer.h.at(k).output[0].slice(null, -1).set(clean.data.subarray(-128));
      return m.lm_head.output.slice(0, -1).save();
    });
    expect(bytesOf(top.value)).toBe(bytesOf(alone.value));
  }
  await model.close();
});

it('goes on after a lost connection', async () => {
  const proxy = await TcpProxy.start(server.url, (connection) =>
    connection === 0 ? { from: 'server', frame: 7, at: 'inside' } : undefined,
  );
  const model = new LanguageModel('tiny-gpt2', { url: proxy.url });
  const values = await model.session((s) =>
    Array.from({ length: 6 }, () => s.trace(EIFFEL, (m) => m.lm_head.output.save())),
  );
  expect(proxy.connections).toBe(2);
  expect(new Set(values.map(({ value }) => bytesOf(value))).size).toBe(1);
  await model.close();
  await proxy.stop();
});
